#!/usr/bin/env python3
"""Compare `pent` with its peers on the same inputs, in alternating rounds. See README.md beside this file."""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import corpus
import report
import tools
from measure import remove
from rounds import COLLECTION, STEPS, Runner, SmallFiles

HERE = os.path.dirname(os.path.abspath(__file__))
CORPORA = ("V", "B", "M")
# Above this many seconds per created file the file system is taken for one that still digests mass deletions.
SLOW_CREATION = 150e-6


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def names(allowed):
    """An argument type: names separated by commas, each one known."""
    def parse(text):
        chosen = [name for name in text.split(",") if name]
        for name in chosen:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(allowed)}")
        return chosen
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--work", default=os.path.join(tempfile.gettempdir(), "pent-compare"),
        help="folder for corpora (kept) and rounds (removed); default: %(default)s")
    add("--only", type=names(CORPORA), default=["V", "B"], help="corpora, from V,B,M; default: V,B")
    add("--tools", type=names(tuple(tools.ALL)), help=f"tools; default: {','.join(tools.DEFAULT)}")
    add("--steps", type=names(STEPS), default=list(STEPS), help=f"steps to report, from {','.join(STEPS)}; default: all")
    add("--rounds", type=int, default=5, help="default: %(default)s")
    add("--pent", help="the pent binary; default: the release build of this checkout, else the one in PATH")
    add("--out", help="the Markdown report (the JSON goes beside it); default: compare.md in the work folder")
    add("--with-rustic", action="store_true", help="compare rustic too; builds it when it is not there")
    add("--no-install", action="store_true", help="do not install missing peers")
    add("--no-measure", action="store_true", help="make the corpora, install the peers, stop")
    add("--timeout", type=float, default=1800, help="seconds that one command may take; default: %(default)s")
    add("--settle", type=float, default=420,
        help="longest wait, in seconds, for a file system that is slow after mass deletions; default: %(default)s")
    add("--keep-trash", action="store_true",
        help="leave the emptied files of the rounds behind, so that another run soon after need not wait to settle")
    add("--b-mib", type=int, default=1024, help="size of corpus B in MiB, for a quick trial; default: %(default)s")
    add("--m-files", type=int, default=1_000_000, help="files in corpus M; default: %(default)s")
    add("--render", metavar="JSON", help="print the report of earlier figures and stop")
    return parser.parse_args()


def pent_binary(wanted):
    if wanted:
        return os.path.abspath(wanted)
    built = os.path.join(HERE, "..", "..", "target", "release", "pent")
    return os.path.abspath(built) if os.path.isfile(built) else shutil.which("pent")


def choose_tools(options):
    chosen = options.tools or list(tools.DEFAULT)
    if options.with_rustic and "rustic" not in chosen:
        chosen.insert(chosen.index("pent") if "pent" in chosen else len(chosen), "rustic")
    made = []
    for name in chosen:
        binary = None
        if name == "pent":
            binary = pent_binary(options.pent)
        elif name == "rustic":
            built = os.path.join(options.work, "tools", "bin", "rustic")
            binary = built if os.path.isfile(built) else None
        made.append(tools.ALL[name](binary))
    return made


def install(options, chosen):
    """Install missing peers by package name; returns {tool: why it is still missing}."""
    lacking = [tool for tool in chosen if not runs(tool)]
    packages = [tool.package for tool in lacking if tool.package]
    if packages and not options.no_install:
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        if os.geteuid() == 0 and shutil.which("apt-get"):
            say(" ".join(command))
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        else:
            say(f"missing peers; as an administrator run: {' '.join(command)}")
    for tool in lacking:
        if tool.name == "rustic" and options.with_rustic and not options.no_install and shutil.which("cargo"):
            root = os.path.join(options.work, "tools")
            say("cargo install rustic-rs (takes minutes)")
            subprocess.run(["cargo", "install", "rustic-rs", "--locked", "--root", root], check=False)
            tool.binary = os.path.join(root, "bin", "rustic")
        elif not tool.binary:
            tool.binary = shutil.which(tool.program())
    return {tool.name: "not an executable file" if tool.binary else "not found" for tool in lacking if not runs(tool)}


