"""SPEC 12 D through examples/d-vote.yaml: the voting service of examples/vote behind an ingress.

What the service does by itself is in test_vote.py."""

import pytest

from harness.gate import ROOT, Gatehouse, free_port
from harness.vote import Vote
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


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The voting service, taking as much as the gateway lets through, so that it is the gateway
    that refuses."""
    with Vote(tmp_path_factory.mktemp("vote"), BODY_BYTES_MAX=1048576) as running:
        yield running


def run_example(service, **env):
    listen = f"127.0.0.1:{free_port()}"
    defaults = {"BACKEND": service.url, "LISTEN": listen, "VOTE_RATE": "1000/minute"}
    return Gatehouse(EXAMPLE, env={**defaults, **env})


@pytest.fixture(scope="module")
def development(service):
    with run_example(service, ENVIRONMENT="development") as gate:
        yield gate


@pytest.fixture(scope="module")
def production(service):
    with run_example(service, ENVIRONMENT="production") as gate:
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
    assert development.request("POST", "/vote", JSON, body).status == 202
    refused = development.request("POST", "/vote", JSON, body + b" ")
    assert refused.status == 413
    assert refused.problem()["request_id"]  # the gateway's own refusal
    fields = [*JSON, ("Transfer-Encoding", "chunked")]
    assert development.request("POST", "/vote", fields, chunked(body)).status == 202
    assert development.request("POST", "/vote", fields, chunked(body, b" ")).status == 413


def test_max_request_size_of_the_environment_wins(service):
    with run_example(service, ENVIRONMENT="development", MAX_REQUEST_SIZE="20") as gate:
        assert gate.request("POST", "/vote", JSON, b'{"option":"cats"}').status == 202
        assert gate.request("POST", "/vote", JSON, b'{"option":"cats"}    ').status == 413


def test_cors_origins_of_the_environment_win(service):
    with run_example(
        service, ENVIRONMENT="development", CORS_ORIGINS="https://a.example,https://b.example"
    ) as gate:
        assert preflight(gate, "https://b.example").status == 204
        assert preflight(gate, ORIGIN).status == 403


def test_votes_are_taken_and_counted(development):
    before = development.get("/results").json()["results"]
    assert set(before) == {"cats", "dogs"}
    response = development.request("POST", "/vote", JSON, b'{"option":"dogs"}')
    assert response.status == 202
    after = development.get("/results").json()
    assert after == {"results": {"cats": before["cats"], "dogs": before["dogs"] + 1}}


def test_an_option_that_is_none_is_422(development):
    before = development.get("/results").json()
    assert development.request("POST", "/vote", JSON, b'{"option":"birds"}').status == 422
    assert development.get("/results").json() == before


def test_one_client_votes_so_often_and_no_more(service):
    with run_example(service, ENVIRONMENT="development", VOTE_RATE="3/minute") as gate:
        vote = lambda: gate.request("POST", "/vote", JSON, b'{"option":"cats"}')
        assert [vote().status for _ in range(4)] == [202, 202, 202, 429]
        assert int(vote().get("Retry-After")) > 0
        assert gate.get("/results").status == 200


def test_only_the_routes_of_the_service_are_open(development):
    for target in ("/readyz-of-backend", "/schema.sql", "/vote/", "/results/1"):
        assert development.get(target).status == 404, target
    assert development.get("/vote").status == 405
    assert development.request("POST", "/results", JSON, b"{}").status == 405
