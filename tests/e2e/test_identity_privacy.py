"""SPEC 4: export and erasure of what is held on a person, with the backend's own part."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.backend import Backend, answer
from harness.gate import IS_RELEASE, free_port
from harness.identity import OTHER_PASSWORD, PASSWORD, assert_answer, deployed
from harness.jwks import fetch_keys, is_signed, verify
from harness.store import columns_with, password_hashes

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

# Whom a record speaks of, and whose key its personal values were sealed under.
ID_COLUMNS = {f"security_audit_log.{name}" for name in ("user_id", "actor_id", "sealed")}
JSON_FIELDS = {"Content-Type": "application/json"}


def hooked(backend_url):
    return {
        "hooks": {
            "export": f"{backend_url}/internal/export",
            "delete": f"{backend_url}/internal/delete",
        }
    }


ROUTES = [
    {"path": "/internal/**", "upstream": "api", "access": {"role": "nobody"}},
    {"path": "/api/v1/users/{user_id}/**", "upstream": "api", "access": {"owner": "user_id"}},
    {"path": "/**", "upstream": "api"},
]


@pytest.fixture(scope="module")
def world(tmp_path_factory, fastapi):
    """In front of examples/backend, whose hooks are called."""
    identity = {**hooked(fastapi.url), "roles": ["user", "admin", "nobody"]}
    folder = tmp_path_factory.mktemp("privacy")
    with deployed(folder, identity, backend=fastapi, routes=ROUTES) as deployment:
        deployment.admin()
        yield deployment


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    """With hooks at a backend whose answers the tests choose."""
    with Backend() as hooks:
        with deployed(tmp_path_factory.mktemp("scripted"), hooked(hooks.url)) as deployment:
            deployment.admin()
            deployment.hooks = hooks
            yield deployment


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Without hooks."""
    with deployed(tmp_path_factory.mktemp("alone")) as deployment:
        deployment.admin()
        yield deployment


def export(person):
    return person.api("POST", "/compliance/export", {})


def erase(person, **body):
    return person.api("POST", "/compliance/delete", {"password": person.password, **body})


def add_task(person, title):
    answer = person.ask("POST", f"/api/v1/users/{person.id}/tasks", {"title": title})
    assert answer.status == 201, answer


# -- export --


def test_the_export_holds_everything(world):
    person = world.person()
    person.api("PATCH", "/account/profile", {"name": "Ada Lovelace", "locale": "en"})
    add_task(person, "Analytical engine")
    response = export(person)
    document = assert_answer(response, 200)
    assert document["account"]["id"] == person.id
    assert document["account"]["email"] == person.email
    assert document["account"]["name"] == "Ada Lovelace"
    assert len(document["sessions"]) == 1 and len(document["devices"]) == 1
    assert document["application"] == {"tasks": [{"title": "Analytical engine"}]}
    text = response.body.decode()
    assert "signup" in text and person.address in text
    assert "attachment" in response.get("Content-Disposition")


def test_the_export_holds_no_secret_and_nobody_else(world):
    other = world.person()
    person = world.person()
    person.enrol()
    text = export(person).body.decode()
    assert PASSWORD not in text and person.secret not in text
    assert "$argon2" not in text
    assert other.id not in text and other.email not in text
    for cookie in person.cookies.values():
        assert cookie not in text


def test_the_export_is_audited_with_its_count(world):
    person = world.person()
    export(person)
    record = person.records()[-1]
    assert record["event_type"] == "data_export"
    assert record["metadata"]["record_count"] >= 4


def test_the_export_needs_fresh(world):
    person = world.person()
    world.gate.clock.advance(10 * 60 + 1)
    assert export(person).status in (401, 403)
    assert_answer(person.step_up(), 200)
    assert_answer(export(person), 200)
    assert_answer(export(world.stranger()), 401)


def test_without_a_hook_there_is_no_application_part(alone):
    document = assert_answer(export(alone.person()), 200)
    assert document.get("application") is None
    assert document["account"]


def test_four_exports_in_an_hour_are_too_many(tmp_path):
    with deployed(tmp_path, rate_limits=None) as world:
        person = world.person()
        assert [export(person).status for _ in range(4)] == [200] * 3 + [429]


# -- the calls of hooks --


