"""SPEC 3.16: what an upstream's error says inside never leaves."""

import pytest

from harness.backend import Backend, answer
from harness.gate import config, production

TRACE = b"Traceback (most recent call last):\n  File app.py\nKeyError: 'password'"
HTTPS = [("X-Forwarded-Proto", "https")]


def erring(status=500):
    return Backend(answer(status, {"Content-Type": "text/plain", "X-Debug": "10.0.0.7"}, TRACE))


@pytest.mark.parametrize("status", [500, 501, 502, 503, 599])
def test_production_replaces_a_5xx_body(start, status):
    with erring(status) as backend:
        response = start(production(backend)).get("/x", HTTPS)
    assert response.status == status
    document = response.problem()
    assert document["request_id"] == response.get("X-Request-Id")
    assert b"Traceback" not in response.body and b"password" not in response.body


def test_a_chunked_and_large_error_is_replaced_too(start):
    raw = b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = TRACE * 1000
    raw += b"%x\r\n%s\r\n0\r\n\r\n" % (len(block), block)
    with Backend(raw) as backend:
        gate = start(production(backend))
        with gate.connect() as client:
            response = client.request("GET", "/x", HTTPS)
            response.problem()
            assert client.request("GET", "/x", HTTPS).status == 500


@pytest.mark.parametrize("status", [400, 404, 422])
def test_4xx_bodies_are_kept(start, status):
    with erring(status) as backend:
        assert start(production(backend)).get("/x", HTTPS).body == TRACE


def test_development_passes_them(start):
    with erring() as backend:
        assert start(config(backend)).get("/x").body == TRACE


def test_a_route_decides_for_itself(start):
    routes = [
        {"path": "/pass", "upstream": "api", "access": "public", "errors": "pass"},
        {"path": "/scrub", "upstream": "api", "access": "public", "errors": "scrub"},
    ]
    with erring() as backend:
        in_production = start(production(backend, routes=routes))
        assert in_production.get("/pass", HTTPS).body == TRACE
        in_development = start(config(backend, routes=routes))
        in_development.get("/scrub").problem()


def test_head_of_a_scrubbed_error_has_no_body(start):
    with Backend(answer(500, body=b"").replace(b"Length: 0", b"Length: 9")) as backend:
        response = start(production(backend)).request("HEAD", "/x", HTTPS)
    assert (response.status, response.body) == (500, b"")


def test_the_fastapi_traceback_does_not_leave(start, fastapi):
    response = start(production(fastapi)).get("/boom", HTTPS)
    assert response.status == 500
    assert b"Traceback" not in response.body and b"app.py" not in response.body
