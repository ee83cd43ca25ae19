"""SPEC 12 A through examples/a-headers.yaml: the seven headers on every response."""

import pytest

from harness.gate import ROOT, Gatehouse, free_port
from harness.wire import Client, request

EXAMPLE = ROOT / "examples" / "a-headers.yaml"
HEADERS = {
    "Strict-Transport-Security": "max-age=15552000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module")
def gate(fastapi):
    listen = f"127.0.0.1:{free_port()}"
    with Gatehouse(EXAMPLE, env={"BACKEND": fastapi.url, "LISTEN": listen}) as running:
        yield running


REQUESTS = {
    "health": ("GET", "/health", {}, 200),
    "list": ("GET", "/api/v1/items", {}, 200),
    "redirect": ("GET", "/old", {}, 307),
    "not modified": ("GET", "/cached", {"If-None-Match": '"v1"'}, 304),
    "missing": ("GET", "/api/v1/items/999", {}, 404),
    "wrong method": ("DELETE", "/health", {}, 405),
    "invalid": ("GET", "/api/v1/items/abc", {}, 422),
    "exception": ("GET", "/boom", {}, 500),
    "preflight": (
        "OPTIONS",
        "/api/v1/items",
        {"Origin": "https://evil.com", "Access-Control-Request-Method": "GET"},
        None,
    ),
    "bad path": ("GET", "/%5c", {}, 400),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_every_response_has_each_header_once(gate, case):
    method, target, fields, status = REQUESTS[case]
    response = gate.request(method, target, fields)
    if status:
        assert response.status == status
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_a_malformed_request_gets_them_too(gate):
    with Client(gate.address) as client:
        response = client.ask(request("GET", "/", [("Bad Name", "1")]))
    assert response.status == 400
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_the_backend_alone_has_none_of_them(fastapi):
    """What the example is compared with."""
    with Client(fastapi.port) as client:
        response = client.request("GET", "/health")
    assert not {name.lower() for name in HEADERS} & response.names()
