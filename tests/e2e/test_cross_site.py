"""SPEC 3.11: state-changing requests that carry our cookies come from our own pages only."""

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, config

APP = "https://app.example.com"
COOKIE = ("Cookie", "theme=dark; __Host-gh_access=abc")


@pytest.fixture(scope="module")
def pair():
    with Backend() as backend:
        settings = config(backend, cors={"origins": [APP], "methods": ["POST"], "credentials": True})
        with Gatehouse(settings) as gate:
            yield gate, backend


def own_origin(gate):
    return f"http://localhost:{gate.address}"


def send(gate, *fields, method="POST"):
    host = f"localhost:{gate.address}"
    return gate.request(method, "/x", [COOKIE, *fields], b"", host=host).status


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_pages_pass(pair, site):
    assert send(pair[0], ("Sec-Fetch-Site", site)) == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_are_refused_unless_their_origin_is_allowed(pair, site):
    gate, backend = pair
    before = len(backend.requests)
    assert send(gate, ("Sec-Fetch-Site", site)) == 403
    assert send(gate, ("Sec-Fetch-Site", site), ("Origin", "https://evil.com")) == 403
    assert send(gate, ("Sec-Fetch-Site", site), ("Origin", "null")) == 403
    assert len(backend.requests) == before
    assert send(gate, ("Sec-Fetch-Site", site), ("Origin", APP)) == 200


def test_without_fetch_metadata_the_full_origin_must_be_ours(pair):
    gate, _ = pair
    assert send(gate, ("Origin", own_origin(gate))) == 200
    assert send(gate, ("Origin", "http://localhost:1")) == 403
    assert send(gate, ("Origin", f"https://localhost:{gate.address}")) == 403
    assert send(gate, ("Origin", "https://evil.com")) == 403


def test_with_neither_it_is_refused(pair):
    assert send(pair[0]) == 403


@pytest.mark.parametrize("site", ["", "bogus", "same-origin, cross-site", "SAME-ORIGIN"])
def test_an_unknown_fetch_site_is_not_believed(pair, site):
    assert send(pair[0], ("Sec-Fetch-Site", site), ("Origin", "https://evil.com")) == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_all_methods_that_change_state_are_judged(pair, method):
    assert send(pair[0], ("Sec-Fetch-Site", "cross-site"), method=method) == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_safe_methods_pass(pair, method):
    assert send(pair[0], ("Sec-Fetch-Site", "cross-site"), method=method) == 200


def test_requests_without_our_cookies_pass(pair):
    gate, _ = pair
    fields = [("Sec-Fetch-Site", "cross-site"), ("Cookie", "theirs=1")]
    assert gate.request("POST", "/x", fields, b"").status == 200
    assert gate.request("POST", "/x", [("Sec-Fetch-Site", "cross-site")], b"").status == 200