def test_a_hook_is_called_with_a_token_of_its_own(scripted):
    person = scripted.person()
    scripted.hooks.answer = answer(200, JSON_FIELDS, b'{"orders": [1, 2]}')
    document = assert_answer(export(person), 200)
    assert document["application"] == {"orders": [1, 2]}
    call = scripted.hooks.last
    assert (call.method, call.target) == ("POST", "/internal/export")
    assert call.get("Content-Type").startswith("application/json")
    assert json.loads(call.body) == {"user_id": person.id}
    kind, _, token = call.get("Authorization").partition(" ")
    assert kind == "Bearer"
    header, claims = verify(token, fetch_keys(scripted.gate))
    assert header["typ"] == "hook+jwt"
    assert claims["aud"] == f"{scripted.hooks.url}/internal/export"
    assert claims["sub"] == person.id
    assert claims["purpose"] == "export"
    assert claims["body_sha256"] == hashlib.sha256(call.body).hexdigest()
    assert claims["exp"] - claims["iat"] == 60
    assert claims["jti"]


def test_each_call_has_its_own_token_for_its_own_purpose(scripted):
    person = scripted.person()
    scripted.hooks.answer = answer(200, JSON_FIELDS, b"{}")
    export(person)
    export(person)
    assert_answer(erase(person), 200)
    calls = scripted.hooks.requests[-3:]
    keys = fetch_keys(scripted.gate)
    claims = [verify(c.get("Authorization").split(" ")[1], keys)[1] for c in calls]
    assert len({one["jti"] for one in claims}) == 3
    assert [one["purpose"] for one in claims] == ["export", "export", "delete"]
    assert claims[2]["aud"].endswith("/internal/delete")


def test_a_hook_token_opens_nothing_here(scripted):
    person = scripted.person()
    scripted.hooks.answer = answer(200, JSON_FIELDS, b"{}")
    export(person)
    token = scripted.hooks.last.get("Authorization").split(" ")[1]
    assert is_signed(token, fetch_keys(scripted.gate))
    stranger = scripted.stranger()
    fields = [("Authorization", f"Bearer {token}")]
    assert_answer(stranger.api("GET", "/auth/session", extra=fields), 401)
    stranger.cookies = {"gh_access": token}
    assert_answer(stranger.api("GET", "/auth/session"), 401)


@pytest.mark.parametrize(
    "reply",
    [answer(500), answer(404), answer(302, {"Location": "http://127.0.0.1/"}), b"nonsense", b""]
    + [answer(200, JSON_FIELDS, b'{"a":'), answer(200, JSON_FIELDS, b"[1,]")],
)
def test_an_export_that_is_not_complete_is_none(scripted, reply):
    person = scripted.person()
    scripted.hooks.answer = reply
    response = export(person)
    assert_answer(response, 503)
    assert response.get("Retry-After")
    assert person.email.encode() not in response.body


def test_a_backend_with_nothing_to_say_is_fine(scripted):
    scripted.hooks.answer = answer(204)
    assert_answer(export(scripted.person()), 200)


# -- erasure --


def test_erasure_reaches_the_backend_and_leaves_nothing(world):
    person = world.person()
    add_task(person, "secret plans")
    assert_answer(erase(person), 200)
    assert person.get(f"/api/v1/users/{person.id}/tasks").status == 401
    assert person.refresh().status == 401
    assert_answer(world.stranger(email=person.email).try_login(), 401)
    assert_answer(world.admin().api("GET", f"/admin/users/{person.id}"), 404)
    assert world.mail.wait(person.email, subject="account was deleted")
    path = world.folder / "gatehouse.db"
    assert columns_with(path, person.id) <= ID_COLUMNS
    for text in (person.email, person.address):
        assert not columns_with(path, text), text


def test_erasure_is_logged_before_it_begins_and_after_it_ends(world):
    person = world.person()
    assert_answer(erase(person), 200)
    records = world.audit(user=person.id, event="data_deletion")
    assert [r["metadata"] for r in records] == [
        {"initiated": True},
        {"initiated": True, "completed": True},
    ]
    assert all(r["outcome"] == "success" for r in records)


def test_the_address_is_free_afterwards(world):
    person = world.person()
    erase(person)
    again = world.stranger(email=person.email)
    assert_answer(again.sign_up(), 201)
    again.login()
    assert again.user["id"] != person.id
    assert again.events() == ["signup", "login"]


def test_erasure_needs_the_password(world):
    person = world.person()
    assert_answer(erase(person, password=OTHER_PASSWORD), 403)
    assert_answer(person.api("POST", "/compliance/delete", {}), 422)
    assert person.is_signed_in()
    assert "data_deletion" not in person.events()


def test_erasure_needs_the_second_factor_if_it_is_on(world):
    person = world.person()
    person.enrol()
    assert erase(person).status in (403, 422)
    wrong = f"{(int(person.next_code()) + 1) % 1000000:06d}"
    assert_answer(erase(person, code=wrong), 403)
    assert person.is_signed_in()
    assert_answer(erase(person, code=person.next_code()), 200)


