"""SPEC 3.7: preflights are answered here; other answers carry what the configuration allows."""

import json
from pathlib import Path

import pytest

from harness.backend import Backend, answer
from harness.gate import ROOT, Gatehouse, config

APP = "https://app.example.com"
CORS = {
    "origins": [APP, "http://localhost:3000"],
    "methods": ["GET", "POST"],
    "headers": ["Content-Type", "Authorization", "Accept"],
    "expose": ["RateLimit", "X-Total"],
    "credentials": True,
    "max_age": "10m",
}
PREFLIGHT_VARY = {"origin", "access-control-request-method", "access-control-request-headers"}


def preflight_fields(origin=APP, method="POST", headers="content-type"):
    fields = [("Origin", origin), ("Access-Control-Request-Method", method)]
    if headers is not None:
        fields.append(("Access-Control-Request-Headers", headers))
    return fields


@pytest.fixture(scope="module")
def pair():
    own = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "X-All",
        "Vary": "Accept-Encoding",
    }
    with Backend(answer(200, own, b"ok")) as backend:
        routes = [
            {"path": "/only-get", "methods": ["GET"], "upstream": "api", "access": "public"},
            {"path": "/limited", "upstream": "api", "access": "public", "rate_limit": "few"},
            {"path": "/small", "upstream": "api", "access": "public", "request_body": 5},
            {"path": "/**", "upstream": "api", "access": "public"},
        ]
        limits = {"few": {"limit": "1/minute", "key": "client"}}
        settings = config(backend, cors=CORS, routes=routes, rate_limits=limits)
        with Gatehouse(settings) as gate:
            yield gate, backend


def cors_names(response):
    return {name for name in response.names() if name.startswith("access-control-")}


def vary(response):
    return {member.lower() for member in response.list("Vary")}


def test_an_allowed_preflight_is_answered_here(pair):
    gate, backend = pair
    before = len(backend.requests)
    response = gate.request("OPTIONS", "/any", preflight_fields())
    assert (response.status, response.body) == (204, b"")
    assert response.get("Access-Control-Allow-Origin") == APP
    assert response.get("Access-Control-Allow-Methods") == "GET, POST"
    assert response.get("Access-Control-Allow-Headers") == "Content-Type, Authorization, Accept"
    assert response.get("Access-Control-Allow-Credentials") == "true"
    assert response.get("Access-Control-Max-Age") == "600"
    assert PREFLIGHT_VARY <= vary(response)
    assert len(backend.requests) == before


@pytest.mark.parametrize(
    "headers", [None, "accept", "Content-Type, AUTHORIZATION", "accept,content-type"]
)
def test_allowed_headers_are_compared_without_case(pair, headers):
    fields = preflight_fields(headers=headers)
    assert pair[0].request("OPTIONS", "/any", fields).status == 204


