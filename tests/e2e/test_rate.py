"""SPEC 3.9: limits that hold exactly, by a clock that the tests move."""

import re

import pytest

from harness.backend import answer
from harness.gate import IS_RELEASE, config

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

LIMITS = {
    "login": {"limit": "5/minute", "key": "client"},
    "burst": {"limit": "10/second", "burst": 3, "key": "client"},
    "many": {"limit": "100/minute", "key": "client"},
    "by_key": {"limit": "1/minute", "key": "header:X-Api-Key"},
    "by_route": {"limit": "2/minute", "key": "route"},
    "observed": {"limit": "1/minute", "key": "client", "mode": "observe"},
}


def limited(path, *names):
    return {"path": path, "upstream": "api", "access": "public", "rate_limit": list(names)}


ROUTES = [
    limited("/login", "login"),
    limited("/other-login", "login"),
    limited("/burst", "burst"),
    limited("/many", "many"),
    limited("/by-key", "by_key"),
    limited("/by-route/{x}", "by_route"),
    limited("/two", "login", "burst"),
    limited("/both", "login", "many"),
    limited("/observed", "observed"),
    limited("/free"),
    {"path": "/**", "upstream": "api", "access": "public"},
]


@pytest.fixture
def gate(start, backend):
    trusted = ["127.0.0.1/32"]
    return start(config(backend, rate_limits=LIMITS, routes=ROUTES, trusted_proxies=trusted))


def statuses(gate, target, count, fields=()):
    with gate.connect() as client:
        return [client.request("GET", target, fields).status for _ in range(count)]


def from_(address):
    return [("X-Forwarded-For", address)]


def test_the_sixth_request_of_a_minute_is_refused(gate, backend):
    assert statuses(gate, "/login", 5) == [200] * 5
    response = gate.get("/login")
    assert response.status == 429
    assert response.problem()["detail"] == "Rate limit exceeded: 5 requests per minute"
    assert response.get("Cache-Control") == "no-store"
    assert len(backend.requests) == 5


def test_a_refusal_says_when_to_come_back(gate):
    statuses(gate, "/login", 5)
    response = gate.get("/login")
    wait = int(response.get("Retry-After"))
    assert 58 <= wait <= 60
    assert response.get("RateLimit-Policy") == '"login";q=5;w=60'
    state = re.fullmatch(r'"login";r=0;t=(\d+)', response.get("RateLimit"))
    assert state and int(state[1]) <= wait
    gate.clock.advance(wait)
    assert gate.get("/login").status == 200


def test_admitted_answers_count_down(gate):
    remaining = []
    for _ in range(5):
        response = gate.get("/login")
        remaining.append(int(re.match(r'"login";r=(\d+);t=\d+', response.get("RateLimit"))[1]))
        assert response.get("RateLimit-Policy") == '"login";q=5;w=60'
    assert remaining == [4, 3, 2, 1, 0]


def test_no_window_of_a_minute_ever_admits_more_than_five(gate):
    """Tries every 3 seconds for five minutes: any 60 s window holds at most five."""
    admitted = []
    with gate.connect() as client:
        for step in range(100):
            if client.request("GET", "/login").status == 200:
                admitted.append(step * 3)
            gate.clock.advance(3)
    for first in admitted:
        assert sum(first <= at < first + 60 for at in admitted) <= 5
    assert len(admitted) >= 20, "and the limit is used to the full"


def test_an_idle_minute_does_not_allow_a_double_burst(gate):
    statuses(gate, "/login", 1)
    gate.clock.advance(59)
    assert statuses(gate, "/login", 5) == [200] * 4 + [429]
    gate.clock.advance(2)
    assert statuses(gate, "/login", 2) == [200, 429]


def test_a_refused_try_costs_nothing(gate):
    statuses(gate, "/login", 5)
    gate.clock.advance(30)
    assert statuses(gate, "/login", 20) == [429] * 20
    gate.clock.advance(31)
    assert statuses(gate, "/login", 1) == [200]


def test_large_exact_limits_hold_too(gate):
    assert statuses(gate, "/many", 101) == [200] * 100 + [429]
    gate.clock.advance(59)
    assert statuses(gate, "/many", 1) == [429]
    gate.clock.advance(62)
    assert statuses(gate, "/many", 101) == [200] * 100 + [429]


