#!/usr/bin/python3
"""Does a request cost more the more there is to choose from? CPU of gatehouse per request with 10 to
10,000 routes, hosts, CORS origins and rate limits; each run stands beside one with ten of all.

    bench/curves.py [--rounds 4] [--seconds 2]
"""
import argparse
import collections
import os
import pathlib
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
            "cors:\n  methods: [GET]\n  origins:\n" + lines("origins", "    - https://o{i}.example.com\n") +
            "rate_limits:\n" + lines("limits", "  l{i}: {{limit: 1000000/second, burst: 1000000}}\n") +
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    origin_port = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(origin_port)],
                              preexec_fn=bench.pin(bench.CORES[-1]))
    ten = dict.fromkeys(KINDS, BASE)
    spent, ratios = collections.defaultdict(list), collections.defaultdict(list)
    try:
        bench.wait_for(origin_port, origin)
        for _ in range(options.rounds):
            for kind in KINDS:
                for count in COUNTS:
                    beside = cost(origin_port, ten, options.seconds)
                    value = cost(origin_port, {**ten, kind: count}, options.seconds)
                    spent[kind, count].append(value)
                    ratios[kind, count].append(value / beside)
    finally:
        origin.kill()
        origin.wait()
    print("| CPU us per request (against ten of all) | " + " | ".join(f"{c:,}" for c in COUNTS) + " |")
    print("|---|" + "---:|" * len(COUNTS))
    for kind in KINDS:
        cells = (f"{statistics.median(spent[kind, c]):.1f} ({statistics.median(ratios[kind, c]):.2f})"
                 for c in COUNTS)
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
