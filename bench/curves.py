#!/usr/bin/python3
"""Does a request cost more the more there is to choose from? CPU of gatehouse per request with 10 to
10,000 routes, hosts, CORS origins and rate limits, against ten of all in the same round; and with a
thousand to ten million clients that came before, of which each request is from any one.

    bench/curves.py [--rounds 3] [--seconds 2] [--only routes,clients]
"""
import argparse
import collections
import math
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import measure as bench

COUNTS = (10, 100, 1000, 10000)
KINDS = ("routes", "hosts", "origins", "limits")
BASE = 10
CLIENTS = (1000, 100_000, 1_000_000, 10_000_000)
# What wrk runs: a request of each client in turn, 64 to a write, which the rate limit counts and the next
# stage refuses, so that the upstream is not what is filled; and requests of any of them.
CLIENT_LUA = """local bit = require("bit")
local function request_of(start, i)
  return start .. " HTTP/1.1\\r\\n%(head)sX-Forwarded-For: 10." .. bit.rshift(i, 16) .. "." ..
    bit.band(bit.rshift(i, 8), 255) .. "." .. bit.band(i, 255) .. "\\r\\n\\r\\n"
end
"""
ALL_LUA = CLIENT_LUA + """local at, batch = 0, {}
function request()
  for i = 1, 64 do
    batch[i] = request_of("POST %(path)s", at)
    at = (at + 1) %% %(clients)d
  end
  return table.concat(batch)
end
"""
ANY_LUA = CLIENT_LUA + """function request()
  return request_of("GET %(path)s", math.random(0, %(clients)d - 1))
end
"""


def configuration(port, origin, counts):
    """The request asks for the route, host, origin and limit in the middle of each list."""
    def lines(kind, form):
        return "".join(form.format(i=i) for i in range(counts[kind]))

    middle = counts["limits"] // 2
    return (f"version: 1\nenvironment: production\nlisten: [{{address: '127.0.0.1:{port}'}}]\n"
            "https: {mode: off}\npublic_url: https://h0.example.com\n"
            "hosts:\n" + lines("hosts", "  - h{i}.example.com\n") +
            f"upstreams: {{origin: {{servers: ['http://127.0.0.1:{origin}']}}}}\n"
            "headers: {preset: api}\n"
            "limits: {connections_per_client: 100000}\n"
            "trusted_proxies: [127.0.0.1/32]\n"
            "cors:\n  methods: [GET]\n  origins:\n" + lines("origins", "    - https://o{i}.example.com\n") +
            "rate_limits:\n  global: {limit: 1000000/second, burst: 1000000, key: client}\n" +
            lines("limits", "  l{i}: {{limit: 1000000/second, burst: 1000000}}\n") +
            "routes:\n" + lines("routes", "  - {{path: '/api/r{i}/**', upstream: origin, access: public, "
                                f"rate_limit: l{middle}}}}}\n"))


class Gate:
    is_tls = False

    def __init__(self, origin, counts):
        self.name = "gatehouse"
        self.dir = tempfile.mkdtemp(prefix="gatehouse-bench-")
        os.chmod(self.dir, 0o755)
        self.port = bench.free_port()
        path = pathlib.Path(self.dir, "gatehouse.yaml")
        path.write_text(configuration(self.port, origin, counts))
        self.head = {**bench.HEAD, "Host": f"h{counts['hosts'] // 2}.example.com",
                     "Origin": f"https://o{counts['origins'] // 2}.example.com"}
        self.path = f"/api/r{counts['routes'] // 2}/items?page=2"
        binary = os.environ.get("GATEHOUSE_BIN", str(bench.ROOT / "build/release/gatehouse"))
        self.process = subprocess.Popen(
            [binary, "serve", "--workers", "1", "--config", str(path)],
            stdout=open(f"{self.dir}/stdout", "w"), stderr=open(f"{self.dir}/stderr", "w"),
            preexec_fn=bench.pin(bench.CORES[0]))
        try:
            bench.wait_for(self.port, self.process)
        except SystemExit:
            print(pathlib.Path(self.dir, "stderr").read_text()[-500:], file=sys.stderr)
            raise

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


