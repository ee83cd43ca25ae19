"""SPEC 3.10: every answer carries each header of its preset exactly once."""

import json
import re
from pathlib import Path

import pytest

from harness.backend import Backend, answer
from harness.gate import ROOT, config, production
from harness.wire import chunked

API = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox",
    "X-DNS-Prefetch-Control": "off",
    "X-Permitted-Cross-Domain-Policies": "none",
}
HSTS = "max-age=63072000; includeSubDomains"
HTTPS = [("X-Forwarded-Proto", "https")]
POLICY_MEMBER = re.compile(r"[a-z-]+=(\(\)|\(self\)|\*)")


def assert_api_preset(response):
    for name, value in API.items():
        assert response.all(name) == [value], (name, response)
    assert len(response.all("Permissions-Policy")) == 1
    assert response.all("X-XSS-Protection") == []
    assert len(response.all("Cache-Control")) == 1


@pytest.mark.parametrize("status", [200, 201, 204, 301, 302, 304, 400, 401, 404, 422, 500, 503])
def test_the_preset_stands_once_on_every_answer_of_the_backend(start, status):
    with Backend(answer(status, {"Location": "/x"} if 300 < status < 303 else {})) as backend:
        gate = start(config(backend))
        response = gate.get("/x")
        assert response.status == status
        assert_api_preset(response)


def test_the_preset_replaces_the_backends_own_copies(start):
    own = [
        ("x-frame-options", "SAMEORIGIN"),
        ("X-FRAME-OPTIONS", "ALLOWALL"),
        ("Content-Security-Policy", "default-src *"),
        ("Referrer-Policy", "unsafe-url"),
        ("Permissions-Policy", "camera=*"),
    ]
    with Backend(answer(200, own)) as backend:
        assert_api_preset(start(config(backend)).get("/"))


def test_on_conflict_keep_leaves_the_backends_value_once(start):
    with Backend(answer(200, [("X-Frame-Options", "SAMEORIGIN")])) as backend:
        gate = start(config(backend, headers={"preset": "api", "on_conflict": "keep"}))
        response = gate.get("/")
        assert response.all("X-Frame-Options") == ["SAMEORIGIN"]
        assert response.all("X-Content-Type-Options") == ["nosniff"]


