"""SPEC 3.1 and 3.15: backends that are many, dead, slow, lying, or answer early."""

import os
import socket
import tempfile
import threading
import time

import pytest

from harness.backend import OK, Backend, answer
from harness.gate import Gatehouse, config, free_port
from harness.wire import ConnectionEnded, chunked, request


def upstream(*backends, **settings):
    return {"api": {"servers": [getattr(b, "url", b) for b in backends], **settings}}


# -- connections --


def test_the_log_says_why_a_server_was_not_reached(start, tmp_path, certificates):
    with Backend(tls=certificates["localhost"].server_context()) as unknown:
        servers = {
            "refused": f"http://127.0.0.1:{free_port()}",
            "away": f"unix:{tmp_path}/away.sock",
            "tls": f"https://localhost:{unknown.port}",
        }
        gate = start(
            config(
                unknown,
                upstreams={name: {"servers": [url]} for name, url in servers.items()},
                routes=[
                    {"path": f"/{name}", "upstream": name, "access": "public"} for name in servers
                ],
            )
        )
        for name in servers:
            assert gate.get(f"/{name}").status == 502
    words = {"refused": "connection refused", "away": "not found", "tls": "self-signed certificate"}
    for name in servers:
        (line,) = gate.wait_access(1, path=f"/{name}")
        assert line["upstream_error"] == words[name]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs rights to give away")
def test_the_log_says_that_a_socket_may_not_be_opened(start):
    with tempfile.TemporaryDirectory(prefix="gatehouse-socket-") as folder:
        os.chmod(folder, 0o755)
        path = f"{folder}/app.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            os.chmod(path, 0o700)
            settings = config(path, upstreams={"api": {"servers": [f"unix:{path}"]}})
            gate = start(settings, arguments=("--user", "nobody"))
            assert gate.get("/").status == 502
    (line,) = gate.wait_access(1, path="/")
    assert line["upstream_error"] == "permission denied"


def test_connections_to_the_backend_are_kept(start, backend):
    gate = start(config(backend))
    for _ in range(20):
        assert gate.get("/").status == 200
    assert len(backend.connections) <= 4  # one for each worker


def test_a_kept_connection_that_the_backend_closed_is_replaced(start):
    with Backend() as backend:
        gate = start(config(backend))
        for _ in range(5):
            assert gate.get("/").status == 200
            for connection in backend.connections:
                connection.close()
            assert gate.get("/again").status == 200


def test_an_answer_with_connection_close_ends_its_connection(start):
    closing = answer(200, {"Connection": "close"}, b"ok")
    with Backend(closing) as backend:
        gate = start(config(backend))
        for _ in range(3):
            response = gate.get("/")
            assert response.status == 200
        assert len(backend.connections) == 3


def test_an_answer_up_to_the_end_of_the_connection_is_whole(start):
    def reply(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100000)
        return b""

    with Backend(reply) as backend:
        assert start(config(backend)).get("/").body == b"x" * 100000


def test_a_chunked_answer_is_framed_again(start):
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw += b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
    with Backend(raw) as backend:
        gate = start(config(backend))
        response = gate.get("/")
        assert response.body == b"hello world"
        assert "x-trailer" not in response.names()