def runs(tool):
    return bool(tool.binary) and os.access(tool.binary, os.X_OK) and os.path.isfile(tool.binary)


def make_corpora(options):
    """{corpus: folders} and {corpus: why it could not be made}."""
    makers = {
        "V": lambda: corpus.make_versions(options.work, say),
        "B": lambda: corpus.make_big(options.work, options.b_mib, say),
        "M": lambda: {"tree": corpus.make_small(options.work, options.m_files, say)},
    }
    made, problems = {}, {}
    for name in options.only:
        try:
            made[name] = makers[name]()
        except (corpus.CorpusError, OSError) as error:
            problems[name] = str(error).replace(options.work, "WORK")
            say(f"corpus {name}: {error}")
    return made, problems


def new_result(options, chosen, lacking, made, problems):
    return {
        "conditions": report.conditions(options.work),
        "rounds": options.rounds,
        "rounds_done": 0,
        "creation_cost": [],
        "rss_floor": 0,
        "tools": {tool.name: {"version": tool.version() or "unknown", "peer": tool.peer, "notes": list(tool.notes),
                              "problem": lacking.get(tool.name)} for tool in chosen},
        "corpora": list(made),
        "inputs": {name: corpus.describe(folders) for name, folders in made.items() if name != "M"},
        "problems": problems,
        "rows": [],
    }


def settle(options, runner):
    """Wait until creating files is not slowed down by what was deleted before this run (see measure.Trash)."""
    end = time.monotonic() + options.settle
    cost = runner.creation_cost()
    while cost > SLOW_CREATION and time.monotonic() < end:
        say(f"creating a file takes {cost * 1e6:.0f} us, probably after mass deletions; waiting")
        time.sleep(min(30, max(0, end - time.monotonic())))
        cost = runner.creation_cost()


def write_report(result, path):
    # A child starts with the peak of this process as its own (see README), so the latest peak is the floor.
    result["rss_floor"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return report.write(result, path)


def measure(options, chosen, made, result):
    runner = Runner(options.work, set(options.steps), options.timeout, say)
    result["rows"] = runner.rows
    missing = {name for name, tool in result["tools"].items() if tool["problem"]}
    small = SmallFiles(runner, made["M"]["tree"], options.m_files) if "M" in made else None
    if small:
        result["inputs"]["M"] = {"tree": {"files": options.m_files,
                                          "bytes": sum(len(text) for _, text in corpus.small_files(options.m_files))}}
    settle(options, runner)

    def step(name, tool, number):
        if tool.name in missing:
            runner.missing(name, tool, number)
        elif name == "M":
            small.status(tool, number)
        else:
            runner.series(name, tool, made[name], number)

    try:
        for tool in chosen:
            if small and tool.name not in missing:
                small.prepare(tool)
        for number in range(1, options.rounds + 1):
            # Forth and back: whatever drifts during a round meets each tool from both sides.
            order = chosen if number % 2 else chosen[::-1]
            result["creation_cost"].append(runner.creation_cost())
            for name in made:
                for tool in order:
                    step(name, tool, number)
            result["rounds_done"] = number
            write_report(result, options.out)
        for name in made:
            for tool in chosen:
                if name != "M":
                    step(name, tool, COLLECTION)
    finally:
        if small:
            small.clean()
        remove(os.path.join(options.work, "rounds"))
        if not options.keep_trash:
            runner.trash.clear()
        remove(runner.log)
        text = write_report(result, options.out)
    print(text)


def main():
    options = parse_arguments()
    if options.render:
        with open(options.render, encoding="utf-8") as file:
            print(report.markdown(json.load(file)))
        return 0
    options.work = os.path.realpath(options.work)
    os.makedirs(options.work, exist_ok=True)
    options.out = options.out or os.path.join(options.work, "compare.md")
    chosen = choose_tools(options)
    lacking = install(options, chosen)
    made, problems = make_corpora(options)
    for name, why in lacking.items():
        say(f"{name} is missing: {why}")
    if options.no_measure:
        return 1 if problems or lacking else 0
    measure(options, chosen, made, new_result(options, chosen, lacking, made, problems))
    return 0


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Also when told to end by others (or started in the background, where SIGINT is ignored): write what there is.
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
