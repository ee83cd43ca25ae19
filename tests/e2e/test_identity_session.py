"""SPEC 4: sessions: rotation of refresh tokens, expiry, logout, the list, other sites."""

import pytest

from harness.gate import IS_RELEASE, Gatehouse
from harness.identity import (CLOCKS_APART, ENV, OTHER_PASSWORD, Person, assert_answer, claims_of,
                              deployed, identity_config, new_person)

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

MINUTE, HOUR = 60, 3600


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("session")) as deployment:
        deployment.admin()  # before the setup token has grown old
        yield deployment


def tab(person):
    """Another tab: the same cookies, answers of its own."""
    other = Person(person.gate, address=person.address, email=person.email)
    other.cookies = dict(person.cookies)
    other.user = person.user
    return other


def session_id(person):
    """As the list calls the session of this browser."""
    sessions = person.api("GET", "/account/sessions").json()["sessions"]
    return next(session["id"] for session in sessions if session["current"])


def access(person):
    return person.get("/tasks").status


# -- who am I --


def test_session_says_who_and_until_when(world):
    person = world.person()
    body = person.session()
    assert set(body) == {"user", "expires_at", "authenticated_at", "two_factor", "fresh"}
    assert body["user"]["id"] == person.id
    assert body["two_factor"] is False
    assert body["fresh"] is True
    assert body["authenticated_at"] < body["expires_at"]
    world.gate.clock.advance(10 * MINUTE + 1)
    assert person.session()["fresh"] is False


def test_nobody_is_told_to_sign_in(world):
    response = world.stranger().api("GET", "/auth/session")
    assert_answer(response, 401)
    assert response.get("WWW-Authenticate").startswith("Bearer")


# -- refresh --


def test_refresh_rotates(world):
    person = world.person()
    first = dict(person.cookies)
    body = assert_answer(person.refresh(), 200, expires_in=900)
    assert body["user"]["id"] == person.id
    assert person.cookies["gh_refresh"] != first["gh_refresh"]
    assert access(person) == 200


def test_refresh_renews_an_access_token_that_is_over(world):
    person = world.person()
    world.gate.clock.advance(15 * MINUTE + CLOCKS_APART + 1)
    assert access(person) == 401
    assert_answer(person.refresh(), 200)
    assert access(person) == 200


def test_parallel_tabs_inside_the_grace_get_the_same_successor(world):
    person = world.person()
    tabs = [tab(person) for _ in range(4)]
    for one in tabs:
        assert_answer(one.refresh(), 200)
        world.gate.clock.advance(2)
    assert len({one.cookies["gh_refresh"] for one in tabs}) == 1
    assert_answer(tabs[0].refresh(), 200)
    assert all(access(one) == 200 for one in tabs)


def test_a_lost_answer_is_made_up_for(world):
    person = world.person()
    lost = tab(person)
    assert_answer(lost.refresh(), 200)
    assert_answer(person.refresh(), 200)
    world.gate.clock.advance(60)
    assert_answer(person.refresh(), 200)


def test_reuse_after_the_grace_ends_this_family_only(world):
    person = world.person()
    elsewhere = person.other_browser()
    elsewhere.login()
    thief = tab(person)
    assert_answer(person.refresh(), 200)
    world.gate.clock.advance(11)
    response = thief.refresh()
    assert_answer(response, 401)
    assert access(person) == 401, "the owner's access token ends too"
    assert_answer(person.refresh(), 401)
    assert access(elsewhere) == 200
    assert_answer(elsewhere.refresh(), 200)
    ended = [r for r in elsewhere.records() if r["event_type"] == "session_revoked"]
    assert "reuse" in str(ended[-1]["metadata"])
    assert world.mail.wait(person.email, subject="ended for safety")


def test_an_older_token_of_the_family_is_reuse_too(world):
    person = world.person()
    oldest = tab(person)
    assert_answer(person.refresh(), 200)
    assert_answer(person.refresh(), 200)
    world.gate.clock.advance(11)
    assert_answer(oldest.refresh(), 401)
    assert_answer(person.refresh(), 401)


@pytest.mark.parametrize("token", ["", "x", "A" * 64, "A" * 76, "=" * 43, "A" * 5000])
def test_a_made_up_token_is_refused(world, token):
    person = world.stranger()
    person.cookies = {"gh_refresh": token}
    assert person.refresh().status in (400, 401)


def test_a_changed_token_ends_nothing(world):
    person = world.person()
    thief = tab(person)
    token = thief.cookies["gh_refresh"]
    thief.cookies["gh_refresh"] = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    assert_answer(thief.refresh(), 401)
    assert_answer(person.refresh(), 200)


def test_no_refresh_token_is_401_and_clears_the_cookies(world):
    response = world.stranger().refresh()
    assert_answer(response, 401)
    cleared = " ".join(response.all("Set-Cookie"))
    assert "gh_access=;" in cleared and "gh_refresh=;" in cleared
    assert cleared.count("Max-Age=0") == 2


