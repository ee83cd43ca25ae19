#!/usr/bin/python3
"""Compares gatehouse with its peers on this machine, interleaved in one run, as ratios.

The proxy under test runs on the first core this process may use, origin and load generator on the
second. CPU per request is the scheduler's own account of the proxy's process tree over the requests
completed. Absolute figures hold for this machine and hour; the ratios of one run are what counts.

    bench/run.py                 eight rounds, a table in Markdown
    bench/run.py --quick         three short rounds
    bench/run.py --only gatehouse,haproxy-policy
    bench/run.py --limits        also nanoseconds for a rate-limit decision
"""
import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CORES = sorted(os.sched_getaffinity(0))
HEAD = {
    "Host": "api.example.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                  "Chrome/120.0.0.0 Safari/537.36",
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Origin": "https://app.example.com",
    "Referer": "https://app.example.com/",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Cookie": "theme=dark; locale=en",
}
PATH = "/api/v1/items?page=2&sort=name"
# Of the tokens that HAProxy checks; gatehouse makes its own.
TOKEN_SECRET = "a-secret-of-the-benchmark-that-guards-nothing"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pin(core):
    return lambda: os.sched_setaffinity(0, {core})


def wait_for(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"bench: {process.args[0]} ended at once with status {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"bench: nothing listens on port {port}")


def tree(pid):
    """The process and its descendants."""
    found, children = [pid], {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                children.setdefault(int(stat[1]), []).append(int(entry.name))
            except OSError:
                pass
    for parent in found:
        found.extend(children.get(parent, []))
    return found


def cpu_ns(pid):
    total = 0
    for process in tree(pid):
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                pass
    return total


def pss_kib(pid):
    total = 0
    for process in tree(pid):
        text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
    return total


def make_token():
    """A session's token as ours are: HS256, the same claims."""
    def part(value):
        text = json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=")
    now = int(time.time())
    claims = {"iss": "https://api.example.com", "aud": "api", "iat": now, "exp": now + 900,
              "sub": "6903b064-0ac4-495d-b887-4fd4298628f4",
              "sid": "e37f2526-0499-4d63-839c-7a3a3f2a1224", "auth_time": now, "amr": ["pwd"],
              "roles": ["user"], "email": "ann@example.com"}
    text = part({"alg": "HS256", "typ": "at+jwt", "kid": "k1"}) + b"." + part(claims)
    mac = hmac.new(TOKEN_SECRET.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def sign_in(port):
    """Makes an account; the session cookie that its sign-in gives."""
    body = json.dumps({"email": "ann@example.com", "password": secrets.token_urlsafe(16)})
    fields = {"Host": "api.example.com", "Content-Type": "application/json",
              "Sec-Fetch-Site": "same-origin"}
    for path in ("signup", "login"):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("POST", f"/api/v1/auth/{path}", body, fields)
        answer = client.getresponse()
        cookies = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        text = answer.read()
        client.close()
        if answer.status not in (200, 201):
            sys.exit(f"bench: {path} answered {answer.status}: {text}")
    return next(cookie.split(";", 1)[0] for cookie in cookies if "gh_access" in cookie)


class Proxy:
    """One proxy under test, started for one round. Of those named ...-session each request carries
    a session's cookie, which is checked."""

    def __init__(self, name, origin_port):
        self.name = name
        self.head = dict(HEAD)
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="gatehouse-bench-")
        os.chmod(self.dir, 0o755)
        self.process = subprocess.Popen(self.command(origin_port), preexec_fn=pin(CORES[0]),
                                        stdout=open(f"{self.dir}/stdout", "w"),
                                        stderr=open(f"{self.dir}/stderr", "w"))
        wait_for(self.port, self.process)
        if name == "gatehouse-session":
            self.head["Cookie"] += "; " + sign_in(self.port)
        elif name.endswith("-session"):
            self.head["Cookie"] += f"; gh_access={make_token()}"

    def command(self, origin_port):
        def fill(template):
            text = (HERE / "peers" / template).read_text()
            for key, value in (("port", self.port), ("origin", origin_port), ("dir", self.dir),
                               ("secret", TOKEN_SECRET)):
                text = text.replace("{%s}" % key, str(value))
            path = pathlib.Path(self.dir, template)
            path.write_text(text)
            return str(path)
        if self.name == "floor":
            return [str(built("null_proxy")), str(self.port), str(origin_port)]
        if self.name.startswith("nginx"):
            return ["/usr/sbin/nginx", "-c", fill(f"{self.name}.conf")]
        if self.name.startswith("haproxy"):
            pathlib.Path(self.dir, "revoked.lst").write_text("not-a-session\n")
            return ["/usr/sbin/haproxy", "-f", fill(f"{self.name}.cfg")]
        os.environ.setdefault("APP_SECRET_KEY", secrets.token_urlsafe(32))
        return [os.environ.get("GATEHOUSE_BIN", str(ROOT / "build/release/gatehouse")), "serve",
                "--workers", "1", "--config", fill(f"{self.name}.yaml")]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def built(name, *more):
    """One of the C programs here, compiled when it is not there or older than its source."""
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    target, source = out / name, HERE / f"{name}.c"
    if more or not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", str(target), str(source),
                        *more], check=True, cwd=ROOT)
    return target


