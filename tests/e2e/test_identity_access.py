"""SPEC 3.12, 3.13, 3.15: who may come where, and how the backend learns who calls."""

import pytest

from harness.backend import Backend
from harness.gate import IS_RELEASE
from harness.identity import CLOCKS_APART, assert_answer, deployed
from harness.jwks import decode, encode, fetch_keys, forge_hs256, is_signed, verify
from harness.wire import request

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

PREFIXES = ("X-User-Id", "X-User-Email", "X-User-Roles", "X-Session-Id")
NAVIGATION = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("access")) as deployment:
        deployment.admin()
        yield deployment


def bearer_world(folder, algorithm="EdDSA", **identity):
    settings = {"transport": "bearer", "tokens": {"algorithm": algorithm}, **identity}
    return deployed(folder, settings)


def token_of(world, person=None):
    person = person or world.stranger()
    person.sign_up()
    answer = assert_answer(person.try_login(), 200)
    person.user = answer["user"]
    return person, answer["access_token"]


def with_token(token):
    return [("Authorization", f"Bearer {token}")]


# -- who may come --


def test_routes_without_access_ask_to_sign_in(world):
    before = len(world.backend.requests)
    response = world.stranger().get("/anything")
    assert_answer(response, 401)
    assert response.get("WWW-Authenticate").startswith("Bearer")
    assert len(world.backend.requests) == before
    assert world.person().get("/anything").status == 200


def test_public_routes_let_anyone_in_and_a_bad_session_is_nobody(world):
    stranger = world.stranger()
    assert stranger.get("/public/x").status == 200
    stranger.cookies["gh_access"] = "not.a.token"
    assert stranger.get("/public/x").status == 200
    assert not any(world.backend.last.get(name) for name in PREFIXES)
    person = world.person()
    assert person.get("/public/x").status == 200
    assert world.backend.last.get("X-User-Id") == person.id


def test_an_owner_reaches_their_own_and_nobody_elses(world):
    ann, bob = world.person(), world.person()
    assert ann.get(f"/users/{ann.id}/tasks").status == 200
    before = len(world.backend.requests)
    assert_answer(ann.get(f"/users/{bob.id}/tasks"), 403)
    assert_answer(world.admin().get(f"/users/{bob.id}/tasks"), 403)
    assert_answer(world.stranger().get(f"/users/{bob.id}/tasks"), 401)
    assert len(world.backend.requests) == before


def test_a_refusal_does_not_tell_what_exists(world):
    ann, bob = world.person(), world.person()
    known = ann.get(f"/users/{bob.id}/tasks")
    unknown = ann.get("/users/00000000-0000-4000-8000-000000000000/tasks")
    assert known.problem()["detail"] == unknown.problem()["detail"]
    assert known.status == unknown.status == 403


@pytest.mark.parametrize(
    "path",
    ["/users/{bob}/../{ann}/tasks", "/users//{bob}/tasks", "/users/{bob}%2Ftasks", "/users/{ANN}/x"]
    + ["/users/{ann}%00/tasks", "/users/{ann}/../{bob}/tasks", "/users/%2e%2e/users/{bob}/tasks"]
    + ["/users/{ann},{bob}/tasks", "/users/{ann};{bob}/tasks", "/users/ {bob}/tasks"],
)
def test_other_spellings_of_a_path_reach_nothing_foreign(world, path):
    ann, bob = world.person(), world.person()
    before = len(world.backend.requests)
    target = path.format(ann=ann.id, bob=bob.id, ANN=ann.id.upper())
    with world.gate.connect() as client:
        raw = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n"
        raw += f"Cookie: gh_access={ann.cookies['gh_access']}\r\n\r\n"
        response = client.ask(raw.encode())
    for seen in world.backend.requests[before:]:
        assert bob.id not in seen.target, seen.target
    if path == "/users/{bob}/../{ann}/tasks":
        assert response.status == 200
    else:
        assert response.status in (400, 403, 404)


def test_an_owner_or_a_role(world):
    ann, bob = world.person(), world.person()
    assert ann.get(f"/mixed/{ann.id}").status == 200
    assert_answer(ann.get(f"/mixed/{bob.id}"), 403)
    assert world.admin().get(f"/mixed/{bob.id}").status == 200


