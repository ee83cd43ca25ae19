"""SPEC 3.2: the path is normalised once; what is matched is what is forwarded."""

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, config

ROUTES = [
    {"path": "/kept/**", "upstream": "api", "access": "public", "encoded": "keep"},
    {"path": "/admin/**", "upstream": "admin", "access": "public"},
    {"path": "/**", "upstream": "api", "access": "public"},
]


@pytest.fixture(scope="module")
def sides():
    with Backend() as api, Backend() as admin:
        upstreams = {"api": {"servers": [api.url]}, "admin": {"servers": [admin.url]}}
        with Gatehouse(config(api, upstreams=upstreams, routes=ROUTES)) as gate:
            yield gate, api, admin


NORMALISED = {
    "/a/b": "/a/b",
    "/": "/",
    "//a///b": "/a/b",
    "/a/./b": "/a/b",
    "/a/../b": "/b",
    "/a/b/..": "/a/",
    "/a/.": "/a/",
    "/%61%62%7e": "/ab~",
    "/%2e/a": "/a",
    "/a/%2E%2e/b": "/b",
    "/a/.%2e/b": "/b",
    "/%c3%a9": "/%C3%A9",
    "/%3a%40": "/%3A%40",
    "/a%20b": "/a%20b",
    "/a//../b": "/b",
    "/...": "/...",
    "/..a": "/..a",
    "/a/?x=1": "/a/?x=1",
    "/a?x=/../y": "/a?x=/../y",
    "/a?x=%2e%2E": "/a?x=%2e%2E",
    "/a?": "/a?",
}


@pytest.mark.parametrize("sent", NORMALISED)
def test_the_normal_form_is_forwarded(sides, sent):
    gate, api, _ = sides
    assert gate.get(sent).status == 200
    assert api.last.target == NORMALISED[sent]


@pytest.mark.parametrize(
    "sent",
    ["/a/../admin/x", "/%61dmin/x", "//admin/x", "/./admin/x", "/a/%2e%2e/admin/x", "/admin//x"],
)
def test_the_normal_form_is_what_routes_match(sides, sent):
    gate, api, admin = sides
    before = len(api.requests)
    assert gate.get(sent).status == 200
    assert admin.last.target == "/admin/x"
    assert len(api.requests) == before


REFUSED = {
    "/..": "path_above_root",
    "/../etc/passwd": "path_above_root",
    "/a/../../b": "path_above_root",
    "/%2e%2e/a": "path_above_root",
    "/a//../../b": "path_above_root",
    "/a%00b": "path_nul",
    "/%00": "path_nul",
    "/a%5cb": "path_backslash",
    "/a%5C..%5Cb": "path_backslash",
    "/%c0%ae": "path_bad_utf8",
    "/%c0%af": "path_bad_utf8",
    "/%e0%80%af": "path_bad_utf8",
    "/%f0%80%80%af": "path_bad_utf8",
    "/%ff": "path_bad_utf8",
    "/%c3": "path_bad_utf8",
    "/%c3%28": "path_bad_utf8",
    "/%ed%a0%80": "path_bad_utf8",
    "/%f4%90%80%80": "path_bad_utf8",
    "/a%2fb": "path_encoded_slash",
    "/a%2Fb": "path_encoded_slash",
    "/a/..%2fadmin": "path_encoded_slash",
    "/a%252e": "path_encoded_percent",
    "/%25": "path_encoded_percent",
    "/a;b": "path_semicolon",
    "/a;v=1/b": "path_semicolon",
    "/a%3bb": "path_semicolon",
}


@pytest.mark.parametrize("sent", REFUSED)
def test_a_dangerous_path_is_refused_and_the_log_names_the_reason(sides, sent):
    gate, api, admin = sides
    before = len(api.requests) + len(admin.requests)
    response = gate.get(sent)
    assert response.status == 400
    response.problem()
    assert len(api.requests) + len(admin.requests) == before
    gate.wait_access(1, reason=REFUSED[sent], id=response.get("X-Request-Id"))


@pytest.mark.parametrize("sent", ["/kept/a%2fb", "/kept/100%25", "/kept/a;v=1", "/kept/a%3bb"])
def test_a_route_may_keep_encoded_characters(sides, sent):
    gate, api, _ = sides
    assert gate.get(sent).status == 200
    assert api.last.target == sent.replace("%2f", "%2F").replace("%3b", "%3B")


@pytest.mark.parametrize("sent", ["/kept/%00", "/kept/%5c", "/kept/../../..", "/kept/%ff"])
def test_keep_allows_nothing_else(sides, sent):
    gate, _, _ = sides
    assert gate.get(sent).status == 400


def test_an_encoded_slash_under_keep_does_not_make_a_segment(sides):
    gate, _, admin = sides
    before = len(admin.requests)
    gate.get("/kept/..%2fadmin/x")
    assert len(admin.requests) == before
