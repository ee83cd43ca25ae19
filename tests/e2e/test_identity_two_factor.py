"""SPEC 4: the second factor: enrolment, codes that are good once, recovery, who must have one."""

import time
import xml.etree.ElementTree as xml
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from harness.gate import IS_RELEASE
from harness.identity import OTHER_PASSWORD, assert_answer, claims_of, deployed, totp

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("two-factor")) as deployment:
        deployment.admin()
        yield deployment


@pytest.fixture
def enrolled(world):
    person = world.person()
    person.codes = person.enrol()
    return person


def challenge_of(person):
    return assert_answer(person.try_login(), 200, two_factor_required=True)["challenge"]


def second(person, challenge, code):
    return person.api("POST", "/auth/2fa", {"challenge": challenge, "code": code})


# -- enrolment --


def test_setup_shows_secret_uri_and_a_qr_code(world):
    person = world.person()
    body = assert_answer(person.api("POST", "/account/2fa/setup", {}), 200)
    assert set(body) == {"secret", "uri", "qr_svg"}
    uri = urlsplit(body["uri"])
    assert uri.scheme == "otpauth" and uri.netloc == "totp"
    assert person.email in unquote(uri.path)
    query = parse_qs(uri.query)
    assert query["secret"] == [body["secret"]]
    assert query.get("algorithm", ["SHA1"]) == ["SHA1"]
    assert query.get("digits", ["6"]) == ["6"] and query.get("period", ["30"]) == ["30"]
    assert query["issuer"]
    assert len(body["secret"]) >= 32, "160 bits"


def test_the_qr_code_is_a_plain_svg(world):
    person = world.person()
    svg = person.api("POST", "/account/2fa/setup", {}).json()["qr_svg"]
    root = xml.fromstring(svg)
    assert root.tag == SVG + "svg" and root.get("viewBox")
    assert {child.tag for child in root.iter()} <= {SVG + "svg", SVG + "path", SVG + "rect"}
    assert "script" not in svg and "href" not in svg


def test_setup_alone_switches_nothing_on(world):
    person = world.person()
    person.api("POST", "/account/2fa/setup", {})
    assert person.session()["user"]["two_factor_enabled"] is False
    assert "two_factor_required" not in person.try_login().json()


def test_enabling_needs_a_right_code(world):
    person = world.person()
    secret = person.api("POST", "/account/2fa/setup", {}).json()["secret"]
    person.secret = secret
    right = person.next_code()
    wrong = f"{(int(right) + 1) % 1000000:06d}"
    assert_answer(person.api("POST", "/account/2fa/verify", {"code": wrong}), 403)
    assert person.session()["user"]["two_factor_enabled"] is False
    assert "2fa_verify_failed" in person.events()
    assert_answer(person.api("POST", "/account/2fa/verify", {"code": right}), 200)
    assert person.session()["user"]["two_factor_enabled"] is True
    assert person.session()["two_factor"] is True
    assert "2fa_enabled" in person.events()


def test_enabling_without_setup_is_refused(world):
    person = world.person()
    response = person.api("POST", "/account/2fa/verify", {"code": "123456"})
    assert response.status in (400, 403, 409)


def test_enabling_ends_other_sessions_and_is_mailed(world):
    person = world.person()
    other = person.other_browser()
    other.login()
    person.enrol()
    assert other.get("/tasks").status == 401
    assert person.get("/tasks").status == 200
    assert world.mail.wait(person.email, subject="Two-factor sign-in is on")


def test_a_second_setup_while_it_is_on_needs_it_off_first(enrolled):
    response = enrolled.api("POST", "/account/2fa/setup", {})
    assert response.status in (403, 409)
    assert enrolled.session()["user"]["two_factor_enabled"] is True


# -- signing in --


def test_the_password_alone_gives_a_challenge_and_no_session(enrolled):
    stranger = enrolled.other_browser()
    response = stranger.try_login()
    body = assert_answer(response, 200)
    assert set(body) == {"two_factor_required", "challenge"}
    assert body["two_factor_required"] is True
    assert not {"gh_access", "gh_refresh"} & set(stranger.cookies)
    assert_answer(stranger.api("GET", "/auth/session"), 401)


def test_a_right_code_finishes(enrolled):
    stranger = enrolled.other_browser()
    stranger.cookies = {}
    body = assert_answer(second(stranger, challenge_of(stranger), stranger.next_code()), 200)
    assert body["user"]["id"] == enrolled.id
    assert stranger.session()["two_factor"] is True
    _, claims = claims_of(stranger.cookies["gh_access"])
    assert "otp" in claims["amr"] or "mfa" in claims["amr"]