def test_a_client_of_http_1_0_gets_no_chunks(start):
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    with Backend(raw) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            response = client.ask(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert response.get("Transfer-Encoding") is None
            assert response.body == b"hello"
            assert client.at_end()


def test_interim_answers_are_swallowed_or_passed_but_never_taken_for_the_answer(start):
    raw = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + b"HTTP/1.1 102 Processing\r\n\r\n"
    with Backend(raw + OK) as backend:
        assert start(config(backend)).get("/").status == 200


# -- balance, death, retries --


def test_round_robin_uses_all_servers(start):
    with Backend() as one, Backend() as two:
        gate = start(config(one, upstreams=upstream(one, two, balance="round_robin")))
        with gate.connect() as client:
            for _ in range(10):
                assert client.request("GET", "/").status == 200
        assert len(one.requests) == len(two.requests) == 5


def test_least_requests_avoids_the_busy_server(start):
    release = threading.Event()

    def slow(received, _):
        if received.target == "/slow":
            release.wait(20)
        return OK

    with Backend(slow) as one, Backend(slow) as two:
        gate = start(config(one, upstreams=upstream(one, two)), arguments=["--workers", "1"])
        with gate.connect() as waiting:
            waiting.send(request("GET", "/slow"))
            Backend.wait(one, lambda _: len(one.requests) + len(two.requests) == 1)
            busy, free = (one, two) if one.requests else (two, one)
            for _ in range(5):
                assert gate.get("/").status == 200
            assert len(busy.requests) == 1 and len(free.requests) == 5
            release.set()
            assert waiting.read().status == 200


def test_a_refusing_server_is_passed_over(start, backend):
    dead = f"http://127.0.0.1:{free_port()}"
    gate = start(config(backend, upstreams=upstream(dead, backend, balance="round_robin")))
    for _ in range(6):
        assert gate.get("/").status == 200


def test_no_server_at_all_is_502(start):
    gate = start(config(f"http://127.0.0.1:{free_port()}"))
    response = gate.get("/")
    assert response.status in (502, 503)
    response.problem()
    assert "127.0.0.1" not in response.body.decode()


def test_a_dead_server_comes_back(start):
    port = free_port()
    gate = start(config(f"http://127.0.0.1:{port}"))
    assert gate.get("/").status in (502, 503)
    with Backend() as backend:
        import socket

        listener = socket.create_server(("127.0.0.1", port))
        backend.listener, old = listener, backend.listener
        old.close()
        threading.Thread(target=backend.accept, daemon=True).start()
        for _ in range(600):
            if gate.get("/").status == 200:
                break
            gate.clock.advance(1)
        else:
            raise AssertionError("never taken back")


def test_idempotent_requests_are_retried_on_another_server(start):
    with Backend(b"") as closing, Backend() as good:
        settings = config(closing, upstreams=upstream(closing, good, balance="round_robin"))
        gate = start(settings)
        for _ in range(4):
            assert gate.get("/").status == 200
        assert closing.requests and good.requests


def test_a_post_is_never_sent_twice(start):
    with Backend(b"") as one, Backend(b"") as two:
        gate = start(config(one, upstreams=upstream(one, two, balance="round_robin")))
        response = gate.request("POST", "/pay", body=b"10")
        assert response.status == 502
        assert len(one.requests) + len(two.requests) == 1


def test_nothing_is_retried_once_an_answer_began(start):
    half = b"HTTP/1.1 200 OK\r\nContent-Le"
    calls = []

    def reply(received, connection):
        calls.append(received)
        connection.send(half)
        return b""

    with Backend(reply) as one, Backend(reply) as two:
        gate = start(config(one, upstreams=upstream(one, two)))
        assert gate.get("/").status == 502
        assert len(calls) == 1


# -- slow ones --


def test_a_hanging_backend_is_504(start):
    release = threading.Event()
    with Backend(lambda *_: release.wait(30) and None) as backend:
        timeouts = {"connect": "2s", "response": "300ms", "idle": "60s"}
        gate = start(config(backend, upstreams=upstream(backend, timeouts=timeouts)))
        response = gate.get("/")
        assert response.status == 504
        response.problem()
        backend.wait(lambda b: b.connections[0].closed_by_peer or not release.is_set())
        release.set()


def test_a_route_may_wait_for_less(start):
    release = threading.Event()
    with Backend(lambda *_: release.wait(30) and None) as backend:
        routes = [
            {
                "path": "/**",
                "upstream": "api",
                "access": "public",
                "timeouts": {"response": "200ms"},
            }
        ]
        assert start(config(backend, routes=routes)).get("/").status == 504
        release.set()


def test_an_answer_that_stalls_is_cut_and_never_looks_complete(start):
    release = threading.Event()

    def reply(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        release.wait(20)
        return b""

    with Backend(reply) as backend:
        timeouts = {"connect": "2s", "response": "1s", "idle": "300ms"}
        gate = start(config(backend, upstreams=upstream(backend, timeouts=timeouts)))
        with gate.connect() as client, pytest.raises(ConnectionEnded):
            client.request("GET", "/")
        release.set()


def test_a_route_may_allow_less_silence_within_an_answer(start):
    release = threading.Event()

    def reply(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        release.wait(20)
        return b""

    routes = [{"path": "/**", "upstream": "api", "access": "public", "timeouts": {"idle": "300ms"}}]
    with Backend(reply) as backend:
        gate = start(config(backend, routes=routes))
        with gate.connect() as client, pytest.raises(ConnectionEnded):
            client.request("GET", "/")
        release.set()


# -- liars --

LIES = {
    "no HTTP": b"hello world\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    "obs-fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok",
    "a line without colon": b"HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 2\r\n\r\nok",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300000,
    "endless interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    "an end at once": b"",
}


@pytest.fixture(scope="module")
def liar():
    with Backend() as backend:
        with Gatehouse(config(backend)) as gate:
            yield gate, backend


@pytest.mark.parametrize("case", LIES)
def test_a_lying_backend_is_502(liar, case):
    gate, backend = liar

    def reply(_, connection):
        connection.send(LIES[case])
        return b""

    backend.answer = reply
    response = gate.get("/")
    assert response.status == 502
    response.problem()
    backend.answer = OK
    assert gate.get("/").status == 200


CUT = {
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    "a bad last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx",
}


@pytest.mark.parametrize("case", CUT)
def test_an_answer_cut_after_its_head_never_ends_cleanly(liar, case):
    gate, backend = liar

    def reply(_, connection):
        connection.send(CUT[case])
        return b""

    backend.answer = reply
    with gate.connect() as client:
        client.send(request("GET", "/"))
        try:
            response = client.read()
        except ConnectionEnded:
            response = None
    backend.answer = OK
    assert response is None or response.status == 502


def test_bytes_after_an_answer_are_nobodys_answer(liar):
    """Response smuggling: what a backend sends too much must not answer the next request."""
    gate, backend = liar
    backend.answer = OK + answer(200, body=b"smuggled")
    with gate.connect() as client:
        for _ in range(5):
            assert client.request("GET", "/").body == b"ok"
    backend.answer = OK


@pytest.mark.parametrize("status", [204, 304])
def test_a_body_where_none_belongs_is_nobodys_answer(liar, status):
    gate, backend = liar
    raw = b"HTTP/1.1 %d X\r\nContent-Length: 30\r\n\r\n" % status
    backend.answer = lambda received, _: raw + b"x" * 30 if received.target == "/odd" else OK
    with gate.connect() as client:
        assert client.request("GET", "/odd").status in (status, 502)
        assert client.request("GET", "/").body == b"ok"
    backend.answer = OK


def test_a_body_in_answer_to_head_is_nobodys_answer(liar):
    gate, backend = liar
    backend.answer = lambda received, _: answer(200, body=b"HTTP/1.1 200 SMUGGLED")
    with gate.connect() as client:
        assert client.request("HEAD", "/").status == 200
        backend.answer = OK
        assert client.request("GET", "/").body == b"ok"


# -- early answers --


def test_a_connection_answered_before_the_body_was_sent_is_never_reused(start):
    """CL.0: a backend that ignores the body would read it as the next request."""
    with Backend(answer(200, body=b"early")) as backend:
        backend.answer_early = True
        gate = start(config(backend), arguments=["--workers", "1"])
        with gate.connect() as client:
            client.send(request("POST", "/", {"Content-Length": "40"}))
            response = client.read()
            assert response.status == 200
            client.try_send(request("GET", "/smuggled")[:40].ljust(40, b"x"))
        assert gate.get("/next").status == 200
        assert len(backend.connections) == 2
        assert "/smuggled" not in [r.target for r in backend.requests]


def test_an_early_refusal_reaches_a_client_that_is_still_sending(start):
    with Backend(answer(403, {"Connection": "close"}, b"no")) as backend:
        backend.answer_early = True
        gate = start(config(backend, limits={"request_body": "100MiB"}))
        with gate.connect() as client:
            client.send(request("POST", "/", {"Content-Length": "10000000"}))
            client.try_send(b"x" * 100000)
            assert client.read().status == 403


def test_the_upstream_request_is_given_up_when_the_client_goes(start):
    release = threading.Event()
    with Backend(lambda *_: release.wait(20) and None) as backend:
        gate = start(config(backend))
        client = gate.connect()
        client.send(request("GET", "/"))
        backend.wait_requests(1)
        client.reset()
        release.set()
        backend.wait(lambda b: b.connections[0].closed_by_peer, "the end of the connection")


def test_a_half_sent_body_never_completes_upstream(start, backend):
    gate = start(config(backend))
    for framing, part in (
        ({"Content-Length": "100"}, b"x" * 50),
        ({"Transfer-Encoding": "chunked"}, b"5\r\nhello\r\n"),
    ):
        with gate.connect() as client:
            client.send(request("POST", "/", framing) + part)
            backend.wait_requests(1)
        backend.wait(lambda b: b.connections[-1].closed_by_peer, "the upstream to be dropped")
        assert not backend.requests[-1].complete
        backend.requests.clear()


# -- health --


def test_a_sick_server_gets_no_requests_until_it_is_well(start):
    sick = threading.Event()
    sick.set()

    def reply(received, _):
        if received.target == "/health":
            return answer(503) if sick.is_set() else answer(200)
        return answer(200, body=b"one")

    def well(received, _):
        return answer(200, body=b"two")

    with Backend(reply) as one, Backend(well) as two:
        health = {"path": "/health", "interval": "100ms", "fails": 2, "passes": 1}
        servers = upstream(one, two, balance="round_robin", health=health)
        gate = start(config(one, upstreams=servers, admin_listen=f"127.0.0.1:{free_port()}"))
        one.wait(lambda b: len([r for r in b.requests if r.target == "/health"]) >= 4, "checks")
        assert {gate.get("/x").body for _ in range(6)} == {b"two"}
        sick.clear()
        for _ in range(400):
            if gate.get("/x").body == b"one":
                break
            time.sleep(0.01)  # between two looks
        else:
            raise AssertionError("never taken back")


def until_ready(gate, status):
    for _ in range(500):
        if gate.get("/readyz").status == status:
            return
        time.sleep(0.01)  # between two looks
    raise AssertionError(f"/readyz never said {status}")


def test_with_no_healthy_server_it_is_503_and_not_ready(start):
    with Backend(answer(500)) as backend:
        health = {"path": "/health", "interval": "100ms", "fails": 1}
        gate = start(config(backend, upstreams=upstream(backend, health=health)))
        until_ready(gate, 503)
        response = gate.get("/x")
        assert response.status == 503
        response.problem()
        assert gate.get("/readyz").status == 503
        assert gate.get("/healthz").status == 200
        backend.answer = OK
        until_ready(gate, 200)
        assert gate.get("/x").status == 200


def test_health_checks_do_not_carry_a_clients_fields(start):
    with Backend() as backend:
        health = {"path": "/health", "interval": "100ms"}
        gate = start(config(backend, upstreams=upstream(backend, health=health)))
        gate.get("/x", {"Authorization": "secret"})
        checks = [r for r in backend.wait_requests(3) if r.target == "/health"]
        assert checks and all("authorization" not in r.names() for r in checks)


def test_requests_stream_while_they_arrive(start, backend):
    """No buffering: the backend sees the first part before the last is sent."""
    gate = start(config(backend))
    with gate.connect() as client:
        client.send(request("POST", "/", {"Transfer-Encoding": "chunked"}) + b"5\r\nhello\r\n")
        backend.wait(lambda b: b.requests and b"hello" in b.connections[-1].received, "the first part")
        client.send(b"0\r\n\r\n")
        assert client.read().status == 200
    assert backend.last.body == b"hello"


@pytest.mark.parametrize("count", [3, 50])
def test_many_clients_at_once_are_all_answered(start, count):
    with Backend(lambda received, _: answer(200, body=received.target.encode())) as backend:
        gate = start(config(backend))
        clients = [gate.connect() for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(request("GET", f"/{number}"))
        for number, client in enumerate(clients):
            assert client.read().body == b"/%d" % number
            client.close()


def test_chunked_requests_are_framed_once(start, backend):
    gate = start(config(backend))
    gate.request("POST", "/", {"Transfer-Encoding": "chunked"}, chunked(b"hello"))
    received = backend.last
    framings = received.all("Content-Length") + received.all("Transfer-Encoding")
    assert len(framings) == 1
    assert received.body == b"hello"