def test_a_burst_is_gcra(gate):
    """10/second, burst 3: three at once, then one each 100 ms."""
    gate.clock.advance(10)
    first = statuses(gate, "/burst", 12)
    assert first[:3] == [200] * 3
    assert 429 in first
    gate.clock.advance(60)
    assert statuses(gate, "/burst", 3) == [200] * 3


def test_one_policy_is_counted_once_over_all_routes(gate):
    assert statuses(gate, "/login", 3) + statuses(gate, "/other-login", 3) == [200] * 5 + [429]


def test_clients_are_told_apart(gate):
    assert statuses(gate, "/login", 6, from_("192.0.2.1"))[5] == 429
    assert statuses(gate, "/login", 1, from_("192.0.2.2")) == [200]


def test_ipv6_clients_count_by_64(gate):
    assert statuses(gate, "/login", 5, from_("2001:db8:1:2::1")) == [200] * 5
    assert statuses(gate, "/login", 1, from_("2001:db8:1:2:ffff::9")) == [429]
    assert statuses(gate, "/login", 1, from_("2001:db8:1:3::1")) == [200]


def test_a_header_may_be_the_key(gate):
    assert statuses(gate, "/by-key", 2, {"X-Api-Key": "a"}) == [200, 429]
    assert statuses(gate, "/by-key", 1, {"X-Api-Key": "b"}) == [200]


def test_a_route_may_be_the_key(gate):
    assert statuses(gate, "/by-route/1", 1, from_("192.0.2.1")) == [200]
    assert statuses(gate, "/by-route/2", 2, from_("192.0.2.2")) == [200, 429]


def test_several_limits_are_looked_at_before_any_is_charged(gate):
    """`two` needs login and burst: when login refuses, burst has not paid."""
    statuses(gate, "/login", 5)
    assert statuses(gate, "/two", 20) == [429] * 20
    assert statuses(gate, "/burst", 3) == [200] * 3


def test_several_limits_are_all_announced(gate):
    response = gate.get("/both")
    assert response.list("RateLimit-Policy") == ['"login";q=5;w=60', '"many";q=100;w=60']
    assert [state.split(";t=")[0] for state in response.list("RateLimit")] == [
        '"login";r=4',
        '"many";r=99',
    ]


def test_observe_lets_pass_and_logs(gate):
    assert statuses(gate, "/observed", 3) == [200] * 3
    assert gate.wait_access(1, observed=["rate_limited"])


def test_an_empty_list_limits_nothing(gate):
    response = gate.get("/free")
    assert "ratelimit" not in response.names()


def test_global_applies_to_every_route_but_those_with_an_empty_list(start, backend):
    limits = {"global": {"limit": "2/minute", "key": "client"}}
    gate = start(config(backend, rate_limits=limits, routes=ROUTES[-2:]))
    assert statuses(gate, "/x", 3) == [200, 200, 429]
    assert statuses(gate, "/free", 5) == [200] * 5


def test_a_preflight_and_a_refused_host_are_not_charged(start, backend):
    limits = {"global": {"limit": "1/minute", "key": "client"}}
    cors = {"origins": ["https://a.test"], "methods": ["GET"]}
    gate = start(config(backend, rate_limits=limits, cors=cors))
    fields = {"Origin": "https://a.test", "Access-Control-Request-Method": "GET"}
    for _ in range(3):
        assert gate.request("OPTIONS", "/", fields).status == 204
        assert gate.get("/", host="evil.com").status == 400
    assert gate.get("/").status == 200


def test_ten_thousand_clients_have_limits_of_their_own(gate):
    with gate.connect() as client:
        for number in range(2000):
            address = f"10.{number // 250}.{number % 250}.1"
            assert client.request("GET", "/by-key", {"X-Api-Key": address}).status == 200
    assert statuses(gate, "/by-key", 1, {"X-Api-Key": "10.0.0.1"}) == [429]


def test_rate_fields_of_the_backend_do_not_stand_beside_ours(gate, backend):
    backend.answer = answer(200, {"RateLimit": '"x";r=1;t=1', "RateLimit-Policy": '"x";q=1;w=1'})
    response = gate.get("/login")
    assert len(response.all("RateLimit")) == 1 and '"login"' in response.get("RateLimit")