def test_a_code_is_good_once(world, enrolled):
    first, again = enrolled.other_browser(), enrolled.other_browser()
    code = first.next_code()
    assert_answer(second(first, challenge_of(first), code), 200)
    assert_answer(second(again, challenge_of(again), code), 401)


def test_the_enrolment_code_is_used_up(world):
    person = world.person()
    person.secret = person.api("POST", "/account/2fa/setup", {}).json()["secret"]
    code = person.next_code()
    assert_answer(person.api("POST", "/account/2fa/verify", {"code": code}), 200)
    assert_answer(second(person, challenge_of(person), code), 401)


def test_an_older_code_of_the_drift_is_refused_after_a_newer(world, enrolled):
    """The step must grow: the window has no second chance."""
    person = enrolled.other_browser()
    newer = person.next_code()
    older = totp(person.secret, time.time() + world.gate.clock.offset_ms / 1000, step=-1)
    assert_answer(second(person, challenge_of(person), newer), 200)
    if older != newer:
        assert_answer(second(person, challenge_of(person), older), 401)


@pytest.mark.parametrize("step", [-3, -2, 2, 3])
def test_a_code_far_off_is_refused(world, enrolled, step):
    world.gate.clock.advance(300)
    code = totp(enrolled.secret, time.time() + world.gate.clock.offset_ms / 1000, step=step)
    assert_answer(second(enrolled, challenge_of(enrolled), code), 401)


@pytest.mark.parametrize(
    "code", ["12345a", "1234567", "abcdef", "0000-0000-0000-0000", "１２３４５６"]
)
def test_what_is_no_code_is_refused(enrolled, code):
    response = second(enrolled, challenge_of(enrolled), code)
    assert response.status in (401, 422)
    assert not {"gh_access"} & {line.split("=")[0] for line in response.all("Set-Cookie")}


def test_five_tries_per_challenge(world):
    person = world.person()
    person.enrol()
    person.cookies = {}
    challenge = challenge_of(person)
    right = person.next_code()
    wrong = [f"{(int(right) + n) % 1000000:06d}" for n in range(1, 6)]
    statuses = [second(world.stranger(), challenge, code).status for code in wrong]
    assert statuses == [401] * 5
    response = second(world.stranger(), challenge, right)
    assert response.status in (400, 429)
    assert not response.all("Set-Cookie")


def test_a_challenge_is_over_after_five_minutes(world, enrolled):
    challenge = challenge_of(enrolled)
    world.gate.clock.advance(301)
    assert_answer(second(enrolled, challenge, enrolled.next_code()), 400)


def test_a_challenge_is_good_for_one_session(enrolled):
    challenge = challenge_of(enrolled)
    assert_answer(second(enrolled, challenge, enrolled.next_code()), 200)
    assert_answer(second(enrolled, challenge, enrolled.next_code()), 400)


def test_a_challenge_is_no_session(enrolled):
    challenge = challenge_of(enrolled)
    enrolled.cookies = {"gh_access": challenge, "gh_refresh": challenge}
    assert_answer(enrolled.api("GET", "/auth/session"), 401)
    assert enrolled.refresh().status == 401


def test_a_wrong_code_is_audited(enrolled):
    right = enrolled.next_code()
    second(enrolled, challenge_of(enrolled), f"{(int(right) + 1) % 1000000:06d}")
    enrolled.login()
    assert "2fa_verify_failed" in enrolled.events()


# -- recovery codes --


def test_there_are_ten_of_80_bits(enrolled):
    assert len(set(enrolled.codes)) == 10
    for code in enrolled.codes:
        assert len(code.replace("-", "")) == 16


def test_a_recovery_code_signs_in_once_and_is_mailed(world, enrolled):
    person = enrolled.other_browser()
    code = enrolled.codes[0]
    assert_answer(second(person, challenge_of(person), code), 200)
    assert_answer(second(person, challenge_of(person), code), 401)
    assert_answer(second(person, challenge_of(person), enrolled.codes[1].upper()), 200)
    assert world.mail.wait(person.email, subject="recovery code was used")
    methods = [r["metadata"].get("method") for r in person.records() if r["event_type"] == "login"]
    assert "recovery" in methods


def test_recovery_codes_of_somebody_else_do_not_count(world, enrolled):
    other = world.person()
    codes = other.enrol()
    assert_answer(second(enrolled, challenge_of(enrolled), codes[0]), 401)
    assert_answer(second(other, challenge_of(other), codes[0]), 200)


def test_renewing_makes_the_old_ones_void(enrolled):
    answer = enrolled.api("POST", "/account/2fa/recovery-codes", {"code": enrolled.next_code()})
    new = assert_answer(answer, 200)["recovery_codes"]
    assert len(set(new)) == 10 and not set(new) & set(enrolled.codes)
    person = enrolled.other_browser()
    assert_answer(second(person, challenge_of(person), enrolled.codes[0]), 401)
    assert_answer(second(person, challenge_of(person), new[0]), 200)