REFUSALS = {
    "400 head": (400, dict(raw=b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")),
    "400 host": (400, dict(raw=b"GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n")),
    "400 path": (400, dict(raw=b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    "404": (404, dict(raw=b"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    "405": (405, dict(raw=b"DELETE /only-get HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    "405 TRACE": (405, dict(raw=b"TRACE /a HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    "413": (413, dict(raw=b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n")),
    "414": (414, dict(raw=b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    "417": (
        417,
        dict(
            raw=b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Expect: coffee\r\n\r\n"
        ),
    ),
    "431": (431, dict(raw=b"GET /a HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000)),
    "501": (
        501,
        dict(raw=b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ),
    "505": (505, dict(raw=b"GET /a HTTP/2.0\r\nHost: localhost\r\n\r\n")),
    "preflight": (
        204,
        dict(
            raw=b"OPTIONS /a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\r\n"
            b"Access-Control-Request-Method: GET\r\n\r\n"
        ),
    ),
    "preflight refused": (
        403,
        dict(
            raw=b"OPTIONS /a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.com\r\n"
            b"Access-Control-Request-Method: GET\r\n\r\n"
        ),
    ),
}


@pytest.fixture(scope="module")
def strict_gate():
    from harness.gate import Gatehouse

    with Backend() as backend:
        settings = config(
            backend,
            cors={"origins": ["https://app.example.com"], "methods": ["GET"]},
            limits={"request_body": 10},
            routes=[
                {"path": "/a", "upstream": "api", "access": "public"},
                {"path": "/only-get", "methods": ["GET"], "upstream": "api", "access": "public"},
            ],
        )
        with Gatehouse(settings) as gate:
            yield gate


@pytest.mark.parametrize("case", REFUSALS)
def test_the_preset_stands_once_on_every_answer_of_our_own(strict_gate, case):
    status, how = REFUSALS[case]
    with strict_gate.connect() as client:
        response = client.ask(how["raw"])
    assert response.status == status
    assert_api_preset(response)
    if status >= 400:
        response.problem()


def test_the_preset_stands_once_on_a_413_of_a_chunked_body(strict_gate):
    with strict_gate.connect() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(chunked(b"x" * 11))
        response = client.read()
    assert response.status == 413
    assert_api_preset(response)


def test_the_preset_stands_once_on_429_and_on_upstream_failures(start):
    with Backend(b"") as backend:
        gate = start(
            config(
                backend,
                rate_limits={"few": {"limit": "1/minute", "key": "client"}},
                routes=[
                    {"path": "/limited", "upstream": "api", "access": "public", "rate_limit": "few"},
                    {"path": "/**", "upstream": "api", "access": "public"},
                ],
            )
        )
        broken = gate.get("/")
        assert broken.status == 502
        assert_api_preset(broken)
        gate.get("/limited")
        limited = gate.get("/limited")
        assert limited.status == 429
        assert_api_preset(limited)


def test_cache_control_is_no_store_only_where_the_backend_is_silent(start):
    def reply(received, _):
        return answer(200, {"Cache-Control": "max-age=60"} if received.target == "/own" else {})

    with Backend(reply) as backend:
        gate = start(config(backend))
        assert gate.get("/").all("Cache-Control") == ["no-store"]
        assert gate.get("/own").all("Cache-Control") == ["max-age=60"]


def test_permissions_policy_names_only_what_browsers_know(start, backend):
    value = start(config(backend)).get("/").get("Permissions-Policy")
    members = [member.strip() for member in value.split(",")]
    assert all(POLICY_MEMBER.fullmatch(member) for member in members), value
    names = [member.split("=")[0] for member in members]
    assert len(names) == len(set(names))
    assert {"camera", "microphone", "geolocation"} <= set(names)
    assert "interest-cohort" not in names


def test_permissions_allow_a_feature_again(start, backend):
    gate = start(config(backend, headers={"preset": "api", "permissions": ["clipboard-write"]}))
    assert "clipboard-write=()" not in gate.get("/").get("Permissions-Policy")


def test_leaking_headers_are_removed(start):
    leaks = {
        "Server": "uvicorn",
        "X-Powered-By": "PHP/5",
        "X-AspNet-Version": "4",
        "X-AspNetMvc-Version": "5",
        "X-Generator": "Drupal",
        "X-Mine": "stays",
    }
    with Backend(answer(200, leaks)) as backend:
        response = start(config(backend)).get("/")
        assert not {name.lower() for name in leaks if name != "X-Mine"} & response.names()
        assert response.get("X-Mine") == "stays"


def test_set_and_remove_of_the_configuration_hold(start):
    with Backend(answer(200, {"X-Secret": "1"})) as backend:
        headers = {"preset": "api", "set": {"X-Team": "blue"}, "remove": ["X-Secret"]}
        response = start(config(backend, headers=headers)).get("/")
        assert response.get("X-Team") == "blue"
        assert response.get("X-Secret") is None


def test_preset_off_adds_nothing(start, backend):
    response = start(config(backend, headers={"preset": "off"})).get("/")
    assert not {name.lower() for name in API} & response.names()


def test_preset_spa_in_front_of_an_upstream_starts_in_report_only(start, backend):
    response = start(config(backend, headers={"preset": "spa"})).get("/")
    strict = response.get("Content-Security-Policy-Report-Only")
    assert "script-src 'self'" in strict and "nonce" not in strict
    assert "report-uri" in strict and "report-to" in strict
    baseline = response.get("Content-Security-Policy")
    for directive in ("object-src", "base-uri", "form-action", "frame-ancestors"):
        assert directive in baseline
    assert response.get("Reporting-Endpoints")
    assert response.get("Origin-Agent-Cluster") == "?1"


def test_preset_spa_enforced(start, backend):
    settings = config(backend, headers={"preset": "spa"}, csp={"mode": "enforce"})
    policy = start(settings).get("/").get("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "upgrade-insecure-requests" in policy


def test_csp_directives_replace_the_policy_in_the_order_written(start, backend):
    csp = {"mode": "enforce", "directives": {"img-src": ["'self'", "data:"], "default-src": ["*"]}}
    response = start(config(backend, csp=csp)).get("/")
    assert response.all("Content-Security-Policy") == ["img-src 'self' data:; default-src *"]


def test_csp_off_sends_none(start, backend):
    response = start(config(backend, csp={"mode": "off"})).get("/")
    assert "content-security-policy" not in response.names()


def test_a_route_has_headers_of_its_own(start, backend):
    routes = [
        {"path": "/page", "upstream": "api", "access": "public", "headers": {"preset": "spa"}},
        {"path": "/**", "upstream": "api", "access": "public"},
    ]
    gate = start(config(backend, routes=routes))
    assert gate.get("/page").get("Origin-Agent-Cluster") == "?1"
    assert_api_preset(gate.get("/other"))


# -- HSTS --


def test_hsts_by_default_only_in_production_over_https(start, backend):
    gate = start(production(backend))
    assert gate.get("/", HTTPS).all("Strict-Transport-Security") == [HSTS]
    assert gate.get("/").all("Strict-Transport-Security") == []
    assert start(config(backend)).get("/").all("Strict-Transport-Security") == []


def test_hsts_is_not_sent_over_https_in_development(start, backend):
    gate = start(config(backend, trusted_proxies=["127.0.0.1/32"]))
    assert gate.get("/", HTTPS).all("Strict-Transport-Security") == []


def test_hsts_always_is_on_every_answer(start, backend):
    hsts = {"value": "max-age=15552000; includeSubDomains", "when": "always"}
    gate = start(config(backend, headers={"preset": "api", "hsts": hsts}))
    for target in ("/", "/%00"):
        assert gate.get(target).all("Strict-Transport-Security") == [hsts["value"]]


def test_hsts_production_needs_no_https(start, backend):
    hsts = {"value": "max-age=31536000", "when": "production"}
    settings = production(backend, headers={"preset": "api", "hsts": hsts}, https={"mode": "off"})
    assert start(settings).get("/").all("Strict-Transport-Security") == ["max-age=31536000"]


def test_an_hsts_line_in_set_follows_when(start, backend):
    headers = {
        "preset": "api",
        "hsts": {"when": "https"},
        "set": {"Strict-Transport-Security": "max-age=1"},
    }
    gate = start(production(backend, headers=headers, https={"mode": "off"}))
    assert gate.get("/", HTTPS).all("Strict-Transport-Security") == ["max-age=1"]
    assert gate.get("/").all("Strict-Transport-Security") == []


def test_the_backends_own_hsts_never_leaves_over_plain_http(start):
    with Backend(answer(200, {"Strict-Transport-Security": "max-age=9"})) as backend:
        response = start(config(backend)).get("/")
        assert response.all("Strict-Transport-Security") == []


# -- preset owasp --

OWASP = Path(ROOT).parent / "shared" / "conformance" / "owasp-secure-headers"


@pytest.mark.skipif(not OWASP.is_dir(), reason="the conformance data is not here")
def test_preset_owasp_sends_the_listed_headers_to_the_letter(start, backend):
    wanted = json.loads((OWASP / "headers_add.json").read_text(encoding="utf-8"))["headers"]
    response = start(production(backend, headers={"preset": "owasp"})).get("/", HTTPS)
    for header in wanted:
        if header["name"].lower() == "clear-site-data":
            continue  # logout only
        got = [value.lower() for value in response.all(header["name"])]  # deny or DENY
        assert got == [header["value"].lower()], header["name"]


@pytest.mark.skipif(not OWASP.is_dir(), reason="the conformance data is not here")
def test_preset_owasp_removes_all_that_leaks(start):
    names = json.loads((OWASP / "headers_remove.json").read_text(encoding="utf-8"))["headers"]
    with Backend() as backend:
        gate = start(config(backend, headers={"preset": "owasp"}))
        for first in range(0, len(names), 40):
            backend.answer = answer(200, {name: "leak" for name in names[first : first + 40]})
            left = [name for name in names if "leak" in gate.get("/").all(name)]
            assert not left