def cost(origin, counts, seconds):
    gate = Gate(origin, counts)
    try:
        bench.saturate(gate, 1, path=gate.path)
        return bench.saturate(gate, seconds, path=gate.path)[0] / 1000
    finally:
        gate.close()


def script(gate, text, clients, head):
    """A file of them for wrk."""
    lines = "".join(f"{key}: {value}\\r\\n" for key, value in head.items())
    path = pathlib.Path(gate.dir, "clients.lua")
    path.write_text(text % {"head": lines, "path": gate.path, "clients": clients})
    return str(path)


def know(gate, clients):
    """All of them have asked for something."""
    lua = script(gate, ALL_LUA, clients, {"Host": gate.head["Host"], "Content-Length": "0",
                                          "Cookie": "__Host-gh_access=x",
                                          "Sec-Fetch-Site": "cross-site"})
    seconds, count = 1, 0
    while count < clients:
        command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", lua, bench.url_of(gate)]
        text = bench.run_load(gate, command, seconds)[1]
        count, refused = (int(re.search(form, text).group(1))
                          for form in (r"(\d+) requests in", r"Non-2xx or 3xx responses: (\d+)"))
        if refused < count:
            sys.exit("bench: those that should be refused behind the rate limit were not")
        seconds = math.ceil(seconds * clients / count * 1.1)


def measure_clients(origin, options, add):
    """All gates at once, since it takes a minute until ten million have come; they rest in turn."""
    ten = dict.fromkeys(KINDS, BASE)
    gates = {}
    try:
        for clients in CLIENTS:
            gates[clients] = Gate(origin, ten)
            know(gates[clients], clients)
        for _ in range(options.rounds):
            for clients, gate in gates.items():
                lua = script(gate, ANY_LUA, clients, gate.head)
                add(clients, bench.saturate(gate, options.seconds, lua)[0] / 1000)
    finally:
        for gate in gates.values():
            gate.close()


def measure_kind(kind, origin, seconds, add):
    for count in COUNTS:
        add(count, cost(origin, {**dict.fromkeys(KINDS, BASE), kind: count}, seconds))


def print_rows(title, counts, kinds, spent):
    """Medians, and those of the ratios to the first count in the same round."""
    print(f"| CPU us per request (against {title}) | " + " | ".join(f"{c:,}" for c in counts) + " |")
    print("|---|" + "---:|" * len(counts))
    for kind in kinds:
        base = spent[kind, counts[0]]
        cells = []
        for count in counts:
            ratio = statistics.median(v / b for v, b in zip(spent[kind, count], base, strict=True))
            cells.append(f"{statistics.median(spent[kind, count]):.1f} ({ratio:.2f})")
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default=",".join((*KINDS, "clients")))
    options = parser.parse_args()
    only = options.only.split(",")
    kinds = [kind for kind in KINDS if kind in only]
    origin_port = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(origin_port)],
                              preexec_fn=bench.pin(bench.CORES[-1]))
    spent = collections.defaultdict(list)
    try:
        bench.wait_for(origin_port, origin)
        for _ in range(options.rounds):
            for kind in kinds:
                measure_kind(kind, origin_port, options.seconds,
                             lambda count, us, kind=kind: spent[kind, count].append(us))
        if "clients" in only:
            measure_clients(origin_port, options,
                            lambda count, us: spent["clients known", count].append(us))
    finally:
        origin.kill()
        origin.wait()
    if kinds:
        print_rows("ten", COUNTS, kinds, spent)
    if "clients" in only:
        print_rows("a thousand", CLIENTS, ["clients known"], spent)


if __name__ == "__main__":
    main()
