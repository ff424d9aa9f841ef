#!/usr/bin/env python3
"""Small pictures per second on one core: pent beside vipsthumbnail and ImageMagick, on the same files in one run.

    benches/thumbs.py --pent target/release/pent [--rounds 5] [--edge 256] [--work FOLDER] [--only NAMES] [--keep FOLDER] [--files 6]

Every program makes one picture of one file in a process of its own, pinned to one core; the programs take turns within a
round. vipsthumbnail is run a second time with all files of a family in one process, which pent has no
command for. Needs Debian's ffmpeg and libvips-tools; imagemagick where it is there. Pictures are
made by ffmpeg out of the studio's photograph, with noise so that they pack as photographs do; those of HEIC by
libheif-examples, those of JPEG XL by libjxl-tools, where vipsthumbnail knows these families. `--only AVIF,HEIC` measures
some families alone; with `--keep FOLDER` pictures are made there and are there the next time.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

STUDIO = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "studio"


def run(arguments, **options):
    return subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def photographs(folder, name, size, how, files):
    """Pictures of one size, each with other noise."""
    made = []
    for number in range(files):
        path = folder / f"{number}-{name}"
        made.append(path)
        if path.exists():
            continue
        source = STUDIO / "v1/photo/harbour-dusk.jpg"
        noise = f"scale={size}:flags=lanczos,noise=alls=9:allf=t:all_seed={number + 1}"
        run(["ffmpeg", "-v", "error", "-y", "-i", str(source), "-vf", noise, "-frames:v", "1", *how, str(path)])
    return made


def packed(folder, name, how, files):
    """The same of a format that another program writes: `how` says its command, of a PNG file and a target."""
    targets = [folder / f"{number}-{name}" for number in range(files)]
    if not all(target.exists() for target in targets):
        for source, target in zip(photographs(folder, f"{name}.png", "3000:2000", [], files), targets):
            run(how(str(source), str(target)))
            source.unlink()
    return targets


def vips_knows(loader):
    told = subprocess.run(["vips", "-l"], capture_output=True, text=True) if shutil.which("vips") else None
    return told is not None and loader in told.stdout


def copies(folder, source, end, files):
    made = []
    for number in range(files):
        path = folder / f"{number}-{source.stem}.{end}"
        shutil.copy(source, path)
        made.append(path)
    return made


def corpus(folder, only, files):
    """Files by family."""
    av1 = ["-c:v", "libaom-av1", "-still-picture", "1", "-cpu-used", "8", "-crf", "23", "-pix_fmt", "yuv420p"]
    families = {
        "JPEG, 24 megapixels": lambda: photographs(folder, "large.jpg", "6000:4000", ["-q:v", "3"], files),
        "JPEG, 2 megapixels": lambda: photographs(folder, "small.jpg", "1732:1155", ["-q:v", "3"], files),
        "PNG, 6 megapixels": lambda: photographs(folder, "p.png", "3000:2000", [], files),
        "TIFF, 6 megapixels": lambda: photographs(folder, "t.tif", "3000:2000", ["-compression_algo", "deflate", "-pix_fmt", "rgb24"], files),
        "WebP, 6 megapixels": lambda: photographs(folder, "w.webp", "3000:2000", ["-q:v", "85"], files),
        "GIF, 2 megapixels": lambda: photographs(folder, "g.gif", "1732:1155", [], files),
        "OpenEXR, 6 megapixels": lambda: photographs(folder, "e.exr", "3000:2000", ["-pix_fmt", "gbrpf32le", "-format", "half", "-compression", "zip16"], files),
        "AVIF, 6 megapixels": lambda: photographs(folder, "a.avif", "3000:2000", av1, files),
        "HEIC, 6 megapixels": lambda: packed(folder, "h.heic", lambda source, target: ["heif-enc", "-q", "60", "-p", "preset=veryfast", source, "-o", target], files),
        "JPEG XL, 6 megapixels": lambda: packed(folder, "x.jxl", lambda source, target: ["cjxl", "-d", "1", "-e", "5", source, target], files),
        "SVG": lambda: copies(folder, STUDIO / "v1/brand/logo.svg", "svg", files),
        "PDF": lambda: copies(folder, STUDIO / "v1/brand/logo.pdf", "pdf", files),
    }
    if not vips_knows("heifload") or not shutil.which("heif-enc"):
        del families["HEIC, 6 megapixels"]
    if not vips_knows("jxlload") or not shutil.which("cjxl"):
        del families["JPEG XL, 6 megapixels"]
    return {family: make() for family, make in families.items() if not only or any(family.startswith(name) for name in only)}


def programs(options, folder):
    edge = str(options.edge)
    out = folder / "out"
    out.mkdir(exist_ok=True)

    def pent(path):
        target = out / f"{path.name}.pent.png"
        return [options.pent, "-C", str(folder), "thumb", path.name, "--to", str(target), "--edge", edge]

    def vips(path):
        return ["vipsthumbnail", "-s", edge, "-o", str(out / "vips.png"), str(path)]

    def magick(path):
        return ["convert", str(path), "-auto-orient", "-thumbnail", f"{edge}x{edge}", str(out / "magick.png")]

    known = {"pent": pent, "vipsthumbnail": vips, "ImageMagick": magick}
    if not shutil.which("vipsthumbnail"):
        del known["vipsthumbnail"]
    told = subprocess.run(["convert", "-version"], capture_output=True, text=True) if shutil.which("convert") else None
    if told is None or "ImageMagick" not in told.stdout:
        del known["ImageMagick"]
    return known


def taken(commands, core, out):
    """Processor and wall seconds of commands one after the other on one core, into an empty folder."""
    shutil.rmtree(out)
    out.mkdir()
    begun, before = time.monotonic(), os.times()
    for command in commands:
        result = subprocess.run(["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if result.returncode != 0:
            return None
    after = os.times()
    return time.monotonic() - begun, after.children_user + after.children_system - before.children_user - before.children_system


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pent", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--work")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--files", type=int, default=6)
    options = parser.parse_args()
    options.pent = str(pathlib.Path(options.pent).resolve())
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        if options.keep:
            name = str(pathlib.Path(options.keep).resolve())
        folder = pathlib.Path(name)
        folder.mkdir(exist_ok=True)
        os.environ["HOME"] = name
        if not (folder / ".pent").exists():
            run([options.pent, "-C", name, "init"])
        families = corpus(folder, [name for name in options.only.split(",") if name], options.files)
        known = programs(options, folder)
        print("| family | program | pictures a CPU second: median (min to max) | wall s of one |")
        print("|---|---|---|---|")
        for family, files in families.items():
            ways = {program: [command(path) for path in files] for program, command in known.items()}
            if "vipsthumbnail" in known:
                out = str(folder / "out" / "%s.png")
                ways["vipsthumbnail, all in one process"] = [
                    ["vipsthumbnail", "-s", str(options.edge), "-o", out, *map(str, files)]
                ]
            times = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way, commands in ways.items():
                    times[way].append(taken(commands, options.core, folder / "out"))
            for way, rounds in times.items():
                if None in rounds:
                    print(f"| {family} | {way} | cannot | |")
                    continue
                rates = [len(files) / cpu for _, cpu in rounds]
                wall = statistics.median(wall for wall, _ in rounds) / len(files)
                print(f"| {family} | {way} | {statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f}) | {wall:.3f} |")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
