#!/usr/bin/env python3
"""First pushes, clones and small edits over a folder, ssh, HTTP and S3, beside plain copies and peers. See README.md beside this
file."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "compare"))

import assets  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
from edits import Edits  # noqa: E402
from firsts import Firsts  # noqa: E402
from measure import folder_size, remove, timed_sync  # noqa: E402

PATHS = ("folder", "ssh", "http", "s3")
DELAYS = (0, 20)


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
    add("--work", default=os.path.join(tempfile.gettempdir(), "pent-remotes"),
        help="folder for corpora (kept) and everything else (removed); default: %(default)s")
    add("--only", type=names(("firsts", "edits")), default=["firsts", "edits"], help="firsts,edits")
    add("--paths", type=names(PATHS), default=list(PATHS), help=f"from {','.join(PATHS)}; default: all")
    add("--rounds", type=int, default=3, help="of the first pushes and clones; default: %(default)s")
    add("--packages", type=lambda text: tuple(text.split(",")), default=assets.PACKAGES, help="of Debian, for the corpus")
    add("--big-mib", type=int, default=1024, help="length of the file that is edited; default: %(default)s")
    add("--pent", help="the pent binary; default: the release build of this checkout, else the one in PATH")
    add("--out", help="the JSON of all figures; default: remotes.json in the work folder")
    add("--peers", type=names(("rsync", "git-lfs", "rclone", "restic")), default=["rsync", "git-lfs", "rclone", "restic"],
        help="peers; default: all")
    add("--render", metavar="JSON", help="print the tables of earlier figures and stop")
    return parser.parse_args()


def pent_binary(wanted):
    built = os.path.join(HERE, "..", "..", "target", "release", "pent")
    found = wanted or (built if os.path.isfile(built) else shutil.which("pent"))
    if not found:
        sys.exit("there is no pent: cargo build --release, or --pent PATH")
    return os.path.abspath(found)


class World:
    """Where everything is, and how programs are run: with a home of their own and nothing of the surroundings."""

    def __init__(self, options):
        self.options = options
        self.work = options.work
        self.pent = options.pent
        self.rows = []
        self.open = []
        home = os.path.join(self.work, "home")
        os.makedirs(home, exist_ok=True)
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith(("GIT_", "RESTIC_", "PENT_", "AWS_", "RCLONE_", "XDG_"))}
        self.env.update({"HOME": home, "LC_ALL": "C.UTF-8", "TZ": "UTC", "RCLONE_CONFIG": "/dev/null",
                         "AWS_ACCESS_KEY_ID": servers.KEY, "AWS_SECRET_ACCESS_KEY": servers.SECRET,
                         "AWS_REGION": "us-east-1", "RESTIC_PASSWORD": "bench",
                         "RESTIC_CACHE_DIR": os.path.join(self.work, "restic-cache"), "GIT_CONFIG_NOSYSTEM": "1"})

    def place(self, name):
        """A folder that is empty."""
        path = os.path.join(self.work, "rounds", name)
        remove(path)
        os.makedirs(path)
        return path

    def serve(self, server):
        self.open.append(server)
        return server

    def close(self):
        while self.open:
            self.open.pop().close()

    def run(self, argv, cwd=None, env=None):
        """Runs a program; gives wall seconds and what it printed. One that fails stops the run with what it said."""
        start = time.perf_counter()
        done = subprocess.run(argv, cwd=cwd or self.work, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        wall = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)[:200]}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
        return wall, done.stdout

    def json(self, argv, cwd=None, env=None):
        wall, text = self.run([self.pent, "--json", *argv], cwd, env)
        return wall, json.loads(text)

    def repository(self, name):
        """A new repository in a new folder."""
        folder = self.place(name)
        self.run([self.pent, "init"], folder)
        self.run([self.pent, "config", "user.name", "Bench"], folder)
        return folder

    def add(self, **row):
        row["load"] = os.getloadavg()[0]
        self.rows.append(row)
        shown = {key: value for key, value in row.items() if key not in ("part", "load")}
        say("  ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items()))


def write(options, result):
    with open(options.out + ".part", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    os.replace(options.out + ".part", options.out)


def middle(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    return statistics.median(values) if values else None


def render(result):
    facts = result["conditions"]
    print(f"{facts['date']}; {facts['cpu']}, {facts['cores']} cores, {facts['kernel']}, {facts['file_system']}; load at start "
          f"{facts['load'][0]:.1f}; {result['pent']}")
    print(f"Corpus R: {result['corpus']}\n")
    # Who syncs what they write has no sync left; the others are not done before theirs is.
    firsts = [{**row, "whole": row["wall"] + (row.get("sync") or 0)} for row in result["rows"] if row["part"] == "first"]
    keys = list(dict.fromkeys((row["path"], row["step"], row["tool"]) for row in firsts))
    if keys:
        print("| path | step | tool | s until durable: median (min to max) | MB | MB/s | rate beside the plain copy |\n|---|---|---|---|---|---|---|")
    for path, step, tool in keys:
        rows = [row for row in firsts if (row["path"], row["step"], row["tool"]) == (path, step, tool)]
        plain = [row for row in firsts if (row["path"], row["step"], row["tool"]) == (path, step, "plain copy")]
        wall, size = middle(rows, "whole"), middle(rows, "bytes")
        low, high = min(row["whole"] for row in rows), max(row["whole"] for row in rows)
        ratio = f"{(size / wall) / (middle(plain, 'bytes') / middle(plain, 'whole')):.2f}" if plain else ""
        print(f"| {path} | {step} | {tool} | {wall:.2f} ({low:.2f} to {high:.2f}) | {size / 1e6:.0f} | {size / wall / 1e6:.0f} | {ratio} |")
    wires = [row for row in result["rows"] if row["part"] == "wire"]
    if wires:
        print("\n| path | step | bytes on the wire | unique compressed bytes | ratio |\n|---|---|---|---|---|")
    for row in wires:
        wire = row["up"] + row["down"]
        print(f"| {row['path']} | {row['step']} | {wire:,} | {row['unique']:,} | {wire / row['unique']:.4f} |")
    edits = [row for row in result["rows"] if row["part"] == "edit"]
    if edits:
        print(f"\nOne file of {result['big_mib']} MiB of random bytes.\n")
        print("| path | edit | delay each way | tool | up | down | requests | s |\n|---|---|---|---|---|---|---|---|")
    for row in edits:
        requests = row["requests"] or "-"
        print(f"| {row['path']} | {row['edit']} | {row['delay_ms']} ms | {row['tool']} | {row['up']:,} | {row['down']:,} | {requests} | "
              f"{row['wall']:.2f} |")
    for problem in result["problems"]:
        print(f"\nNot measured: {problem}")


def main():
    options = parse_arguments()
    if options.render:
        with open(options.render, encoding="utf-8") as file:
            render(json.load(file))
        return 0
    options.work = os.path.realpath(options.work)
    os.makedirs(options.work, exist_ok=True)
    options.out = options.out or os.path.join(options.work, "remotes.json")
    options.pent = pent_binary(options.pent)
    world = World(options)
    version = world.run([options.pent, "--version"])[1].strip()
    result = {"big_mib": options.big_mib, "conditions": report.conditions(options.work), "pent": version, "corpus": "", "rows": world.rows, "problems": []}
    try:
        if "firsts" in options.only:
            folder = assets.make_assets(options.work, options.packages, say)
            length, _, count = folder_size([folder])
            result["corpus"] = f"{count} files, {length} bytes ({', '.join(options.packages)})"
            say(f"corpus R: {result['corpus']}")
            Firsts(world, folder, result["problems"], say).run(lambda: write(options, result))
        if "edits" in options.only:
            big = assets.make_big(options.work, options.big_mib, say)
            Edits(world, big, result["problems"], say).run(DELAYS, lambda: write(options, result))
    finally:
        world.close()
        remove(os.path.join(options.work, "rounds"))
        timed_sync()
        write(options, result)
    render(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
