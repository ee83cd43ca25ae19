"""SPEC 4: the first admin, and what admins may do to accounts."""

import stat

import pytest

from harness.gate import IS_RELEASE, Gatehouse
from harness.identity import (ENV, OTHER_PASSWORD, OVER_POSTGRESQL, PASSWORD, Person, assert_answer,
                              deployed)

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    identity = {"roles": ["user", "admin", "editor"]}
    with deployed(tmp_path_factory.mktemp("admin"), identity) as deployment:
        deployment.admin()
        yield deployment


def act(world, person, what, method="POST", body=None, admin=None):
    path = f"/admin/users/{person.id}/{what}" if what else f"/admin/users/{person.id}"
    body = {} if body is None and method != "GET" else body
    return (admin or world.admin()).api(method, path, body)


def last_event(world, person, name):
    records = world.audit(user=person.id, event=name)
    assert records, f"no {name}"
    return records[-1]


# -- the first one --


def set_up(person, token, **more):
    body = {"token": token, "email": person.email, "password": person.password, **more}
    return person.api("POST", "/auth/setup", body)


def test_the_token_is_in_a_file_of_its_own_and_not_in_the_log(tmp_path):
    with deployed(tmp_path) as world:
        token = world.setup_token()
        assert len(token) >= 43
        path = tmp_path / "setup-token"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        world.gate.wait_output(str(path))
        assert token not in world.gate.output()


def test_the_token_makes_one_admin(tmp_path):
    with deployed(tmp_path) as world:
        token = world.setup_token()
        admin, late = world.stranger(), world.stranger()
        assert_answer(set_up(admin, "A" * 43), 400)
        assert_answer(set_up(admin, token, password="short"), 422)
        user = assert_answer(set_up(admin, token), 201)["user"]
        assert set(user["roles"]) == {"user", "admin"} or user["roles"] == ["admin"]
        assert user["two_factor_enrolment_required"] is True
        assert set_up(late, token).status in (400, 409)
        world.gate.wait_for(lambda: not (tmp_path / "setup-token").exists(),
                            "the spent token's file to go")
        admin.login()
        admin.enrol()
        world.first_admin = admin
        assert {"signup", "role_changed"} <= {r["event_type"] for r in world.audit(user=admin.id)}
        world.gate.stop()
        with Gatehouse(world.gate.settings, env=ENV) as gate:
            admin.gate = gate
            assert admin.get("/x").status == 200
            assert not (tmp_path / "setup-token").exists()


@pytest.mark.skipif(OVER_POSTGRESQL, reason="each of several nodes makes one, and all are good")
def test_without_an_admin_each_start_makes_a_new_token(tmp_path):
    with deployed(tmp_path) as world:
        old = world.setup_token()
        settings = world.gate.settings
        world.gate.stop()
        with Gatehouse(settings, env=ENV) as gate:
            world.gate = gate
            new = gate.wait_for(
                lambda: world.setup_token() != old and world.setup_token(), "another token"
            )
            person = Person(gate)
            assert_answer(set_up(person, old), 400)
            assert_answer(set_up(person, new), 201)


def test_a_token_that_waits_is_renewed_before_it_runs_out(tmp_path):
    with deployed(tmp_path) as world:
        old = world.setup_token()
        world.gate.clock.advance(13 * 3600)
        world.gate.wait_for(lambda: world.setup_token() != old, "another token")
        world.gate.clock.advance(11.5 * 3600)
        assert_answer(set_up(world.stranger(), old), 400)
        assert_answer(set_up(world.stranger(), world.setup_token()), 201)


# -- who may come here --


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/admin/users"),
        ("GET", f"/admin/users/{UNKNOWN}"),
        ("PATCH", f"/admin/users/{UNKNOWN}/role"),
        ("POST", f"/admin/users/{UNKNOWN}/unlock"),
        ("POST", f"/admin/users/{UNKNOWN}/reset-2fa"),
        ("POST", f"/admin/users/{UNKNOWN}/reset-password"),
        ("POST", f"/admin/users/{UNKNOWN}/disable"),
        ("POST", f"/admin/users/{UNKNOWN}/enable"),
        ("DELETE", f"/admin/users/{UNKNOWN}"),
        ("DELETE", f"/admin/users/{UNKNOWN}/sessions"),
        ("GET", "/admin/audit"),
        ("GET", "/admin/audit/verify"),
        ("GET", "/admin/anomalies"),
        ("GET", "/admin/csp/reports"),
    ],
)
def test_only_admins_come_here(world, method, path):
    body = None if method == "GET" else {}
    assert_answer(world.stranger().api(method, path, body), 401)
    person = world.person()
    assert_answer(person.api(method, path, body), 403)
    assert world.set_roles(person, "user", "editor").status == 200
    person.login()
    assert_answer(person.api(method, path, body), 403)


