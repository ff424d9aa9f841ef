#!/usr/bin/env python3
"""How long until two versions of one large document are seen side by side: `pent thumb` and `pent diff --visual` of PSB files.

    benches/large_document.py --pent target/release/pent [--mb 2000] [--rounds 3] [--work FOLDER]

Writes a PSB of about that many megabytes by itself - one layer of raw channels over a merged picture of raw channels, noise
over a gradient, so that nothing packs - and a second version with a rectangle recoloured; commits both; then measures each
step in a process of its own: wall seconds and the largest resident set of it and of what it started. Beside them stands what a plain
read of the file takes in the same run. Needs Linux and Python 3.11 only.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time


def row_of(draw, width, y, height, recoloured):
    """One row of one channel: noise over a gradient; inside the rectangle it is lighter."""
    base = bytearray(draw)
    shade = (y * 96) // height
    row = bytes((value >> 3) + shade for value in base[:width])
    if recoloured:
        left, right = width // 3, width // 2
        row = row[:left] + bytes(min(value + 90, 255) for value in row[left:right]) + row[right:]
    return row


def channel(out, width, height, seed, box):
    """A raw channel, row by row. `box` says which rows have another colour."""
    noise = random.Random(seed).randbytes(width * 2)
    for y in range(height):
        start = (y * 7919) % width
        inside = box is not None and box[0] <= y < box[1]
        out.write(row_of(noise[start:start + width], width, y, height, inside))


def write_psb(path, edge, is_edited):
    """Adobe Photoshop File Formats Specification, version 2 of the file header (PSB)."""
    width, height = edge, edge
    box = (height // 3, height // 2) if is_edited else None
    length = 2 + width * height
    name = b"\x04Base\0\0\0"
    extra = struct.pack(">I", 0) + struct.pack(">I", 0) + name
    record = struct.pack(">iiiiH", 0, 0, height, width, 3)
    for number in range(3):
        record += struct.pack(">hQ", number, length)
    record += b"8BIM" + b"norm" + bytes([255, 0, 8, 0]) + struct.pack(">I", len(extra)) + extra
    layers = struct.pack(">h", 1) + record
    body = len(layers) + 3 * length
    padding = -body % 4
    with open(path, "wb") as out:
        out.write(b"8BPS" + struct.pack(">H6xHIIHH", 2, 3, height, width, 8, 3))
        out.write(struct.pack(">I", 0) + struct.pack(">I", 0))
        out.write(struct.pack(">Q", 8 + body + padding + 4) + struct.pack(">Q", body + padding) + layers)
        for number in range(3):
            out.write(struct.pack(">H", 0))
            channel(out, width, height, number, box)
        out.write(bytes(padding) + struct.pack(">I", 0))
        out.write(struct.pack(">H", 0))
        for number in range(3):
            channel(out, width, height, number, box)


def measure(argv, cwd, env):
    """Wall seconds and the largest resident set in MiB, of the program and its children."""
    before = time.perf_counter()
    child = subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, told = child.communicate()
    wall = time.perf_counter() - before
    if child.returncode:
        sys.exit(f"{' '.join(map(str, argv))}: exit {child.returncode}: {told.decode(errors='replace')[-400:]}")
    return wall, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def read(path):
    begun = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pent", required=True)
    parser.add_argument("--mb", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    options = parser.parse_args()
    pent = os.path.abspath(options.pent)
    work = options.work / "pent-large-document"
    shutil.rmtree(work, ignore_errors=True)
    (work / "home").mkdir(parents=True)
    repository = work / "brand"
    repository.mkdir()
    env = {**os.environ, "HOME": str(work / "home")}
    for name in [name for name in env if name.startswith(("XDG_", "PENT_"))]:
        del env[name]
    edge = int((options.mb * 1_000_000 / 6) ** 0.5)
    file = repository / "poster.psb"
    rows = []

    def step(name, argv, rounds=1):
        walls, peak = [], 0.0
        for _ in range(rounds):
            picture = str(work / f"{time.monotonic_ns()}.png")
            wall, most = measure([pent, *(picture if part == "PICTURE" else part for part in argv)], repository, env)
            walls.append(wall)
            peak = most
        rows.append((name, statistics.median(walls), min(walls), max(walls), peak))

    run = lambda *argv: subprocess.run([pent, *argv], cwd=repository, env=env, check=True, stdout=subprocess.DEVNULL)
    run("init")
    run("config", "user.name", "Bench")
    write_psb(file, edge, False)
    size = file.stat().st_size
    step("commit of the first version", ["commit", "-m", "First"])
    step("thumb of the first version, nothing kept", ["thumb", "poster.psb", "--to", "PICTURE"])
    step("thumb of it again", ["thumb", "poster.psb", "--to", "PICTURE"], options.rounds)
    write_psb(file, edge, True)
    step("commit of the second version", ["commit", "-m", "Second"])
    plain = [read(file) for _ in range(options.rounds)]
    rows.append(("plain read of the file", statistics.median(plain), min(plain), max(plain), 0.0))
    page = work / "page.html"
    step("diff --visual, nothing kept", ["diff", "--visual", "--no-open", "@~1", "@", "poster.psb", "--out", str(page)])
    shown = page.stat().st_size if page.is_file() else sum(part.stat().st_size for part in page.rglob("*"))
    told = subprocess.run([pent, "info", "--json", "poster.psb"], cwd=repository, env=env, capture_output=True, text=True, check=True)
    print(f"PSB of {size:,} bytes, {edge} x {edge} pixels; load {os.getloadavg()[0]:.1f}; the page has {shown:,} bytes")
    print("| step | s: median (min to max) | largest process so far, MiB |\n|---|---|---|")
    for name, middle, low, high, peak in rows:
        print(f"| {name} | {middle:.2f} ({low:.2f} to {high:.2f}) | {peak:.0f} |")
    facts = json.loads(told.stdout)
    print(f"\ninfo says: {json.dumps(facts)[:300]}")
    shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
