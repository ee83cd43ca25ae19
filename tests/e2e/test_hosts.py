"""SPEC 3.4: only the listed hosts (in development localhost as well)."""

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, config

PLAIN = {"environment": "production", "https": {"mode": "off"}}
HOSTS = ["api.example.com", "*.wild.example", "[::1]", "127.0.0.1", "[2001:db8::1]"]


@pytest.fixture(scope="module")
def pair():
    with Backend() as backend, Gatehouse(config(backend, hosts=HOSTS, **PLAIN)) as gate:
        yield gate, backend


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "API.Example.COM",
        "api.example.com:8080",
        "api.example.com.",
        "api.example.com.:443",
        "a.wild.example",
        "a.b.wild.example",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "[2001:DB8:0:0::1]",
        "127.0.0.1:1",
    ],
)
def test_a_listed_host_is_taken(pair, host):
    assert pair[0].get("/", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "example.com",
        "xapi.example.com",
        "api.example.com.evil.com",
        "wild.example",
        "evilwild.example",
        ".wild.example",
        "a..wild.example",
        "api.example.com..",
        "[::2]",
        "127.0.0.2",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "2130706433",
        "127.1",
        "localhost",
        "*",
        "*.wild.example",
    ],
)
def test_any_other_host_is_refused_and_not_reflected(pair, host):
    gate, backend = pair
    before = len(backend.requests)
    response = gate.get("/", host=host)
    assert response.status == 400
    assert response.problem()["detail"] == "Invalid host header"
    if len(host) > 3:
        assert host.encode() not in response.body
    assert len(backend.requests) == before


def test_the_backend_gets_the_host_that_was_checked(pair):
    gate, backend = pair
    gate.get("/", host="API.example.com:8080")
    assert backend.last.get("X-Forwarded-Host").lower().startswith("api.example.com")


def test_star_takes_every_host(start, backend):
    gate = start(config(backend, hosts=["*"], **PLAIN))
    for host in ("a", "x.y.z:1", "[fe80::1]", "10.0.0.1"):
        assert gate.get("/", host=host).status == 200


def test_observe_lets_pass_and_logs(start, backend):
    gate = start(config(backend, hosts={"mode": "observe", "allow": ["a.test"]}))
    response = gate.get("/", host="evil.com")
    assert response.status == 200
    line = gate.wait_access(1, id=response.get("X-Request-Id"))[0]
    assert line["observed"] == ["host_unknown"]


def test_allowed_hosts_of_the_environment_win(start, backend):
    gate = start(config(backend, **PLAIN), env={"ALLOWED_HOSTS": "one.test,*.two.test"})
    assert gate.get("/", host="one.test").status == 200
    assert gate.get("/", host="a.two.test").status == 200
    assert gate.get("/", host="localhost").status == 400


def test_probes_come_by_address(pair):
    gate, _ = pair
    assert gate.get("/healthz", host="10.1.2.3:8080").status == 200
    assert gate.get("/readyz", host="10.1.2.3:8080").status == 200


def test_development_takes_localhost_without_being_told(start, backend):
    gate = start(config(backend, hosts=["api.example.com"]))
    for host in ("localhost", f"localhost:{gate.address}", "127.0.0.1", "[::1]"):
        assert gate.get("/", host=host).status == 200
    assert gate.get("/", host="evil.com").status == 400
