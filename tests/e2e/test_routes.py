"""SPEC 3.6: the most specific route wins; 404, 405 with Allow, HEAD, the root document."""

import pytest

from harness.backend import Backend, answer
from harness.gate import Gatehouse, config

PATTERNS = {
    "everything": {"path": "/**"},
    "users": {"path": "/users"},
    "user": {"path": "/users/{id}"},
    "me": {"path": "/users/me"},
    "user_rest": {"path": "/users/{id}/**"},
    "items_read": {"path": "/items/{id}", "methods": ["GET"]},
    "items_write": {"path": "/items/{id}", "methods": ["PUT", "DELETE"]},
    "deep": {"path": "/a/{x}/c/{y}"},
    "deep_literal": {"path": "/a/b/**"},
}


@pytest.fixture(scope="module")
def gate():
    """A backend per route: its answer's body is the name."""
    backends = {name: Backend(answer(200, body=name.encode())) for name in PATTERNS}
    upstreams = {name: {"servers": [backend.url]} for name, backend in backends.items()}
    routes = [{**r, "upstream": n, "access": "public"} for n, r in PATTERNS.items()]
    settings = config(backends["everything"], upstreams=upstreams, routes=routes)
    with Gatehouse(settings) as running:
        yield running
    for backend in backends.values():
        backend.close()


@pytest.mark.parametrize(
    "target, route",
    [
        ("/", "everything"),
        ("/other/thing", "everything"),
        ("/users", "users"),
        ("/users/7", "user"),
        ("/users/me", "me"),
        ("/users/%6de", "me"),
        ("/users/7/posts", "user_rest"),
        ("/users/me/posts", "user_rest"),
        ("/usersx", "everything"),
        ("/items/3", "items_read"),
        ("/a/z/c/1", "deep"),
        ("/a/b/c/1", "deep_literal"),
        ("/a/b", "deep_literal"),
        ("/USERS", "everything"),
    ],
)
def test_the_most_specific_route_takes_it(gate, target, route):
    response = gate.get(target)
    assert response.body == route.encode()
    line = gate.wait_access(1, id=response.get("X-Request-Id"))[0]
    assert line["route"] == PATTERNS[route]["path"]


def test_routes_of_one_path_differ_by_method(gate):
    assert gate.request("PUT", "/items/3", body=b"").body == b"items_write"
    assert gate.request("GET", "/items/3").body == b"items_read"


def test_get_implies_head(gate):
    response = gate.request("HEAD", "/items/3")
    assert response.status == 200


def test_a_wrong_method_is_405_with_all_that_the_path_allows(gate):
    response = gate.request("PATCH", "/items/3", body=b"")
    assert response.status == 405
    assert {"GET", "HEAD", "PUT", "DELETE"} <= set(response.list("Allow"))
    assert "PATCH" not in response.list("Allow")
    response.problem()


def test_no_route_is_404(start, backend):
    routes = [{"path": "/only", "upstream": "api", "access": "public"}]
    gate = start(config(backend, routes=routes))
    response = gate.get("/other")
    assert response.status == 404
    response.problem()
    assert backend.received_nothing()


def test_the_root_is_answered_when_no_route_takes_it(start, backend):
    routes = [{"path": "/only", "upstream": "api", "access": "public"}]
    response = start(config(backend, routes=routes)).get("/")
    assert response.status == 200
    assert response.get("Content-Type").startswith("application/json")
    response.json()


@pytest.mark.parametrize("status", [404, 405])
def test_the_root_is_answered_when_the_backend_does_not(start, status):
    with Backend(answer(status, body=b"no")) as backend:
        response = start(config(backend)).get("/")
        assert response.status == 200
        assert response.get("Content-Type").startswith("application/json")


def test_the_backends_own_root_is_kept(start):
    with Backend(answer(200, body=b"mine")) as backend:
        assert start(config(backend)).get("/").body == b"mine"


def test_another_error_of_the_backend_at_the_root_is_kept(start):
    with Backend(answer(403, body=b"no")) as backend:
        assert start(config(backend)).get("/").status == 403


def test_many_routes_are_told_apart(start, backend):
    routes = [{"path": f"/r{n}/{{id}}", "upstream": "api", "access": "public"} for n in range(500)]
    gate = start(config(backend, routes=routes))
    response = gate.get("/r499/5")
    assert response.status == 200
    assert gate.wait_access(1, id=response.get("X-Request-Id"))[0]["route"] == "/r499/{id}"
    assert gate.get("/r500/5").status == 404