# -- expiry --


def test_requests_keep_a_session_from_being_idle(world):
    person, other = world.person(), world.person()
    first = person.api("GET", "/account/sessions").json()["sessions"][0]["last_used_at"]
    world.gate.clock.advance(14 * MINUTE)
    assert access(person) == 200
    world.gate.clock.advance(30)  # uses are written together

    def is_written():
        sessions = person.api("GET", "/account/sessions").json()["sessions"]
        return sessions[0]["last_used_at"] > first

    world.gate.wait_for(is_written, "the use in the store")
    world.gate.clock.advance(29 * MINUTE)
    assert_answer(person.refresh(), 200)
    assert_answer(other.refresh(), 401)


def test_half_an_hour_idle_ends_it(world):
    person = world.person()
    world.gate.clock.advance(30 * MINUTE + 1)
    assert_answer(person.refresh(), 401)
    assert access(person) == 401


def test_activity_keeps_it_and_twelve_hours_end_it(world):
    person = world.person()
    for _ in range(11 * 3):
        world.gate.clock.advance(20 * MINUTE)
        assert_answer(person.refresh(), 200)
    world.gate.clock.advance(20 * MINUTE)
    assert_answer(person.refresh(), 200)
    world.gate.clock.advance(20 * MINUTE)
    assert_answer(person.refresh(), 200)
    world.gate.clock.advance(20 * MINUTE + 1)
    assert_answer(person.refresh(), 401)
    assert access(person) == 401


def test_the_last_access_token_ends_with_its_session(world):
    """Asked for just before the twelve hours are over, it does not outlive them."""
    person = world.person()
    for _ in range(35):
        world.gate.clock.advance(20 * MINUTE)
        assert_answer(person.refresh(), 200)
    world.gate.clock.advance(19 * MINUTE)
    body = assert_answer(person.refresh(), 200)
    assert body["expires_in"] <= 60
    world.gate.clock.advance(61 + CLOCKS_APART)
    assert access(person) == 401


def test_admins_are_asked_sooner(world):
    admin = world.new_admin()
    world.gate.clock.advance(15 * MINUTE + 1)
    assert_answer(admin.refresh(), 401)


# -- logout --


def test_logout_ends_the_access_cookie_at_once(world):
    person = world.person()
    copy = tab(person)
    response = person.api("POST", "/auth/logout", {})
    assert response.json() == {"message": "Successfully logged out"}
    assert response.status == 200
    assert response.get("Clear-Site-Data") == '"cache", "cookies", "storage"'
    assert set(person.cookies) == {"gh_device"}
    assert access(copy) == 401
    assert_answer(copy.refresh(), 401)


def test_logout_without_a_session_is_fine(world):
    response = world.stranger().api("POST", "/auth/logout", {})
    assert_answer(response, 200, message="Successfully logged out")


def test_logout_with_an_access_token_that_is_over_ends_the_session(world):
    person = world.person()
    copy = tab(person)
    world.gate.clock.advance(16 * MINUTE)
    assert_answer(person.api("POST", "/auth/logout", {}), 200)
    assert_answer(copy.refresh(), 401)


def test_logout_leaves_other_sessions(world):
    person = world.person()
    other = person.other_browser()
    other.login()
    person.api("POST", "/auth/logout", {})
    assert access(other) == 200
    assert "logout" in other.events()


# -- the list --


def test_the_list_names_devices_and_the_current_one(world):
    person = world.stranger()
    person.sign_up()
    agent = [("User-Agent", "Browser of " + person.email)]
    body = {"email": person.email, "password": person.password}
    assert_answer(person.api("POST", "/auth/login", body, extra=agent), 200)
    other = person.other_browser()
    other.login()
    sessions = person.api("GET", "/account/sessions").json()["sessions"]
    assert len(sessions) == 2
    assert [s["current"] for s in sessions].count(True) == 1
    current = next(s for s in sessions if s["current"])
    assert current["device"] == "Browser of " + person.email
    assert current["ip_address"] == person.address
    assert {s["ip_address"] for s in sessions} == {person.address, other.address}
    assert not any("token" in name for s in sessions for name in s)


def test_one_session_is_ended_by_its_id(world):
    person = world.person()
    other, third = person.other_browser(), person.other_browser()
    other.login()
    third.login()
    answer = person.api("DELETE", f"/account/sessions/{session_id(other)}")
    assert_answer(answer, 200, ended=1)
    assert access(other) == 401
    assert_answer(other.refresh(), 401)
    assert access(person) == 200 and access(third) == 200
    assert "session_revoked" in person.events()


