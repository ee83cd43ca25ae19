#!/usr/bin/python3
"""What trouble does to everybody else: p50 and p99 of 1,000 requests a second, quiet and beside each
kind of trouble, and whether any of them failed.

    bench/resilience.py [--rounds 5] [--seconds 4]

Rounds take turns; the medians are printed, and of p99 the median of the ratios to quiet. gatehouse has
the first core, the loads and the origins the last.
"""
import argparse
import collections
import contextlib
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import measure as bench

RATE = 1000
SLOW = 1000
# Each may need a descriptor for the backend as well.
IDLE = min(10000, bench.descriptors() // 2 - SLOW - 500)
HEAD_BYTES = 60 * 1024
ROUTES = """  - path: /stalls/**
    upstream: stalling
    access: public
"""


class Gate:
    """With a second upstream at /stalls, which holds back every other answer."""
    is_tls = False

    def __init__(self, origin, stalling):
        self.folder = tempfile.TemporaryDirectory(prefix="gatehouse-bench-")
        self.dir, self.name, self.head = self.folder.name, "gatehouse", dict(bench.HEAD)
        os.chmod(self.dir, 0o755)
        self.port = bench.free_port()
        text = (bench.HERE / "peers" / "gatehouse.yaml").read_text()
        for key, value in (("port", self.port), ("listen_tls", ""), ("origin", origin)):
            text = text.replace("{%s}" % key, str(value))
        text = text.replace("upstreams:\n",
                            f"upstreams:\n  stalling:\n    servers: [http://127.0.0.1:{stalling}]\n")
        text = text.replace("limits:\n", "limits:\n  request_head: 64KiB\n", 1)
        text = text.replace("routes:\n", "routes:\n" + ROUTES)
        path = pathlib.Path(self.dir, "gatehouse.yaml")
        path.write_text(text)
        binary = os.environ.get("GATEHOUSE_BIN", str(bench.ROOT / "build/release/gatehouse"))
        self.process = subprocess.Popen(
            [binary, "serve", "--workers", "1", "--config", str(path)],
            stdout=open(f"{self.dir}/stdout", "w"), stderr=open(f"{self.dir}/stderr", "w"),
            preexec_fn=bench.pin(bench.CORES[0]))
        bench.wait_for(self.port, self.process)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.folder.cleanup()


class Stalling:
    """An origin that answers every other request after a second only."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.turn = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            while connection.recv(65536):
                self.turn += 1
                if self.turn % 2:
                    time.sleep(1)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self):
        self.listener.close()


# -- Troubles: a context each --


@contextlib.contextmanager
def quiet(gate):
    yield


@contextlib.contextmanager
def many_connections(gate):
    """Some that have been answered once and stay, and some that send a head byte by byte."""
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE):
            connection = stack.enter_context(gate.connect())
            connection.sendall(bench.request_bytes(gate))
            connection.recv(65536)
        slow = [stack.enter_context(gate.connect()) for _ in range(SLOW)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: api.example.com\r\nX-Slow: ")
        with repeated(lambda: trickle(slow)):
            yield


def trickle(slow):
    """A byte more of the head on each: 1,000 of them within 0.5 s, and again."""
    for connection in slow:
        with contextlib.suppress(OSError):
            connection.send(b"x")
        time.sleep(0.0005)


@contextlib.contextmanager
def repeated(act):
    """Does it again and again meanwhile."""
    over = threading.Event()

    def work():
        while not over.is_set():
            act()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def reloads(gate):
    """The configuration is read anew four times a second."""
    def reload():
        gate.process.send_signal(signal.SIGHUP)
        time.sleep(0.25)

    with repeated(reload):
        yield


@contextlib.contextmanager
def large_heads(gate):
    """A hundred heads of 60 KiB a second."""
    more = "".join(f"X-Field-{i}: {'x' * 1000}\r\n" for i in range(HEAD_BYTES // 1017)).encode()
    data = bench.request_bytes(gate)[:-2] + more + b"\r\n"
    with gate.connect() as connection:
        def send_one():
            connection.sendall(data)
            if b" 200 " not in connection.recv(65536)[:16]:
                sys.exit("bench: a large head was refused")
            time.sleep(0.01)

        send_one()
        with repeated(send_one):
            yield


@contextlib.contextmanager
def stalling_backend(gate):
    """64 clients of a backend that stalls half of the time."""
    load = subprocess.Popen(["wrk", "-t1", "-c64", "-d60s", *bench.header_args(gate, "-H"),
                             bench.url_of(gate, "/stalls/x")], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        load.kill()
        load.wait()


TROUBLES = {
    "quiet": quiet,
    f"{IDLE:,} idle and {SLOW:,} slow connections": many_connections,
    "reloading four times a second": reloads,
    "a hundred heads of 60 KiB a second": large_heads,
    "64 clients of a backend that stalls half of the time": stalling_backend,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    os.sched_setaffinity(0, {bench.CORES[-1]})
    origin_port = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(origin_port)])
    stalling = Stalling()
    found = collections.defaultdict(list)
    try:
        bench.wait_for(origin_port, origin)
        for _ in range(options.rounds):
            for title, trouble in TROUBLES.items():
                gate = Gate(origin_port, stalling.port)
                try:
                    with trouble(gate):
                        found[title].append(bench.fixed_rate(gate, options.seconds, RATE))
                finally:
                    gate.close()
    finally:
        stalling.close()
        origin.kill()
        origin.wait()
    print(f"| beside {RATE:,} requests a second, none failed | p50 us | p99 us | p99 against quiet |")
    print("|---|---:|---:|---:|")
    for title, pairs in found.items():
        ratios = [pair[1] / still[1] for pair, still in zip(pairs, found["quiet"], strict=True)]
        print(f"| {title} | {statistics.median(p[0] for p in pairs):,.0f} | "
              f"{statistics.median(p[1] for p in pairs):,.0f} | {statistics.median(ratios):.2f} |")


if __name__ == "__main__":
    main()
