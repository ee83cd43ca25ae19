"""SPEC 3.8: bodies over the limit, Expect: 100-continue, the rest of a refused body."""

import threading

import pytest

from harness.backend import Backend, answer
from harness.gate import Gatehouse, config
from harness.wire import chunked, request

LIMIT = 1000
HOST = b"Host: localhost\r\n"


@pytest.fixture(scope="module")
def pair():
    with Backend() as backend:
        routes = [
            {"path": "/large", "upstream": "api", "access": "public", "request_body": "1MiB"},
            {"path": "/**", "upstream": "api", "access": "public"},
        ]
        settings = config(backend, limits={"request_body": LIMIT}, routes=routes)
        with Gatehouse(settings) as gate:
            yield gate, backend


def test_the_limit_itself_passes(pair):
    gate, backend = pair
    assert gate.request("POST", "/x", body=b"a" * LIMIT).status == 200
    assert backend.last.body == b"a" * LIMIT


def test_one_byte_more_is_413_before_the_body_is_read(pair):
    gate, backend = pair
    before = len(backend.requests)
    with gate.connect() as client:
        client.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 1001\r\n\r\n")
        response = client.read()  # no byte of the body was sent
    assert response.status == 413
    response.problem()
    assert len(backend.requests) == before


def test_a_chunked_body_is_counted_decoded(pair):
    gate, backend = pair
    fields = [("Transfer-Encoding", "chunked")]
    body = chunked(*[b"a"] * LIMIT)
    assert gate.request("POST", "/x", fields, body).status == 200
    assert backend.last.body == b"a" * LIMIT


def test_a_chunked_body_that_crosses_the_limit_is_never_completed(pair):
    gate, backend = pair
    before = len(backend.requests)
    with gate.connect() as client:
        client.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        client.send(b"3e8\r\n" + b"a" * LIMIT + b"\r\n1\r\na\r\n")
        assert client.read().status == 413
    assert gate.get("/after").status == 200
    assert all(r.target == "/after" or not r.complete for r in backend.requests[before:])


def test_a_route_may_allow_more(pair):
    gate, backend = pair
    assert gate.request("POST", "/large", body=b"a" * 100000).status == 200
    assert len(backend.last.body) == 100000
    assert gate.request("POST", "/large", body=b"a" * (1048576 + 1)).status == 413


def test_clients_see_the_413_and_not_a_reset(pair):
    """A client that sends all of its body before it reads, as most do."""
    gate, _ = pair
    for _ in range(5):
        with gate.connect() as client:
            client.try_send(request("POST", "/x", body=b"a" * 200000))
            assert client.read().status == 413


def test_what_follows_a_refused_body_is_not_taken_for_a_request(pair):
    gate, backend = pair
    before = len(backend.requests)
    body = request("GET", "/smuggled") + b"a" * LIMIT
    with gate.connect() as client:
        client.try_send(request("POST", "/x", body=body))
        assert client.read().status == 413
        client.try_send(request("GET", "/after", {"Connection": "close"}))
        client.rest()
    assert "/smuggled" not in [r.target for r in backend.requests[before:]]


def test_expect_continue_is_answered_here_and_not_forwarded(pair):
    gate, backend = pair
    with gate.connect() as client:
        client.send(request("POST", "/x", {"Expect": "100-continue", "Content-Length": "5"}))
        assert client.read_head().status == 100
        client.send(b"hello")
        assert client.read().status == 200
    assert backend.last.body == b"hello"
    assert "expect" not in backend.last.names()


def test_a_refused_expectation_gets_no_100(pair):
    gate, backend = pair
    for target, length, host, status in (
        ("/x", "1001", "localhost", 413),
        ("/x", "5", "evil.com", 400),
        ("/%00", "5", "localhost", 400),
    ):
        fields = {"Expect": "100-continue", "Content-Length": length}
        with gate.connect() as client:
            client.send(request("POST", target, fields, host=host))
            assert client.read_head().status == status


def test_expect_in_http_1_0_is_ignored(pair):
    gate, backend = pair
    with gate.connect() as client:
        client.send(b"POST /x HTTP/1.0\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        assert client.read_head().status == 200
    assert "expect" not in backend.last.names()


def test_a_body_sent_without_waiting_for_100_is_fine(pair):
    gate, backend = pair
    fields = {"Expect": "100-continue", "Content-Length": "5"}
    with gate.connect() as client:
        client.send(request("POST", "/x", fields) + b"hello")
        assert client.read().status == 200
    assert backend.last.body == b"hello"


def test_a_body_on_get_arrives_too(pair):
    gate, backend = pair
    assert gate.request("GET", "/x", body=b"hello").status == 200
    assert backend.last.body == b"hello"


@pytest.mark.parametrize("limit, status", [("10", 200), ("9", 413)])
def test_max_request_size_of_the_environment_wins(start, backend, limit, status):
    gate = start(config(backend), env={"MAX_REQUEST_SIZE": limit})
    assert gate.request("POST", "/", body=b"0123456789").status == status


def test_a_large_body_does_not_pile_up_in_memory(start):
    """A backend that doesn't read: the client is slowed down, memory stays bounded."""
    release = threading.Event()

    def reply(*_):
        release.wait(20)
        return b""

    with Backend(reply) as backend:
        backend.answer_early = True
        gate = start(config(backend, limits={"request_body": "1GiB"}))
        with gate.connect(timeout=2) as client:
            client.send(request("POST", "/", {"Content-Length": str(1 << 30)}))
            sent = 0
            try:
                while sent < 256 << 20:
                    client.socket.send(bytes(1 << 20))
                    sent += 1 << 20
            except TimeoutError:
                pass
            assert sent < 64 << 20, "the gateway took what the backend did not"
        release.set()
