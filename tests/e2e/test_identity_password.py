"""SPEC 4: changing a password, and setting a new one by a link."""

import pytest

from harness.gate import IS_RELEASE
from harness.identity import OTHER_PASSWORD, PASSWORD, assert_answer, deployed

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

THIRD = "copper-window-fjord-31"
RESET = "Set a new password"
CHANGED = "Your password was changed"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("password")) as deployment:
        deployment.admin()
        yield deployment


def change(person, new=OTHER_PASSWORD, current=None, **more):
    body = {"current_password": current or person.password, "new_password": new, **more}
    return person.api("POST", "/account/password", body)


def ask_reset(person, email=None):
    return person.api("POST", "/account/password/reset-request", {"email": email or person.email})


def reset(person, token, new=OTHER_PASSWORD):
    return person.api("POST", "/account/password/reset", {"token": token, "new_password": new})


# -- changing it --


def test_a_change_ends_all_other_sessions(world):
    person = world.person()
    others = [person.other_browser() for _ in range(2)]
    for other in others:
        other.login()
    assert_answer(change(person), 200, message="other sessions have ended")
    assert [other.get("/tasks").status for other in others] == [401, 401]
    assert [other.refresh().status for other in others] == [401, 401]
    assert person.get("/tasks").status == 200
    assert_answer(person.refresh(), 200)
    assert "password_change" in person.events()
    assert world.mail.wait(person.email, subject=CHANGED)


def test_the_new_one_counts_and_the_old_does_not(world):
    person = world.person()
    change(person)
    assert person.other_browser().try_login(PASSWORD).status == 401
    assert person.other_browser().try_login(OTHER_PASSWORD).status == 200


def test_a_change_needs_the_current_one(world):
    person = world.person()
    assert_answer(change(person, current=THIRD), 403)
    assert_answer(change(person, current=None, new=PASSWORD[:8]), 422)
    assert person.other_browser().try_login(PASSWORD).status == 200
    assert "password_change" not in person.events()


def test_a_weak_new_one_is_refused(world):
    person = world.person()
    for weak in ("short", "a" * 129, "password1234", "aaaaaaaaaaaaaaa"):
        assert_answer(change(person, new=weak), 422)
    assert person.other_browser().try_login(PASSWORD).status == 200


def test_wrong_current_passwords_are_throttled(world):
    person = world.person()
    statuses = [change(person, current=THIRD).status for _ in range(7)]
    assert statuses[:6] == [403] * 6
    assert statuses[6] == 429


def test_a_stale_session_needs_the_code_too_where_the_factor_is_on(world):
    person = world.person()
    person.enrol()
    world.gate.clock.advance(10 * 60 + 1)
    assert_answer(change(person), 403)
    assert_answer(change(person, code=person.next_code()), 200)


def test_nobody_else_changes_it(world):
    assert_answer(change(world.stranger()), 401)


# -- setting a new one by a link --


def test_the_link_sets_a_new_one_and_ends_all_sessions(world):
    person = world.person()
    forgetful = world.stranger(email=person.email)
    assert_answer(ask_reset(forgetful), 200, message="on its way")
    token = world.link_of(person.email, RESET)
    assert_answer(reset(forgetful, token), 200)
    assert person.get("/tasks").status == 401
    assert person.refresh().status == 401
    forgetful.password = OTHER_PASSWORD
    forgetful.login()
    assert person.try_login(PASSWORD).status == 401
    events = forgetful.events()
    assert "password_reset_request" in events and "password_change" in events
    assert world.mail.wait(person.email, subject=CHANGED)


def test_a_reset_signs_nobody_in(world):
    person = world.person()
    forgetful = world.stranger(email=person.email)
    ask_reset(forgetful)
    response = reset(forgetful, world.link_of(person.email, RESET))
    assert response.status == 200
    assert "gh_access" not in forgetful.cookies


def test_the_link_is_single_use_and_by_post_alone(world):
    person = world.person()
    ask_reset(person)
    token = world.link_of(person.email, RESET)
    for method in ("GET", "HEAD"):
        path = f"/account/password/reset?token={token}"
        assert world.stranger().api(method, path).status in (401, 404, 405)
    assert_answer(reset(world.stranger(), token, "short"), 422)
    assert_answer(reset(world.stranger(), token), 200)
    assert_answer(reset(world.stranger(), token, THIRD), 400)
    assert world.stranger(email=person.email).try_login(OTHER_PASSWORD).status == 200


def test_the_link_is_good_for_15_minutes(world):
    person = world.person()
    ask_reset(person)
    token = world.link_of(person.email, RESET)
    world.gate.clock.advance(15 * 60 + 1)
    assert_answer(reset(world.stranger(), token), 400)
    assert person.other_browser().try_login(PASSWORD).status == 200


