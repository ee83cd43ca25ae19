#!/usr/bin/python3
"""Instructions that a proxied request costs gatehouse in user space, by stage, counted by callgrind.

    bench/instructions.py [--requests 2000] [--kind gatehouse-session] [--method GET] [--functions 30]

They don't depend on how busy the machine is, as times do; the kernel's are not among them. Of two
runs, with N requests and with 2N, the second has N requests more and all else alike. A stage is a
group of source files; code that several stages use counts for the stage that called it. The binary
(GATEHOUSE_BIN, or what `tools/build.py profile` made) must be optimised and tell its source files.
"""
import argparse
import collections
import os
import pathlib
import re
import socket
import subprocess
import sys

import measure as bench
from proxies import Proxy

CONNECTIONS = 16
SOCKETS = "sockets and event loop"
# The first that a file below src/ matches; one that matches none is shared.
STAGES = tuple((title, re.compile(pattern)) for title, pattern in (
    ("reading the head", r"http/(h1_codec|h1_body|request_head)\.|gateway/connection"),
    ("host, path and route", r"policy/(host|path|route|routing|lookup)|http/(target|authority)\."),
    ("session", r"(session|token)/|policy/identify"),
    ("rate limit", r"limit/|policy/(rate|sanction)|gateway/exchange_limits"),
    ("the upstream's head", r"policy/(handover|hop)"),
    ("its answer's head", r"upstream/response"),
    ("calling the upstream", r"upstream/"),
    ("the answer's head", r"http/h1_answer|policy/(answer|headers|cors|csp)"),
    ("other stages of the policy", r"policy/"),
    ("log line, counters", r"gateway/(access_log|counters|input_counters)|obs/|json/"),
    ("exchange and the rest", r"(gateway|app|audit|openapi|schema|store|identity|api)/"),
    (SOCKETS, r"net/"),
))
# By the names that callgrind's lines have for them.
KINDS = {"cob": "ob", "cfn": "fn", "fi": "fl", "fe": "fl", "cfi": "fl", "cfl": "fl"}


class Counted(Proxy):
    """gatehouse under callgrind, which its sandbox would stop."""

    def fill(self, template, origin_port):
        path = pathlib.Path(super().fill(template, origin_port))
        path.write_text(path.read_text() + "\nsandbox: {mode: off}\n")
        return str(path)

    def command(self, origin_port):
        return ["valgrind", "--quiet", "--vgdb=no", "--tool=callgrind",
                f"--callgrind-out-file={self.dir}/counted", *super().command(origin_port)]

    def counts(self):
        """Ends the process. It writes as another user than the one it began as."""
        counted = pathlib.Path(self.dir, "counted")
        counted.chmod(0o666)
        self.process.terminate()
        self.process.wait(60)
        return counted.read_text()


def request_bytes(proxy, method):
    if method == "GET":
        return bench.request_bytes(proxy)
    proxy.head.update({"Content-Type": "application/json", "Content-Length": "1024"})
    return b"POST" + bench.request_bytes(proxy)[3:] + b"x" * 1024


def read_answer(client):
    data = client.recv(65536)
    if not data.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"bench: answered {data[:200]}")
    head, body = data.split(b"\r\n\r\n", 1)
    left = int(re.search(rb"\r\nContent-Length: (\d+)", head).group(1)) - len(body)
    while left:
        left -= len(client.recv(left))


def count(kind, origin_port, method, requests):
    """What callgrind wrote about a process that was asked so often."""
    proxy = Counted(kind, origin_port)
    try:
        request = request_bytes(proxy, method)
        clients = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(CONNECTIONS)]
        for _ in range(requests // CONNECTIONS):
            for client in clients:
                client.sendall(request)
            for client in clients:
                read_answer(client)
        for client in clients:
            client.close()
        return proxy.counts()
    finally:
        proxy.close()


def stage_of(file):
    """None: shared, as are all libraries."""
    inside = file.rpartition("/src/")[2] if "/src/" in file else ""
    return next((title for title, pattern in STAGES if pattern.match(inside)), None)


class Profile:
    """Instructions by stage and by function, from one of callgrind's files (valgrind's manual,
    "Callgrind Format Specification")."""

    def __init__(self, text):
        self.stages, self.functions = collections.Counter(), collections.Counter()
        self.names = {}
        self.here = self.callee = ""  # files
        self.home, self.function = "", ""  # the file of the function; `here` may be inlined into it
        is_call = False
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if key == "calls":
                is_call = True
            elif equals:
                self.read_name(key, value)
            elif line[:1] and line[0] in "0123456789+-*":
                (self.add_call if is_call else self.add_cost)(int(line.split()[1]))
                is_call = False

    def read_name(self, key, value):
        """A file or function: "(number) name" the first time, then "(number)"."""
        number, _, name = value.partition(" ")
        name = self.names.setdefault((KINDS.get(key, key), number), name)
        if key in ("fl", "fi", "fe"):
            self.here = name
        elif key == "fn":
            self.home, self.function = self.here, name
        elif key in ("cfi", "cfl"):
            self.callee = name
        if not key.startswith("c"):
            self.callee = self.here

    def stage(self):
        return stage_of(self.here) or stage_of(self.home)

    def add_cost(self, cost):
        self.functions[self.function] += cost
        self.stages[self.stage()] += cost

    def add_call(self, cost):
        """`cost` with all that the callee called: shared code counts for who called it."""
        caller = self.stage()
        if caller and not stage_of(self.callee):
            self.stages[caller] += cost
            self.stages[None] -= cost
        self.callee = self.here


def table(fewer, more, requests):
    """What `more` has beside `fewer`, for each request."""
    rows = {title: (more[title] - fewer[title]) / requests for title in more}
    return {title: cost for title, cost in rows.items() if cost >= 0.5}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--kind", default="gatehouse-session")
    parser.add_argument("--method", choices=("GET", "POST"), default="GET")
    parser.add_argument("--functions", type=int, default=0, help="also so many of the most costly")
    options = parser.parse_args()
    os.environ.setdefault("GATEHOUSE_BIN", str(bench.ROOT / "build/profile/src/app/gatehouse"))
    requests = options.requests // CONNECTIONS * CONNECTIONS
    port = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(port)])
    try:
        bench.wait_for(port, origin)
        fewer, more = (Profile(count(options.kind, port, options.method, requests * times))
                       for times in (1, 2))
    finally:
        origin.kill()
        origin.wait()
    stages = table(fewer.stages, more.stages, requests)
    print("| stage | instructions a request |\n|---|---:|")
    for title in (*(title for title, _ in STAGES), None):
        print(f"| {title or 'not attributed'} | {stages.get(title, 0):,.0f} |")
    print(f"| all | {sum(stages.values()):,.0f} |")
    functions = table(fewer.functions, more.functions, requests)
    for name in sorted(functions, key=functions.get, reverse=True)[:options.functions]:
        print(f"{functions[name]:8,.0f}  {name}")


if __name__ == "__main__":
    main()
