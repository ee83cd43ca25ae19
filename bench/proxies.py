"""The proxies that are compared: gatehouse, its peers, and a proxy that does nothing, each started
with the configuration of bench/peers that is nearest to the same policy."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from measure import ANY_CERTIFICATE, CORES, HEAD, HERE, ROOT, built, free_port, pin, wait_for

# Of the tokens that HAProxy checks; gatehouse makes its own.
TOKEN_SECRET = "a-secret-of-the-benchmark-that-guards-nothing"
HOST = HEAD["Host"]
# What {tls} and {listen_tls} in a configuration become where the clients come over TLS.
TLS = {
    "nginx": {"listen_tls": " ssl http2",
              "tls": "ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem; "
                     "ssl_protocols TLSv1.2 TLSv1.3; http2_max_concurrent_streams 100;"},
    "haproxy": {"listen_tls": " ssl crt {dir}/both.pem alpn h2,http/1.1", "tls": ""},
    "caddy": {"listen_tls": "https", "tls": "tls {dir}/cert.pem {dir}/key.pem"},
    "gatehouse": {"listen_tls": "\n    tls: {certificate: {dir}/cert.pem, key: {dir}/key.pem}", "tls": ""},
}
PLAIN = {"nginx": {"listen_tls": "", "tls": ""}, "haproxy": {"listen_tls": "", "tls": ""},
         "caddy": {"listen_tls": "http", "tls": ""}, "gatehouse": {"listen_tls": "", "tls": ""}}


def make_certificate(directory):
    """ECDSA over P-256, self-signed."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
                    "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", f"{directory}/key.pem", "-out",
                    f"{directory}/cert.pem"], check=True, capture_output=True)
    both = pathlib.Path(directory, "cert.pem").read_text() + pathlib.Path(directory, "key.pem").read_text()
    pathlib.Path(directory, "both.pem").write_text(both)
    for name in ("cert.pem", "key.pem", "both.pem"):
        os.chmod(f"{directory}/{name}", 0o644)


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


def sign_in(port, is_tls):
    """Makes an account; the session cookie that its sign-in gives."""
    body = json.dumps({"email": "ann@example.com", "password": secrets.token_urlsafe(16)})
    fields = {"Host": HOST, "Content-Type": "application/json",
              "Sec-Fetch-Site": "same-origin"}
    for path in ("signup", "login"):
        client = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=ANY_CERTIFICATE) \
            if is_tls else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
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

    def __init__(self, name, origin_port, is_tls=False):
        self.name, self.is_tls = name, is_tls
        self.head = dict(HEAD)
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="gatehouse-bench-")
        os.chmod(self.dir, 0o755)
        if is_tls:
            make_certificate(self.dir)
        self.process = subprocess.Popen(
            self.command(origin_port), preexec_fn=pin(CORES[0]),
            env={**os.environ, "HOME": self.dir, "APP_SECRET_KEY": secrets.token_urlsafe(32)},
            stdout=open(f"{self.dir}/stdout", "w"), stderr=open(f"{self.dir}/stderr", "w"))
        wait_for(self.port, self.process)
        if name == "gatehouse-session":
            self.head["Cookie"] += "; " + sign_in(self.port, is_tls)
        elif name.endswith("-session"):
            self.head["Cookie"] += f"; gh_access={make_token()}"

    def fill(self, template, origin_port):
        text = (HERE / "peers" / template).read_text()
        values = (TLS if self.is_tls else PLAIN)[self.name.split("-")[0]]
        session = HERE / "peers" / f"{self.name}.inc"
        for key, value in (("session", session.read_text() if session.exists() else ""),
                           *values.items(), ("port", self.port), ("origin", origin_port),
                           ("dir", self.dir), ("secret", TOKEN_SECRET)):
            text = text.replace("{%s}" % key, str(value))
        path = pathlib.Path(self.dir, template)
        path.write_text(text)
        return str(path)

    def command(self, origin_port):
        if self.name == "floor":
            return [str(built("null_proxy")), str(self.port), str(origin_port)]
        template = self.name.replace("-session", "-policy")
        if self.name.startswith("nginx"):
            return ["/usr/sbin/nginx", "-c", self.fill(f"{template}.conf", origin_port)]
        if self.name.startswith("haproxy"):
            pathlib.Path(self.dir, "revoked.lst").write_text("not-a-session\n")
            return ["/usr/sbin/haproxy", "-f", self.fill(f"{template}.cfg", origin_port)]
        if self.name.startswith("caddy"):
            return ["caddy", "run", "--adapter", "caddyfile", "--config",
                    self.fill(f"{self.name}.caddyfile", origin_port)]
        return [os.environ.get("GATEHOUSE_BIN", str(ROOT / "build/release/gatehouse")), "serve",
                "--workers", "1", "--config", self.fill(f"{self.name}.yaml", origin_port)]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
