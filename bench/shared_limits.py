#!/usr/bin/python3
"""What limits in Redis cost: requests a second, CPU and p99 with limits in memory, in Redis over its
Unix socket and over TCP, and how many round trips it saves that questions of one moment share one.

    bench/shared_limits.py [--rounds 5] [--seconds 5] [--rate 2000]

gatehouse has a core of its own; the load, the origin and Redis share the other. Each request is
judged by one limit with a burst, or by that and an exact one, in one question. Rounds take turns; the
medians are printed.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import measure as bench

PLACES = ("memory", "unix socket", "TCP")
LIMITS = {
    1: "  global: {limit: 1000000/second, burst: 1000000, key: client}\n",
    2: "  global: {limit: 1000000/second, burst: 1000000, key: client}\n"
       "  exact: {limit: 4000000000/hour, key: client}\n",
}
COUNTED = ("commands", "round_trips")


class Redis:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gatehouse-bench-redis-")
        os.chmod(self.dir, 0o755)
        self.path, self.port = f"{self.dir}/socket", bench.free_port()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket",
             self.path, "--unixsocketperm", "777", "--save", "", "--dir", self.dir],
            stdout=subprocess.DEVNULL, preexec_fn=bench.pin(bench.CORES[-1]))
        bench.wait_for(self.port, self.process)

    def url(self, place):
        return f"unix:{self.path}" if place == "unix socket" else f"redis://127.0.0.1:{self.port}"

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Gate:
    name = "gatehouse"
    head = dict(bench.HEAD)

    def __init__(self, origin_port, place, limits, redis):
        self.dir = tempfile.mkdtemp(prefix="gatehouse-bench-")
        os.chmod(self.dir, 0o755)
        self.port, self.admin = bench.free_port(), bench.free_port()
        text = (bench.HERE / "peers" / "gatehouse.yaml").read_text()
        text = text.replace("{port}", str(self.port)).replace("{origin}", str(origin_port))
        text = re.sub(r"rate_limits:\n  global: .*\n", "rate_limits:\n" + LIMITS[limits], text)
        if limits > 1:
            text += "    rate_limit: exact\n"
        text += f"admin_listen: 127.0.0.1:{self.admin}\n"
        if place != "memory":
            text += f"redis: {redis.url(place)}\n"
        path = pathlib.Path(self.dir, "gatehouse.yaml")
        path.write_text(text)
        binary = os.environ.get("GATEHOUSE_BIN", str(bench.ROOT / "build/release/gatehouse"))
        self.process = subprocess.Popen(
            [binary, "serve", "--workers", "1", "--config", str(path)],
            stdout=open(f"{self.dir}/stdout", "w"), stderr=open(f"{self.dir}/stderr", "w"),
            preexec_fn=bench.pin(bench.CORES[0]))
        bench.wait_for(self.port, self.process)
        if place != "memory":
            self.wait_shared()

    def wait_shared(self):
        deadline = time.monotonic() + 10
        while not self.metric('gatehouse_redis_up{use="limits"}'):
            if time.monotonic() > deadline:
                sys.exit("bench: limits are not shared")
            time.sleep(0.02)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            lines = [line for line in answer.read().decode().splitlines() if line[:1] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def metric(self, name):
        return self.metrics().get(name, 0)

    def counted(self):
        found = self.metrics()
        return [found.get(f"gatehouse_shared_limits_{name}_total", 0) for name in COUNTED]

    def alone(self):
        """Questions that Redis did not decide."""
        return sum(value for name, value in self.metrics().items()
                   if name.startswith("gatehouse_shared_limits_total")
                   and not re.search("decided|remembered", name))

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def measure(place, limits, options, redis):
    gate = Gate(options.origin, place, limits, redis)
    try:
        before, redis_before = gate.counted(), bench.cpu_ns(redis.process.pid)
        cpu, rate = bench.saturate(gate, options.seconds)
        spent = bench.cpu_ns(redis.process.pid) - redis_before
        commands, trips = (now - then for now, then in zip(gate.counted(), before))
        p50, p99 = bench.fixed_rate(gate, options.seconds, options.rate)
        if gate.alone():
            sys.exit(f"bench: {place}: {gate.alone():.0f} questions were decided without Redis")
        return {
            "requests_s": rate,
            "cpu_us": cpu / 1000,
            "redis_us": spent / 1000 / (rate * options.seconds) if place != "memory" else 0,
            "p50_us": p50,
            "p99_us": p99,
            "trip_requests": commands / trips if trips else 0,
        }
    finally:
        gate.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.origin = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(options.origin)],
                              preexec_fn=bench.pin(bench.CORES[-1]))
    redis = Redis()
    found = {}
    try:
        bench.wait_for(options.origin, origin)
        for _ in range(options.rounds):
            for limits in LIMITS:
                for place in PLACES:
                    figures = measure(place, limits, options, redis)
                    for name, value in figures.items():
                        found.setdefault((limits, place), {}).setdefault(name, []).append(value)
    finally:
        redis.close()
        origin.terminate()
        origin.wait()
    medians = {key: {name: statistics.median(values) for name, values in all_.items()}
               for key, all_ in found.items()}
    if options.json:
        print(json.dumps({f"{limits} limits, {place}": v for (limits, place), v in medians.items()}))
        return
    print(f"64 connections, saturated; p50 and p99 at {options.rate} requests/s\n")
    print("| limits | kept in | requests/s | gatehouse CPU | Redis CPU | p50 | p99 | requests a round trip |")
    print("|---|---|---|---|---|---|---|---|")
    for (limits, place), f in medians.items():
        trips = f"{f['trip_requests']:.1f}" if f["trip_requests"] else ""
        print(f"| {limits} | {place} | {f['requests_s']:,.0f} | {f['cpu_us']:.1f} us | "
              f"{f['redis_us']:.1f} us | {f['p50_us']:.0f} us | {f['p99_us']:.0f} us | {trips} |")


if __name__ == "__main__":
    main()
