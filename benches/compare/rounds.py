"""The measured sequence of each corpus: what is done before, inside and after the clock."""

import os
import subprocess

from corpus import small_files
from measure import Trash, creation_cost, difference, folder_size, remove, replace_tree, run, timed_sync, warm
from tools import Area, environment

# (step, kind, version of the corpus that it is about)
PLANS = {
    "V": (("commit-v1", "commit", "v1"), ("commit-v2", "commit", "v2"), ("commit-v3", "commit", "v3"),
          ("unchanged", "unchanged", "v3"), ("status", "status", "v3"), ("restore-v1", "restore", "v1"),
          ("gc", "gc", "v3")),
    "B": (("commit-first", "commit", "first"), ("commit-inserted", "commit", "inserted"),
          ("restore-first", "restore", "first"), ("gc", "gc", "inserted")),
    "M": (("commit", "commit", "tree"), ("status", "status", "tree")),
}
COLLECTION = 0
STEPS = tuple(dict.fromkeys(step for plan in PLANS.values() for step, _, _ in plan))


class Runner:
    """Runs tools over corpora and collects one row per measured step."""

    def __init__(self, work, steps, timeout, say):
        self.work = work
        self.steps = steps
        self.timeout = timeout
        self.say = say
        self.rows = []
        self.trash = Trash(os.path.join(work, "trash"))
        self.log = os.path.join(work, "last-output.log")

    def add(self, corpus, tool, step, number, state, figures=None, **more):
        """Record a row. `state` is ok, failed, absent (the tool has no such step), missing (no tool) or not run."""
        row = {"corpus": corpus, "tool": tool.name, "step": step, "round": number, "state": state,
               "load": os.getloadavg()[0], **more}
        if figures:
            row.update(vars(figures))
        if row.get("error"):
            row["error"] = row["error"].replace(self.work, "WORK")
        self.rows.append(row)
        cost = f"{figures.wall:8.3f} s" if figures and state == "ok" else f"{state} {row.get('error') or ''}"
        self.say(f"round {number} {corpus} {tool.name:8} {step:16} {cost}")

    def selected(self, corpus, number):
        """The plan up to the last wanted step, each with whether it is reported.

        Collection is left to a pass of its own after the rounds, as round 0: its result hardly differs between rounds,
        it takes long, and the many files that it deletes would slow down whichever tool comes next (see Trash).
        """
        plan = [(*entry, entry[0] in self.steps and (entry[1] == "gc") == (number == COLLECTION))
                for entry in PLANS[corpus]]
        while plan and not plan[-1][3]:
            plan.pop()
        return plan

    def missing(self, corpus, tool, number):
        for step, _, _, wanted in self.selected(corpus, number):
            if wanted:
                self.add(corpus, tool, step, number, "missing")

    def series(self, corpus, tool, folders, number):
        """All steps of one tool on corpus V or B, in a fresh folder that is removed afterwards."""
        plan = self.selected(corpus, number)
        if not plan:
            return
        root = os.path.join(self.work, "rounds", f"{corpus}-{tool.name}")
        self.trash.take(root)
        os.makedirs(root)
        area = Area(root, environment(tool, root), os.path.join(root, "work"))
        try:
            replace_tree(folders[plan[0][2]], area.work, self.trash)
            broken = self._setup(tool, area)
            commits = []
            for entry in plan:
                step, kind, _, wanted = entry
                if broken:
                    if wanted:
                        self.add(corpus, tool, step, number, "not run", error=broken)
                    continue
                broken = self._step(corpus, tool, area, folders, number, entry, commits)
        finally:
            self.trash.take(root)

    def creation_cost(self):
        return creation_cost(os.path.join(self.work, "rounds", "probe"), self.trash)

    def _setup(self, tool, area):
        figures = run(tool.setup(area), area.env, self.log, self.timeout)
        return f"setup: {figures.error}" if figures.error else None

    def _step(self, corpus, tool, area, folders, number, entry, commits):
        """One step; returns why nothing later can be run, if so."""
        step, kind, version, wanted = entry
        if kind != "commit" and not wanted:
            return None
        try:
            commands = self._commands(tool, area, folders, entry, commits)
        except (OSError, LookupError, ValueError) as error:
            self.add(corpus, tool, step, number, "failed", error=f"preparing it: {error}")
            return None
        if commands is None:
            if wanted:
                self.add(corpus, tool, step, number, "absent")
            return None
        # Other steps' dirty pages must not be written back inside this one.
        warm(area.work, *tool.stores(area))
        timed_sync()
        figures = run(commands, area.env, self.log, self.timeout, sample_anon=tool.own)
        more = {"sync": timed_sync()}
        if kind == "restore" and not figures.error:
            wrong = difference(folders[version], tool.restored(area), tool.keep)
            figures.error = f"restored files differ: {wrong}" if wrong else None
        if kind in ("commit", "gc") and not figures.error:
            more["store"], more["store_allocated"], more["store_files"] = folder_size(tool.stores(area))
        if wanted:
            self.add(corpus, tool, step, number, "failed" if figures.error else "ok", figures, **more)
        return f"{step} failed: {figures.error}" if figures.error and kind == "commit" else None

    def _commands(self, tool, area, folders, entry, commits):
        _, kind, version, _ = entry
        if kind == "commit":
            replace_tree(folders[version], area.work, self.trash, tool.keep)
            commands = tool.commit(area, version)
            if commands is not None:
                commits.append(version)
            return commands
        if kind == "restore":
            commands = tool.restore(area, commits.index(version), len(commits))
            if tool.in_place:
                self.trash.empty_folder(area.work, tool.keep)
            return commands
        return {"unchanged": tool.unchanged, "status": tool.status, "gc": tool.gc}[kind](area)