def test_renewing_needs_a_right_code(enrolled):
    right = enrolled.next_code()
    wrong = f"{(int(right) + 1) % 1000000:06d}"
    answer = enrolled.api("POST", "/account/2fa/recovery-codes", {"code": wrong})
    assert_answer(answer, 403)


# -- switching it off --


def disable(person, password=None, code=None):
    body = {"password": password or person.password, "code": code or person.next_code()}
    return person.api("POST", "/account/2fa/disable", body)


def test_disabling_needs_password_and_code(enrolled):
    code = enrolled.next_code()
    assert_answer(disable(enrolled, OTHER_PASSWORD, code), 403)
    wrong = f"{(int(enrolled.next_code()) + 1) % 1000000:06d}"
    assert_answer(disable(enrolled, code=wrong), 403)
    body = {"password": enrolled.password}
    assert_answer(enrolled.api("POST", "/account/2fa/disable", body), 422)
    assert enrolled.session()["user"]["two_factor_enabled"] is True


def test_disabling_ends_other_sessions_and_renews_its_own(world, enrolled):
    other = enrolled.other_browser()
    other.login()
    enrolled.used_step = other.used_step
    before = dict(enrolled.cookies)
    assert_answer(disable(enrolled), 200)
    assert other.get("/tasks").status == 401 and other.refresh().status == 401
    session = enrolled.session()
    assert session["user"]["two_factor_enabled"] is False and session["two_factor"] is False
    renewed, enrolled.cookies = enrolled.cookies, before
    assert enrolled.get("/tasks").status == 401, "its token says that a factor was shown"
    enrolled.cookies = renewed
    assert_answer(enrolled.refresh(), 200)
    session = enrolled.session()
    assert session["user"]["two_factor_enabled"] is False and session["two_factor"] is False
    assert "2fa_disabled" in enrolled.events()
    assert "two_factor_required" not in enrolled.try_login().json()
    assert world.mail.wait(enrolled.email, subject="Two-factor sign-in is off")


def test_admins_can_not_switch_it_off(world):
    admin = world.new_admin()
    assert_answer(disable(admin), 403)
    assert admin.session()["user"]["two_factor_enabled"] is True


# -- who must have one --


def test_an_admin_can_do_nothing_but_enrol(world):
    person = world.person()
    assert_answer(world.set_roles(person, "user", "admin"), 200)
    person.login()
    session = person.session()
    assert session["user"]["two_factor_enrolment_required"] is True
    refused = [
        ("GET", "/tasks"),
        ("GET", f"/users/{person.id}/x"),
        ("GET", "/api/v1/admin/users"),
        ("GET", "/api/v1/account/sessions"),
        ("PATCH", "/api/v1/account/profile"),
        ("POST", "/api/v1/account/password"),
        ("POST", "/api/v1/compliance/export"),
        ("DELETE", "/api/v1/account"),
    ]
    for method, path in refused:
        body = None if method == "GET" else {}
        response = person.ask(method, path, body)
        assert response.status == 403, (method, path, response)
        assert "factor" in response.problem()["detail"].lower(), response.body
    assert person.api("GET", "/account/profile").status == 200
    assert person.get("/public/x").status == 200
    person.enrol()
    assert person.get("/tasks").status == 200
    assert person.api("GET", "/admin/users").status == 200


def test_two_factor_is_a_matter_of_the_session(world):
    """Routes with two_factor refuse a session that was opened before it was on elsewhere."""
    person = world.person()
    response = person.get("/admin/x")
    assert_answer(response, 403)


# -- fresh --


def test_fresh_routes_ask_again_after_ten_minutes(world):
    person = world.person()
    assert person.get("/fresh").status == 200
    world.gate.clock.advance(10 * 60 + 1)
    response = person.get("/fresh")
    assert response.status in (401, 403)
    assert response.problem()
    assert_answer(person.step_up(), 200)
    assert person.get("/fresh").status == 200


def test_step_up_by_code(world, enrolled):
    world.gate.clock.advance(10 * 60 + 1)
    assert enrolled.get("/fresh").status in (401, 403)
    assert_answer(enrolled.step_up(code=enrolled.next_code()), 200)
    assert enrolled.get("/fresh").status == 200


def test_step_up_takes_one_of_both(world, enrolled):
    both = {"password": enrolled.password, "code": enrolled.next_code()}
    for body in (both, {}):
        assert_answer(enrolled.api("POST", "/auth/step-up", body), 422)


def test_refreshing_does_not_make_fresh(world):
    person = world.person()
    world.gate.clock.advance(10 * 60 + 1)
    assert_answer(person.refresh(), 200)
    assert person.get("/fresh").status in (401, 403)
