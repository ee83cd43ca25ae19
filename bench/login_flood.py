#!/usr/bin/python3
"""What a flood of sign-ins does to everything else: p99 of proxied requests quiet and under ten
times the sign-ins that hashing can serve, gatehouse's memory, and what the sign-ins were answered.

    bench/login_flood.py [--seconds 5] [--rounds 5]

gatehouse may use all cores, as it does when it is deployed; hashing is as by default (argon2id, 64
MiB, 2 passes).
"""

import argparse
import collections
import json
import os
import pathlib
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import measure as bench

FLOOD_CONNECTIONS = 256
API_RATE = 500


class Gate:
    def __init__(self, origin_port, folder):
        self.port = bench.free_port()
        text = (bench.HERE / "peers" / "gatehouse-session.yaml").read_text()
        text = text.replace("{port}", str(self.port)).replace("{origin}", str(origin_port))
        text = text.replace("  passwords: {memory: 8MiB, passes: 1}\n", "")
        text = text.replace("access: signed_in", "access: public")
        text += 'trusted_proxies: [127.0.0.1/32]\n'
        path = pathlib.Path(folder, "gatehouse.yaml")
        path.write_text(text)
        self.dir = folder
        binary = os.environ.get("GATEHOUSE_BIN", str(bench.ROOT / "build/release/gatehouse"))
        self.process = subprocess.Popen(
            [binary, "serve", "--config", str(path)],
            env={**os.environ, "APP_SECRET_KEY": secrets.token_urlsafe(32)},
            stdout=open(f"{folder}/stdout", "w"), stderr=open(f"{folder}/stderr", "w"))
        bench.wait_for(self.port, self.process)
        self.name, self.head = "gatehouse", dict(bench.HEAD)

    def peak_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()


def login_bytes(number):
    body = json.dumps({"email": f"somebody{number}@example.com", "password": "a-wrong-guess-92"})
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return (f"POST /api/v1/auth/login HTTP/1.1\r\nHost: api.example.com\r\n"
            f"Content-Type: application/json\r\nSec-Fetch-Site: same-origin\r\n"
            f"X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def one_answer(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        block = connection.recv(65536)
        if not block:
            raise OSError("closed")
        received += block
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split(b" ", 2)[1]), b"retry-after:" in head.lower()


class Flood:
    """Sign-ins from addresses and for accounts that are new each time, at a fixed rate in all."""

    def __init__(self, gate, rate, connections=FLOOD_CONNECTIONS):
        self.gate, self.rate = gate, rate
        self.counts, self.bare = collections.Counter(), 0
        self.number = 0
        self.stop = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work) for _ in range(connections)]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join()

    def next_due(self):
        with self.lock:
            self.number += 1
            number = self.number
        due = self.began + number / self.rate
        time.sleep(max(0, due - time.monotonic()))
        return number

    def work(self):
        with socket.create_connection(("127.0.0.1", self.gate.port), timeout=30) as connection:
            while not self.stop:
                number = self.next_due()
                connection.sendall(login_bytes(number))
                status, told = one_answer(connection)
                with self.lock:
                    self.counts[status] += 1
                    self.bare += status == 503 and not told


def served_rate(gate, seconds):
    """Sign-ins a second when there is always one waiting."""
    with Flood(gate, 100000, connections=4) as flood:
        time.sleep(seconds)
        done = flood.counts[401]
    return done / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    origin_port = bench.free_port()
    origin = subprocess.Popen([str(bench.built("origin")), str(origin_port)])
    try:
        bench.wait_for(origin_port, origin)
        with tempfile.TemporaryDirectory() as folder:
            gate = Gate(origin_port, folder)
            try:
                report(gate, args)
            finally:
                gate.close()
    finally:
        origin.kill()
        origin.wait()


def report(gate, args):
    quiet, flooded, statuses = [], [], collections.Counter()
    bench.fixed_rate(gate, 1, rate=API_RATE, clients=16)
    capacity = served_rate(gate, args.seconds)
    for _ in range(args.rounds):
        quiet.append(bench.fixed_rate(gate, args.seconds, rate=API_RATE, clients=16))
        with Flood(gate, 10 * capacity) as flood:
            flooded.append(bench.fixed_rate(gate, args.seconds, rate=API_RATE, clients=16))
        statuses += flood.counts
        if flood.bare:
            sys.exit("bench: a 503 without Retry-After")
    p99 = [[pair[1] for pair in pairs] for pairs in (quiet, flooded)]
    ratio = statistics.median(b / a for a, b in zip(*p99))
    print("| | |\n|---|---:|")
    print(f"| sign-ins a second that hashing serves | {capacity:.0f} |")
    print(f"| asked for in the flood, a second | {10 * capacity:.0f} |")
    print(f"| proxied p99 us at {API_RATE}/s, quiet | {statistics.median(p99[0]):.0f} |")
    print(f"| the same in the flood | {statistics.median(p99[1]):.0f} |")
    print(f"| ratio, median of rounds | {ratio:.2f} |")
    print(f"| answers of the flood | {dict(sorted(statuses.items()))} |")
    print(f"| peak resident MiB | {gate.peak_mib():.0f} |")


if __name__ == "__main__":
    main()
