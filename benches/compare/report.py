"""Figures to JSON and Markdown."""

import json
import os
import platform
import statistics
import time

from rounds import PLANS

MIB = 1 << 20
TITLES = {
    "V": "Corpus V: three releases of four asset packages",
    "B": "Corpus B: one file of random bytes, then 1 MiB inserted",
    "M": "Corpus M: small files, none changed",
}


def conditions(work):
    """The machine and the moment, as far as they decide the figures. No names, no paths."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(work),
        "nice": os.nice(0),
        "load": os.getloadavg(),
    }


def _field(path, name):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return None


def _file_system(path):
    """Type and options of the file system that holds path: the longest mount point above it."""
    best = ("", "unknown")
    path = os.path.realpath(path)
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                left, _, right = line.partition(" - ")
                fields = left.split()
                point = fields[4]
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best[0]):
                    best = (point, f"{right.split()[0]} ({fields[5]})")
    except OSError:
        pass
    return best[1]


def write(result, path):
    """Markdown at path, JSON beside it. Each replaces its old form whole, so that a stop leaves no half file."""
    stem, extension = os.path.splitext(path)
    json_path = f"{stem if extension == '.md' else path}.json"
    text = markdown(result)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    for target, content in ((json_path, json.dumps(result, indent=1) + "\n"), (path, text)):
        with open(target + ".part", "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(target + ".part", target)
    return text


def markdown(result):
    parts = ["# Comparison\n", _conditions_text(result)]
    for corpus in result["corpora"]:
        parts.append(_corpus_text(result, corpus))
    parts.append(_notes_text(result))
    parts.append(_failures_text(result))
    return "\n".join(part for part in parts if part)


def _conditions_text(result):
    facts = result["conditions"]
    load = ", ".join(f"{value:.2f}" for value in facts["load"])
    loads = [row["load"] for row in result["rows"]] or [facts["load"][0]]
    costs = ", ".join(f"{cost * 1e6:.0f}" for cost in result["creation_cost"])
    lines = [
        f"- {facts['date']}; {result['rounds_done']} of {result['rounds']} rounds; niceness {facts['nice']}",
        f"- {facts['cpu']}, {facts['cores']} cores, {facts['memory'] / (1 << 30):.1f} GiB memory, {facts['kernel']}, "
        f"{facts['file_system']}",
        f"- load at start {load}; between steps {min(loads):.1f} to {max(loads):.1f} (the measured work included)",
        f"- creating an empty file took {costs} us at the start of the rounds (many times more than usual means that the "
        "file system is slowed by earlier mass deletions)",
        f"- memory below {result['rss_floor'] / MIB:.0f} MiB cannot be told apart: a new process counts the harness it "
        "was started from",
        "",
        "| tool | version |",
        "|---|---|",
    ]
    lines += [f"| {name} | {'missing' if tool['problem'] else tool['version']} |" for name, tool in result["tools"].items()]
    return "\n".join(lines) + "\n"


def _corpus_text(result, corpus):
    rows = [row for row in result["rows"] if row["corpus"] == corpus]
    if not rows:
        return None
    steps = [step for step, _, _ in PLANS[corpus] if any(row["step"] == step for row in rows)]
    timed = [step for step in steps if step != "gc"]
    commits = [step for step, kind, _ in PLANS[corpus] if kind in ("commit", "gc") and step in steps]
    tools = list(result["tools"])
    cells = Cells(rows, {name for name in tools if result["tools"][name]["peer"]}, result["rss_floor"])
    lines = [f"## {TITLES[corpus]}\n", _inputs_text(result["inputs"].get(corpus, {}))]
    lines.append(_table("wall seconds: median (min to max)", timed, tools, cells.wall))
    lines.append(_table("ratio to the best peer", timed, tools, cells.ratio))
    lines.append(_table("CPU seconds (user + system), median", timed, tools, cells.cpu))
    memory = _table("peak memory of the largest process, MiB, median", timed, tools, cells.memory)
    own = [name for name in tools if any(row["tool"] == name and row.get("peak_anon") for row in rows)]
    anon = [_row(f"{name}, RssAnon", timed, lambda _, step, name=name: cells.anon(name, step)) for name in own]
    lines.append("\n".join([memory.rstrip("\n"), *anon]) + "\n")
    lines.append(_table("seconds of a `sync` right after (not in the times above), median", timed, tools, cells.sync))
    if commits:
        lines.append(_table("store, MiB of file length (MiB allocated)", commits, tools, cells.store))
    return "\n".join(lines)


def _inputs_text(inputs):
    parts = [f"{name}: {facts['files']:,} files, {facts['bytes']:,} bytes" for name, facts in inputs.items()
             if isinstance(facts, dict) and "files" in facts]
    return "; ".join(parts) + ".\n" if parts else ""


def _table(title, steps, tools, cell):
    lines = [f"| {title} | " + " | ".join(steps) + " |", "|---" * (len(steps) + 1) + "|"]
    lines += [_row(name, steps, cell) for name in tools]
    return "\n".join(lines) + "\n"


def _row(name, steps, cell):
    return f"| {name} | " + " | ".join(cell(name, step) for step in steps) + " |"


class Cells:
    """The text of each cell. Where there is no figure the cell says why."""

    def __init__(self, rows, peers, rss_floor):
        self.peers = peers
        self.rss_floor = rss_floor
        self.groups = {}
        for row in rows:
            self.groups.setdefault((row["tool"], row["step"]), []).append(row)

    def _values(self, tool, step, key):
        group = self.groups.get((tool, step), [])
        return [row[key] for row in group if row["state"] == "ok" and row.get(key) is not None]

    def _reason(self, tool, step):
        states = {row["state"] for row in self.groups.get((tool, step), [])}
        for state in ("failed", "not run", "missing"):
            if state in states:
                return f"*{state}*"
        return "no such step" if states == {"absent"} else "-"

    def _partly(self, tool, step):
        return " *some rounds failed*" if any(row["state"] != "ok" for row in self.groups[(tool, step)]) else ""

    def _median(self, tool, step, key):
        values = self._values(tool, step, key)
        return statistics.median(values) if values else None

    def wall(self, tool, step):
        values = self._values(tool, step, "wall")
        if not values:
            return self._reason(tool, step)
        text = number(statistics.median(values))
        if len(values) > 1:
            text += f" ({number(min(values))} to {number(max(values))})"
        return text + self._partly(tool, step)

    def ratio(self, tool, step):
        best = [self._median(peer, step, "wall") for peer in self.peers]
        best = min((value for value in best if value), default=None)
        mine = self._median(tool, step, "wall")
        if mine is None:
            return self._reason(tool, step)
        return number(mine / best) if best else "no peer"

    def cpu(self, tool, step):
        user, system = self._values(tool, step, "user"), self._values(tool, step, "system")
        if not user:
            return self._reason(tool, step)
        return number(statistics.median(one + two for one, two in zip(user, system)))

    def memory(self, tool, step):
        value = self._median(tool, step, "peak_rss")
        if value is None:
            return self._reason(tool, step)
        return f"{value / MIB:.0f}" if value > self.rss_floor else "at the floor"

    def anon(self, tool, step):
        value = self._median(tool, step, "peak_anon")
        return self._reason(tool, step) if value is None else f"{value / MIB:.0f}"

    def sync(self, tool, step):
        value = self._median(tool, step, "sync")
        return self._reason(tool, step) if value is None else number(value)

    def store(self, tool, step):
        length = self._median(tool, step, "store")
        if length is None:
            return self._reason(tool, step)
        return f"{length / MIB:.1f} ({self._median(tool, step, 'store_allocated') / MIB:.1f})"


def number(value):
    """Three figures that matter, no exponent."""
    if value < 0.9995:
        return f"{value:.3f}"
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}"


def _notes_text(result):
    lines = ["## Notes\n",
             "- Inputs are warm in the page cache and everything dirty is synced before each step. Worktrees are replaced "
             "between versions outside the measured time; unchanged files keep their inode and all files have their "
             "archive's mtime.",
             "- Restores are compared with the corpus byte for byte; one that differs counts as failed.",
             "- `gc` is run once, on a fresh store after all rounds; its store figure is the size after it.",
             "- Memory is that of the largest single process of a step, not the sum of several at once."]
    for name, tool in result["tools"].items():
        lines += [f"- {name}: {note}" for note in tool["notes"]]
    return "\n".join(lines) + "\n"


def _failures_text(result):
    lines = [f"- {row['tool']}, {row['corpus']} {row['step']}, round {row['round']}: {row.get('error')}"
             for row in result["rows"] if row["state"] in ("failed", "not run")]
    lines += [f"- {name}: missing ({tool['problem']})" for name, tool in result["tools"].items() if tool["problem"]]
    lines += [f"- corpus {corpus}: {why}" for corpus, why in result["problems"].items()]
    return "\n".join(["## What did not run\n", *lines]) + "\n" if lines else None