class SmallFiles:
    """Corpus M: one shared tree, prepared once per tool; only `status` is measured in rounds.

    A copy per tool would double millions of inodes, so git's folder lies outside the tree and git is told to look past
    `.pent`.
    """

    TOOLS = ("git", "pent")

    def __init__(self, runner, tree, count):
        self.runner = runner
        self.tree = tree
        self.count = count
        self.areas = {}
        self.broken = {}

    def prepare(self, tool):
        if tool.name not in self.TOOLS:
            return
        root = os.path.join(self.runner.work, "rounds", f"M-{tool.name}")
        remove(root)
        os.makedirs(root)
        area = Area(root, environment(tool, root), self.tree)
        self.areas[tool.name] = area
        self.runner.say(f"prepare M for {tool.name}")
        prepare = self._prepare_git if tool.name == "git" else self._prepare_pent
        try:
            self.broken[tool.name] = prepare(tool, area)
        except (OSError, subprocess.CalledProcessError) as error:
            self.broken[tool.name] = f"setup: {error}"
        timed_sync()

    def _prepare_git(self, tool, area):
        """A complete repository by fast-import: `git add` would write a million loose objects to the same end."""
        area.env.update({"GIT_DIR": os.path.join(area.root, "git"), "GIT_WORK_TREE": self.tree})
        for argv in (["init", "-q", "-b", "main"], ["config", "gc.auto", "0"]):
            subprocess.run([tool.binary, *argv], cwd=area.work, env=area.env, check=True, capture_output=True)
        with open(os.path.join(area.root, "git", "info", "exclude"), "w", encoding="ascii") as file:
            file.write("/.pent\n/.pentignore\n")
        feed = subprocess.Popen([tool.binary, "fast-import", "--quiet"], cwd=area.work, env=area.env,
                                stdin=subprocess.PIPE)
        with feed.stdin as out:
            out.write(b"commit refs/heads/main\ncommitter Bench <bench@example.com> 0 +0000\ndata 5\nfirst\n")
            for path, text in small_files(self.count):
                out.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text))
        if feed.wait():
            return "setup: fast-import failed"
        for argv in (["read-tree", "main"], ["update-index", "-q", "--refresh"]):
            subprocess.run([tool.binary, *argv], cwd=area.work, env=area.env, check=True, capture_output=True)
        listed = subprocess.run([tool.binary, "status", "--porcelain"], cwd=area.work, env=area.env, check=True,
                                capture_output=True)
        return "setup: git sees changes" if listed.stdout else None

    def _prepare_pent(self, tool, area):
        for name in tool.keep:
            remove(os.path.join(self.tree, name))
        figures = run(tool.setup(area), area.env, self.runner.log, self.runner.timeout)
        if figures.error:
            return f"setup: {figures.error}"
        figures = run(tool.commit(area, "first"), area.env, self.runner.log, self.runner.timeout, sample_anon=True)
        more = {"sync": timed_sync()}
        if not figures.error:
            more["store"], more["store_allocated"], more["store_files"] = folder_size(tool.stores(area))
        if "commit" in self.runner.steps:
            self.runner.add("M", tool, "commit", 1, "failed" if figures.error else "ok", figures, **more)
        return f"commit failed: {figures.error}" if figures.error else None

    def status(self, tool, number):
        add = self.runner.add
        if "status" not in self.runner.steps:
            return
        if tool.name not in self.TOOLS:
            add("M", tool, "status", number, "absent")
            return
        if self.broken[tool.name]:
            add("M", tool, "status", number, "not run", error=self.broken[tool.name])
            return
        area = self.areas[tool.name]
        # Once unmeasured, so that directory and inode caches are warm for whoever comes first.
        run(tool.status(area), area.env, self.runner.log, self.runner.timeout)
        timed_sync()
        figures = run(tool.status(area), area.env, self.runner.log, self.runner.timeout, sample_anon=tool.own)
        add("M", tool, "status", number, "failed" if figures.error else "ok", figures, sync=timed_sync())

    def clean(self):
        for area in self.areas.values():
            remove(area.root)
        for name in (".pent", ".pentignore"):
            remove(os.path.join(self.tree, name))
