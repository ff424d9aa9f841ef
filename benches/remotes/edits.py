"""Pushes of small edits inside one large file, over a line that delays and counts."""

import os
import random
import shutil

import servers
from line import Line
from measure import remove

MIB = 1 << 20
EDITS = ("1 byte", "1 MiB inserted")


class Edits:
    def __init__(self, world, big, problems, say):
        self.world = world
        self.big = big
        self.problems = problems
        self.say = say
        self.draw = random.Random(5)

    def run(self, delays, save):
        world = self.world
        for path, measure in (("http", self.by_http), ("s3", self.by_s3), ("ssh", self.by_ssh)):
            if path not in world.options.paths:
                continue
            try:
                measure(delays)
            except (servers.Missing, RuntimeError) as error:
                self.problems.append(f"edits over {path}: {error}".replace(world.work, "WORK"))
                self.say(f"edits over {path}: {error}")
            finally:
                world.close()
                remove(os.path.join(world.work, "servers"))
                remove(os.path.join(world.work, "rounds"))
                save()

    def edit(self, file, kind):
        """Changes the file somewhere in its middle."""
        size = os.path.getsize(file)
        at = size // 4 + self.draw.randrange(size // 2)
        if kind == "1 byte":
            with open(file, "r+b") as out:
                out.seek(at)
                before = out.read(1)[0]
                out.seek(at)
                out.write(bytes([before ^ 1]))
            return
        with open(file, "rb") as source, open(file + ".new", "wb") as out:
            out.write(source.read(at))
            out.write(self.draw.randbytes(MIB))
            shutil.copyfileobj(source, out, MIB)
        os.replace(file + ".new", file)

    def measure(self, path, tool, kind, delay_ms, line, argv, cwd=None, env=None):
        line.take()
        wall, _ = self.world.run(argv, cwd, env)
        self.world.add(part="edit", path=path, tool=tool, edit=kind, delay_ms=delay_ms, wall=wall, **line.take())

    def lines(self, target, delays, ports):
        lines = {delay: Line(target, delay / 1000, port) for delay, port in zip(delays, ports)}
        for line in lines.values():
            self.world.serve(line)
        return lines

    def pent(self, path, lines, address, env):
        """A repository with the file at a remote, which is called by another address for each delay."""
        world = self.world
        repo = world.repository("source")
        file = os.path.join(repo, "big.bin")
        shutil.copyfile(self.big, file)
        world.run([world.pent, "commit", "-m", "All"], repo)
        for delay, line in lines.items():
            name = f"d{delay}"
            world.run([world.pent, "remote", "add", name, address(line)], repo, env(line))
            world.run([world.pent, "push", "--to", name], repo, env(line))
        for delay, line in lines.items():
            # What was edited for another delay is there too.
            world.run([world.pent, "push", "--to", f"d{delay}"], repo, env(line))
            for kind in EDITS:
                self.edit(file, kind)
                world.run([world.pent, "commit", "-m", kind], repo)
                self.measure(path, "pent", kind, delay, line, [world.pent, "push", "--to", f"d{delay}"], repo, env(line))
        if os.path.getsize(file) < os.path.getsize(self.big) + MIB:
            raise RuntimeError("the file was not edited")

    def by_http(self, delays):
        world = self.world
        ports = [servers.free_port() for _ in delays]
        server, token = servers.pent_http(world.pent, world.work, ports, world.env)
        world.serve(server)
        lines = self.lines(server.port, delays, ports)
        tokens = " ".join(f"{token}@127.0.0.1:{port}" for port in ports)
        self.pent("http", lines, lambda line: f"http://127.0.0.1:{line.port}/brand", lambda line: {"PENT_TOKEN": tokens})
        world.close()
        if "git-lfs" in world.options.peers:
            self.lfs(delays)

    def lfs(self, delays):
        """Git LFS sends the whole file again."""
        world = self.world
        server = world.serve(servers.lfs(world.work))
        lines = self.lines(server.port, delays, [servers.free_port() for _ in delays])
        repo, bare = world.place("peer"), world.place("there")
        git = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"]
        world.run(["git", "init", "-q", "--bare", "-b", "main", bare])
        for argv in (["init", "-q", "-b", "main"], ["lfs", "install", "--local"], ["lfs", "track", "*.bin"],
                     ["config", "remote.origin.url", bare], ["config", "lfs.locksverify", "false"]):
            world.run([*git, *argv], repo)
        file = os.path.join(repo, "big.bin")
        shutil.copyfile(self.big, file)
        for delay, line in lines.items():
            self.edit(file, EDITS[0])
            world.run([*git, "config", "lfs.url", f"http://127.0.0.1:{line.port}/studio/brand"], repo)
            world.run([*git, "add", "-A"], repo)
            world.run([*git, "commit", "-q", "-m", "Edit"], repo)
            self.measure("http", "git-lfs", EDITS[0], delay, line, [*git, "push", "-q", "origin", "main"], repo)

    def by_s3(self, delays):
        world = self.world
        server = world.serve(servers.s3(world.work, os.path.join(os.path.dirname(__file__), "..", "..", "tests", "tools")))
        lines = self.lines(server.port, delays, [servers.free_port() for _ in delays])
        at = {line.port: f"http://127.0.0.1:{line.port}" for line in lines.values()}
        self.pent("s3", lines, lambda line: f"s3://{servers.BUCKET}/brand-{line.port}",
                  lambda line: {"AWS_ENDPOINT_URL": at[line.port]})
        place = world.place("peer")
        file = os.path.join(place, "big.bin")
        shutil.copyfile(self.big, file)
        for delay, line in lines.items():
            if "restic" in world.options.peers and shutil.which("restic"):
                restic = ["restic", "-q", "-r", f"s3:{at[line.port]}/{servers.BUCKET}/restic-{delay}"]
                world.run([*restic, "init", "--repository-version", "2"])
                world.run([*restic, "backup", place])
                for kind in EDITS:
                    self.edit(file, kind)
                    self.measure("s3", "restic (reads and cuts too)", kind, delay, line, [*restic, "backup", place])
            if "rclone" in world.options.peers:
                s3 = ["--s3-provider", "Other", "--s3-endpoint", at[line.port], "--s3-env-auth", "--s3-no-check-bucket"]
                self.edit(file, EDITS[0])
                self.measure("s3", "rclone", EDITS[0], delay, line,
                             ["rclone", "copy", place, f":s3:{servers.BUCKET}/files-{delay}", *s3])

    def by_ssh(self, delays):
        world = self.world
        server, options = servers.sshd(world.work)
        world.serve(server)
        lines = self.lines(server.port, delays, [servers.free_port() for _ in delays])
        there = world.place("there")
        bin_folder = os.path.dirname(world.pent)

        def wrapped(line):
            path = os.path.join(server.folder, f"ssh-{line.port}")
            with open(path, "w", encoding="ascii") as file:
                file.write(f'#!/bin/sh\nfor line; do :; done\nexec ssh {" ".join(options)} -p {line.port} 127.0.0.1 '
                           f'"PATH={bin_folder}:$PATH; $line"\n')
            os.chmod(path, 0o755)
            return {"PENT_SSH": path}

        self.pent("ssh", lines, lambda line: f"ssh://127.0.0.1:{line.port}{there}/brand", wrapped)
        if "rsync" not in world.options.peers:
            return
        place, copy = world.place("peer"), world.place("copy")
        file = os.path.join(place, "big.bin")
        shutil.copyfile(self.big, file)
        shutil.copyfile(self.big, os.path.join(copy, "big.bin"))
        for delay, line in lines.items():
            shell = ["rsync", "-aI", "--no-whole-file", "-e", " ".join(["ssh", *options, "-p", str(line.port)])]
            for kind in EDITS:
                self.edit(file, kind)
                self.measure("ssh", "rsync", kind, delay, line, [*shell, place + "/", f"127.0.0.1:{copy}"])