def limit_bench():
    """Prints nanoseconds for a rate-limit decision in memory."""
    more = [f"src/limit/{name}.c" for name in ("gcra", "limit", "log", "subwindow", "table")]
    more += [f"src/base/{name}.c" for name in ("assert", "hash", "str")]
    subprocess.run([str(built("limit_bench", "-Isrc", *more, "-lpthread"))], check=True,
                   preexec_fn=pin(CORES[0]))


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


def header_args(proxy, flag):
    return [part for name, value in proxy.head.items() for part in (flag, f"{name}: {value}")]


def saturate(proxy, seconds, lua=None):
    """CPU nanoseconds per request with 64 connections that always have one in flight."""
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", *header_args(proxy, "-H")]
    if lua:
        command += ["-s", lua]
    before = cpu_ns(proxy.process.pid)
    text = subprocess.run([*command, f"http://127.0.0.1:{proxy.port}{PATH}"], check=True, text=True,
                          capture_output=True, timeout=seconds + 30,
                          preexec_fn=pin(CORES[-1])).stdout
    spent = cpu_ns(proxy.process.pid) - before
    count = int(re.search(r"(\d+) requests in", text).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if bad or "Socket errors" in text:
        sys.exit(f"bench: {proxy.name} failed requests:\n{text}")
    return spent / count, count / seconds


def request_bytes(proxy):
    head = "".join(f"{name}: {value}\r\n" for name, value in proxy.head.items())
    return f"GET {PATH} HTTP/1.1\r\n{head}\r\n".encode()


def fixed_rate(proxy, seconds, rate=2000, clients=64):
    """p50 and p99 in microseconds at a fixed rate, from the moment each request was due."""
    request = pathlib.Path(proxy.dir, "request")
    request.write_bytes(request_bytes(proxy))
    text = subprocess.run([str(built("fixed_rate")), str(proxy.port), str(rate), str(seconds),
                           str(clients), str(request)], check=True, text=True, timeout=60,
                          capture_output=True, preexec_fn=pin(CORES[-1])).stdout
    p50, p99, _, failures = map(int, text.split())
    if failures:
        sys.exit(f"bench: {proxy.name} failed {failures} requests at a fixed rate")
    return p50, p99


def idle_bytes(proxy, count=2000):
    """Bytes of the proxy's own memory for each idle keep-alive connection."""
    request = request_bytes(proxy)

    def one():
        s = socket.create_connection(("127.0.0.1", proxy.port))
        s.sendall(request)
        s.recv(65536)
        return s
    kept = [one() for _ in range(64)]
    before = pss_kib(proxy.process.pid)
    kept += [one() for _ in range(count)]
    after = pss_kib(proxy.process.pid)
    for s in kept:
        s.close()
    return (after - before) * 1024 / count


def write_post(directory, size):
    path = f"{directory}/post.lua"
    with open(path, "w") as out:
        out.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                  f'wrk.body = string.rep("x", {size})\n')
    return path


