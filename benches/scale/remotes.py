#!/usr/bin/env python3
"""What a remote in a bucket costs at sizes that no test reaches: requests, bytes, memory, money.

    python3 benches/scale/remotes.py            # the tables of docs/scale.md
    python3 benches/scale/remotes.py --check PENT   # compares the model with a real bucket of PENT's making

The model has the layout of docs/format/bucket.md and the limits of the code, which --check compares with what
the program writes. Prices are those of AWS S3 in us-east-1 as listed in 2026: change PRICES.
"""

import argparse
import heapq
import json
import os
import random
import subprocess
import sys
import tempfile

# Layout and limits: src/store/bucket/index.rs, src/sync/bucket/{publish,indexes}.rs, src/sync/push/send.rs.
ENTRY = 48
PAGE_ENTRIES = 1024
PACK_ROW = 48
PACK_BYTES = 32 << 20
CHUNK_BYTES = 100e12 / 1.4e9  # what 100 TB in 1.4e9 chunks are
CHUNKS_PER_PACK = int(PACK_BYTES // CHUNK_BYTES)
MERGE_FILES = 8
MERGE_ENTRIES_MAX = 2 << 20
WHOLE_BYTES_MAX = 16 << 20
TOKENS = 256
NAME_BYTES = 100
RECORD_BYTES = 16 + 4 * 4
CONDEMNED_BYTES = 55
CONDEMNED_KEPT = 4096
# A push of 8 MB: its chunks, and some thirty other objects.
PUSH_ENTRIES = int(8e6 / CHUNK_BYTES) + 30

# US dollars.
PRICES = {"store_gb_month": 0.023, "put": 5e-6, "get": 4e-7, "list": 5e-6, "egress_gb": 0.09}


def index_bytes(entries):
    pages = -(-entries // PAGE_ENTRIES)
    packs = -(-entries // CHUNKS_PER_PACK)
    return 16 + entries * ENTRY + pages * ENTRY + packs * PACK_ROW + 64


def tail_bytes(entries):
    return index_bytes(entries) - 16 - entries * ENTRY


def tier(entries):
    return (max(entries, 1).bit_length() - 1) // 3


def pushes(sizes):
    """Index files after pushes of so many entries each, bytes that merging read and wrote, merges, and files that
    were merged: `crowded` of src/sync/bucket/publish.rs, once after each push."""
    tiers, full, moved, merges, merged = {}, [], 0, 0, 0

    def add(entries):
        if entries > MERGE_ENTRIES_MAX // 2:
            full.append(entries)
        else:
            tiers.setdefault(tier(entries), []).append(entries)

    for size in sizes:
        add(size)
        crowded = [number for number, files in tiers.items() if len(files) >= MERGE_FILES]
        if not crowded:
            continue
        group = sorted(tiers.pop(min(crowded)))
        taken = 0
        while taken < len(group) and sum(group[:taken + 1]) <= MERGE_ENTRIES_MAX:
            taken += 1
        for entries in group[taken:]:
            add(entries)
        add(sum(group[:taken]))
        moved += 2 * index_bytes(sum(group[:taken]))
        merges += 1
        merged += taken
    return full + [entries for files in tiers.values() for entries in files], moved, merges, merged


def after_years():
    """Mean keys of full index files, and the number of small ones, after years of pushes as in `a_day`."""
    files = pushes([PUSH_ENTRIES] * 400_000)[0]
    full = [entries for entries in files if entries > MERGE_ENTRIES_MAX // 2]
    return sum(full) // len(full), len(files) - len(full)


def head_bytes(names, indexes, condemned, tokens=TOKENS):
    return 60 + names * NAME_BYTES + indexes * RECORD_BYTES + tokens * 16 + condemned * CONDEMNED_BYTES


def contention(per_second, window, seconds=3600, seed=1):
    """Pushers that read the head, write it if nobody else did, and begin again if somebody did."""
    draw = random.Random(seed)
    events, time, number = [], 0.0, 0
    while time < seconds:
        time += draw.expovariate(per_second)
        heapq.heappush(events, (time + window * draw.uniform(0.8, 1.2), number, time, time, 1))
        number += 1
    last, attempts, waits, done = -1.0, 0, [], 0
    while events:
        now, number, began, read, tries = heapq.heappop(events)
        attempts += 1
        if last > read and tries < 200:
            pause = min(0.04 * 2 ** min(tries - 1, 4), 0.64) * draw.uniform(0.25, 1.0)
            heapq.heappush(
                events, (now + pause + window * draw.uniform(0.8, 1.2), number, began, now + pause, tries + 1)
            )
            continue
        last, done = now, done + 1
        waits.append(now - began)
    waits.sort()
    return attempts / max(done, 1), waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


def human(number):
    for unit in ["B", "kB", "MB", "GB", "TB", "PB"]:
        if number < 1000 or unit == "PB":
            return f"{number:.3g} {unit}"
        number /= 1000


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def at_rest():
    print("\n### At rest\n")
    mean, small = after_years()
    row("content", "chunks", "packs", "index files", "index bytes", "tails in memory", "a month")
    row(*["---"] * 7)
    for terabytes in [0.1, 1, 10, 100]:
        chunks = int(terabytes * 1e12 / CHUNK_BYTES)
        large = -(-chunks // mean)
        total = index_bytes(min(chunks, mean)) * large
        tails = tail_bytes(min(chunks, mean)) * large
        month = (terabytes * 1e3 + total / 1e9) * PRICES["store_gb_month"]
        row(f"{terabytes:g} TB", f"{chunks:.2g}", f"{chunks // CHUNKS_PER_PACK:.2g}", large + small, human(total),
            human(tails), f"${month:,.0f}")


def a_day():
    print("\n### A day of 1,000 people\n")
    people, pushed, fetched, bytes_each = 1000, 10, 40, 8e6
    share = 0.002  # of what the others push each takes so much: clones that do not hold everything
    count = people * pushed
    files, moved, merges, merged = pushes([PUSH_ENTRIES] * count)
    names = people * 5
    head = head_bytes(names, 700 + len(files), CONDEMNED_KEPT)
    packs = count * 2
    # A merge writes a file, and the head once more.
    puts = packs + count * 2 + merges * 2
    gets = count * 3 + merged + people * fetched * 4
    up = count * (bytes_each + head) + merges * head + moved / 2
    down = count * head + moved / 2 + people * fetched * head + people * share * count * bytes_each
    row("what", "number")
    row("---", "---")
    row("pushes of 8 MB", f"{count:,}")
    row("head", human(head))
    row("index files that a day leaves", len(files))
    row("bytes that merging reads and writes", human(moved))
    row("PUT", f"{puts:,} (${puts * PRICES['put']:.2f})")
    row("GET", f"{gets:,} (${gets * PRICES['get']:.2f})")
    row("up", human(up))
    row("down, in all", f"{human(down)} (${down / 1e9 * PRICES['egress_gb']:,.0f} if it leaves the cloud)")


def races():
    print("\n### Pushes that meet at the head\n")
    row("pushes a minute", "head read and written in", "attempts each", "median", "slowest of a hundred")
    row(*["---"] * 5)
    for per_minute in [7, 70, 200, 400]:
        for window in [0.05, 0.25]:
            attempts, median, slow = contention(per_minute / 60, window)
            row(per_minute, f"{window * 1000:.0f} ms", f"{attempts:.2f}", f"{median:.2f} s", f"{slow:.2f} s")


def lookups():
    print("\n### Looking something up\n")
    mean, _ = after_years()
    row("content", "large index files", "push asks about 15 chunks", "content of one file, first", "then")
    row(*["---"] * 5)
    for terabytes in [1, 10, 100]:
        large = -(-int(terabytes * 1e12 / CHUNK_BYTES) // mean)
        page = PAGE_ENTRIES * ENTRY
        asked = min(2, large) * 15
        probes = min(large, max(0, large // 2)) * 4
        first = f"{probes + 15} requests, {human((probes + 15) * page)}"
        row(f"{terabytes} TB", large, f"{asked} requests, {human(asked * page)}", first,
            f"15 requests, {human(15 * page)}")


def check(program):
    """Pushes 100 times and compares what lies in the bucket with the model."""
    with tempfile.TemporaryDirectory() as folder:
        work, nas = os.path.join(folder, "work"), os.path.join(folder, "nas")
        os.mkdir(work)

        def pent(*arguments):
            environment = dict(os.environ, HOME=folder)
            result = subprocess.run([program, "-C", work, *arguments], env=environment, capture_output=True, text=True)
            if result.returncode != 0:
                sys.exit(f"pent {' '.join(arguments)}: {result.stderr}")
            return result.stdout

        pent("init")
        pent("config", "user.name", "Scale")
        pent("remote", "add", "origin", nas)
        draw = random.Random(7)
        sizes = []
        for number in range(100):
            with open(os.path.join(work, "file.bin"), "wb") as out:
                out.write(draw.randbytes(200_000))
            pent("commit", "-m", str(number))
            moved = json.loads(pent("--json", "push"))
            sizes.append(moved["parcels"])
        indexes = os.listdir(os.path.join(nas, "indexes"))
        # Files that were merged wait for their removal.
        heads = sorted(name for name in os.listdir(nas) if name.startswith("head."))
        head = os.path.getsize(os.path.join(nas, heads[-1]))
        print(f"100 pushes: {len(indexes)} index files lie there, merged ones included; the head has {head} bytes;")
        packs = [os.path.join(root, name) for root, _, names in os.walk(os.path.join(nas, "packs")) for name in names]
        bundles = [os.path.join(r, n) for r, _, ns in os.walk(os.path.join(nas, "bundles")) for n in ns]
        mean = sum(map(os.path.getsize, bundles)) / len(bundles)
        print(f"{len(packs)} packs, {len(bundles)} bundles of {mean:.0f} bytes on average.")
        # A commit, a tree, a manifest and some three chunks make seven entries a push or so.
        files, _, _, merged = pushes([7] * 100)
        model = head_bytes(1, len(files), merged, tokens=min(TOKENS, 100))
        print(f"The model: {len(files)} files named, {merged} merged, a head of {model} bytes.")
        if not 0.8 < head / model < 1.25:
            sys.exit("the model is wrong about the head")
        if abs(len(indexes) - (len(files) + merged)) > 16:
            sys.exit("the model is wrong about index files")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", metavar="PENT")
    chosen = arguments.parse_args()
    if chosen.check:
        check(os.path.abspath(chosen.check))
        return
    at_rest()
    a_day()
    races()
    lookups()


main()
