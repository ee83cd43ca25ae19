"""Proxies that ask gatehouse about each request: the files of deploy/, with the addresses of a test
in them, run by the proxies of Debian."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .gate import ROOT, free_port
from .wire import Client

DEPLOY = ROOT / "deploy"
APPLICATION = "127.0.0.1:8000"
GATEHOUSE = "127.0.0.1:9000"
WAIT_SECONDS = 15


def adapted(name, *replacements):
    """A file of deploy/; everything that is to be replaced must stand in it."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text, f"deploy/{name} does not say {old!r}"
        text = text.replace(old, new)
    return text



class Proxy:
    """One running proxy between clients, the application and gatehouse (both ports). With `pair`
    (certs.Pair) it speaks TLS, and HTTP/2 to those who choose it."""

    program = None

    @classmethod
    def is_installed(cls):
        return shutil.which(cls.program) is not None

    def __init__(self, application, gatehouse, clock=None, pair=None):
        self.port = free_port()
        self.pair = pair
        self.application = f"127.0.0.1:{application}"
        self.gatehouse = f"127.0.0.1:{gatehouse}"
        self.clock = clock
        self.folder = tempfile.TemporaryDirectory(prefix=f"{self.program}-")
        self.path = Path(self.folder.name)
        self.output = open(self.path / "output", "w+b")
        home = {"HOME": str(self.path), "XDG_DATA_HOME": str(self.path)}
        self.process = subprocess.Popen(
            self.command(),
            env={**os.environ, **home, "XDG_CONFIG_HOME": str(self.path)},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            cwd=self.path,
        )
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    def addresses(self):
        return (APPLICATION, self.application), (GATEHOUSE, self.gatehouse)

    def write(self, name, text):
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def said(self):
        return (self.path / "output").read_text(encoding="utf-8", errors="replace")

    def wait_ready(self):
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                Client(self.port).close()
                return
            except OSError:
                pass
            assert self.process.poll() is None, f"{self.program} ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"{self.program} did not listen:\n{self.said()}"
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.output.close()
        self.folder.cleanup()

    # What a Person asks of a gate.

    def connect(self, **options):
        if self.pair:
            options.setdefault("tls", self.pair.client_context())
        return Client(self.port, **options)

    def request(self, method, target, fields=(), body=None, host="localhost", **options):
        with self.connect(**options) as client:
            return client.request(method, target, fields, body, host)


class Nginx(Proxy):
    program = "nginx"

    def command(self):
        snippet = self.write("forward.conf", adapted("nginx/forward-auth.conf", *self.addresses()))
        temporary = "\n".join(
            f"  {kind}_temp_path {self.path}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        tls = ""
        if self.pair:
            tls = f"ssl_certificate {self.pair.certificate}; ssl_certificate_key {self.pair.key};"
        listen = f"listen 127.0.0.1:{self.port}{' ssl http2' if tls else ''}; {tls}"
        user = "user root;" if os.geteuid() == 0 else ""
        main = f"""
daemon off; {user} worker_processes 1; pid {self.path}/pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
  access_log off;
{temporary}
  server {{ {listen} include {snippet}; }}
}}
"""
        return ["nginx", "-p", str(self.path), "-e", "stderr", "-c", self.write("main.conf", main)]


class Caddy(Proxy):
    program = "caddy"

    def command(self):
        tls = f"\n\ttls {self.pair.certificate} {self.pair.key}" if self.pair else ""
        address = f"{'https' if tls else 'http'}://:{self.port}"
        site = ("app.example.com {", f"{address} {{\n\tbind 127.0.0.1{tls}")
        text = "{\n\tadmin off\n\tauto_https off\n}\n"
        text += adapted("caddy/Caddyfile", site, *self.addresses())
        return ["caddy", "run", "--adapter", "caddyfile", "--config", self.write("Caddyfile", text)]


class Haproxy(Proxy):
    program = "haproxy"

    def command(self):
        lua = ("/etc/haproxy/gatehouse.lua", self.write("gatehouse.lua", self.lua()))
        tls = ""
        if self.pair:
            both = self.pair.certificate.read_text() + self.pair.key.read_text()
            tls = f" ssl crt {self.write('pair.pem', both)} alpn h2,http/1.1"
        bind = ("bind :8080", f"bind 127.0.0.1:{self.port}{tls}")
        text = adapted("haproxy/haproxy.cfg", lua, bind, *self.addresses())
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]

    def lua(self):
        return adapted("haproxy/gatehouse.lua")


ALL = (Nginx, Caddy, Haproxy)
