"""A client that has nothing to do with what a test does to a server meanwhile.

It is a process of its own, with the backend that answers it, so that what it measures is the
server's doing and not that of the test's own threads."""

import json
import select
import subprocess
import sys
import time
from pathlib import Path

from .backend import Backend
from .h2 import H2Client
from .wire import Client

ADDRESS = "127.0.0.2"  # others count by client
PATH = "/neighbour"


class Neighbour:
    """The test's end. `url` is the backend to route PATH to."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from harness.neighbour import live; live()"],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(15)
        self.process.stdout.close()

    def move_in(self, port):
        """Says where the server is (HTTP/1.1 and HTTP/2 in clear)."""
        print(port, file=self.process.stdin)

    def ask(self, count):
        """So many requests from now on."""
        print(count, file=self.process.stdin)

    def is_done(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def report(self):
        """What became of them: {"p50", "p99", "worst" in seconds, "failed": [...]}."""
        return json.loads(self.process.stdout.readline())

    def measure(self, count):
        self.ask(count)
        return self.report()


def live():
    """The process's own end: requests in turn over HTTP/1.1 and HTTP/2, one at a time."""
    with Backend() as backend:
        print(backend.url, flush=True)
        if port := sys.stdin.readline():
            source = (ADDRESS, 0)
            connects = [lambda kind=k: kind(int(port), source=source) for k in (Client, H2Client)]
            clients = [connect() for connect in connects]
            for line in sys.stdin:
                print(json.dumps(requests(int(line), connects, clients)), flush=True)


def requests(count, connects, clients):
    times, failed = [], []
    for index in range(count):
        which = index % len(clients)
        before = time.perf_counter()
        try:
            status = clients[which].request("GET", PATH).status
            if status != 200:
                failed.append(status)
        except (AssertionError, OSError) as error:
            failed.append(repr(error))
            clients[which] = connects[which]()
        times.append(time.perf_counter() - before)
    times.sort()
    p50, p99 = times[count // 2], times[count * 99 // 100]
    return {"p50": p50, "p99": p99, "worst": times[-1], "failed": failed}