def measure(names, rounds, seconds, origin_port):
    """Interleaved: in each round each proxy once, in turn."""
    figures = {name: {"get": [], "rps": [], "post": [], "p50": [], "p99": [], "idle": []}
               for name in names}
    with tempfile.TemporaryDirectory() as directory:
        post = write_post(directory, 1024)
        for turn in range(rounds):
            for name in names:
                print(f"\rround {turn + 1} of {rounds}: {name:20}", end="", file=sys.stderr)
                proxy = Proxy(name, origin_port)
                try:
                    saturate(proxy, 1)  # warm-up
                    cpu, rps = saturate(proxy, seconds)
                    figures[name]["get"].append(cpu / 1000)
                    figures[name]["rps"].append(rps)
                    figures[name]["post"].append(saturate(proxy, seconds, post)[0] / 1000)
                    p50, p99 = fixed_rate(proxy, max(2, seconds))
                    figures[name]["p50"].append(p50)
                    figures[name]["p99"].append(p99)
                    if turn == 0:
                        figures[name]["idle"].append(idle_bytes(proxy))
                finally:
                    proxy.close()
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return figures


def ratio(figures, name, other, what):
    """Median of the ratios round by round."""
    pairs = zip(figures[name][what], figures[other][what])
    return statistics.median(a / b for a, b in pairs)


def print_tables(figures, names):
    median = statistics.median
    print("| proxy | GET CPU us/req | min-max | POST 1 KiB CPU us/req | req/s | p50 us at 2,000/s "
          "| p99 us at 2,000/s | bytes per idle connection |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in names:
        f = figures[name]
        print(f"| {name} | {median(f['get']):.1f} | {min(f['get']):.1f}-{max(f['get']):.1f} "
              f"| {median(f['post']):.1f} | {median(f['rps']):,.0f} | {median(f['p50']):.0f} "
              f"| {median(f['p99']):.0f} | {f['idle'][0]:,.0f} |")
    for own in ("gatehouse", "gatehouse-session"):
        if own in names:
            print_ratios(figures, names, own)


def print_ratios(figures, names, own):
    print()
    print(f"| {own} against | GET | POST 1 KiB | p99 at 2,000/s |")
    print("|---|---:|---:|---:|")
    for other in names:
        if other != own:
            cells = " | ".join(f"{ratio(figures, own, other, what):.2f}"
                               for what in ("get", "post", "p99"))
            print(f"| {other} | {cells} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="three rounds of two seconds")
    parser.add_argument("--only", default="floor,nginx-plain,nginx-policy,haproxy-policy,gatehouse,"
                        "haproxy-session,gatehouse-session")
    parser.add_argument("--limits", action="store_true",
                        help="also nanoseconds for a rate-limit decision")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 3, 2
    if len(CORES) < 2:
        sys.exit("bench: two cores are needed, one for the proxy and one for the load")
    names = args.only.split(",")
    origin_port = free_port()
    origin = subprocess.Popen([str(built("origin")), str(origin_port)], preexec_fn=pin(CORES[-1]))
    try:
        wait_for(origin_port, origin)
        print_tables(measure(names, args.rounds, args.seconds, origin_port), names)
    finally:
        origin.kill()
        origin.wait()
    if "gatehouse" in names:
        first_ms, resident, size = cold_start()
        print(f"\nTo the first answer {first_ms:.1f} ms, resident then {resident / 1024:.1f} MiB, "
              f"binary {size / 1024:.0f} KiB.\n")
    if args.limits:
        limit_bench()


if __name__ == "__main__":
    main()