def test_a_refusal_is_logged_with_who_it_was(world):
    person = world.person()
    response = person.api("GET", "/admin/users")
    line = world.gate.wait_access(id=response.get("X-Request-Id"))[0]
    assert line["user"] == person.id and line["status"] == 403
    assert line["stage"] == "access" and line["reason"]


@pytest.mark.parametrize(
    "method, what",
    [("PATCH", "role"), ("POST", "unlock"), ("POST", "reset-2fa"), ("POST", "reset-password")]
    + [("POST", "disable"), ("POST", "enable"), ("DELETE", ""), ("DELETE", "sessions")],
)
def test_every_change_needs_fresh(world, method, what):
    admin, person = world.new_admin(), world.person()
    world.gate.clock.advance(10 * 60 + 1)
    body = {"role": "editor"} if what == "role" else {}
    assert act(world, person, what, method, body, admin).status in (401, 403)
    assert person.is_signed_in()
    assert_answer(admin.step_up(), 200)
    assert_answer(act(world, person, what, method, body, admin), 200)


@pytest.mark.parametrize(
    "method, what",
    [("GET", ""), ("PATCH", "role"), ("POST", "unlock"), ("POST", "reset-2fa")]
    + [("POST", "reset-password"), ("POST", "disable"), ("POST", "enable"), ("DELETE", "")]
    + [("DELETE", "sessions")],
)
def test_who_is_not_there_is_404(world, method, what):
    nobody = world.stranger()
    nobody.user = {"id": UNKNOWN}
    body = {"role": "editor"} if what == "role" else None
    assert_answer(act(world, nobody, what, method, body), 404)


# -- looking --


def test_users_are_found_and_paged(world):
    people = [world.person() for _ in range(3)]
    seen, after = [], ""
    while True:
        page = assert_answer(world.admin().api("GET", f"/admin/users?limit=2{after}"), 200)
        assert len(page["users"]) <= 2
        seen += [user["id"] for user in page["users"]]
        if not page["next"]:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) and {p.id for p in people} <= set(seen)
    email = people[0].email.upper().replace("@", "%40")
    found = world.admin().api("GET", f"/admin/users?email={email}").json()["users"]
    assert [user["id"] for user in found] == [people[0].id]
    user = assert_answer(act(world, people[0], "", "GET"), 200)
    assert user["email"] == people[0].email
    assert "password" not in str(user) and "secret" not in str(user)


def test_users_are_found_by_role(world):
    person = world.person()
    world.set_roles(person, "editor")
    found = world.admin().api("GET", "/admin/users?role=editor&limit=200").json()["users"]
    assert person.id in {user["id"] for user in found}
    assert all("editor" in user["roles"] for user in found)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "other=1", "limit=1&limit=2"])
def test_a_strange_query_is_refused(world, query):
    assert_answer(world.admin().api("GET", f"/admin/users?{query}"), 422)
    assert_answer(world.admin().api("GET", f"/admin/audit?{query}"), 422)


def test_the_audit_log_is_read_by_user_event_and_page(world):
    person = world.person()
    world.stranger(email=person.email).try_login(OTHER_PASSWORD)
    records = world.audit(user=person.id)
    assert [r["event_type"] for r in records] == ["signup", "login", "login_failed"]
    assert [r["seq"] for r in records] == sorted(r["seq"] for r in records)
    only = world.audit(user=person.id, event="login_failed")
    assert len(only) == 1 and only[0]["metadata"]["reason"] == "password"
    first = world.admin().api("GET", f"/admin/audit?user={person.id}&limit=1").json()
    rest = world.admin().api("GET", f"/admin/audit?user={person.id}&before={first['next']}").json()
    assert [r["event_type"] for r in rest["records"]] == ["login", "signup"]


def test_an_unknown_event_is_refused(world):
    response = world.admin().api("GET", "/admin/audit?event=no_such_event")
    assert response.status == 422


# -- roles --


def test_a_role_counts_at_once(world):
    person = world.person()
    before = dict(person.cookies)
    assert_answer(world.set_roles(person, "user", "editor"), 200, roles=["user", "editor"])
    person.cookies = before
    assert person.get("/tasks").status == 401, "the token with the old roles is void"
    assert_answer(person.refresh(), 200)
    assert person.get("/tasks").status == 200
    assert world.backend.last.get("X-User-Roles").replace(" ", "") == "user,editor"
    record = last_event(world, person, "role_changed")
    metadata = record["metadata"]
    assert "user" in str(metadata["old_role"]) and "editor" in str(metadata["new_role"])
    assert metadata["changed_by"] == world.admin().id
    assert record["actor_id"] == world.admin().id and record["user_id"] == person.id


@pytest.mark.parametrize(
    "body", [{"role": "emperor"}, {}, {"role": "user", "roles": ["user"]}, {"roles": []}]
    + [{"roles": "admin"}, {"roles": ["user", "emperor"]}, {"role": ""}, {"roles": [1]}],
)
def test_what_is_no_role_is_refused(world, body):
    person = world.person()
    assert_answer(act(world, person, "role", "PATCH", body), 422)
    assert person.is_signed_in()


