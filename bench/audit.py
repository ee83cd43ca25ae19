#!/usr/bin/python3
"""What the audit log takes: records a second that are committed, and p99 of proxied requests with
the log and without it, quiet and while a flood of requests is refused.

    bench/audit.py [--seconds 4] [--rounds 6]

In the flood no two refusals are alike in their client, so that each becomes a record of its own.
Without the log is without identity, which it belongs to. All else is the same, the number of event
loops too: identity leaves one core to others, so the process without it is started on one less, and
may then use all cores like the other. The store is SQLite in a file.
"""

import argparse
import os
import pathlib
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile

import measure as bench

BINARY = os.environ.get("GATEHOUSE_BIN", str(bench.ROOT / "build/release/gatehouse"))
API_RATE, API_CLIENTS = 1000, 16
FLOOD_CONNECTIONS = 16
CONFIG = """
version: 1
environment: development
listen: [{{address: 127.0.0.1:{port}}}]
https: {{mode: off}}
hosts: [api.example.com]
public_url: https://api.example.com
trusted_proxies: [127.0.0.1/32]
store: sqlite:{dir}/gatehouse.db
identity: {{enabled: {audited}}}
upstreams: {{origin: {{servers: [http://127.0.0.1:{origin}]}}}}
limits: {{connections_per_client: 100000}}
routes: [{{path: /**, upstream: origin, access: public}}]
"""
# wrk asks again when an answer came, after the delay.
FLOOD = """
local number = 0
wrk.headers["Host"] = "elsewhere.example.com"
function request()
  number = number + 1
  wrk.headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", math.floor(number / 65536) % 256,
                                                 math.floor(number / 256) % 256, number % 256)
  return wrk.format("GET", "/")
end
function delay()
  return {delay}
end
"""


class Gate:
    def __init__(self, origin_port, audited):
        self.port, self.folder = bench.free_port(), tempfile.TemporaryDirectory(prefix="bench-audit-")
        self.dir, self.name, self.head = self.folder.name, "gatehouse", dict(bench.HEAD)
        path = pathlib.Path(self.dir, "gatehouse.yaml")
        path.write_text(CONFIG.format(port=self.port, dir=self.dir, origin=origin_port,
                                      audited=str(audited).lower()))
        command = [BINARY, "serve", "--config", str(path)]
        if os.geteuid() == 0:
            command += ["--user", "root"]
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores if audited else sorted(cores)[:max(1, len(cores) - 1)])
        try:
            self.process = subprocess.Popen(
                command, env={**os.environ, "APP_SECRET_KEY": secrets.token_urlsafe(32)},
                stdout=open(f"{self.dir}/stdout", "w"), stderr=open(f"{self.dir}/stderr", "w"))
        finally:
            os.sched_setaffinity(0, cores)
        bench.wait_for(self.port, self.process)
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(thread), cores)

    def records(self):
        with sqlite3.connect(f"file:{self.dir}/gatehouse.db?mode=ro", uri=True, timeout=10) as store:
            return store.execute("SELECT count(*) FROM security_audit_log "
                                 "WHERE event_type = 'host_rejected'").fetchone()[0]

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


class Flood:
    """Refused requests, for as long as it is open."""

    def __init__(self, gate, rate, seconds):
        script = pathlib.Path(gate.dir, "flood.lua")
        script.write_text(FLOOD.format(delay=1000 * FLOOD_CONNECTIONS // rate))
        self.command = ["wrk", "-t1", f"-c{FLOOD_CONNECTIONS}", f"-d{seconds + 1}s", "-s",
                        str(script), f"http://127.0.0.1:{gate.port}/"]
        self.count = 0

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        text, _ = self.process.communicate(timeout=60)
        self.count = sum(int(line.split()[0]) for line in text.splitlines() if "requests in" in line)


def measure(origin_port, args):
    """{(audited, flooded): [(p50, p99)]}, what was refused, and what was written of it."""
    figures = {(a, f): [] for a in (True, False) for f in (True, False)}
    refused = written = 0
    for turn in range(args.rounds):
        for audited in (True, False) if turn % 2 else (False, True):
            print(f"\rround {turn + 1} of {args.rounds}", end="", file=sys.stderr)
            gate = Gate(origin_port, audited)
            try:
                bench.fixed_rate(gate, 1, rate=API_RATE, clients=API_CLIENTS)  # warm-up
                figures[audited, False].append(
                    bench.fixed_rate(gate, args.seconds, rate=API_RATE, clients=API_CLIENTS))
                with Flood(gate, args.flood, args.seconds) as flood:
                    figures[audited, True].append(
                        bench.fixed_rate(gate, args.seconds, rate=API_RATE, clients=API_CLIENTS))
            finally:
                gate.process.terminate()
                gate.process.wait()
                if audited:
                    refused, written = refused + flood.count, written + gate.records()
                gate.close()
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return figures, refused, written


def print_figures(figures, args):
    print(f"| {API_RATE:,} proxied requests a second | p50 us | p99 us |\n|---|---:|---:|")
    for flooded in (False, True):
        for audited in (False, True):
            p50, p99 = (statistics.median(pair[i] for pair in figures[audited, flooded])
                        for i in (0, 1))
            print(f"| {'refusing' if flooded else 'quiet'}, {'with' if audited else 'without'} the log "
                  f"| {p50:.0f} | {p99:.0f} |")
    for flooded in (False, True):
        ratio = statistics.median(a[1] / b[1] for a, b in zip(figures[True, flooded],
                                                              figures[False, flooded]))
        print(f"| p99 with the log to without, {'refusing' if flooded else 'quiet'}, median of "
              f"{args.rounds} rounds | | {ratio:.2f} |")


def store_bench(args):
    """Records a second into the store, beside people who sign in, and alone."""
    build = pathlib.Path(BINARY).parent
    target = "src/store/store_sqlite_bench"
    subprocess.run(["ninja", "-C", str(build), target], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        print(subprocess.run([str(build / target), str(args.seconds), folder], check=True, text=True,
                             capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--flood", type=int, default=1000, help="refused requests a second (1000)")
    args = parser.parse_args()
    store_bench(args)
    origin_port = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(origin_port)])
    try:
        bench.wait_for(origin_port, origin)
        figures, refused, written = measure(origin_port, args)
    finally:
        origin.kill()
        origin.wait()
    print_figures(figures, args)
    print(f"\n{refused:,} were refused, {written:,} records say so.")


if __name__ == "__main__":
    main()
