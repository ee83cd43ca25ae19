"""SPEC 12 D through examples/d-vote.yaml: a voting service behind an ingress."""

import pytest

from harness.gate import ROOT, Gatehouse, free_port
from harness.wire import chunked

EXAMPLE = ROOT / "examples" / "d-vote.yaml"
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
ORIGIN = "http://localhost:3000"
HTTPS = [("X-Forwarded-Proto", "https")]
JSON = [("Content-Type", "application/json")]


def run_example(fastapi, **env):
    listen = f"127.0.0.1:{free_port()}"
    return Gatehouse(EXAMPLE, env={"BACKEND": fastapi.url, "LISTEN": listen, **env})


@pytest.fixture(scope="module")
def development(fastapi):
    with run_example(fastapi, ENVIRONMENT="development") as gate:
        yield gate


@pytest.fixture(scope="module")
def production(fastapi):
    with run_example(fastapi, ENVIRONMENT="production") as gate:
        yield gate


@pytest.mark.parametrize("target", ["/health", "/results", "/nothing"])
def test_the_headers_are_exact(development, target):
    response = development.get(target)
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name
    assert response.all("Strict-Transport-Security") == []


def test_hsts_in_production_behind_the_ingress(production):
    response = production.get("/results", HTTPS, host="votes.example.net")
    assert response.status == 200
    assert response.all("Strict-Transport-Security") == ["max-age=31536000"]
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_no_hsts_in_development_even_over_https(development):
    assert development.get("/results", HTTPS).all("Strict-Transport-Security") == []


def test_any_host_is_taken(development):
    for host in ("localhost", "votes.example.net", "192.0.2.7:31000", "[2001:db8::1]"):
        assert development.get("/health", host=host).status == 200


def preflight(gate, origin, method="POST", headers="Content-Type"):
    fields = [("Origin", origin), ("Access-Control-Request-Method", method)]
    fields += [("Access-Control-Request-Headers", headers)]
    return gate.request("OPTIONS", "/vote", fields)


def test_the_preflight_of_the_app_is_allowed(development):
    response = preflight(development, ORIGIN)
    assert response.status == 204
    assert response.get("Access-Control-Allow-Origin") == ORIGIN
    assert response.get("Access-Control-Allow-Methods") == "GET, POST, OPTIONS"
    assert response.get("Access-Control-Allow-Headers") == "Content-Type, Authorization, Accept"
    assert response.get("Access-Control-Max-Age") == "600"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.com", "http://localhost:3001", "https://localhost:3000", "null"],
)
def test_the_preflight_of_an_untrusted_origin_is_refused(development, origin):
    response = preflight(development, origin)
    assert response.status == 403
    assert not any(name.startswith("access-control-") for name in response.names())


def test_an_untrusted_origin_gets_no_cors_headers(development):
    response = development.get("/results", {"Origin": "https://evil.com"})
    assert not any(name.startswith("access-control-") for name in response.names())
    allowed = development.get("/results", {"Origin": ORIGIN})
    assert allowed.get("Access-Control-Allow-Origin") == ORIGIN


def test_bodies_up_to_1048576_bytes_pass_and_one_more_is_413(development):
    padding = b" " * (1048576 - len(b'{"option":"cats"}'))
    body = b'{"option":"cats"}' + padding
    assert development.request("POST", "/vote", JSON, body).status == 200
    assert development.request("POST", "/vote", JSON, body + b" ").status == 413
    fields = [*JSON, ("Transfer-Encoding", "chunked")]
    assert development.request("POST", "/vote", fields, chunked(body)).status == 200
    assert development.request("POST", "/vote", fields, chunked(body, b" ")).status == 413


def test_max_request_size_of_the_environment_wins(fastapi):
    with run_example(fastapi, ENVIRONMENT="development", MAX_REQUEST_SIZE="20") as gate:
        assert gate.request("POST", "/vote", JSON, b'{"option":"cats"}').status == 200
        assert gate.request("POST", "/vote", JSON, b'{"option":"cats"}    ').status == 413


def test_cors_origins_of_the_environment_win(fastapi):
    with run_example(
        fastapi, ENVIRONMENT="development", CORS_ORIGINS="https://a.example,https://b.example"
    ) as gate:
        assert preflight(gate, "https://b.example").status == 204
        assert preflight(gate, ORIGIN).status == 403


def test_votes_are_counted(development):
    before = development.get("/results").json()["dogs"]
    assert development.request("POST", "/vote", JSON, b'{"option":"dogs"}').status == 200
    assert development.get("/results").json()["dogs"] == before + 1
