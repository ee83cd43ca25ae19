"""The voting service of examples/vote as a process, and a Redis server of one's own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from .gate import BINARY, ROOT, assert_clean, free_port
from .wire import Client

# build/asan/src/app/gatehouse -> build/asan/examples/vote/vote; build/release/gatehouse likewise.
BUILD = BINARY.parent.parent.parent if BINARY.parent.name == "app" else BINARY.parent
VOTE = Path(os.environ.get("VOTE_BIN", BUILD / "examples" / "vote" / "vote"))
WAIT_SECONDS = 10
JSON = [("Content-Type", "application/json")]
OWN_VARIABLES = """LISTEN VOTE_OPTIONS VOTE_ONCE IDENTITY_HEADER DATABASE_URL REDIS_URL STREAM
BODY_BYTES_MAX THREADS STORE_TIMEOUT_MS DRAIN_SECONDS""".split()


def need_vote():
    if not VOTE.is_file():
        pytest.skip(f"there is no {VOTE}: its libraries were missing when the project was built")


def environment(variables):
    inherited = {k: v for k, v in os.environ.items() if k not in OWN_VARIABLES}
    return {**inherited, **{k: str(v) for k, v in variables.items()}}


def run_vote(*arguments, **variables):
    """A start that ends by itself."""
    need_vote()
    result = subprocess.run(
        [str(VOTE), *arguments],
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert_clean(result.stderr)
    return result


class Vote:
    """Serves on a free port of loopback; on a database in `folder` unless the variables say
    another."""

    def __init__(self, folder, **variables):
        need_vote()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {"DATABASE_URL": f"sqlite:{folder}/votes.db", "LISTEN": f"127.0.0.1:{self.port}"}
        self.stderr = ""
        self.process = subprocess.Popen(
            [str(VOTE)],
            env=environment({**settings, **variables}),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.reader = threading.Thread(target=self.read_stderr, daemon=True)
        self.reader.start()
        self.wait_ready()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.wait_exit()
        assert kind is not None or code == 0, self.stderr

    def read_stderr(self):
        for line in self.process.stderr:
            self.stderr += line.decode()

    def wait_ready(self):
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                Client(self.port).close()
                return
            except OSError:
                assert self.process.poll() is None, self.stderr
                assert time.monotonic() < deadline, self.stderr
                time.sleep(0.01)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait_exit(self):
        try:
            code = self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.reader.join(5)
        assert_clean(self.stderr)
        return code

    def request(self, method, target, fields=(), body=None):
        with Client(self.port) as client:
            return client.request(method, target, fields, body, "localhost")

    def get(self, target, fields=()):
        return self.request("GET", target, fields)

    def vote(self, option, fields=()):
        body = f'{{"option":"{option}"}}'.encode()
        return self.request("POST", "/vote", [*JSON, *fields], body)

    def results(self):
        response = self.get("/results")
        assert response.status == 200, response
        return response.json()["results"]


def wait_until(condition, what):
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


class RedisServer:
    """On a Unix socket in a directory of its own, nothing written to disk."""

    def __init__(self, *options):
        self.program = shutil.which("redis-server")
        if not self.program:
            pytest.skip("there is no redis-server")
        self.folder = tempfile.TemporaryDirectory(prefix="vote-redis-")
        self.path = f"{self.folder.name}/redis.sock"
        self.url = f"unix:{self.path}"
        self.options = options
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--port", "0", "--unixsocket", self.path, "--save", ""]
            + ["--dir", self.folder.name, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(self.is_up, "redis-server")

    def is_up(self):
        try:
            return self.command("PING") == "PONG"
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def command(self, *words):
        """One command and its reply, as RESP2 has it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT_SECONDS)
            connection.connect(self.path)
            parts = [str(word).encode() for word in words]
            text = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
            connection.sendall(b"*%d\r\n%s" % (len(parts), text))
            return self.reply(connection.makefile("rb"))

    def reply(self, stream):
        line = stream.readline()
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise AssertionError(rest)
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
        assert kind == b"*", line
        return [self.reply(stream) for _ in range(int(rest))]

    def entries(self, stream="votes"):
        """The fields of each entry, oldest first."""
        entries = self.command("XRANGE", stream, "-", "+")
        return [dict(zip(fields[::2], fields[1::2])) for _, fields in entries]


class PostgresServer:
    """A cluster in a directory of its own, on a Unix socket there."""

    def __init__(self):
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not programs:
            pytest.skip("there is no PostgreSQL")
        self.programs = programs[-1].parent
        self.folder = tempfile.TemporaryDirectory(prefix="vote-postgres-")
        self.path = self.folder.name
        self.prefix = []
        if os.geteuid() == 0:  # which it refuses to run as
            shutil.chown(self.path, "postgres", "postgres")
            self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.url = f"postgresql://voter@/votes?host={self.path}"
        self.run("initdb", "-D", f"{self.path}/data", "-U", "voter", "--auth=trust", "--no-sync")
        self.start()
        self.run("createdb", "-h", self.path, "-U", "voter", "votes")

    def run(self, program, *arguments):
        command = [*self.prefix, str(self.programs / program), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
        assert result.returncode == 0, result.stderr
        return result.stdout

    def start(self):
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.path}"]
        options += ["-c", "fsync=off", "-D", f"{self.path}/data"]
        self.process = subprocess.Popen(
            [*self.prefix, str(self.programs / "postgres"), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        wait_until(self.is_up, "PostgreSQL")

    def is_up(self):
        command = [str(self.programs / "pg_isready"), "-q", "-h", self.path]
        return subprocess.run(command, timeout=10).returncode == 0

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # its fast shutdown
        self.process.wait(WAIT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def ask(self, sql, role="voter"):
        """What psql prints of one statement, without titles."""
        return self.run(
            "psql", "-h", self.path, "-U", role, "-d", "votes", "-v", "ON_ERROR_STOP=1",
            "-Atqc", sql,
        ).strip()
