"""What all benchmarks share: starting processes on their cores, loads, and reading what they cost.

CPU is the scheduler's own account of a process and its children. Loads run on the last core that this
process may use, what is measured on the first.
"""
import contextlib
import os
import pathlib
import re
import resource
import socket
import ssl
import subprocess
import sys
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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def descriptors():
    """How many this process and its children may have, from now on: enough for 10,000 connections and a
    backend's for each where we have the right to."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < 65536:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
            return 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


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


def built(name, *more):
    """One of the C programs here, compiled when it is not there or older than its source."""
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    target, source = out / name, HERE / f"{name}.c"
    if more or not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", str(target), str(source),
                        *more], check=True, cwd=ROOT)
    return target


# ---- Loads. A target is a proxy under test: name, port, dir, process, head (of its requests), and
# is_tls ----


def header_args(target, flag):
    return [part for name, value in target.head.items() for part in (flag, f"{name}: {value}")]


def url_of(target, path=PATH):
    return f"http{'s' if target.is_tls else ''}://127.0.0.1:{target.port}{path}"


def run_load(target, command, seconds):
    before = cpu_ns(target.process.pid)
    done = subprocess.run(command, check=True, text=True, capture_output=True, timeout=seconds + 30,
                          preexec_fn=pin(CORES[-1]))
    return cpu_ns(target.process.pid) - before, done.stdout


def saturate(target, seconds, lua=None, path=PATH, connections=64):
    """CPU nanoseconds per request, and requests a second, over HTTP/1.1 with connections that always
    have a request in flight."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *header_args(target, "-H")]
    if lua:
        command += ["-s", lua]
    spent, text = run_load(target, [*command, url_of(target, path)], seconds)
    count = int(re.search(r"(\d+) requests in", text).group(1))
    if re.search(r"Non-2xx or 3xx responses: (\d+)", text) or "Socket errors" in text:
        sys.exit(f"bench: {target.name} failed requests:\n{text}")
    return spent / count, count / seconds


def saturate_h2(target, seconds, connections=16, streams=4):
    """The same over HTTP/2, with as many requests in flight on fewer connections."""
    fields = [part for name, value in target.head.items() if name != "Host"
              for part in ("-H", f"{name.lower()}: {value}")]
    spent, text = run_load(target, [
        "h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", *fields,
        f"--connect-to=127.0.0.1:{target.port}", f"https://{target.head['Host']}{PATH}"], seconds)
    found = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed", text)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    if "Application protocol: h2" not in text or int(found.group(2)) or \
            any(map(int, statuses.groups()[1:])):
        sys.exit(f"bench: {target.name} failed requests over HTTP/2:\n{text}")
    count = int(found.group(1))
    return spent / count, count / seconds


def request_bytes(target):
    head = "".join(f"{name}: {value}\r\n" for name, value in target.head.items())
    return f"GET {PATH} HTTP/1.1\r\n{head}\r\n".encode()


def fixed_rate(target, seconds, rate=2000, clients=64):
    """p50 and p99 in microseconds at a fixed rate, from the moment each request was due."""
    request = pathlib.Path(target.dir, "request")
    request.write_bytes(request_bytes(target))
    text = subprocess.run([str(built("fixed_rate")), str(target.port), str(rate), str(seconds),
                           str(clients), str(request)], check=True, text=True, timeout=60,
                          capture_output=True, preexec_fn=pin(CORES[-1])).stdout
    p50, p99, _, failures = map(int, text.split())
    if failures:
        sys.exit(f"bench: {target.name} failed {failures} requests at a fixed rate")
    return p50, p99


def h2_request_bytes(target):
    """The preface, SETTINGS, and the request as stream 1: each field as a literal that is not indexed
    (RFC 7541, section 6.2.2)."""
    def text(value):
        size = len(value)
        prefix = bytes([size]) if size < 127 else bytes([127, (size - 127) % 128 | 0x80, (size - 127) // 128])
        return prefix + value.encode()

    def frame(kind, flags, stream, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    fields = {":method": "GET", ":scheme": "https", ":path": PATH, ":authority": target.head["Host"],
              **{name.lower(): value for name, value in target.head.items() if name != "Host"}}
    block = b"".join(b"\0" + text(name) + text(value) for name, value in fields.items())
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 5, 1, block), frame(4, 1, 0)


def ask_and_stay(target, is_h2):
    """A connection that was answered once and is left open."""
    s = socket.create_connection(("127.0.0.1", target.port))
    if target.is_tls:
        context = ANY_CERTIFICATE_H2 if is_h2 else ANY_CERTIFICATE
        s = context.wrap_socket(s, server_hostname=target.head["Host"])
    request, acknowledgement = h2_request_bytes(target) if is_h2 else (request_bytes(target), b"")
    s.sendall(request)
    answer = b""
    while b"x" * 200 not in answer:
        more = s.recv(65536)
        if not more:
            sys.exit(f"bench: {target.name} closed a connection that was to stay idle")
        answer += more
    s.sendall(acknowledgement)
    return s


def idle_bytes(target, counts, is_h2=False):
    """Bytes of the proxy's own memory for each idle keep-alive connection, when there are so many."""
    kept, found = [ask_and_stay(target, is_h2) for _ in range(64)], []
    before = pss_kib(target.process.pid)
    for count in counts:
        kept += [ask_and_stay(target, is_h2) for _ in range(64 + count - len(kept))]
        found.append((pss_kib(target.process.pid) - before) * 1024 / count)
    for s in kept:
        s.close()
    return found


def any_certificate(*protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


ANY_CERTIFICATE, ANY_CERTIFICATE_H2 = any_certificate(), any_certificate("h2")