REFUSED = {
    "another origin": dict(origin="https://evil.com"),
    "another scheme": dict(origin="http://app.example.com"),
    "another port": dict(origin="https://app.example.com:8443"),
    "the default port spelt out": dict(origin="https://app.example.com:443"),
    "upper case": dict(origin="https://APP.example.com"),
    "a path": dict(origin="https://app.example.com/"),
    "a longer name": dict(origin="https://app.example.com.evil.com"),
    "a prefix": dict(origin="https://app.example.co"),
    "a subdomain": dict(origin="https://x.app.example.com"),
    "null": dict(origin="null"),
    "another method": dict(method="DELETE"),
    "a method in lower case": dict(method="post"),
    "another header": dict(headers="x-evil"),
    "one header too many": dict(headers="content-type, x-evil"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_preflight_says_nothing_about_what_is_allowed(pair, case):
    gate, backend = pair
    before = len(backend.requests)
    response = gate.request("OPTIONS", "/any", preflight_fields(**REFUSED[case]))
    assert response.status == 403
    assert cors_names(response) == set()
    assert PREFLIGHT_VARY <= vary(response)
    assert len(backend.requests) == before


def test_a_preflight_is_routed_by_the_method_it_asks_for(pair):
    gate, _ = pair
    assert gate.request("OPTIONS", "/only-get", preflight_fields(method="GET")).status == 204
    assert gate.request("OPTIONS", "/only-get", preflight_fields(method="POST")).status == 405


def test_options_without_the_fields_of_a_preflight_goes_on(pair):
    gate, backend = pair
    for fields in ({}, {"Origin": APP}, {"Access-Control-Request-Method": "GET"}):
        before = len(backend.requests)
        assert gate.request("OPTIONS", "/any", fields).status == 200
        assert len(backend.requests) == before + 1


def test_an_allowed_origin_is_echoed_on_answers(pair):
    response = pair[0].get("/any", {"Origin": APP})
    assert response.get("Access-Control-Allow-Origin") == APP
    assert response.get("Access-Control-Allow-Credentials") == "true"
    assert {"RateLimit", "X-Total"} <= set(response.list("Access-Control-Expose-Headers"))
    assert {"accept-encoding", "origin"} <= vary(response)


def test_a_foreign_origin_passes_without_cors_headers(pair):
    gate, backend = pair
    before = len(backend.requests)
    response = gate.get("/any", {"Origin": "https://evil.com"})
    assert response.status == 200
    assert cors_names(response) == set()
    assert "origin" in vary(response)
    assert len(backend.requests) == before + 1


def test_vary_names_origin_even_when_there_was_none(pair):
    response = pair[0].get("/any")
    assert cors_names(response) == set()
    assert {"accept-encoding", "origin"} <= vary(response)


def test_refusals_of_the_gateway_carry_cors_too(pair):
    gate, _ = pair
    origin = [("Origin", APP)]
    gate.get("/limited", origin)
    for response, status in (
        (gate.request("POST", "/only-get", origin, b""), 405),
        (gate.get("/limited", origin), 429),
        (gate.request("POST", "/small", origin, b"123456"), 413),
    ):
        assert response.status == status
        assert response.get("Access-Control-Allow-Origin") == APP
        assert "origin" in vary(response)


def test_an_upstream_failure_carries_cors_too(start):
    with Backend(b"") as backend:
        response = start(config(backend, cors=CORS)).get("/", {"Origin": APP})
    assert response.status == 502
    assert response.get("Access-Control-Allow-Origin") == APP


def test_the_default_exposes_what_an_app_needs(start, backend):
    cors = {"origins": [APP], "methods": ["GET"]}
    response = start(config(backend, cors=cors)).get("/", {"Origin": APP})
    exposed = set(response.list("Access-Control-Expose-Headers"))
    assert {"RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"} <= exposed
    assert "access-control-allow-credentials" not in response.names()


def test_star_in_headers_with_credentials_echoes_what_was_asked(start, backend):
    cors = {"origins": [APP], "methods": ["*"], "headers": ["*"], "credentials": True}
    gate = start(config(backend, cors=cors))
    fields = preflight_fields(method="DELETE", headers="x-one, x-two")
    response = gate.request("OPTIONS", "/", fields)
    assert response.status == 204
    assert "DELETE" in response.list("Access-Control-Allow-Methods")
    assert response.list("Access-Control-Allow-Headers") == ["x-one", "x-two"]
    assert "*" not in str([v for n, v in response.fields if n.lower().startswith("access-control")])


def test_without_cors_the_backends_own_headers_go(start):
    with Backend(answer(200, {"Access-Control-Allow-Origin": "*"})) as backend:
        response = start(config(backend)).get("/", {"Origin": APP})
    assert cors_names(response) == set()


def test_without_cors_a_preflight_is_refused_here(start, backend):
    response = start(config(backend)).request("OPTIONS", "/", preflight_fields())
    assert response.status == 403
    assert backend.received_nothing()


# -- the forms of the web platform tests --

FORMS = Path(ROOT).parent / "shared" / "conformance" / "cors" / "wpt-tables.json"
needs_forms = pytest.mark.skipif(not FORMS.is_file(), reason="the conformance data is not here")


def spell(form, origin=APP):
    """A form of the tables with the names that stand for parts of an origin filled in."""
    scheme, _, host = origin.partition("://")
    form = form.replace("ORIGIN-UPPERCASED", origin.upper()).replace("ORIGIN", origin)
    return form.replace("SCHEME", scheme).replace("HOST", host).replace("SUB", "sub")


@needs_forms
def test_an_app_reads_answers_whatever_the_backend_thinks_of_cors(start):
    tables = json.loads(FORMS.read_text(encoding="utf-8"))
    single = tables["acao_accepted_by_browser"] + tables["acao_rejected_by_browser"]
    with Backend() as backend:
        gate = start(config(backend, cors=CORS))
        for forms in [[form] for form in single] + tables["acao_doubled_rejected"]:
            values = [spell(form) for form in forms]
            own = [("Access-Control-Allow-Origin", value) for value in values]
            backend.answer = answer(200, own, b"ok")
            response = gate.get("/", {"Origin": APP})
            assert response.status == (502 if "\x00" in "".join(values) else 200), values
            assert response.all("Access-Control-Allow-Origin") == [APP], values


@needs_forms
def test_only_the_origin_itself_is_an_origin(pair):
    gate, _ = pair
    rejected = json.loads(FORMS.read_text(encoding="utf-8"))["acao_rejected_by_browser"]
    for form in rejected + ["*"]:
        response = gate.request("GET", "/", [("Origin", spell(form))])
        assert response.status == (400 if "\x00" in form else 200), form
        assert cors_names(response) == set(), form
        assert gate.request("OPTIONS", "/", preflight_fields(spell(form))).status in (400, 403), form
