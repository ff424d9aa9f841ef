"""Run one command and measure it; read, copy, replace and compare folders between measurements."""

import dataclasses
import os
import shutil
import stat
import subprocess
import threading
import time

READ_SIZE = 1 << 20
SAMPLE_SECONDS = 0.005
PROBE_FILES = 2000


@dataclasses.dataclass
class Command:
    """One program call. `ok` lists the exit codes that count as success."""

    argv: list
    cwd: str
    ok: tuple = (0,)


@dataclasses.dataclass
class Figures:
    """What a step cost. A step may be several commands: times add up, memory is the largest of them."""

    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    peak_rss: int = 0
    peak_anon: int | None = None
    exit_code: int = 0
    error: str | None = None


class AnonSampler(threading.Thread):
    """Keeps the largest RssAnon of one process. The kernel has no high-water mark for it, so it is polled."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = f"/proc/{pid}/status"
        self.peak = 0
        self.done = threading.Event()

    def run(self):
        while True:
            try:
                with open(self.path, encoding="ascii", errors="replace") as status:
                    for line in status:
                        if line.startswith("RssAnon:"):
                            self.peak = max(self.peak, int(line.split()[1]) * 1024)
                            break
            except OSError:
                return
            if self.done.wait(SAMPLE_SECONDS):
                return


def run(commands, env, log_path, timeout, sample_anon=False):
    """Run the commands one after another, without a shell between, and stop at the first that fails."""
    total = Figures()
    for command in commands:
        _run_one(command, env, log_path, timeout, sample_anon, total)
        if total.error:
            break
    return total


def _run_one(command, env, log_path, timeout, sample_anon, total):
    with open(log_path, "wb") as log:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(command.argv, cwd=command.cwd, env=env, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT)
        except OSError as error:
            total.error = f"cannot start {command.argv[0]}: {error.strerror}"
            return
        sampler = AnonSampler(process.pid) if sample_anon else None
        if sampler:
            sampler.start()
        timer = threading.Timer(timeout, process.kill)
        timer.daemon = True
        timer.start()
        try:
            status, usage = _wait(process)
        finally:
            timer.cancel()
        wall = time.perf_counter() - start
    if sampler:
        sampler.done.set()
        sampler.join()
        total.peak_anon = max(total.peak_anon or 0, sampler.peak)
    total.wall += wall
    total.user += usage.ru_utime
    total.system += usage.ru_stime
    total.peak_rss = max(total.peak_rss, usage.ru_maxrss * 1024)
    total.exit_code = os.waitstatus_to_exitcode(status)
    if total.exit_code not in command.ok:
        slow = " (time limit)" if wall >= timeout else ""
        total.error = f"exit {total.exit_code}{slow}: {_last_line(log_path)}"


def _wait(process):
    # wait4 rather than Popen.wait: only it gives the usage of this one child and what it waited for.
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return status, usage


def _last_line(log_path):
    with open(log_path, "rb") as log:
        log.seek(max(0, os.path.getsize(log_path) - 4096))
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else "no output"


def timed_sync():
    """Write back everything that is dirty, and say how long that took."""
    start = time.perf_counter()
    os.sync()
    return time.perf_counter() - start


def walk_files(root, skip=()):
    """Paths of all files and symlinks below root, relative to it. `skip` names entries of root itself."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                if not folder and entry.name in skip:
                    continue
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                else:
                    yield path