def test_a_role_with_its_second_factor(world):
    assert_answer(world.stranger().get("/admin/x"), 401)
    assert_answer(world.person().get("/admin/x"), 403)
    assert world.admin().get("/admin/x").status == 200


def test_a_route_may_ask_for_the_factor_alone(tmp_path):
    routes = [{"path": "/**", "upstream": "api", "access": {"two_factor": True}}]
    with deployed(tmp_path, routes=routes) as world:
        person = world.person()
        assert_answer(person.get("/x"), 403, detail="factor")
        person.enrol()
        assert person.get("/x").status == 200


def test_the_mode_observe_lets_pass_and_logs(tmp_path):
    routes = [{"path": "/**", "upstream": "api", "access": {"role": "admin", "mode": "observe"}}]
    with deployed(tmp_path, routes=routes) as world:
        response = world.person().get("/x")
        assert response.status == 200
        line = world.gate.wait_access(id=response.get("X-Request-Id"))[0]
        assert line["observed"] == ["role_missing"]


# -- how it is said --


def test_a_navigation_is_sent_to_the_login_page(world):
    stranger = world.stranger()
    response = stranger.get("/tasks?page=2", extra=NAVIGATION)
    assert response.status in (302, 303)
    location = response.get("Location")
    assert location.startswith("/login")
    assert "//" not in location
    assert "%2Ftasks%3Fpage%3D2" in location or "/tasks" in location
    assert response.get("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    "fields",
    [[], [("Accept", "text/html")], [("Sec-Fetch-Mode", "cors")]]
    + [[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")]]
    + [[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")]],
)
def test_anything_else_gets_json(world, fields):
    response = world.stranger().get("/tasks", extra=fields)
    assert_answer(response, 401)
    assert response.get("Location") is None


def test_a_refusal_is_no_redirect_even_for_navigations(world):
    response = world.person().get("/admin/x", extra=NAVIGATION)
    assert response.status == 403


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "/%5cevil.example", "/%2F%2Fevil"]
)
def test_the_way_back_is_on_this_site(world, path):
    with world.gate.connect() as client:
        raw = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
        raw += "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n"
        response = client.ask(raw.encode())
    if response.status in (302, 303):
        location = response.get("Location")
        assert location.startswith("/login") and "//" not in location
        assert "%2F%2F" not in location.upper() and "%5C" not in location.upper()
    else:
        assert response.status in (400, 401)


# -- what the backend gets --


def test_the_backend_is_told_who_calls(world):
    person = world.person()
    person.get("/tasks")
    seen = world.backend.last
    assert seen.get("X-User-Id") == person.id
    assert seen.get("X-User-Email") == person.email
    assert seen.get("X-User-Roles") == "user"
    assert seen.get("X-Session-Id")
    assert "authorization" not in seen.names()


def test_our_cookies_stay_here_and_others_go_on(world):
    person = world.person()
    person.cookies["theme"] = "dark"
    person.get("/tasks")
    assert world.backend.last.get("Cookie") == "theme=dark"


SPOOFED = ["X-User-Id", "x-user-id", "X_User_Id", "X.User.Id", "X_User-Id", "x-USER_id"]
SPOOFED += ["X-User_Email", "X_User_Roles", "X-Session_Id", "X.Session.Id", "x_session_id"]


@pytest.mark.parametrize("name", SPOOFED)
def test_inbound_copies_are_stripped_in_every_spelling(world, name):
    person = world.person()
    for who, path in ((person, "/tasks"), (world.stranger(), "/public/x")):
        response = who.get(path, extra=[(name, "admin")])
        if response.status == 400:
            continue
        assert response.status == 200
        values = [value for field, value in world.backend.last.fields if "admin" in value]
        assert not values, world.backend.last.raw_head


def test_connection_can_not_remove_what_the_gate_sets(world):
    person = world.person()
    person.get("/tasks", extra=[("Connection", "close, X-User-Id, X-User-Roles")])
    assert world.backend.last.get("X-User-Id") == person.id
    assert world.backend.last.get("X-User-Roles") == "user"


def test_trailers_bring_no_identity(world):
    person = world.person()
    head = person.fields([("Transfer-Encoding", "chunked"), ("Trailer", "X-User-Id")])
    raw = request("POST", "/tasks", head) + b"2\r\nok\r\n0\r\nX-User-Id: admin\r\n\r\n"
    with world.gate.connect() as client:
        assert client.ask(raw, "POST").status == 200
    assert world.backend.last.all("X-User-Id") == [person.id]


# -- tokens for the backend --


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_forwarded_token_verifies_by_the_key_set(tmp_path, algorithm):
    identity = {"forward": "both", "tokens": {"algorithm": algorithm, "audience": "tasks"}}
    with deployed(tmp_path, identity) as world:
        person = world.person()
        person.get("/tasks")
        kind, _, token = world.backend.last.get("Authorization").partition(" ")
        assert kind == "Bearer"
        keys = fetch_keys(world.gate)
        header, claims = verify(token, keys)
        assert header["alg"] == algorithm
        assert claims["sub"] == person.id and claims["email"] == person.email
        assert claims["roles"] == ["user"] and claims["aud"] == "tasks"
        assert 0 < claims["exp"] - claims["iat"] <= 300
        head, body, signature = token.split(".")
        changed = {**claims, "roles": ["admin"]}
        assert not is_signed(f"{head}.{encode(changed)}.{signature}", keys)
        assert world.backend.last.get("X-User-Id") == person.id


def test_forward_bearer_sends_no_headers_and_public_routes_no_token(tmp_path):
    with deployed(tmp_path, {"forward": "bearer"}) as world:
        person = world.person()
        person.get("/tasks")
        assert world.backend.last.get("Authorization")
        assert not any(world.backend.last.get(name) for name in PREFIXES)
        world.stranger().get("/public/x")
        assert world.backend.last.get("Authorization") is None


def test_the_forwarded_token_opens_nothing_here(tmp_path):
    """What a backend leaks is no way back in."""
    with deployed(tmp_path, {"forward": "bearer"}) as world:
        world.person().get("/tasks")
        token = world.backend.last.get("Authorization").split(" ")[1]
        stranger = world.stranger()
        assert_answer(stranger.get("/tasks", extra=with_token(token)), 401)
        stranger.cookies = {"gh_access": token}
        assert_answer(stranger.get("/tasks"), 401)


# -- tokens that come in --


def test_a_bearer_token_opens_and_its_forgeries_do_not(tmp_path):
    with bearer_world(tmp_path) as world:
        person, token = token_of(world)
        stranger = world.stranger()
        assert stranger.get("/tasks", extra=with_token(token)).status == 200
        assert world.backend.last.get("X-User-Id") == person.id
        keys = fetch_keys(world.gate)
        header, claims = verify(token, keys)
        head, body, signature = token.split(".")
        key = keys[header["kid"]]
        forged = [
            f"{encode({**header, 'alg': 'none'})}.{body}.",
            f"{encode({**header, 'alg': 'None'})}.{body}.{signature}",
            forge_hs256(header, claims, decode(key["x"])),
            forge_hs256(header, claims, key["x"].encode()),
            forge_hs256(header, claims, b""),
            f"{head}.{encode({**claims, 'roles': ['admin']})}.{signature}",
            f"{encode({**header, 'jwk': key})}.{body}.{signature}",
            f"{encode({**header, 'jku': 'http://127.0.0.1/x'})}.{body}.{signature}",
            f"{encode({**header, 'kid': '../../dev/null'})}.{body}.{signature}",
            f"{encode({**header, 'typ': 'JWT'})}.{body}.{signature}",
            f"{head}.{body}.{signature}=",
            f"{head}.{body}.{signature}.",
            f"{head}.{body}",
            "." * 3,
            "A" * 20000,
        ]
        for index, one in enumerate(forged):
            visitor = world.stranger()
            response = visitor.get("/tasks", extra=with_token(one))
            assert response.status in (400, 401, 431), (index, response)


def test_an_access_token_is_over_after_15_minutes(tmp_path):
    with bearer_world(tmp_path) as world:
        _, token = token_of(world)
        assert world.stranger().get("/tasks", extra=with_token(token)).status == 200
        world.gate.clock.advance(15 * 60 + CLOCKS_APART + 1)
        response = world.stranger().get("/tasks", extra=with_token(token))
        assert_answer(response, 401)
        assert 'error="invalid_token"' in response.get("WWW-Authenticate")


def signing_key(world, person):
    """The kid of the token that a backend gets now."""
    person.login()
    person.get("/tasks")
    token = world.backend.last.get("Authorization").split(" ")[1]
    return verify(token, fetch_keys(world.gate))[0]["kid"]


def test_keys_rotate_with_overlap(tmp_path):
    tokens = {"rotate_after": "1d", "access": "15m"}
    with deployed(tmp_path, {"forward": "bearer", "tokens": tokens}) as world:
        person = world.person()
        person.get("/tasks")
        old = world.backend.last.get("Authorization").split(" ")[1]
        first = set(fetch_keys(world.gate))
        world.gate.clock.advance(24 * 3600 + 60)

        def rotated():
            now = set(fetch_keys(world.gate))
            return now if now - first else None

        both = world.gate.wait_for(rotated, "another key")
        assert first < both, "the old one is still published"
        assert verify(old, fetch_keys(world.gate))
        assert signing_key(world, person) in first, "backends may not have seen the new one yet"
        world.gate.clock.advance(11 * 60)
        world.gate.wait_for(lambda: signing_key(world, person) in both - first, "its use")
        assert verify(old, fetch_keys(world.gate))
        world.gate.clock.advance(24 * 3600 + 16 * 60)
        gone = world.gate.wait_for(lambda: not first & set(fetch_keys(world.gate)), "its end")
        assert gone


# -- streams end with their session --


def stream(_, connection):
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    connection.fill()  # until the gate closes
    return b""


def switching(received, connection):
    connection.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    connection.fill()
    return b""


WEBSOCKET = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
WEBSOCKET += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", "http://localhost")]


def end_by_logout(world, person):
    assert_answer(person.api("POST", "/auth/logout", {}), 200)


def end_by_admin(world, person):
    assert_answer(world.admin().api("POST", f"/admin/users/{person.id}/disable", {}), 200)


@pytest.mark.parametrize("end", [end_by_logout, end_by_admin])
def test_an_event_stream_ends_within_a_second(tmp_path, end):
    with Backend(stream) as backend, deployed(tmp_path, backend=backend) as world:
        world.admin()
        person = world.person()
        with world.gate.connect(timeout=1.5) as client:
            client.send(request("GET", "/events", person.fields()))
            assert client.read_head().status == 200
            client.take_until(b"data: 1\n\n")
            end(world, person)
            assert client.rest() in (b"", b"\r\n", b"0\r\n\r\n", b"\r\n0\r\n\r\n")


def test_a_websocket_ends_within_a_second(tmp_path):
    routes = [{"path": "/ws", "upstream": "api", "websocket": True}]
    with Backend(switching) as backend, deployed(tmp_path, backend=backend, routes=routes) as world:
        person = world.person()
        with world.gate.connect(timeout=1.5) as client:
            client.send(request("GET", "/ws", person.fields(WEBSOCKET)))
            assert client.read_head().status == 101
            end_by_logout(world, person)
            client.rest()


def test_a_websocket_asks_who_is_there(tmp_path):
    routes = [{"path": "/ws", "upstream": "api", "websocket": True}]
    with Backend(switching) as backend, deployed(tmp_path, backend=backend, routes=routes) as world:
        with world.gate.connect() as client:
            response = client.ask(request("GET", "/ws", WEBSOCKET))
        assert response.status == 401
        assert not backend.requests


# -- identity's own paths --


def test_identity_wins_on_its_own_pairs_and_routes_take_the_rest(world):
    person = world.person()
    assert person.api("GET", "/account/profile").json()["id"] == person.id
    assert person.api("GET", "/anything/else").body == b"ok"
    assert world.backend.last.target == "/api/v1/anything/else"


def test_every_answer_of_identity_has_the_headers_and_is_not_stored(world):
    person = world.person()
    for response in (
        person.api("GET", "/auth/session"),
        world.stranger().api("GET", "/auth/session"),
        world.stranger().try_login(),
        person.api("POST", "/account/password", {"current_password": 5}),
        person.api("DELETE", "/account/sessions/x"),
    ):
        assert response.get("X-Content-Type-Options") == "nosniff"
        assert response.get("X-Frame-Options") == "DENY"
        assert response.get("Cache-Control") == "no-store"
        assert response.get("Content-Security-Policy").startswith("default-src 'none'")
        assert response.get("X-Request-Id")


def test_the_key_set_may_be_cached(world):
    response = world.gate.get("/.well-known/jwks.json")
    assert response.get("Cache-Control") == "public, max-age=300"
    assert fetch_keys(world.gate)