def test_ending_ones_own_session_takes_its_cookies(world):
    person = world.person()
    other = person.other_browser()
    other.login()
    answer = person.api("DELETE", f"/account/sessions/{session_id(person)}")
    assert_answer(answer, 200, ended=1)
    assert set(person.cookies) == {"gh_device"}
    assert access(person) == 401 and access(other) == 200


def test_all_others_are_ended(world):
    person = world.person()
    others = [person.other_browser() for _ in range(3)]
    for other in others:
        other.login()
    assert_answer(person.api("DELETE", "/account/sessions"), 200, ended=3)
    assert [access(other) for other in others] == [401] * 3
    assert access(person) == 200


def test_a_session_of_somebody_else_is_not_there(world):
    person, other = world.person(), world.person()
    assert_answer(person.api("DELETE", f"/account/sessions/{session_id(other)}"), 404)
    assert access(other) == 200
    unknown = "00000000-0000-4000-8000-000000000000"
    assert_answer(person.api("DELETE", f"/account/sessions/{unknown}"), 404)
    assert person.api("DELETE", "/account/sessions/not-an-id").status == 422


# -- requests that other sites make a browser send --


def test_a_login_that_says_nothing_of_its_origin_is_refused(world):
    person = world.stranger()
    person.sign_up()
    body = {"email": person.email, "password": person.password}
    response = person.api("POST", "/auth/login", body, site=None)
    assert_answer(response, 403)
    assert not response.all("Set-Cookie")


@pytest.mark.parametrize("path", ["/auth/login", "/auth/signup", "/auth/refresh", "/auth/2fa"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_endpoints_that_set_cookies_refuse_other_sites(world, path, site):
    person = world.stranger()
    origin = [("Origin", "https://evil.example")]
    body = {"email": person.email, "password": person.password}
    assert_answer(person.api("POST", path, body, site=site, extra=origin), 403)


def test_a_login_from_our_own_origin_passes(world):
    person = world.stranger()
    person.sign_up()
    body = {"email": person.email, "password": person.password}
    for site in ("same-origin", "none"):
        assert_answer(person.api("POST", "/auth/login", body, site=site), 200)
    origin = [("Origin", "http://localhost")]
    assert_answer(person.api("POST", "/auth/login", body, site=None, extra=origin), 200)


@pytest.mark.parametrize(
    "extra, site",
    [
        ([], None),
        ([("Origin", "https://evil.example")], None),
        ([("Origin", "null")], None),
        ([("Origin", "https://evil.example")], "cross-site"),
        ([("Origin", "https://sub.localhost")], "same-site"),
    ],
)
def test_a_state_change_with_cookies_from_elsewhere_is_refused(world, extra, site):
    person = world.person()
    before = len(world.backend.requests)
    for method, path in (("POST", "/tasks"), ("DELETE", "/api/v1/account/sessions")):
        assert_answer(person.ask(method, path, {}, extra=extra, site=site), 403)
    assert len(world.backend.requests) == before
    assert access(person) == 200


def test_reading_from_elsewhere_is_a_matter_of_same_site_cookies(world):
    person = world.person()
    assert person.get("/tasks", site="cross-site").status == 200


# -- what ends sessions everywhere --


def test_sessions_are_there_after_a_restart(tmp_path):
    with deployed(tmp_path) as world:
        person, gone = world.person(), world.person()
        copy = tab(gone)
        gone.api("POST", "/auth/logout", {})
        world.gate.stop()
        with Gatehouse(world.gate.settings, env=ENV) as gate:
            person.gate = copy.gate = gate
            assert access(person) == 200
            assert_answer(person.refresh(), 200)
            assert access(copy) == 401, "an ended session stays ended"


def test_step_up_makes_the_session_fresh_under_another_id(world):
    person = world.person()
    world.gate.clock.advance(11 * MINUTE)
    assert person.session()["fresh"] is False
    copy = tab(person)
    _, before = claims_of(person.cookies["gh_access"])
    assert_answer(person.step_up(OTHER_PASSWORD), 403)
    assert_answer(person.step_up(), 200)
    _, after = claims_of(person.cookies["gh_access"])
    assert person.session()["fresh"] is True
    assert before["sid"] != after["sid"]
    assert access(copy) == 401


def test_a_session_that_ends_while_its_body_comes_reaches_no_backend(start, backend, tmp_path):
    """A body that is held, for a limit by one of its members, may take minutes."""
    settings = identity_config(
        backend, tmp_path, rate_limits={"by_mail": {"limit": "100/minute", "key": "body:email"}},
        routes=[{"path": "/slow", "upstream": "api", "rate_limit": "by_mail"}])
    gate = start(settings, env=ENV)
    person = new_person(gate)
    fields = person.fields([("Content-Type", "application/json"), ("Content-Length", "40")])
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    with gate.connect() as slow:
        slow.send(f"POST /slow HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode() + b'{"email":')
        person.api("POST", "/auth/logout", {})
        assert slow.read().status == 401
    assert backend.requests == []
