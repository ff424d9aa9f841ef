#!/usr/bin/env python3
"""Sizes at which programs break: a million files, and one file of 200 GB. See README.md beside this file."""

import argparse
import dataclasses
import json
import os
import random
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "compare"))

import corpus  # noqa: E402
from compare import pent_binary  # noqa: E402
from measure import Command, folder_size, remove, run  # noqa: E402
from report import conditions  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
# What anonymous memory must stay below, in MiB: for any size of file, and for a million files.
LIMITS = {"big": 256, "many": 600}
EDIT_SEED = 2017


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


class Bench:
    """Runs steps one after the other in one folder and keeps their figures."""

    def __init__(self, options, name):
        self.options, self.name, self.rows = options, name, []
        self.folder = os.path.join(options.work, "scale", name)
        self.home = os.path.join(options.work, "scale", name + "-home")
        for folder in (self.folder, self.home):
            remove(folder)
            os.makedirs(folder)
        self.env = {"HOME": self.home, "PATH": os.environ.get("PATH", ""), "TMPDIR": options.work, "LC_ALL": "C.UTF-8"}

    def step(self, name, *arguments, discard=False):
        command = Command([self.options.pent, *arguments], self.folder)
        log = os.devnull if discard else os.path.join(self.home, "log")
        figures = run([command], self.env, log, self.options.timeout, sample_anon=True)
        if figures.error:
            say(f"{name}: {figures.error}")
        row = {"step": name, "command": " ".join(arguments), **dataclasses.asdict(figures)}
        row["load"] = os.getloadavg()[0]
        self.rows.append(row)
        say(f"{self.name}: {name}: {figures.wall:.1f} s, {(figures.peak_anon or 0) / MIB:.0f} MiB anonymous")

    def prepare(self):
        for arguments in (["init"], ["config", "user.name", "Bench"], ["config", "user.email", "bench@example.com"]):
            run([Command([self.options.pent, *arguments], self.folder)], self.env, os.devnull, 60)


def many(options):
    """A million small files: everything that people do with them."""
    bench = Bench(options, "many")
    tree = corpus.make_small(options.work, options.files, say)
    # The files lie in the corpus; the repository lies beside them.
    bench.folder = tree
    remove(os.path.join(tree, ".pent"))
    bench.prepare()
    bench.step("status, all new", "status")
    bench.step("status, all new, again", "status")
    bench.step("commit", "commit", "-m", "All of them")
    bench.step("status, nothing changed", "status")
    edited = os.path.join(tree, "set-00007", "asset-0007.txt")
    with open(edited, "a", encoding="utf-8") as file:
        file.write("edited\n")
    bench.step("status, one changed", "status")
    bench.step("commit of one", "commit", "-m", "One of them")
    bench.step("log, newest", "log", "-n", "1")
    bench.step("restore, nothing to do", "restore", ".")
    out = os.path.join(options.work, "scale", "many-out")
    remove(out)
    bench.step("restore into a new folder", "restore", ".", "-r", "@~1", "--to", out)
    bench.step("collect", "gc", "--now", "--yes")
    bench.step("check", "fsck")
    store, _, _ = folder_size([os.path.join(tree, ".pent")])
    return bench.rows, {"files": options.files, "store": store}


def big(options):
    """One file as large as they get. It is sparse, so that any disk has room for it; a stretch of it is noise."""
    bench = Bench(options, "big")
    bench.prepare()
    path = os.path.join(bench.folder, "film.mov")
    noise = random.Random(EDIT_SEED)
    with open(path, "wb") as file:
        file.truncate(options.gib * GIB)
        for start in range(0, options.gib * GIB, max(GIB, options.gib * GIB // 16)):
            file.seek(start + 12345)
            file.write(noise.randbytes(32 * MIB))
    bench.step("commit", "commit", "-m", "A film")
    bench.step("status, nothing changed", "status")
    with open(path, "r+b") as file:
        file.seek(options.gib * GIB // 3)
        file.write(noise.randbytes(MIB))
    bench.step("status, edited", "status", "--measure")
    bench.step("commit of the edit", "commit", "-m", "A cut")
    bench.step("diff", "diff", "@~1", "@")
    bench.step("give out", "cat", "film.mov", discard=True)
    bench.step("collect", "gc", "--now", "--yes")
    bench.step("check", "fsck")
    store, _, _ = folder_size([os.path.join(bench.folder, ".pent")])
    return bench.rows, {"bytes": options.gib * GIB, "store": store}


def table(name, rows):
    lines = [f"### {name}", "", "| step | wall s | CPU s | anonymous MiB | resident MiB | load |", "|---|---|---|---|---|---|"]
    for row in rows:
        wall = f"failed: {row['error']}" if row["error"] else f"{row['wall']:.2f}"
        lines.append(f"| {row['step']} | {wall} | {row['user']:.2f} + {row['system']:.2f} "
                     f"| {(row['peak_anon'] or 0) / MIB:.0f} | {row['peak_rss'] / MIB:.0f} | {row['load']:.1f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("what", nargs="*", default=["many", "big"], help="many, big; both unless asked otherwise")
    add("--work", default=os.path.join(tempfile.gettempdir(), "pent-compare"), help="default: %(default)s")
    add("--pent", help="the binary; else the release build of this checkout")
    add("--files", type=int, default=1_000_000, help="default: %(default)s")
    add("--gib", type=int, default=200, help="size of the one file; default: %(default)s")
    add("--timeout", type=float, default=7200, help="seconds that one command may take; default: %(default)s")
    options = parser.parse_args()
    options.work, options.pent = os.path.realpath(options.work), pent_binary(options.pent)
    os.makedirs(options.work, exist_ok=True)
    failed, result = False, {"conditions": conditions(options.work)}
    for name in options.what:
        rows, facts = {"many": many, "big": big}[name](options)
        result[name] = {"rows": rows, **facts}
        print(table(f"{name} ({facts})", rows), "\n")
        peak = max(row["peak_anon"] or 0 for row in rows)
        if peak > LIMITS[name] * MIB or any(row["error"] for row in rows):
            failed = True
            say(f"{name}: {peak / MIB:.0f} MiB of at most {LIMITS[name]}, errors: {[row['error'] for row in rows if row['error']]}")
    with open(os.path.join(options.work, "scale.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