def warm(*folders):
    """Read every file once, so that the page cache holds it and no tool pays for another's order."""
    buffer = bytearray(READ_SIZE)
    for folder in folders:
        if not os.path.isdir(folder):
            continue
        for path in walk_files(folder):
            full = os.path.join(folder, path)
            if os.path.islink(full):
                continue
            with open(full, "rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def folder_size(folders):
    """(sum of file lengths, sum of allocated blocks, number of files); a hard link counts once."""
    length = allocated = count = 0
    seen = set()
    for folder in folders:
        if not os.path.isdir(folder):
            continue
        for path in walk_files(folder):
            status = os.lstat(os.path.join(folder, path))
            if status.st_nlink > 1:
                key = (status.st_dev, status.st_ino)
                if key in seen:
                    continue
                seen.add(key)
            length += status.st_size
            allocated += status.st_blocks * 512
            count += 1
    return length, allocated, count


def same_bytes(left, right):
    """Whether two files hold the same bytes. Read, never guessed from size and mtime."""
    if os.path.getsize(left) != os.path.getsize(right):
        return False
    with open(left, "rb") as one, open(right, "rb") as two:
        while True:
            block = one.read(READ_SIZE)
            if block != two.read(READ_SIZE):
                return False
            if not block:
                return True


class Trash:
    """Takes folders and files out of the way by renaming and truncating them; deletes nothing before the end.

    An ext4 without a journal will not reuse an inode for minutes after its deletion, and at every creation of a file it
    searches past all such inodes of the group: deleting one tool's files makes the next tool's file creation up to ten
    times slower. Truncating gives the blocks back at once and does no such harm.
    """

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def take(self, path):
        if not os.path.lexists(path):
            return
        os.makedirs(self.folder, exist_ok=True)
        goal = self._rename(path)
        if os.path.isdir(goal) and not os.path.islink(goal):
            for name in walk_files(goal):
                _truncate(os.path.join(goal, name))
        else:
            _truncate(goal)

    def _rename(self, path):
        goal = os.path.join(self.folder, str(self.count))
        while os.path.lexists(goal):
            self.count += 1
            goal = os.path.join(self.folder, str(self.count))
        os.rename(path, goal)
        self.count += 1
        return goal

    def empty_folder(self, folder, keep=()):
        """Take everything in a folder but the named entries."""
        for name in os.listdir(folder):
            if name not in keep:
                self.take(os.path.join(folder, name))

    def clear(self):
        if os.path.isdir(self.folder):
            shutil.rmtree(self.folder)


def _truncate(path):
    status = os.lstat(path)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        if not status.st_mode & stat.S_IWUSR:
            os.chmod(path, 0o600)
        os.truncate(path, 0)


def creation_cost(folder, trash):
    """Seconds that it takes to create one empty file here and now: shows the state of the file system (see Trash)."""
    os.makedirs(folder)
    start = time.perf_counter()
    for index in range(PROBE_FILES):
        os.close(os.open(os.path.join(folder, f"{index}"), os.O_CREAT | os.O_WRONLY))
    cost = (time.perf_counter() - start) / PROBE_FILES
    trash.take(folder)
    return cost


def replace_tree(source, target, trash, keep=()):
    """Make target hold what source holds, as a careful file copier would.

    Files with the same bytes stay untouched, inode and all; changed ones become new files with the source's mtime and
    mode. Contents are compared because release archives give every file the same mtime.
    """
    os.makedirs(target, exist_ok=True)
    for path in walk_files(source):
        origin, goal = os.path.join(source, path), os.path.join(target, path)
        if os.path.isfile(goal) and same_bytes(origin, goal):
            continue
        os.makedirs(os.path.dirname(goal), exist_ok=True)
        trash.take(goal)
        shutil.copy2(origin, goal)
    # Looked up one by one here and below: a set of all names would raise the memory floor of what is measured.
    gone = [path for path in walk_files(target, keep) if not os.path.lexists(os.path.join(source, path))]
    for path in gone:
        trash.take(os.path.join(target, path))
    for folder, _, _ in os.walk(target, topdown=False):
        if folder != target and not _below_kept(folder, target, keep) and not os.listdir(folder):
            os.rmdir(folder)


def _below_kept(folder, root, keep):
    return os.path.relpath(folder, root).split(os.sep)[0] in keep


def remove(path):
    """Remove a file or a folder, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def difference(expected, actual, keep=()):
    """None when both folders hold the same files with the same bytes, else a short description."""
    if not os.path.isdir(actual):
        return "nothing was restored"
    missing = changed = found = 0
    for path in walk_files(expected):
        restored = os.path.join(actual, path)
        if not os.path.isfile(restored):
            missing += 1
            continue
        found += 1
        changed += not same_bytes(os.path.join(expected, path), restored)
    extra = sum(1 for _ in walk_files(actual, keep)) - found
    if missing or extra or changed:
        return f"{missing} missing, {extra} extra, {changed} different"
    return None