def test_a_hook_that_fails_leaves_the_account_and_it_can_be_tried_again(scripted):
    person = scripted.person()
    scripted.hooks.answer = answer(500)
    assert_answer(erase(person), 503)
    assert person.is_signed_in()
    last = person.records()[-1]
    assert last["event_type"] == "data_deletion" and last["outcome"] == "failure"
    assert last["metadata"] == {"initiated": True, "completed": False}
    scripted.hooks.answer = answer(204)
    assert_answer(erase(person), 200)
    assert_answer(person.try_login(), 401)


def test_slow_hooks_hold_up_nobody_else(tmp_path):
    """More calls than there are threads for them: they wait, sign-ins and refreshes do not."""
    release = threading.Event()

    def slow(_received, _connection):
        release.wait(15)
        return answer(200, body=b"{}")

    with Backend(slow) as hooks, deployed(tmp_path, hooked(hooks.url)) as world:
        world.admin()
        people = [world.person() for _ in range(5)]
        other = world.person()
        with ThreadPoolExecutor(len(people)) as pool:
            waiting = [pool.submit(erase, person) for person in people[:3]]
            waiting += [pool.submit(export, person) for person in people[3:]]
            try:
                world.gate.wait_for(lambda: hooks.requests, "a call of a hook")
                begin = time.monotonic()
                for _ in range(3):
                    other.login()
                    assert_answer(other.refresh(), 200)
                assert time.monotonic() - begin < 10  # and the hooks have not answered
                assert not any(call.done() for call in waiting)
            finally:
                release.set()
            for call in waiting:
                assert_answer(call.result(), 200)


def test_a_call_that_takes_too_long_is_answered_and_goes_on(tmp_path):
    release = threading.Event()

    def slow(_received, _connection):
        release.wait(15)
        return answer(200, body=b"{}")

    with Backend(slow) as hooks, deployed(tmp_path, hooked(hooks.url)) as world:
        world.admin()
        person = world.person()
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(erase, person)
            try:
                world.gate.wait_for(lambda: hooks.requests, "a call of the hook")
                world.gate.clock.advance(31)
                reply = call.result(timeout=10)
                assert reply.status == 503 and reply.get("Retry-After")
            finally:
                release.set()
        gone = {"initiated": True, "completed": True}
        world.gate.wait_for(
            lambda: gone in [r["metadata"] for r in world.audit() if "deletion" in r["event_type"]],
            "the end of the erasure",
        )


def test_a_backend_that_is_away_leaves_the_account(tmp_path):
    with deployed(tmp_path, hooked(f"http://127.0.0.1:{free_port()}")) as world:
        person = world.person()
        assert_answer(erase(person), 503)
        assert_answer(export(person), 503)
        assert person.is_signed_in()


# -- deleting the account alone --


def test_an_account_is_deleted_by_its_owner(alone):
    person = alone.person()
    other = person.other_browser()
    other.login()
    assert_answer(person.api("DELETE", "/account", {"password": OTHER_PASSWORD}), 403)
    response = person.api("DELETE", "/account", {"password": PASSWORD})
    assert_answer(response, 200)
    assert "gh_access" not in person.cookies
    assert other.get("/tasks").status == 401
    assert_answer(person.try_login(), 401)
    assert [r["event_type"] for r in alone.audit(user=person.id)][-1] == "account_deleted"


# -- at rest --


def test_nothing_personal_is_readable_in_the_store(tmp_path):
    with deployed(tmp_path) as world:
        person = world.person()
        person.enrol()
        person.api("PATCH", "/account/profile", {"name": "Zuleika Dobson"})
        world.stranger().api("POST", "/account/password/reset-request", {"email": person.email})
        path = tmp_path / "gatehouse.db"
        for text in (person.email, "Zuleika", person.address):
            assert not columns_with(path, text), text
        for text in (person.secret, PASSWORD, *person.cookies.values()):
            assert not columns_with(path, text), text
        assert all(text.startswith("$argon2id$") for text in password_hashes(path))


def test_links_and_codes_are_not_in_the_store(tmp_path):
    with deployed(tmp_path) as world:
        person = world.person()
        codes = person.enrol()
        person.api("POST", "/account/password/reset-request", {"email": person.email})
        token = world.link_of(person.email, "Set a new password")
        challenge = person.try_login().json()["challenge"]
        path = tmp_path / "gatehouse.db"
        for text in (token, challenge, world.setup_token(), *codes):
            assert not columns_with(path, text)
            assert not columns_with(path, text.replace("-", ""))


def test_the_store_is_for_its_owner_alone(tmp_path):
    with deployed(tmp_path) as world:
        world.person()
        for path in tmp_path.glob("gatehouse.db*"):
            assert path.stat().st_mode & 0o077 == 0, path
