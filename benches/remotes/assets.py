"""The corpus of the first pushes: asset packages of games as Debian has them, by name, 2 GB of pictures, sound, scenes and films.

    deb/        the packages as fetched
    R/          their files, a folder per package
"""

import glob
import os
import random
import shutil
import subprocess

PACKAGES = ("redeclipse-data", "supertuxkart-data", "wesnoth-1.16-data", "wesnoth-1.16-music")


class CorpusError(Exception):
    """The corpus cannot be made; the message says why."""


def make_assets(work, packages, say):
    """Corpus R. Returns its folder."""
    target = os.path.join(work, "R" if packages == PACKAGES else "R-" + "-".join(packages))
    if os.path.isdir(target):
        return target
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CorpusError("the corpus needs apt-get and dpkg-deb to fetch packages of Debian")
    archives = os.path.join(work, "deb")
    os.makedirs(archives, exist_ok=True)
    draft = target + ".part"
    shutil.rmtree(draft, ignore_errors=True)
    for package in packages:
        found = glob.glob(os.path.join(archives, f"{package}_*.deb"))
        if not found:
            say(f"fetch {package}")
            done = subprocess.run(["apt-get", "download", "-q", package], cwd=archives, capture_output=True, text=True, check=False)
            found = glob.glob(os.path.join(archives, f"{package}_*.deb"))
            if done.returncode or not found:
                raise CorpusError(f"apt-get download {package}: {done.stderr.strip()[-200:]}")
        say(f"unpack {package}")
        place = os.path.join(draft, package)
        os.makedirs(place)
        subprocess.run(["dpkg-deb", "-x", found[0], place], check=True)
    _keep_regular_files(draft)
    os.rename(draft, target)
    return target


def make_big(work, mib, say):
    """One file of seeded random bytes, for the edits. Returns its path."""
    path = os.path.join(work, f"big-{mib}.bin")
    if not os.path.exists(path):
        say(f"write {mib} MiB of random bytes")
        draw = random.Random(2014)
        with open(path + ".part", "wb") as out:
            for _ in range(mib):
                out.write(draw.randbytes(1 << 20))
        os.rename(path + ".part", path)
    return path


def _keep_regular_files(folder):
    """Links point out of the corpus; without them every tool moves the same bytes."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.islink(path):
                os.unlink(path)
