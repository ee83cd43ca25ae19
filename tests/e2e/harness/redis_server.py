"""A redis-server of our own: temporary, on a Unix socket and a free port of loopback."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .gate import free_port

START_SECONDS = 20


def program():
    """redis-server, or valkey-server; None: neither is installed."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class Error(Exception):
    """What the server answered instead."""


class Connection:
    """Speaks RESP2, one command at a time."""

    def __init__(self, path, seconds=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def call(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        lines = [b"*%d\r\n" % len(words)]
        lines += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        self.socket.sendall(b"".join(lines))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server has gone")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        return rest.decode()


class Redis:
    """`options` are settings of redis.conf. Nothing is saved: stop() and start() lose all."""

    def __init__(self, password=None, **options):
        self.folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.path = pathlib.Path(self.folder.name)
        self.path.chmod(0o755)
        self.socket = self.path / "socket"
        self.port = free_port()
        self.password = password
        self.options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "unixsocket": self.socket,
            "unixsocketperm": "777",
            "save": "",
            "appendonly": "no",
            "dir": self.path,
            **{key.replace("_", "-"): value for key, value in options.items()},
        }
        if password:
            self.options["requirepass"] = password
        self.process = None
        self.start()

    # -- where it is --

    @property
    def url(self):
        return f"unix:{self.socket}"

    @property
    def tcp_url(self):
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}"

    # -- asking it --

    def call(self, *words):
        with Connection(self.socket) as connection:
            if self.password:
                connection.call("AUTH", self.password)
            return connection.call(*words)

    def keys(self, pattern="*"):
        return self.call("KEYS", pattern)

    def flush(self):
        self.call("FLUSHALL")
        self.call("SCRIPT", "FLUSH")

    # -- what happens to it --

    def start(self):
        arguments = [f"--{key}" for key in self.options]
        values = [str(value) for value in self.options.values()]
        command = [word for pair in zip(arguments, values) for word in pair]
        self.process = subprocess.Popen(
            [program(), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, Error, ConnectionError):
                if self.call("PING") == "PONG":
                    return
            assert self.process.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)

    def stop(self):
        """At once, as if its machine had lost power."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def pause(self):
        """It hangs: the kernel takes connections, nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def make_replica(self):
        """Of nobody: it can be read and not be written to."""
        self.call("REPLICAOF", "127.0.0.1", "1")

    def make_primary(self):
        self.call("REPLICAOF", "NO", "ONE")

    def close(self):
        self.stop()
        self.folder.cleanup()
