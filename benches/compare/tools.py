"""The programs under comparison: how each one is told to do the same few things.

Every method returns a list of commands, or None where the tool has no such thing. Nothing here runs anything but the
untimed look-ups of versions and snapshot ids.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess

from measure import Command

LFS_PATTERNS = ("*.png", "*.jpg", "*.gif", "*.webp", "*.ttf", "*.otf", "*.woff", "*.woff2", "*.eot", "*.glb", "*.bin",
                "*.ai", "*.ase", "*.fig", "*.zip")


@dataclasses.dataclass
class Area:
    """The folder of one tool in one round: a worktree, a store for tools that keep it apart, and a restore target."""

    root: str
    env: dict
    work: str

    @property
    def store(self):
        return os.path.join(self.root, "store")

    @property
    def out(self):
        return os.path.join(self.root, "out")


class Tool:
    """What the harness asks of every program."""

    name = ""
    package = None
    version_args = ("--version",)
    # Entries of the worktree that belong to the tool and survive an emptying of it.
    keep = ()
    # Restores into its emptied worktree, not into another folder.
    in_place = False
    own = False
    peer = True
    # Whether it has a collection of garbage that changes the store size and is worth reporting.
    collects = False
    notes = ()

    def __init__(self, binary=None):
        self.binary = binary or shutil.which(self.program())

    def program(self):
        return self.name

    def version(self):
        """First line of the program's own answer, or None when it cannot be run."""
        if not self.binary:
            return None
        try:
            done = subprocess.run([self.binary, *self.version_args], capture_output=True, text=True, timeout=60,
                                  check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
        return lines[0][:120] if done.returncode == 0 and lines else None

    def environment(self, area_root):
        """Extra environment: settings and caches inside the round's folder, so that every round starts equal."""
        return {}

    def setup(self, area):
        return []

    def commit(self, area, label):
        raise NotImplementedError

    def unchanged(self, area):
        return None

    def status(self, area):
        return None

    def restore(self, area, index, total):
        """Commands that bring back commit number `index` of `total`."""
        raise NotImplementedError

    def restored(self, area):
        """Where the restored files lie."""
        return area.work if self.in_place else area.out

    def gc(self, area):
        return None

    def stores(self, area):
        return [area.store]

    def _ask(self, argv, area):
        done = subprocess.run(argv, cwd=area.work, env=area.env, capture_output=True, text=True, check=False)
        return done.stdout


class Copy(Tool):
    """Plain copying and a sync: what the disk and the file system alone cost."""

    name = "cp"
    peer = False
    notes = ("`cp -r` of the worktree, then `sync -f` inside the measured time: the cost of plain I/O, not a peer.",)

    def setup(self, area):
        os.makedirs(area.store)
        return []

    def commit(self, area, label):
        if label not in ("v1", "first"):
            return None
        return [Command([self.binary, "-r", area.work, os.path.join(area.store, label)], area.root),
                Command(["sync", "-f", area.store], area.root)]

    def restore(self, area, index, total):
        label = sorted(os.listdir(area.store))[0]
        return [Command([self.binary, "-r", os.path.join(area.store, label), area.out], area.root),
                Command(["sync", "-f", area.out], area.root)]


class Git(Tool):
    name = "git"
    package = "git"
    keep = (".git",)
    in_place = True
    collects = True
    notes = ("Default `core.fsync`: packs are fsynced, loose objects (what `git add` writes for all but very large files), "
             "the index and refs are not, so a commit is not durable when it returns; neither is a checkout.",
             "`gc.auto` is 0: the collection that `git commit` would start in the background is left out of the times; "
             "the size after `git gc` is reported apart.",
             "`* -text` in `info/attributes`: one of the packages asks for line-ending conversion, which would not give "
             "back the same bytes.")

    def environment(self, area_root):
        who = {"NAME": "Bench", "EMAIL": "bench@example.com"}
        people = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
        return {**people, "GIT_CONFIG_GLOBAL": os.path.join(area_root, "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}

    def _git(self, area, *args, ok=(0,)):
        return Command([self.binary, *args], area.work, ok)

    def setup(self, area):
        os.makedirs(os.path.join(area.work, ".git", "info"))
        with open(os.path.join(area.work, ".git", "info", "attributes"), "w", encoding="ascii") as file:
            file.write("* -text\n")
        return [self._git(area, "init", "-q", "-b", "main"), self._git(area, "config", "gc.auto", "0")]

    def commit(self, area, label):
        return [self._git(area, "add", "-A"), self._git(area, "commit", "-q", "-m", label)]

    def unchanged(self, area):
        # Exit 1 is git's way to say that there was nothing to commit.
        return [self._git(area, "add", "-A"), self._git(area, "commit", "-q", "-m", "same", ok=(1,))]

    def status(self, area):
        return [self._git(area, "status")]

    def restore(self, area, index, total):
        return [self._git(area, "checkout", "-q", "-f", f"main~{total - 1 - index}")]

    def gc(self, area):
        return [self._git(area, "gc", "-q")]

    def stores(self, area):
        return [os.path.join(area.work, ".git")]


class GitLfs(Git):
    name = "git-lfs"
    package = "git-lfs"
    keep = (".git", ".gitattributes")
    version_args = ("version",)
    notes = ("As git, with the binary extensions tracked by LFS; objects stay in the local LFS store, whole and not "
             "fsynced, and nothing is pushed.",)

    def __init__(self, binary=None):
        super().__init__(binary)
        self.git = shutil.which("git")

    def _git(self, area, *args, ok=(0,)):
        return Command([self.git or "git", *args], area.work, ok)

    def setup(self, area):
        return [*super().setup(area), self._git(area, "lfs", "install", "--local"),
                self._git(area, "lfs", "track", *LFS_PATTERNS)]


class Restic(Tool):
    name = "restic"
    package = "restic"
    version_args = ("version",)
    notes = ("Encrypts always; compression auto (repository format 2); its cache is on and lies outside the store size.",
             "The pack and index files of a backup are fsynced; restored files are not.")

    def environment(self, area_root):
        return {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": os.path.join(area_root, "store"),
                "RESTIC_CACHE_DIR": os.path.join(area_root, "cache")}

    def setup(self, area):
        return [Command([self.binary, "init", "-q", "--repository-version", "2"], area.work)]

    def commit(self, area, label):
        return [Command([self.binary, "backup", "-q", "--tag", label, "."], area.work)]

    def unchanged(self, area):
        return self.commit(area, "same")

    def restore(self, area, index, total):
        snapshots = _snapshots(self._ask([self.binary, "snapshots", "--json"], area))
        return [Command([self.binary, "restore", "-q", snapshots[index], "--target", area.out], area.work)]


class Rustic(Tool):
    name = "rustic"
    notes = ("Encrypts always; settings as it ships; its cache is on and lies outside the store size.",)

    def environment(self, area_root):
        return {"RUSTIC_PASSWORD": "bench", "RUSTIC_REPOSITORY": os.path.join(area_root, "store"),
                "RUSTIC_CACHE_DIR": os.path.join(area_root, "cache"), "RUSTIC_NO_PROGRESS": "true"}

    def setup(self, area):
        return [Command([self.binary, "init"], area.work)]

    def commit(self, area, label):
        return [Command([self.binary, "backup", "--tag", label, "."], area.work)]

    def unchanged(self, area):
        return self.commit(area, "same")

    def restore(self, area, index, total):
        snapshots = _snapshots(self._ask([self.binary, "snapshots", "--json"], area))
        return [Command([self.binary, "restore", snapshots[index], area.out], area.work)]


class Borg(Tool):
    name = "borg"
    package = "borgbackup"
    notes = ("`--encryption none --compression zstd,3`; segments are fsynced, extracted files are not.",)

    def environment(self, area_root):
        return {"BORG_BASE_DIR": os.path.join(area_root, "borg"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
                "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}

    def setup(self, area):
        return [Command([self.binary, "init", "--encryption", "none", area.store], area.work)]

    def commit(self, area, label):
        return [Command([self.binary, "create", "--compression", "zstd,3", f"{area.store}::{label}", "."], area.work)]

    def unchanged(self, area):
        return self.commit(area, "same")

    def restore(self, area, index, total):
        os.makedirs(area.out)
        archives = self._ask([self.binary, "list", "--short", area.store], area).split()
        return [Command([self.binary, "extract", f"{area.store}::{archives[index]}"], area.out)]


class Pent(Tool):
    name = "pent"
    keep = (".pent", ".pentignore")
    in_place = True
    own = True
    peer = False
    notes = ("Reports success only after its fsyncs (a promise of its design, not checked here).",)

    def setup(self, area):
        return [Command([self.binary, "init"], area.work),
                Command([self.binary, "config", "user.name", "Bench"], area.work),
                Command([self.binary, "config", "user.email", "bench@example.com"], area.work)]

    def commit(self, area, label):
        return [Command([self.binary, "commit", "-m", label], area.work)]

    def unchanged(self, area):
        # 1 as well as 0: that there was nothing to commit is a result, not a failure.
        return [Command([self.binary, "commit", "-m", "same"], area.work, (0, 1))]

    def status(self, area):
        return [Command([self.binary, "status"], area.work)]

    def restore(self, area, index, total):
        behind = total - 1 - index
        return [Command([self.binary, "restore", "--from", f"main~{behind}" if behind else "main", "."], area.work)]

    def stores(self, area):
        return [os.path.join(area.work, ".pent")]


ALL = {tool.name: tool for tool in (Copy, Git, GitLfs, Restic, Borg, Rustic, Pent)}
DEFAULT = ("cp", "git", "git-lfs", "restic", "borg", "pent")


def _snapshots(text):
    """Snapshot ids, oldest first, from a JSON listing whose nesting differs between programs and their versions."""
    found = []

    def visit(value):
        if isinstance(value, list):
            for item in value:
                visit(item)
        elif isinstance(value, dict):
            if "id" in value and "time" in value:
                found.append((value["time"], value["id"]))
            else:
                for item in value.values():
                    visit(item)

    visit(json.loads(text or "[]"))
    # Nanoseconds have their trailing zeros cut by some writers; pad them so that text order is time order.
    found.sort(key=lambda pair: re.sub(r"\.(\d+)", lambda match: "." + match.group(1).ljust(9, "0"), pair[0]))
    return [identity for _, identity in found]


def environment(tool, area_root):
    """The full environment of a tool: a home of its own, English messages, and the tool's settings."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("GIT_", "BORG_", "RESTIC_", "RUSTIC_", "PENT_", "XDG_"))}
    home = os.path.join(area_root, "home")
    os.makedirs(home, exist_ok=True)
    env.update({"HOME": home, "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    env.update(tool.environment(area_root))
    return env
