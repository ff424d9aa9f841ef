"""Servers for the benchmarks of remotes, each on a port of its own on loopback, and gone when the run is over."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv

PATIENCE = 60
KEY, SECRET, BUCKET = "AKIAPENT", "hunter2hunter2", "bench"
GIFTLESS = ("giftless==0.6.2", "flask<3.1", "flask-classful", "flask-marshmallow", "marshmallow<4", "webargs<8.5", "figcan",
            "pyyaml", "python-dateutil", "typing-extensions", "python-dotenv", "pyjwt<2.10", "cachetools", "cryptography",
            "importlib-metadata")
GIFTLESS_SETTINGS = """
AUTH_PROVIDERS: [giftless.auth.allow_anon:read_write]
TRANSFER_ADAPTERS:
  basic:
    factory: giftless.transfer.basic_streaming:factory
    options:
      storage_class: giftless.storage.local_storage:LocalStorage
      storage_options: {{path: {path}}}
"""


class Missing(Exception):
    """A server cannot be had; the message says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A program that listens on `port`."""

    def __init__(self, argv, port, folder, env=None, cwd=None):
        self.port = port
        self.folder = folder
        self.log = os.path.join(folder, "server.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, cwd=cwd or folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        self.close()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            raise Missing(f"{os.path.basename(argv[0])} does not start: {log.read()[-300:]}")

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _folder(work, name):
    path = os.path.join(work, "servers", name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def pent_http(pent, work, ports, env):
    """`pent serve` on loopback, which clients call by these ports too. Gives the server and a token that may do everything."""
    folder, port = _folder(work, "pent"), free_port()
    repos = os.path.join(folder, "repos")
    os.makedirs(repos)
    argv = [pent, "serve", "--listen", f"127.0.0.1:{port}", "--repos", repos]
    for named in (port, *ports):
        argv += ["--name", f"127.0.0.1:{named}"]
    made = [pent, "--json", "serve", "token", "new", "bench", "--repos", repos, "--for", "*"]
    for permission in ("read", "push", "begin"):
        made += ["--may", permission]
    done = subprocess.run(made, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    return Server(argv, port, folder, env), json.loads(done.stdout)["token"]


def sshd(work):
    """A real `sshd` that lets its own user in by a key of its own. Gives the server and the options for `ssh`."""
    program = "/usr/sbin/sshd"
    if not os.path.exists(program):
        raise Missing("sshd is not installed: apt-get install openssh-server")
    folder, port = _folder(work, "sshd"), free_port()
    os.chmod(folder, 0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(folder, name)], check=True)
    shutil.copy(os.path.join(folder, "user.pub"), os.path.join(folder, "authorized"))
    settings = {"Port": port, "ListenAddress": "127.0.0.1", "HostKey": f"{folder}/host", "PidFile": "none", "UsePAM": "no",
                "AuthorizedKeysFile": f"{folder}/authorized", "StrictModes": "no", "PasswordAuthentication": "no",
                "MaxStartups": "100", "MaxSessions": "100"}
    path = os.path.join(folder, "config")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{key} {value}\n" for key, value in settings.items())
    os.makedirs("/run/sshd", exist_ok=True)
    server = Server([program, "-D", "-e", "-f", path], port, folder)
    options = ["-F", "/dev/null", "-i", f"{folder}/user", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
               "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]
    return server, options


def webdav(work):
    """`rclone serve webdav`: what a plain copy over HTTP writes to and reads from."""
    if not shutil.which("rclone"):
        raise Missing("rclone is not installed: apt-get install rclone")
    folder, port = _folder(work, "webdav"), free_port()
    os.makedirs(os.path.join(folder, "served"))
    argv = ["rclone", "serve", "webdav", "--addr", f"127.0.0.1:{port}", os.path.join(folder, "served")]
    return Server(argv, port, folder, {"RCLONE_CONFIG": "/dev/null"})


def s3(work, tools):
    """s3s-fs, which keeps conditions on writing and checks signatures; from `tests/tools`."""
    done = subprocess.run([tools, "s3s-fs"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"tests/tools s3s-fs: {done.stderr.strip()[-200:]}")
    folder, port = _folder(work, "s3"), free_port()
    os.makedirs(os.path.join(folder, "served", BUCKET))
    argv = [done.stdout.strip(), "--host", "127.0.0.1", "--port", str(port), "--access-key", KEY, "--secret-key", SECRET,
            os.path.join(folder, "served")]
    return Server(argv, port, folder, {"RUST_LOG": "error"})


def lfs(work):
    """giftless, a Git LFS server, with its objects in a folder. Installed from PyPI into the work folder."""
    home = os.path.join(work, "tools", "giftless")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(os.path.join(home, "complete")):
        venv.create(home, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", *GIFTLESS], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"giftless: {done.stderr.strip()[-200:]}")
        with open(os.path.join(home, "complete"), "w", encoding="ascii"):
            pass
    folder, port = _folder(work, "lfs"), free_port()
    settings = os.path.join(folder, "settings.yaml")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(GIFTLESS_SETTINGS.format(path=os.path.join(folder, "objects")))
    argv = [python, "-W", "ignore", "-m", "flask", "run", "--host", "127.0.0.1", "--port", str(port), "--with-threads"]
    return Server(argv, port, folder, {"FLASK_APP": "giftless.wsgi_entrypoint", "GIFTLESS_CONFIG_FILE": settings})


if __name__ == "__main__":
    sys.exit("this is a part of remotes.py")