def test_the_link_has_256_bits_and_the_host_of_the_configuration(tmp_path):
    with deployed(tmp_path, public_url="https://app.example.com") as world:
        person = world.stranger()
        person.sign_up()
        forged = [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")]
        body = {"email": person.email}
        answer = person.api("POST", "/account/password/reset-request", body, extra=forged)
        assert_answer(answer, 200)
        message = world.mail.wait(person.email, subject=RESET)[0]
        text = message.get_body().get_content()
        assert "https://app.example.com/" in text
        assert "evil" not in text
        assert len(world.link_of(person.email, RESET)) >= 43


def test_using_one_link_voids_all(world):
    person = world.person()
    ask_reset(person)
    first = world.link_of(person.email, RESET)
    ask_reset(person)
    world.mail.wait(person.email, 2, RESET)
    second = world.link_of(person.email, RESET)
    assert first != second
    assert_answer(reset(world.stranger(), second), 200)
    assert_answer(reset(world.stranger(), first), 400)


def test_an_unknown_address_gets_the_same_answer_and_no_mail(world):
    person, nobody = world.person(), world.stranger()
    known, unknown = ask_reset(world.stranger(), person.email), ask_reset(nobody)
    assert known.status == unknown.status == 200
    assert known.body == unknown.body

    def fields(response):
        return [f for f in response.fields if f[0].lower() not in ("x-request-id", "date")]

    assert fields(known) == fields(unknown)
    world.mail.wait(person.email, subject=RESET)
    assert not world.mail.all(nobody.email)


def test_made_up_tokens_are_refused(world):
    for token in ("A" * 43, "x" * 16, "é" * 20):
        assert reset(world.stranger(), token).status in (400, 422)
    assert_answer(reset(world.stranger(), "short"), 422)


def test_a_token_of_another_kind_is_refused(world):
    """A confirmation link sets no password."""
    person = world.person()
    address = "new." + person.email
    body = {"password": person.password, "email": address}
    assert_answer(person.api("POST", "/account/email", body), 200)
    token = world.link_of(address, "Confirm your new e-mail address")
    assert_answer(reset(world.stranger(), token), 400)
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 200)


def test_the_second_factor_is_not_skipped(world):
    person = world.person()
    person.enrol()
    forgetful = person.other_browser()
    ask_reset(forgetful)
    assert_answer(reset(forgetful, world.link_of(person.email, RESET)), 200)
    forgetful.password = OTHER_PASSWORD
    assert forgetful.try_login().json()["two_factor_required"] is True
    forgetful.login()
    assert forgetful.session()["user"]["two_factor_enabled"] is True


def test_a_reset_lets_a_throttled_owner_in(world):
    person = world.person()
    attacker = world.stranger(email=person.email)
    for _ in range(6):
        attacker.try_login(THIRD)
    owner = world.stranger(email=person.email)
    assert owner.try_login().status == 429
    ask_reset(owner)
    assert_answer(reset(owner, world.link_of(person.email, RESET)), 200)
    owner.password = OTHER_PASSWORD
    owner.login()


def test_four_requests_in_an_hour_are_too_many(tmp_path):
    with deployed(tmp_path, rate_limits=None) as world:
        person = world.person()
        emails = [person.email, person.email.upper(), " " + person.email, person.email]
        statuses = [ask_reset(world.stranger(), email).status for email in emails]
        assert statuses[0:2] == [200, 200] and statuses[3] == 429 or statuses == [200] * 3 + [429]
        response = ask_reset(world.stranger(), person.email)
        assert_answer(response, 429, detail="Rate limit exceeded: 3 requests per hour")
        assert ask_reset(world.stranger(), "other" + person.email).status == 200


def test_a_client_asks_for_five_mails_a_minute_whatever_the_addresses(tmp_path):
    with deployed(tmp_path, rate_limits=None) as world:
        person = world.person()
        sender = world.stranger()
        made_up = [f"made-up-{number}@example.com" for number in range(3)]
        for email in made_up:
            assert ask_reset(sender, email).status == 200
            resent = sender.api("POST", "/auth/email/resend", {"email": email})
            assert resent.status == (429 if email == made_up[2] else 200)
        assert ask_reset(sender, person.email).status == 429
        assert ask_reset(world.stranger(), person.email).status == 200


# -- another address --


def test_a_new_address_counts_when_it_is_confirmed(world):
    person = world.person()
    old, new = person.email, "moved." + person.email
    body = {"password": person.password, "email": new}
    assert_answer(person.api("POST", "/account/email", body), 200)
    assert person.session()["user"]["email"] == old
    assert world.mail.wait(old, subject="about to change")
    token = world.link_of(new, "Confirm your new e-mail address")
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 200)
    assert world.stranger(email=old).try_login().status == 401
    moved = world.stranger(email=new)
    assert moved.login()["user"]["email"] == new
    assert "profile_updated" in moved.events()


def test_a_new_address_needs_the_password(world):
    person = world.person()
    body = {"password": THIRD, "email": "moved." + person.email}
    assert_answer(person.api("POST", "/account/email", body), 403)
    assert not world.mail.all("moved." + person.email)


def test_an_address_of_somebody_else_is_not_betrayed(world):
    person, other = world.person(), world.person()

    def move_to(email):
        return person.api("POST", "/account/email", {"password": PASSWORD, "email": email})

    free, taken = move_to("free." + person.email), move_to(other.email)
    assert free.status == taken.status == 200
    assert free.body == taken.body


# -- profile --


def test_the_profile_is_read_and_changed(world):
    person = world.person()
    body = {"name": "Grace Hopper", "locale": "en-GB"}
    user = assert_answer(person.api("PATCH", "/account/profile", body), 200)
    assert user["name"] == "Grace Hopper" and user["locale"] == "en-GB"
    assert assert_answer(person.api("GET", "/account/profile"), 200) == user
    assert_answer(person.api("PATCH", "/account/profile", {"name": ""}), 200)
    assert person.api("GET", "/account/profile").json()["locale"] == "en-GB"
    assert "profile_updated" in person.events()


@pytest.mark.parametrize(
    "body",
    [{"name": "n" * 101}, {"locale": "not a tag"}, {"email": "a@example.com"}, {"roles": ["admin"]}]
    + [{"name": 5}, {"name": "a\nb"}, {"id": "7"}, {"password": "x"}],
)
def test_a_profile_takes_nothing_else(world, body):
    assert_answer(world.person().api("PATCH", "/account/profile", body), 422)
