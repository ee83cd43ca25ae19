#!/usr/bin/python3
"""`make run`: the example backend with gatehouse in front, the same requests to both side by side.

Stays until Ctrl-C; with DEMO_ONCE=1 it shows the requests and ends 0.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo_identity import show_identity

ROOT = Path(__file__).resolve().parent.parent
COLUMN = 46
START_SECONDS_MAX = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status_line = lines[0].removeprefix("HTTP/1.1 ") or "(connection closed)"
        self.fields = [line.split(": ", 1) for line in lines[1:] if ": " in line]

    def get(self, name):
        return next((v for k, v in self.fields if k.lower() == name.lower()), None)


def send(port, raw):
    """One request as it stands, the whole answer until the server closes or pauses."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(2)
        try:
            connection.sendall(raw)
            while block := connection.recv(65536):
                received += block
        except OSError:
            pass
    return Answer(received)


def request(port, method, path, headers=(), body=b"", host=None):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}"]
    lines += [f"{name}: {value}" for name, value in headers] + ["Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def wait_for(process, port, path, log):
    """Polls until the server answers 200; a server that ended instead is an error."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
            sys.exit(f"demo: {process.args[0]} ended with {process.returncode}")
        try:
            if send(port, request(port, "GET", path)).status_line.startswith("200"):
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"demo: {process.args[0]} did not answer on port {port}")


def side_by_side(title, left, right):
    print(f"\n{title}")
    rows = max(len(left), len(right))
    for a, b in zip(left + [""] * (rows - len(left)), right + [""] * (rows - len(right))):
        print(f"  {a[:COLUMN - 2]:<{COLUMN}}{b[:COLUMN + 20]}")


def summary(answer, *fields):
    lines = [answer.status_line]
    lines += [f"{name}: {answer.get(name)}" for name in fields if answer.get(name)]
    if (answer.get("content-type") or "").startswith("application/problem+json"):
        problem = json.loads(answer.body)
        lines.append(problem["detail"])
        lines += [f"{e['location']} {e['pointer']}  {e['message']}" for e in problem.get("errors", [])]
    return lines


def compare(title, backend, gate, make, *fields):
    side_by_side(
        title,
        summary(send(backend, make(backend)), *fields),
        summary(send(gate, make(gate)), *fields),
    )


SECURITY_FIELDS = (
    "Server",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Permissions-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cache-Control",
)


def show(backend, gate):
    print(f"  {'straight to the backend':<{COLUMN}}through gatehouse")
    compare(
        "GET /health", backend, gate, lambda port: request(port, "GET", "/health"), *SECURITY_FIELDS
    )
    compare(
        "a preflight from https://evil.example",
        backend,
        gate,
        lambda port: request(
            port,
            "OPTIONS",
            "/api/v1/items",
            [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")],
        ),
        "Access-Control-Allow-Origin",
    )
    compare(
        "Host: evil.example",
        backend,
        gate,
        lambda port: request(port, "GET", "/health", host="evil.example"),
    )
    compare(
        "two lengths in one request (smuggling)",
        backend,
        gate,
        lambda port: request(
            port,
            "POST",
            "/api/v1/echo",
            [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        )
        + b"0\r\n\r\n",
    )
    compare(
        "an unhandled exception",
        backend,
        gate,
        lambda port: request(port, "GET", "/boom"),
        "Content-Type",
    )
    compare(
        "a body of 2 MiB",
        backend,
        gate,
        lambda port: request(port, "POST", "/api/v1/echo", body=b"x" * 2 * 1024 * 1024),
    )
    item = b'{"name": "<img src=x onerror=alert(1)>", "price": -1, "is_admin": true}'
    compare(
        "an item that is none",
        backend,
        gate,
        lambda port: request(
            port, "POST", "/api/v1/items", [("Content-Type", "application/json")], item
        ),
    )
    show_identity(sys.modules[__name__], backend, gate)


def show_log(environment):
    """What the audit log holds of all that, and whether it is as it was written."""
    print("\nwhat the audit log says")
    for words in (["tail", "-n", "6"], ["verify"]):
        command = ["build/release/gatehouse", "audit", *words, "--config", "examples/demo.yaml"]
        said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        for line in (said.stdout + said.stderr).splitlines():
            print("  " + line[:150])


def hints(gate, admin, store):
    print(
        f"""
Try it:
  curl -i http://127.0.0.1:{gate}/health
  curl -i http://127.0.0.1:{gate}/api/v1/echo?q=1 -H 'X-Forwarded-For: 10.0.0.1'
  curl -i http://127.0.0.1:{gate}/api/v1/items -H 'Origin: https://app.example.com'
  curl -i --path-as-is http://127.0.0.1:{gate}/api/../../etc/passwd
  curl -N http://127.0.0.1:{gate}/api/v1/events
  curl -s http://127.0.0.1:{admin}/metrics
and with an account (cookies are kept in a file):
  alias gh="curl -s -b jar -c jar -H Content-Type:application/json -H Sec-Fetch-Site:same-origin"
  gh http://127.0.0.1:{gate}/api/v1/auth/signup -d '{{"email":"me@example.com","password":"vellum-orbit-lantern"}}'
  gh http://127.0.0.1:{gate}/api/v1/auth/login -d '{{"email":"me@example.com","password":"vellum-orbit-lantern"}}'
  gh http://127.0.0.1:{gate}/api/v1/auth/session
  gh http://127.0.0.1:{gate}/api/v1/users/somebody-else/tasks
  gh -X POST http://127.0.0.1:{gate}/api/v1/account/2fa/setup
  build/release/gatehouse explain GET http://127.0.0.1:{gate}/health --config examples/demo.yaml
and the audit log:
  STORE={store} build/release/gatehouse audit tail --follow --config examples/demo.yaml
  STORE={store} build/release/gatehouse audit review --config examples/demo.yaml
""",
        flush=True,
    )


def start(stack, command, **options):
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, **options)
    stack.append(process)
    return process


def stop(stack):
    for process in reversed(stack):
        if process.poll() is None:
            process.terminate()
    for process in reversed(stack):
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def demo(stack, folder):
    backend, gate, admin = free_port(), free_port(), free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", "examples/backend", "app:app"]
    behind_log, front_log = folder / "backend.log", folder / "gatehouse.log"
    with open(behind_log, "wb") as log:
        behind = start(stack, [*uvicorn, "--port", backend], stdout=log, stderr=log)
    environment = {
        **os.environ,
        "BACKEND": f"http://127.0.0.1:{backend}",
        "LISTEN": f"127.0.0.1:{gate}",
        "ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "STORE": f"sqlite:{folder}/gatehouse.db",
        "MAIL_FOLDER": f"{folder}/mail",
        "APP_SECRET_KEY": secrets.token_urlsafe(32),
    }
    command = ["build/release/gatehouse", "serve", "--config", "examples/demo.yaml"]
    if os.geteuid() == 0:
        command += ["--user", "root"]  # the folder is root's
    with open(front_log, "wb") as log:
        front = start(stack, command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    wait_for(behind, backend, "/health", behind_log)
    wait_for(front, gate, "/healthz", front_log)
    show(backend, gate)
    last = front_log.read_text(encoding="utf-8").splitlines()[-1:]
    show_log(environment)
    print("\nthe last line of its log\n  " + "".join(last))
    if os.environ.get("DEMO_ONCE") == "1":
        return
    hints(gate, admin, environment["STORE"])
    print("Ctrl-C ends both.", flush=True)
    front.wait()
    sys.exit(f"demo: gatehouse ended with {front.returncode}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    stack = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            demo(stack, Path(folder))
        except KeyboardInterrupt:
            print()
        finally:
            stop(stack)


if __name__ == "__main__":
    main()