def test_the_last_admin_stays(tmp_path):
    with deployed(tmp_path) as world:
        admin = world.admin()
        assert_answer(act(world, admin, "role", "PATCH", {"role": "user"}), 409)
        assert_answer(act(world, admin, "disable"), 409)
        assert_answer(act(world, admin, "", "DELETE"), 409)
        body = {"password": admin.password, "code": admin.next_code()}
        assert_answer(admin.api("DELETE", "/account", body), 409)
        body["code"] = admin.next_code()
        assert_answer(admin.api("POST", "/compliance/delete", body), 409)
        assert admin.api("GET", "/admin/users").status == 200
        other = world.new_admin()
        assert_answer(act(world, admin, "role", "PATCH", {"role": "user"}, other), 200)
        assert_answer(admin.refresh(), 200)
        assert_answer(admin.api("GET", "/admin/users"), 403)


# -- what is done to accounts --


def test_a_disabled_account_is_out_at_once(world):
    person = world.person()
    assert_answer(act(world, person, "disable"), 200)
    assert person.get("/tasks").status == 401
    assert person.refresh().status == 401
    assert_answer(person.try_login(), 401, detail="Invalid email or password")
    assert last_event(world, person, "account_locked")["actor_id"] == world.admin().id
    assert act(world, person, "", "GET").json()["disabled"] is True
    assert_answer(act(world, person, "enable"), 200)
    person.login()
    assert last_event(world, person, "account_unlocked")


def test_a_disabled_account_gets_no_reset(world):
    person = world.person()
    act(world, person, "disable")
    stranger = world.stranger(email=person.email)
    body = {"email": person.email}
    assert stranger.api("POST", "/account/password/reset-request", body).status == 200
    other = world.person()
    stranger.api("POST", "/account/password/reset-request", {"email": other.email})
    world.mail.wait(other.email, subject="Set a new password")
    for mail in world.mail.all(person.email):
        assert "new password" not in mail["Subject"]


def test_unlocking_forgets_the_failures(world):
    person = world.person()
    attacker = world.stranger(email=person.email)
    for _ in range(8):
        attacker.try_login(OTHER_PASSWORD)
    owner = world.stranger(email=person.email)
    assert owner.try_login().status == 429
    assert_answer(act(world, person, "unlock"), 200)
    owner.login()
    assert last_event(world, person, "account_unlocked")


def test_a_lost_factor_is_taken_away(world):
    person = world.person()
    person.enrol()
    assert_answer(act(world, person, "reset-2fa"), 200)
    assert person.get("/tasks").status == 401
    assert "two_factor_required" not in person.try_login().json()
    record = last_event(world, person, "2fa_disabled")
    assert record["actor_id"] == world.admin().id
    assert world.mail.wait(person.email, subject="Two-factor sign-in is off")


def test_an_admin_without_the_factor_must_enrol_again(world):
    other = world.new_admin()
    assert_answer(act(world, other, "reset-2fa"), 200)
    other.login()
    assert_answer(other.api("GET", "/admin/users"), 403)
    other.used_step = None
    world.gate.clock.advance(60)
    other.enrol()
    assert other.api("GET", "/admin/users").status == 200


def test_an_admin_starts_a_reset_and_chooses_no_password(world):
    person = world.person()
    answer = act(world, person, "reset-password", body={"password": OTHER_PASSWORD})
    assert_answer(answer, 422)
    response = act(world, person, "reset-password")
    assert_answer(response, 200)
    assert person.get("/tasks").status == 401
    token = world.link_of(person.email, "Set a new password")
    assert token.encode() not in response.body
    body = {"token": token, "new_password": OTHER_PASSWORD}
    assert_answer(person.api("POST", "/account/password/reset", body), 200)
    assert last_event(world, person, "password_reset_request")["actor_id"] == world.admin().id
    person.password = OTHER_PASSWORD
    person.login()


def test_a_deleted_account_is_gone(world):
    person = world.person()
    assert_answer(act(world, person, "", "DELETE"), 200)
    assert person.get("/tasks").status == 401
    assert_answer(person.try_login(), 401)
    assert_answer(act(world, person, "", "GET"), 404)
    assert last_event(world, person, "account_deleted")["actor_id"] == world.admin().id
    again = world.stranger(email=person.email)
    assert_answer(again.sign_up(), 201)
    assert again.login()["user"]["id"] != person.id


def test_all_sessions_of_an_account_are_ended(world):
    person = world.person()
    other = person.other_browser()
    other.login()
    assert_answer(act(world, person, "sessions", "DELETE"), 200, ended=2)
    assert person.get("/tasks").status == other.get("/tasks").status == 401
    assert last_event(world, person, "session_revoked")["actor_id"] == world.admin().id
    person.login()


def test_no_answer_or_record_holds_a_password(world):
    assert PASSWORD not in str(world.audit())
