"""HTTP/2 with clients of others: over TLS by ALPN, in clear by prior knowledge, and HTTP/1.1 beside
it on the same listeners."""

import os
import re
import subprocess
import threading

import pytest

from harness.backend import Backend, answer
from harness.gate import Gatehouse, config, free_port
from harness.gate import run as gatehouse
from harness.h2 import H2Client
from harness.h2_frames import PREFACE, settings
from harness.wire import request

MIB = 1024 * 1024


def echo(received, _):
    body = received.body or received.target.encode()
    return answer(200, {"Content-Type": "application/octet-stream"}, body)


def listen(**more):
    return {"address": f"127.0.0.1:{free_port()}", **more}


class Gates:
    """One gatehouse with a listener of each kind."""

    def __init__(self, running, backend):
        self.running, self.backend = running, backend
        listeners = running.settings["listen"]
        ports = [int(each["address"].rsplit(":", 1)[1]) for each in listeners]
        self.tls, self.tls_http1, self.h2c, self.plain = ports

    def url(self, port, target="/"):
        scheme = "https" if port in (self.tls, self.tls_http1) else "http"
        return f"{scheme}://localhost:{port}{target}"


@pytest.fixture(scope="module")
def gates(certificates):
    pair = certificates["localhost"]
    with Backend(echo) as backend:
        file = config(
            backend,
            listen=[listen(tls=pair.settings()), listen(tls=pair.settings(), http2=False), listen(h2c=True), listen()],
            limits={"request_body": "2MiB"},
            routes=[
                {"path": "/**", "upstream": "api", "access": "public"},
                {"path": "/only-get", "methods": ["GET"], "upstream": "api", "access": "public"},
            ],
        )
        with Gatehouse(file) as running:
            yield Gates(running, backend)


def run(*command, timeout=50):
    return subprocess.run(list(map(str, command)), capture_output=True, timeout=timeout)


def curl(gates, port, *options, target="/"):
    """(version, status, body)"""
    marks = r"\n%{http_version} %{http_code}"
    result = run("curl", "-sk", "-w", marks, *options, gates.url(port, target))
    assert result.returncode == 0, result.stderr
    body, _, last = result.stdout.rpartition(b"\n")
    version, status = last.decode().split()
    return version, int(status), body


# -- which protocol --


@pytest.mark.parametrize(
    "kind, options, version",
    [
        ("tls", ["--http2"], "2"),
        ("tls", ["--http1.1"], "1.1"),
        ("tls", ["--no-alpn"], "1.1"),
        ("tls_http1", ["--http2"], "1.1"),
        ("h2c", ["--http2-prior-knowledge"], "2"),
        ("h2c", ["--http1.1"], "1.1"),
        ("h2c", ["--http2"], "1.1"),  # Upgrade: h2c is not answered
        ("plain", ["--http2"], "1.1"),
    ],
)
def test_the_client_chooses(gates, kind, options, version):
    port = getattr(gates, kind)
    assert curl(gates, port, *options, target="/hello") == (version, 200, b"/hello")
    assert gates.backend.requests[-1].version == "HTTP/1.1"


def test_without_h2c_the_preface_is_refused(gates):
    assert run("curl", "-s", "--http2-prior-knowledge", gates.url(gates.plain)).returncode != 0
    with gates.running.connect(gates.plain) as client:
        client.send(PREFACE)
        assert client.read().status == 505


def test_the_preface_may_come_in_pieces(gates):
    with H2Client(gates.h2c, start=False) as client:
        for byte in PREFACE[:-1]:
            client.send(bytes([byte]))
        client.send(PREFACE[-1:])
        client.send_frames(settings())
        assert client.request("GET", "/pieces").body == b"/pieces"


@pytest.mark.parametrize("cut", [1, 3, 14, 18, 23])
def test_what_is_not_quite_the_preface_is_http1(gates, cut):
    with gates.running.connect(gates.h2c) as client:
        client.send(PREFACE[:cut])
        client.send(b"X" * 40 + b"\r\n\r\n")
        assert client.read().status in (400, 405, 505)
        assert client.at_end()


def test_http1_in_pieces_is_not_kept_waiting(gates):
    with gates.running.connect(gates.h2c) as client:
        for byte in request("POST", "/p", body=b"posted"):
            client.send(bytes([byte]))
        assert client.read().body == b"posted"
        assert client.request("GET", "/again").body == b"/again"


@pytest.mark.parametrize("apart", [False, True])
def test_behind_a_proxy_header(apart):
    with Backend(echo) as backend:
        file = config(backend, listen=[listen(h2c=True, proxy_protocol=True)])
        with Gatehouse(file) as running, H2Client(running.address, start=False) as client:
            line = b"PROXY TCP4 203.0.113.7 198.51.100.1 50000 443\r\n"
            if apart:
                client.send(line)
                client.send(PREFACE[:10])
                client.send_frames(settings(), before=PREFACE[10:])
            else:
                client.send_frames(settings(), before=line + PREFACE)
            assert client.request("GET", "/x").body == b"/x"
        assert backend.last.get("X-Forwarded-For") == "203.0.113.7"


# -- messages --


