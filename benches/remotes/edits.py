#!/usr/bin/env python3
"""What a small edit inside a large file costs on a remote in a folder, beside rsync and restic to the same disk.

    cargo build --release
    python3 benches/remotes/edits.py [--pent target/release/pent] [--gib 1] [--work DIR]

Writes, for the first push and for pushes of a 1-byte and of a 1 MiB edit: seconds, files that appeared at the remote (a
bucket counts them as requests that write), and their bytes. All tools work on the same file in one run, one after the other.
"""

import argparse
import os
import random
import shutil
import subprocess
import time


def tree(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            stat = os.stat(path)
            found[path] = (stat.st_size, stat.st_mtime_ns)
    return found


def appeared(before, after):
    new = {path: size for path, (size, moment) in after.items() if before.get(path, (0, 0))[1] != moment}
    return len(new), sum(new.values())


def run(*words, **more):
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return time.monotonic() - began


class Pent:
    name = "pent push"

    def __init__(self, program, work, folder):
        self.program, self.work, self.place = program, work, os.path.join(folder, "nas")
        self.environment = dict(os.environ, HOME=folder)
        self.pent("init")
        self.pent("config", "user.name", "Bench")
        self.pent("remote", "add", "origin", self.place)

    def pent(self, *words):
        return run(self.program, "-C", self.work, "--no-progress", *words, env=self.environment)

    def save(self):
        self.committed = self.pent("commit", "-m", "state")
        return self.pent("push")


class Rsync:
    name = "rsync"

    def __init__(self, work, folder):
        self.work, self.place = work, os.path.join(folder, "rsync")

    def save(self):
        return run("rsync", "-a", "--exclude=.pent", self.work + "/", self.place + "/")


class Restic:
    name = "restic"

    def __init__(self, work, folder):
        self.work, self.place = work, os.path.join(folder, "restic")
        self.environment = dict(os.environ, HOME=folder, RESTIC_PASSWORD="x", RESTIC_REPOSITORY=self.place)
        run("restic", "init", env=self.environment)

    def save(self):
        return run("restic", "backup", "--exclude=.pent", self.work, env=self.environment)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pent", default="target/release/pent")
    arguments.add_argument("--gib", type=float, default=1)
    arguments.add_argument("--work", default="/tmp/pent-remotes")
    chosen = arguments.parse_args()
    shutil.rmtree(chosen.work, ignore_errors=True)
    studio = os.path.join(chosen.work, "studio")
    os.makedirs(studio)
    draw = random.Random(1)
    path = os.path.join(studio, "film.mov")
    length = int(chosen.gib * (1 << 30))
    with open(path, "wb") as out:
        for _ in range(length >> 20):
            out.write(draw.randbytes(1 << 20))
    tools = [Pent(os.path.abspath(chosen.pent), studio, chosen.work), Rsync(studio, chosen.work)]
    if shutil.which("restic"):
        tools.append(Restic(studio, chosen.work))
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, a file of {chosen.gib:g} GiB\n")
    print("| step | tool | seconds | files written there | bytes written there |")
    print("|---|---|---|---|---|")
    for step in ["first", "1 byte", "1 MiB"]:
        if step != "first":
            with open(path, "r+b") as file:
                file.seek(length * 3 // 5)
                file.write(draw.randbytes(1 if step == "1 byte" else 1 << 20))
        for tool in tools:
            before = tree(tool.place) if os.path.isdir(tool.place) else {}
            seconds = tool.save()
            files, size = appeared(before, tree(tool.place))
            also = f" (commit: {tool.committed:.2f})" if isinstance(tool, Pent) else ""
            print(f"| {step} | {tool.name} | {seconds:.2f}{also} | {files} | {size:,} |", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


main()
