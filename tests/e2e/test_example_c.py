"""SPEC 12 C through examples/c-enterprise.yaml: exact headers, hosts by environment, limits."""

import pytest

from harness.gate import ROOT, Gatehouse, free_port

EXAMPLE = ROOT / "examples" / "c-enterprise.yaml"
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; "
    "font-src 'self' https://fonts.gstatic.com; img-src 'self' data: https:; "
    "connect-src 'self' https://*.supabase.co https://api.anthropic.com https://api.exa.ai "
    "https://api.stripe.com"
)
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": CSP,
}
HTTPS = [("X-Forwarded-Proto", "https")]


def run_example(fastapi, **env):
    listen = f"127.0.0.1:{free_port()}"
    return Gatehouse(EXAMPLE, env={"BACKEND": fastapi.url, "LISTEN": listen, **env})


@pytest.fixture
def development(fastapi):
    hosts = "localhost,127.0.0.1"
    with run_example(fastapi, ENVIRONMENT="development", ALLOWED_HOSTS=hosts) as gate:
        yield gate


@pytest.fixture(scope="module")
def production(fastapi):
    with run_example(fastapi) as gate:
        yield gate


@pytest.mark.parametrize("target", ["/health", "/api/v1/items/999", "/boom", "/%00"])
def test_the_headers_are_exact_on_every_answer(production, target):
    response = production.get(target, HTTPS, host="aria.ai")
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


@pytest.mark.parametrize("host", ["aria.ai", "app.aria.ai", "a.b.aria.ai", "ARIA.AI", "aria.ai:443"])
def test_production_takes_its_hosts(production, host):
    assert production.get("/health", HTTPS, host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.com", "localhost", "127.0.0.1", "aria.ai.evil.com", "evilaria.ai"]
)
def test_production_refuses_other_hosts(production, host):
    response = production.get("/health", HTTPS, host=host)
    assert response.status == 400
    assert response.problem()["detail"] == "Invalid host header"
    assert host.encode() not in response.body


def test_development_takes_localhost_and_refuses_evil(development):
    port = development.address
    assert development.get("/health").status == 200
    assert development.get("/health", host=f"localhost:{port}").status == 200
    assert development.get("/health", host="evil.com").status == 400


@pytest.mark.parametrize("name", ["login", "signup", "2fa"])
def test_the_sixth_try_in_a_minute_is_refused(development, name):
    target = f"/api/v1/auth/{name}"
    tries = [development.request("POST", target, body=b"{}") for _ in range(6)]
    assert all(response.status != 429 for response in tries[:5])
    assert tries[5].status == 429
    assert "rate limit" in tries[5].problem()["detail"].lower()
    assert 1 <= int(tries[5].get("Retry-After")) <= 60
    development.clock.advance(61)
    assert development.request("POST", target, body=b"{}").status != 429


def test_the_fourth_reset_in_an_hour_is_refused(development):
    target = "/api/v1/auth/reset"
    tries = [development.request("POST", target, body=b"{}") for _ in range(4)]
    assert [response.status == 429 for response in tries] == [False, False, False, True]
    development.clock.advance(1800)
    assert development.request("POST", target, body=b"{}").status == 429
    development.clock.advance(1801)
    assert development.request("POST", target, body=b"{}").status != 429


def test_limits_are_counted_for_each_client(development):
    target = "/api/v1/auth/login"

    def attempt(address):
        fields = [("X-Forwarded-For", address)]
        return development.request("POST", target, fields, b"{}").status

    assert [attempt("192.0.2.1") for _ in range(6)][-1] == 429
    assert attempt("192.0.2.2") != 429
