#!/usr/bin/python3
"""Compares gatehouse with its peers on this machine, interleaved in one run, as ratios.

The proxy under test runs on the first core this process may use, origin and load generator on the
second. CPU per request is the scheduler's own account of the proxy's process tree over the requests
completed. Absolute figures hold for this machine and hour; the ratios of one run are what counts.

    bench/run.py                 eight rounds of every load, tables in Markdown
    bench/run.py --quick         the most telling ones, in less than two minutes
    bench/run.py --only gatehouse,haproxy-policy --loads get,tls
    bench/run.py --limits        also nanoseconds for a rate-limit decision
"""
import argparse
import collections
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from measure import (CORES, ROOT, built, descriptors, fixed_rate, free_port, idle_bytes, pin, saturate, saturate_h2,
                     wait_for)
from proxies import Proxy

PROXIES = ("floor", "nginx-plain", "caddy-plain", "nginx-policy", "caddy-policy", "haproxy-policy",
           "gatehouse", "nginx-session", "haproxy-session", "gatehouse-session")
QUICK_PROXIES = ("floor", "nginx-plain", "nginx-policy", "nginx-session", "haproxy-session", "gatehouse",
                 "gatehouse-session")
OWN = ("gatehouse", "gatehouse-session")
# Each may need a descriptor for the backend as well.
IDLE = (2000, min(9500, descriptors() // 2 - 500))
# Title: over TLS, over HTTP/2.
IDLE_KINDS = {"": (False, False), ", TLS": (True, False), ", HTTP/2": (True, True)}

# What a request with every stage and the session check may cost against a peer, and what is hoped for.
BUDGETS = (("get", "haproxy-session", 0.65, 0.52), ("get", "nginx-session", 0.65, 0.52),
           ("get", "nginx-plain", 1.1, 0.92), ("get", "floor", 1.75, 1.45),
           ("tls", "haproxy-session", 0.70, 0.60), ("h2", "haproxy-session", 0.75, 0.65),
           ("p99", "nginx-policy", 1.2, 1.0))

Load = collections.namedtuple("Load", "title is_tls run")


def get(proxy, seconds, directory):
    return saturate(proxy, seconds)


def post(size):
    def run(proxy, seconds, directory):
        script = pathlib.Path(directory, f"post-{size}.lua")
        script.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                          f'wrk.body = string.rep("x", {size})\n')
        return saturate(proxy, seconds, str(script))
    return run


def download(proxy, seconds, directory):
    return saturate(proxy, seconds, path="/large", connections=16)


def new_connections(proxy, seconds, directory):
    script = pathlib.Path(directory, "close.lua")
    script.write_text('wrk.headers["Connection"] = "close"\n')
    return saturate(proxy, seconds, str(script), connections=16)


def http2(proxy, seconds, directory):
    return saturate_h2(proxy, seconds)


LOADS = {
    "get": Load("GET", False, get),
    "post-1k": Load("POST 1 KiB", False, post(1024)),
    "post-64k": Load("POST 64 KiB", False, post(64 * 1024)),
    "download": Load("GET of 1 MiB", False, download),
    "tls": Load("GET, TLS", True, get),
    "h2": Load("GET, HTTP/2", True, http2),
    "tls-new": Load("GET, a TLS handshake each", True, new_connections),
}
QUICK_LOADS = ("get", "post-1k", "tls", "h2")


class Figures:
    """By proxy and what was measured: a figure for each round."""

    def __init__(self):
        self.found = collections.defaultdict(list)

    def add(self, name, what, value):
        self.found[name, what].append(value)

    def median(self, name, what, form, scale=1):
        values = self.found.get((name, what))
        return format(statistics.median(values) / scale, form) if values else ""

    def spread(self, name, what, scale):
        values = [value / scale for value in self.found.get((name, what), ())]
        return f"{min(values):.1f}-{max(values):.1f}" if values else ""

    def ratio(self, name, other, what):
        """Median of the ratios round by round."""
        pairs = list(zip(self.found.get((name, what), ()), self.found.get((other, what), ())))
        return f"{statistics.median(a / b for a, b in pairs):.2f}" if pairs else ""


def measure_one(figures, name, loads, is_tls, options, directory, origin_port):
    proxy = Proxy(name, origin_port, is_tls)
    try:
        saturate(proxy, 1)  # warm-up
        for load in loads:
            cpu, rate = LOADS[load].run(proxy, options.seconds, directory)
            figures.add(name, load, cpu)
            figures.add(name, load + " rate", rate)
        if not is_tls:
            p50, p99 = fixed_rate(proxy, max(2, options.seconds))
            figures.add(name, "p50", p50)
            figures.add(name, "p99", p99)
    finally:
        proxy.close()


def measure_idle(figures, names, origin_port):
    for title, (is_tls, is_h2) in IDLE_KINDS.items():
        for name in names:
            if is_tls and name == "floor":
                continue
            print(f"\ridle{title}: {name:20}", end="", file=sys.stderr)
            proxy = Proxy(name, origin_port, is_tls)
            try:
                for count, value in zip(IDLE, idle_bytes(proxy, IDLE, is_h2), strict=True):
                    figures.add(name, f"idle {count}{title}", value)
            finally:
                proxy.close()


def measure(names, loads, options, origin_port):
    """Interleaved: in each round each proxy once, in turn."""
    figures = Figures()
    kinds = {is_tls: [load for load in loads if LOADS[load].is_tls == is_tls] for is_tls in (False, True)}
    with tempfile.TemporaryDirectory() as directory:
        for turn in range(options.rounds):
            for is_tls, chosen in kinds.items():
                for name in names:
                    if not chosen or (is_tls and name == "floor"):
                        continue
                    print(f"\rround {turn + 1} of {options.rounds}: {name:20}", end="", file=sys.stderr)
                    measure_one(figures, name, chosen, is_tls, options, directory, origin_port)
        if not options.quick:
            measure_idle(figures, names, origin_port)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return figures


def print_rows(title, columns, rows):
    print(f"| {title} | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for name, cells in rows:
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


def print_tables(figures, names, loads, options):
    titles = [LOADS[load].title for load in loads]
    first = loads[0]
    print_rows("CPU us per request", [f"{titles[0]} (min-max)", *titles[1:]], [
        (name, [f"{figures.median(name, first, '.1f', 1000)} ({figures.spread(name, first, 1000)})",
                *(figures.median(name, load, ".1f", 1000) for load in loads[1:])]) for name in names])
    print_rows("requests a second", titles, [
        (name, [figures.median(name, load + " rate", ",.0f") for load in loads]) for name in names])
    columns = [f"{what} us at 2,000/s" for what in ("p50", "p99")]
    whats = ["p50", "p99"]
    if not options.quick:
        for title in IDLE_KINDS:
            columns += [f"bytes for each of {count:,} idle connections{title}" for count in IDLE]
            whats += [f"idle {count}{title}" for count in IDLE]
    print_rows("proxy", columns, [
        (name, [figures.median(name, what, ",.0f") for what in whats]) for name in names])
    for own in OWN:
        if own in names:
            print_rows(f"{own} against", [*titles, "p99"], [
                (other, [figures.ratio(own, other, what) for what in (*loads, "p99")])
                for other in names if other != own])


def print_budgets(figures):
    def word(ratio, must, goal):
        return "goal reached" if ratio <= goal else "within its bound" if ratio <= must else "missed"
    rows = []
    for what, other, must, goal in BUDGETS:
        ratio = figures.ratio("gatehouse-session", other, what)
        if ratio:
            title = LOADS[what].title if what in LOADS else "p99 at 2,000/s"
            rows.append((f"{title}, against {other}",
                         [ratio, f"{must:.2f}", f"{goal:.2f}", word(float(ratio), must, goal)]))
    if rows:
        print_rows("gatehouse-session", ["ratio", "must", "goal", ""], rows)


def cold_start():
    """Milliseconds from exec to the first answer, resident KiB then, bytes of the binary."""
    binary = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build/release/gatehouse"))
    times, resident = [], 0
    for _ in range(11):
        port = free_port()
        start = time.monotonic()
        process = subprocess.Popen([binary, "serve", "--upstream", "http://127.0.0.1:9", "--listen",
                                    f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    client = socket.create_connection(("127.0.0.1", port))
                    break
                except OSError:
                    if process.poll() is not None:
                        sys.exit("bench: gatehouse ended at once")
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.recv(4096)
            times.append((time.monotonic() - start) * 1000)
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            resident = max(resident, int(re.search(r"VmRSS:\s+(\d+)", status).group(1)))
            client.close()
        finally:
            process.terminate()
            process.wait()
    return statistics.median(times), resident, os.path.getsize(binary)


def limit_bench():
    """Prints nanoseconds for a rate-limit decision in memory."""
    more = [f"src/limit/{name}.c" for name in ("gcra", "limit", "log", "subwindow", "table")]
    more += [f"src/base/{name}.c" for name in ("assert", "hash", "str")]
    subprocess.run([str(built("limit_bench", "-Isrc", *more, "-lpthread"))], check=True,
                   preexec_fn=pin(CORES[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two rounds of a second, fewer proxies")
    parser.add_argument("--only", help="proxies: " + ", ".join(PROXIES))
    parser.add_argument("--loads", help=", ".join(LOADS))
    parser.add_argument("--limits", action="store_true",
                        help="also nanoseconds for a rate-limit decision")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else QUICK_PROXIES if options.quick else PROXIES
    loads = options.loads.split(",") if options.loads else QUICK_LOADS if options.quick else list(LOADS)
    if options.quick:
        options.rounds, options.seconds = 2, 1
    if len(CORES) < 2:
        sys.exit("bench: two cores are needed, one for the proxy and one for the load")
    origin_port = free_port()
    origin = subprocess.Popen([str(built("origin")), str(origin_port)], preexec_fn=pin(CORES[-1]))
    try:
        wait_for(origin_port, origin)
        figures = measure(names, loads, options, origin_port)
        print_tables(figures, names, loads, options)
        print_budgets(figures)
    finally:
        origin.kill()
        origin.wait()
    if "gatehouse" in names:
        first_ms, resident, size = cold_start()
        print(f"To the first answer {first_ms:.1f} ms, resident then {resident / 1024:.1f} MiB, "
              f"binary {size / 1024:.0f} KiB.\n")
    if options.limits:
        limit_bench()


if __name__ == "__main__":
    main()
