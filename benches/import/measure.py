#!/usr/bin/env python3
"""Measures imports of Git history beside what stock Git and Git LFS take for the same history.

    small   many small commits, merges among them, made by `git fast-import`
    wide    commits that each change one file of ten thousand in one folder: memory must not follow the folder
    blobs   random content in few commits: how fast bytes come in, beside a plain first commit of them
    large   one file of more than a gigabyte as a plain blob and one in Git LFS: memory must not follow size
    real    published versions of npm asset packages, committed one after the other, large ones in Git LFS

Every round runs `git clone --mirror` (and `git lfs fetch --all` where there is LFS) and the import one after the other.
Of `real`, every revision is compared byte for byte with a checkout by Git LFS: the folder that a revision changed is
checked out and exported, and `pent diff` has to say that nothing else changed; now and then all of it is compared. The
export must give the same ids.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import threading
import time

# How many of the newest published versions of each package are committed.
PACKAGES = {
    "flag-icons": 150,
    "bootstrap-icons": 150,
    "@mdi/font": 150,
    "emoji-datasource": 6,
}
# Every so many revisions all of it is compared and not only what changed.
WHOLE_EVERY = 40
ENVIRONMENT = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="A",
                   GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@b",
                   GIT_AUTHOR_DATE="1700000000 +0000", GIT_COMMITTER_DATE="1700000000 +0000")


def run(command, cwd=None, stdin=None):
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, input=stdin, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(map(str, command))} failed: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout


class Measured:
    """One run of a command: wall and CPU seconds, the highest anonymous memory of its own process in MB."""

    def __init__(self, command, cwd=None):
        before = os.times()
        began = time.monotonic()
        child = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.peak_mb = 0
        watcher = threading.Thread(target=self._watch, args=(child,))
        watcher.start()
        self.out, error = child.communicate()
        watcher.join()
        self.wall = time.monotonic() - began
        after = os.times()
        self.cpu = after.children_user + after.children_system - before.children_user - before.children_system
        if child.returncode not in (0, 1):
            sys.exit(f"{' '.join(map(str, command))} failed: {error.decode(errors='replace')[-600:]}")

    def _watch(self, child):
        while child.poll() is None:
            try:
                with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
                    for line in status:
                        if line.startswith("RssAnon:"):
                            self.peak_mb = max(self.peak_mb, int(line.split()[1]) // 1000)
            except (OSError, ValueError):
                pass
            time.sleep(0.02)


def make_small(folder, commits):
    """A thousand files in fifty folders; each commit changes one to three, every fortieth is a merge."""
    if os.path.isdir(folder):
        return
    chance = random.Random(7)
    run(["git", "init", "-q", "--bare", "-b", "main", folder])
    child = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, env=ENVIRONMENT, stdin=subprocess.PIPE)
    out, tips = child.stdin, {}
    for number in range(1, commits + 1):
        branch = "side" if number > 40 and number % 40 in range(30, 40) else "main"
        out.write(f"commit refs/heads/{branch}\nmark :{number}\n".encode())
        out.write(f"author A{number % 30} <a{number % 30}@b> {1500000000 + number * 60} +0100\n".encode())
        message = f"change number {number}\n\nbecause of reason {number % 97}\n"
        out.write(f"committer C <c@d> {1500000000 + number * 60} +0100\ndata {len(message)}\n{message}".encode())
        if branch == "side" and number % 40 == 30:
            out.write(f"from :{tips['main']}\n".encode())
        if branch == "main" and number > 80 and number % 40 == 0:
            out.write(f"merge :{tips['side']}\n".encode())
        tips[branch] = number
        for _ in range(chance.randint(1, 3)):
            text = f"content {number} {chance.random()}\n" * 4
            path = f"folder{chance.randrange(50):02}/file{chance.randrange(20):02}.txt"
            out.write(f"M 644 inline {path}\ndata {len(text)}\n{text}\n".encode())
    out.close()
    if child.wait():
        sys.exit("git fast-import failed")
    run(["git", "gc", "-q"], cwd=folder)


def make_wide(folder, commits):
    """Ten thousand files in one folder; each commit changes one."""
    if os.path.isdir(folder):
        return
    chance = random.Random(8)
    run(["git", "init", "-q", "--bare", "-b", "main", folder])
    child = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, env=ENVIRONMENT, stdin=subprocess.PIPE)
    for number in range(1, commits + 1):
        message = f"change number {number}\n"
        child.stdin.write(f"commit refs/heads/main\nmark :{number}\n".encode())
        child.stdin.write(f"committer C <c@d> {1500000000 + number * 60} +0100\ndata {len(message)}\n{message}".encode())
        for file in range(10_000) if number == 1 else [chance.randrange(10_000)]:
            text = f"content {number} {file}\n"
            child.stdin.write(f"M 644 inline folder/file{file:05}.txt\ndata {len(text)}\n{text}\n".encode())
    child.stdin.close()
    if child.wait():
        sys.exit("git fast-import failed")
    run(["git", "gc", "-q"], cwd=folder)


def make_blobs(folder, mib):
    """Random content: `mib` MiB in files of 40 kB to 8 MB, ten commits."""
    if os.path.isdir(folder):
        return
    chance = random.Random(9)
    run(["git", "init", "-q", "-b", "main", folder])
    left, number = mib << 20, 0
    for commit in range(10):
        goal = left - (left // (10 - commit))
        while left > goal:
            size = min(left, chance.choice([40_000, 300_000, 2_000_000, 8_000_000]))
            with open(os.path.join(folder, f"{number:05}.bin"), "wb") as file:
                file.write(chance.randbytes(size))
            left, number = left - size, number + 1
        run(["git", "add", "-A"], cwd=folder)
        run(["git", "commit", "-q", "-m", f"part {commit}"], cwd=folder)


def make_large(folder, mib):
    """One file of `mib` MiB as a blob, packed as it is, and one in Git LFS."""
    if os.path.isdir(folder):
        return
    run(["git", "init", "-q", "-b", "main", folder])
    run(["git", "lfs", "install", "--local"], cwd=folder)
    with open(os.path.join(folder, ".gitattributes"), "w", encoding="ascii") as file:
        file.write("*.lfs filter=lfs diff=lfs merge=lfs -text\n")
    for name in ("film.mov", "film.lfs"):
        with open(os.path.join(folder, name), "wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))
        run(["git", "add", "-A"], cwd=folder)
        run(["git", "commit", "-q", "-m", name], cwd=folder)
    run(["git", "repack", "-q", "-a", "-d"], cwd=folder)


def make_real(folder, work, versions_max):
    """One commit for each version of each package, in the order of versions; large kinds of files in Git LFS."""
    if os.path.isdir(folder):
        return
    draft = folder + ".part"
    shutil.rmtree(draft, ignore_errors=True)
    run(["git", "init", "-q", "-b", "main", draft])
    run(["git", "config", "gc.auto", "0"], cwd=draft)
    run(["git", "lfs", "install", "--local"], cwd=draft)
    with open(os.path.join(draft, ".gitattributes"), "w", encoding="ascii") as file:
        for pattern in ("*.png", "*.ttf", "*.eot", "*.woff", "*.woff2", "*.json"):
            file.write(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n")
    archives = os.path.join(work, "npm")
    os.makedirs(archives, exist_ok=True)
    for package, wanted in PACKAGES.items():
        versions = json.loads(run(["npm", "view", package, "versions", "--json"]))
        for version in [version for version in versions if "-" not in version][-min(wanted, versions_max):]:
            add_version(draft, archives, package, version)
    run(["git", "gc", "-q"], cwd=draft)
    os.rename(draft, folder)


def add_version(folder, archives, package, version):
    flat = package.lstrip("@").replace("/", "-")
    archive = os.path.join(archives, f"{flat}-{version}.tgz")
    if not os.path.isfile(archive):
        run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=archives)
    target = os.path.join(folder, flat)
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.split("/", 1)[-1]
            if member.isfile() and ".." not in name.split("/"):
                path = os.path.join(target, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    shutil.copyfileobj(tar.extractfile(member), file)
    run(["git", "add", "-A"], cwd=folder)
    run(["git", "commit", "-q", "-m", f"{package} {version}"], cwd=folder)


def size_of(folder):
    return sum(os.path.getsize(os.path.join(base, name)) for base, _, names in os.walk(folder) for name in names
               if not os.path.islink(os.path.join(base, name)))


def mirror(source, work, lfs):
    target = os.path.join(work, "mirror.git")
    shutil.rmtree(target, ignore_errors=True)
    script = f"git clone -q --mirror --no-local 'file://{source}' '{target}'"
    if lfs:
        script += f" && cd '{target}' && git lfs fetch --all"
    return Measured(["sh", "-c", script])


def fresh(pent, work, name):
    target = os.path.join(work, name)
    shutil.rmtree(target, ignore_errors=True)
    run([pent, "init", target])
    run([pent, "-C", target, "config", "user.name", "A"])
    return target


def measure(pent, source, work, rounds, lfs):
    """Rounds of Git and pent, alternating. Gives medians and what the last import said."""
    git, ours, report = [], [], None
    for _ in range(rounds):
        git.append(mirror(source, work, lfs))
        target = fresh(pent, work, "target")
        ours.append(Measured([pent, "-C", target, "--json", "import", "git", source]))
        report = json.loads(ours[-1].out)
    middle = statistics.median
    return {
        "git_s": round(middle(run.wall for run in git), 2),
        "pent_s": round(middle(run.wall for run in ours), 2),
        "pent_cpu_s": round(middle(run.cpu for run in ours), 2),
        "pent_peak_mb": max(run.peak_mb for run in ours),
        "ratio": round(middle(run.wall for run in ours) / middle(run.wall for run in git), 2),
        "commits": report["commits"],
        "commits_per_s": round(report["commits"] / middle(run.wall for run in ours)),
        "mb_per_s": round(report["bytes"] / 1e6 / middle(run.wall for run in ours), 1),
        "bytes": report["bytes"],
        "stored": size_of(os.path.join(work, "target", ".pent", "packs")),
        "database": os.path.getsize(os.path.join(work, "target", ".pent", "db.redb")),
        "git_size": size_of(os.path.join(work, "mirror.git")),
    }


def first_commit(pent, source, work):
    """A plain first commit of the newest state: what bytes cost without an import."""
    target = fresh(pent, work, "plain")
    run(["sh", "-c", f"cd '{source}' && git archive HEAD | tar -x -C '{target}'"])
    return Measured([pent, "-C", target, "commit", "-m", "all"]).wall


def compare_all(pent, source, work):
    """Compares every revision with what Git LFS checks out. Gives how many were equal."""
    target = os.path.join(work, "target")
    commits = run(["git", "rev-list", "--reverse", "--first-parent", "main"], cwd=source).decode().split()
    ours = json.loads(run([pent, "-C", target, "--json", "log", "--number", "0"]))["commits"]
    ours = [line["id"] for line in ours][::-1]
    if len(ours) != len(commits):
        sys.exit(f"{len(ours)} commits here, {len(commits)} in Git")
    checkout, export = os.path.join(work, "checkout"), os.path.join(work, "export")
    shutil.rmtree(checkout, ignore_errors=True)
    run(["git", "worktree", "prune"], cwd=source)
    run(["git", "worktree", "add", "-q", "--detach", checkout, commits[0]], cwd=source)
    for number, (git_id, our_id) in enumerate(zip(commits, ours)):
        run(["git", "checkout", "-q", "--detach", git_id], cwd=checkout)
        folder = None if number % WHOLE_EVERY == 0 or number + 1 == len(commits) else changed_folder(
            pent, target, source, ours[number - 1], our_id, git_id)
        shutil.rmtree(export, ignore_errors=True)
        run([pent, "-C", target, "export", our_id, export] + ([os.path.join(target, folder)] if folder else []))
        pair = [os.path.join(checkout, folder), os.path.join(export, folder)] if folder else [checkout, export]
        if run(["diff", "-r", "--no-dereference", "--exclude=.git"] + pair):
            sys.exit(f"revision {git_id} differs")
    run(["git", "worktree", "remove", "--force", checkout], cwd=source)
    back = os.path.join(work, "back.git")
    shutil.rmtree(back, ignore_errors=True)
    run([pent, "-C", target, "export", "git", back])
    if run(["git", "rev-parse", "main"], cwd=back) != run(["git", "rev-parse", "main"], cwd=source):
        sys.exit("the export has other ids")
    run(["git", "fsck", "--connectivity-only"], cwd=back)
    return len(commits)


def changed_folder(pent, target, source, before, after, git_id):
    """The folder at the top in which a revision changed something, when Git and pent agree that it is only one
    and it is still there; else nothing, and all is compared."""
    names = run(["git", "diff-tree", "-r", "--name-only", "-z", "--no-commit-id", git_id], cwd=source)
    in_git = {name.split(b"/")[0].decode() for name in names.split(b"\0") if name}
    shown = json.loads(run([pent, "-C", target, "--json", "diff", "--names", before, after]))
    here = set()
    for line in shown["files"]:
        for path in (line["path"], (line["before"] or {}).get("path"), (line["after"] or {}).get("path")):
            if path:
                here.add(path.split("/")[0])
    return in_git.pop() if len(in_git) == 1 and in_git == here else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pent", required=True, help="the program, built for release")
    parser.add_argument("--work", required=True, help="a folder for inputs and results, on a real disk")
    parser.add_argument("--commits", type=int, default=100_000)
    parser.add_argument("--mib", type=int, default=400)
    parser.add_argument("--large-mib", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--versions", type=int, default=150, help="most versions of one package, for `real`")
    parser.add_argument("--prepare", action="store_true", help="only make the inputs")
    parser.add_argument("kinds", nargs="*", default=["small", "wide", "blobs", "large", "real"])
    options = parser.parse_args()
    pent, work = os.path.abspath(options.pent), os.path.abspath(options.work)
    os.makedirs(work, exist_ok=True)
    for kind in options.kinds:
        source = os.path.join(work, f"{kind}-source")
        if kind == "small":
            make_small(source, options.commits)
        elif kind == "wide":
            make_wide(source, max(options.commits // 50, 10))
        elif kind == "blobs":
            make_blobs(source, options.mib)
        elif kind == "large":
            make_large(source, options.large_mib)
        else:
            make_real(source, work, options.versions)
        if options.prepare:
            continue
        load = os.getloadavg()[0]
        result = measure(pent, source, work, options.rounds, kind in ("large", "real"))
        result["load_before_and_after"] = [round(load, 1), round(os.getloadavg()[0], 1)]
        if kind == "blobs":
            result["plain_first_commit_s"] = round(first_commit(pent, source, work), 2)
        if kind == "real":
            result["revisions_equal"] = compare_all(pent, source, work)
        print(json.dumps({"kind": kind, **result}))


if __name__ == "__main__":
    main()