@pytest.mark.parametrize("kind", ["tls", "h2c"])
@pytest.mark.parametrize("size", [0, 1, 16384, 65536, MIB])
def test_bodies_both_ways(gates, kind, size, tmp_path):
    version = "--http2" if kind == "tls" else "--http2-prior-knowledge"
    body = os.urandom(size)
    (tmp_path / "body").write_bytes(body)
    options = [version, "--data-binary", f"@{tmp_path}/body"]
    for extra in ([], ["-H", "Content-Length:"]):  # without a length it is chunked further on
        got = curl(gates, getattr(gates, kind), *options, *extra, target="/up")
        assert got == ("2", 200, body or b"/up")
        assert gates.backend.requests[-1].body == body


def test_a_head_has_no_body(gates):
    result = run("curl", "-skI", "--http2", gates.url(gates.tls, "/abc"))
    head = result.stdout.decode().lower()
    assert head.startswith("http/2 200") and "content-length: 4" in head
    assert "connection:" not in head and "keep-alive" not in head


def test_the_answer_has_the_headers_of_its_route(gates):
    with H2Client(gates.h2c) as client:
        response = client.request("GET", "/")
    over_http1 = gates.running.get("/", address=gates.plain)
    without = {"connection", "content-length", "date", "x-request-id"}
    assert response.names() - without == over_http1.names() - without
    assert response.get("x-content-type-options") == "nosniff"


def test_problem_documents(gates):
    with H2Client(gates.h2c) as client:
        response = client.request("POST", "/only-get", body=b"x")
        assert response.status == 405 and response.problem()["status"] == 405
        assert response.get("allow") == "GET, HEAD"
        response = client.request("GET", "/%00")
        assert response.status == 400 and response.problem()["status"] == 400
        response = client.request("GET", "/", host="elsewhere.test")
        assert response.status == 400 and response.problem()["detail"] == "Invalid host header"
        assert client.request("GET", "/fine").body == b"/fine"


def test_a_body_over_the_limit_is_413_and_its_connection_goes_on(gates):
    with H2Client(gates.h2c) as client:
        length = ("content-length", str(3 * MIB))
        response = client.finish(client.begin("POST", "/big", [length], end=False))
        assert response.status == 413 and response.problem()["status"] == 413
        assert client.request("GET", "/fine").body == b"/fine"


def test_cookies_that_came_apart_are_one_field(gates):
    with H2Client(gates.h2c) as client:
        client.request("GET", "/", [("cookie", "a=1"), ("cookie", "b=2"), ("x-y", "z")])
    assert gates.backend.requests[-1].get("Cookie") == "a=1; b=2"
    assert gates.backend.requests[-1].get("Host") == "localhost"


def test_probes(gates):
    with H2Client(gates.h2c) as client:
        for path in ("/healthz", "/readyz"):
            assert client.request("GET", path).status == 200


# -- many at once --


def test_streams_answer_as_their_backends_do(gates):
    release = threading.Event()

    def reply(received, connection):
        if received.target == "/late":
            release.wait(20)
        return echo(received, connection)

    gates.backend.answer = reply
    try:
        with H2Client(gates.h2c) as client:
            late = client.begin("GET", "/late")
            streams = [client.begin("POST", f"/{n}", end=False) for n in range(20)]
            for piece in (b"one ", b"two ", b"three"):
                for stream in streams:
                    client.send_body(stream, piece, end=piece == b"three")
            for stream in streams:
                assert client.finish(stream).body == b"one two three"
            assert not late.is_over()
            release.set()
            assert client.finish(late).body == b"/late"
    finally:
        release.set()
        gates.backend.answer = echo


@pytest.mark.parametrize("kind", ["tls", "h2c"])
def test_h2load_finds_every_answer(gates, kind):
    url = gates.url(getattr(gates, kind), "/load")
    result = run("h2load", "-n", 1500, "-c", 5, "-m", 30, url)
    text = result.stdout.decode()
    assert "1500 succeeded, 0 failed, 0 errored" in text, text
    assert "1500 2xx" in text


def test_nghttp_gets_many_of_one_page(gates):
    result = run("nghttp", "-n", "-s", "--no-verify-peer", "-m", 40, gates.url(gates.tls, "/page"))
    assert result.returncode == 0
    assert len(re.findall(r" 200 .* /page", result.stdout.decode())) == 40


# -- what is told of it --


def test_check_names_listeners_that_are_not_as_one_would_expect(gates):
    told = gatehouse("check", gates.running.config_path)
    assert told.returncode == 0, told.stderr
    listeners = re.findall(r"127\.0\.0\.1:(\d+) \((.*)\)", told.stdout)
    assert listeners == [
        (str(gates.tls), "TLS"),
        (str(gates.tls_http1), "TLS, no HTTP/2"),
        (str(gates.h2c), "plain, h2c"),
        (str(gates.plain), "plain"),
    ]


def test_lines_and_counters_name_it(gates):
    with H2Client(gates.h2c) as client:
        assert client.request("GET", "/logged").status == 200
    gates.running.wait_access(1, path="/logged", protocol="HTTP/2.0", status=200)
    gates.running.get("/logged-too", address=gates.plain)
    gates.running.wait_access(1, path="/logged-too", protocol="HTTP/1.1")
