"""The voting service of examples/vote as a process, and what its stores hold."""

import os
import signal
import subprocess
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


def entries(redis, stream="votes"):
    """The fields of each entry of the stream, oldest first."""
    found = []
    for _, fields in redis.call("XRANGE", stream, "-", "+"):
        words = [word.decode() for word in fields]
        found.append(dict(zip(words[::2], words[1::2])))
    return found


class Tables:
    """A new database of a PostgreSQL server, for the service."""

    def __init__(self, server):
        self.server = server
        self.name = server.database()
        self.url = server.url(self.name)

    def ask(self, sql, role=None):
        """What psql prints of it, columns between bars."""
        prefix = f"SET SESSION AUTHORIZATION {role}; " if role else ""
        rows = self.server.query(prefix + sql, self.name)
        return "\n".join("|".join(row) for row in rows)

    def install(self):
        result = run_vote("install", DATABASE_URL=self.url)
        assert result.returncode == 0, result.stderr
        return self
