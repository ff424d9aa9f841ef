"""First pushes and clones of the corpus, beside plain copies of the same bytes over the same path and beside peers.

The plain copy moves the packs of the repository that is pushed: the very bytes, in as few files. A clone without checkout is
`pent clone --lazy` and then `pent fetch --content`: all history and all content, and no file written.
"""

import os
import shutil
import subprocess

import servers
from line import Line
from measure import folder_size, remove, timed_sync, warm


class Firsts:
    def __init__(self, world, folder, problems, say):
        self.world = world
        self.folder = folder
        self.problems = problems
        self.say = say
        self.repo = world.repository("source")
        self.peers = set(world.options.peers)

    def run(self, save):
        world = self.world
        self.say("commit the corpus")
        for name in os.listdir(self.folder):
            subprocess.run(["cp", "-al", os.path.join(self.folder, name), self.repo], check=True)
        wall, _ = world.run([world.pent, "commit", "-m", "All"], self.repo)
        self.packs = os.path.join(self.repo, ".pent", "packs")
        self.unique = folder_size([self.packs])[0]
        self.content = folder_size([self.folder])[0]
        world.add(part="commit", path="-", step="commit", tool="pent", wall=wall, bytes=self.content)
        steps = {"folder": self.by_folder, "ssh": self.by_ssh, "http": self.by_http, "s3": self.by_s3}
        for number in range(1, world.options.rounds + 1):
            # Forth and back: whatever drifts meets each path from both sides.
            for path in world.options.paths if number % 2 else world.options.paths[::-1]:
                try:
                    steps[path](number)
                except (servers.Missing, RuntimeError) as error:
                    self.problems.append(f"{path}, round {number}: {error}".replace(world.work, "WORK"))
                    self.say(f"{path}: {error}")
                finally:
                    world.close()
                    for name in ("there", "plain", "copy", "back", "peer"):
                        remove(os.path.join(world.work, "rounds", name))
                    remove(os.path.join(world.work, "servers"))
                    save()

    def time(self, path, step, tool, number, size, argv, cwd=None, env=None):
        """Measures one program or several after another; everything that it reads is warm, and everything dirty is written back."""
        timed_sync()
        wall = 0.0
        for one in argv if isinstance(argv[0], list) else [argv]:
            wall += self.world.run(one, cwd, env)[0]
        self.world.add(part="first", path=path, step=step, tool=tool, round=number, wall=wall, bytes=size, sync=timed_sync())

    def pent(self, path, number, address, env=None):
        """A push to a place where nothing is, and a clone of it without checkout."""
        world = self.world
        subprocess.run([world.pent, "remote", "remove", "bench"], cwd=self.repo, env={**world.env, **(env or {})},
                       capture_output=True, check=False)
        world.run([world.pent, "remote", "add", "bench", address], self.repo, env)
        warm(self.packs)
        self.time(path, "push", "pent", number, self.unique, [world.pent, "push", "--to", "bench"], self.repo, env)
        copy = os.path.join(world.work, "rounds", "copy")
        remove(copy)
        if os.path.isdir(address):
            # What is pushed to a folder goes past the page cache.
            warm(address)
        self.time(path, "clone", "pent", number, self.unique,
                  [[world.pent, "clone", "--lazy", address, copy], [world.pent, "-C", copy, "fetch", "--content"]], None, env)
        got = folder_size([os.path.join(copy, ".pent", "packs")])[0]
        if got < self.unique * 0.98:
            raise RuntimeError(f"the clone has {got} of {self.unique} bytes")
        remove(copy)

    def wire(self, path, address, line, env):
        """The same once more over a line that counts, without a clock."""
        world = self.world
        subprocess.run([world.pent, "remote", "remove", "bench"], cwd=self.repo, env={**world.env, **(env or {})},
                       capture_output=True, check=False)
        world.run([world.pent, "remote", "add", "bench", address], self.repo, env)
        line.take()
        world.run([world.pent, "push", "--to", "bench"], self.repo, env)
        world.add(part="wire", path=path, step="push", unique=self.unique, **line.take())
        copy = os.path.join(world.work, "rounds", "copy")
        world.run([world.pent, "clone", "--lazy", address, copy], None, env)
        world.run([world.pent, "-C", copy, "fetch", "--content"], None, env)
        world.add(part="wire", path=path, step="clone", unique=self.unique, **line.take())
        remove(copy)

    def in_turn(self, number, plain, ours):
        """The plain copy first in one round and last in the next: whoever comes second meets what the first left."""
        for step in (plain, ours) if number % 2 else (ours, plain):
            step()

    def by_folder(self, number):
        world = self.world
        there, plain, back = (os.path.join(world.work, "rounds", name) for name in ("there", "plain", "back"))

        def copy():
            warm(self.packs)
            self.time("folder", "push", "plain copy", number, self.unique, [["cp", "-r", self.packs, plain], ["sync", "-f", plain]])
            self.time("folder", "clone", "plain copy", number, self.unique, [["cp", "-r", plain, back], ["sync", "-f", back]])
            remove(plain), remove(back)

        def ours():
            self.pent("folder", number, there)
            remove(there)

        self.in_turn(number, copy, ours)
        if "rsync" in self.peers:
            warm(self.folder)
            self.time("folder", "push", "rsync of the files", number, self.content,
                      [["rsync", "-a", "--whole-file", self.folder + "/", plain], ["sync", "-f", plain]])

    def by_ssh(self, number):
        world = self.world
        server, options = servers.sshd(world.work)
        world.serve(server)
        ssh = ["ssh", *options, "-p", str(server.port)]
        shell = ["rsync", "-a", "--whole-file", "-e", " ".join(ssh)]
        there, plain, back = (os.path.join(world.work, "rounds", name) for name in ("there", "plain", "back"))

        def copy():
            warm(self.packs)
            self.time("ssh", "push", "plain copy", number, self.unique, [*shell, self.packs + "/", f"127.0.0.1:{plain}"])
            self.time("ssh", "clone", "plain copy", number, self.unique, [*shell, f"127.0.0.1:{plain}/", back])
            remove(plain), remove(back)
            self.time("ssh", "push", "rsync --fsync", number, self.unique, [*shell, "--fsync", self.packs + "/", f"127.0.0.1:{plain}"])
            remove(plain)

        def ours():
            bin_folder = os.path.dirname(world.pent)
            with open(os.path.join(server.folder, "wrapped"), "w", encoding="ascii") as file:
                # The shell at the other end has to find this pent, and no other.
                file.write(f'#!/bin/sh\nfor line; do :; done\nexec {" ".join(ssh)} 127.0.0.1 "PATH={bin_folder}:$PATH; $line"\n')
            os.chmod(file.name, 0o755)
            os.makedirs(there)
            self.pent("ssh", number, f"ssh://127.0.0.1:{server.port}{there}/brand", {"PENT_SSH": file.name})
            remove(there)

        self.in_turn(number, copy, ours)
        if "rsync" in self.peers:
            warm(self.folder)
            self.time("ssh", "push", "rsync of the files", number, self.content, [*shell, self.folder + "/", f"127.0.0.1:{plain}"])
            remove(plain)

    def by_http(self, number):
        world = self.world
        back = os.path.join(world.work, "rounds", "back")

        def copy():
            copying = world.serve(servers.webdav(world.work))
            plain = [f"--webdav-url=http://127.0.0.1:{copying.port}", "--transfers", "4"]
            warm(self.packs)
            self.time("http", "push", "plain copy", number, self.unique, ["rclone", "copy", self.packs, ":webdav:plain", *plain])
            self.time("http", "clone", "plain copy", number, self.unique, ["rclone", "copy", ":webdav:plain", back, *plain])
            world.close()
            remove(back), remove(copying.folder)

        def ours():
            port = servers.free_port()
            server, token = servers.pent_http(world.pent, world.work, [port], world.env)
            world.serve(server)
            env = {"PENT_TOKEN": f"{token}@127.0.0.1:{server.port} {token}@127.0.0.1:{port}"}
            self.pent("http", number, f"http://127.0.0.1:{server.port}/brand-{number}", env)
            remove(os.path.join(server.folder, "repos", f"brand-{number}"))
            if number == 1:
                line = Line(server.port, 0, port)
                self.wire("http", f"http://127.0.0.1:{port}/counted", line, env)
                line.close()
            world.close()
            remove(server.folder)

        self.in_turn(number, copy, ours)
        if "git-lfs" in self.peers:
            self.by_lfs(number)

    def by_lfs(self, number):
        """All files through Git LFS to a server of it, with a bare repository in a folder beside it."""
        world = self.world
        server = world.serve(servers.lfs(world.work))
        repo, bare = world.place("peer"), world.place("there")
        git = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"]
        world.run(["git", "init", "-q", "--bare", "-b", "main", bare])
        world.run([*git, "init", "-q", "-b", "main"], repo)
        world.run([*git, "lfs", "install", "--local"], repo)
        world.run([*git, "lfs", "track", "*"], repo)
        for key, value in {"lfs.url": f"http://127.0.0.1:{server.port}/studio/brand", "lfs.locksverify": "false",
                           "remote.origin.url": bare}.items():
            world.run([*git, "config", key, value], repo)
        subprocess.run(["cp", "-al", *[os.path.join(self.folder, name) for name in os.listdir(self.folder)], repo], check=True)
        world.run([*git, "add", "-A"], repo)
        world.run([*git, "commit", "-q", "-m", "All"], repo)
        self.time("http", "push", "git-lfs", number, self.content, [*git, "push", "-q", "origin", "main"], repo)
        copy = os.path.join(world.work, "rounds", "copy")
        remove(copy)
        env = {"GIT_LFS_SKIP_SMUDGE": "1"}
        world.run([*git, "clone", "-q", bare, copy], None, env)
        world.run([*git, "config", "lfs.url", f"http://127.0.0.1:{server.port}/studio/brand"], copy)
        self.time("http", "clone", "git-lfs", number, self.content, [*git, "lfs", "fetch"], copy)

    def by_s3(self, number):
        world = self.world
        server = world.serve(servers.s3(world.work, os.path.join(os.path.dirname(__file__), "..", "..", "tests", "tools")))
        port = servers.free_port()
        at = f"http://127.0.0.1:{server.port}"
        s3 = ["--s3-provider", "Other", "--s3-endpoint", at, "--s3-env-auth", "--transfers", "4", "--s3-no-check-bucket"]
        back, bucket = os.path.join(world.work, "rounds", "back"), servers.BUCKET
        served = os.path.join(server.folder, "served", bucket)

        def copy():
            warm(self.packs)
            self.time("s3", "push", "plain copy", number, self.unique, ["rclone", "copy", self.packs, f":s3:{bucket}/plain", *s3])
            self.time("s3", "clone", "plain copy", number, self.unique, ["rclone", "copy", f":s3:{bucket}/plain", back, *s3])
            remove(back), remove(os.path.join(served, "plain"))

        def ours():
            self.pent("s3", number, f"s3://{bucket}/brand-{number}", {"AWS_ENDPOINT_URL": at})
            remove(os.path.join(served, f"brand-{number}"))
            if number == 1:
                line = Line(server.port, 0, port)
                self.wire("s3", f"s3://{bucket}/counted", line, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
                line.close()

        self.in_turn(number, copy, ours)
        if "rclone" in self.peers:
            warm(self.folder)
            self.time("s3", "push", "rclone of the files", number, self.content,
                      ["rclone", "copy", self.folder, f":s3:{bucket}/files", *s3])
        if "restic" in self.peers and shutil.which("restic"):
            restic = ["restic", "-q", "-r", f"s3:{at}/{bucket}/restic"]
            world.run([*restic, "init", "--repository-version", "2"])
            self.time("s3", "push", "restic (reads and cuts too)", number, self.content, [*restic, "backup", self.folder])
