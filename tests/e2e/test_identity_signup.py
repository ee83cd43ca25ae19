"""SPEC 4: signing up, and what the bodies of requests may look like."""

import json

import pytest

from harness.gate import IS_RELEASE, run
from harness.identity import (
    BASE,
    ENV,
    OTHER_PASSWORD,
    PASSWORD,
    assert_answer,
    deployed,
    link_token,
    wait_for_commands,
)

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

CONFIRM = "Confirm your e-mail address"
ALREADY = "You have an account already"
# Of PASSWORD, by the C library.
IMPORTED_HASH = "$2b$10$XpCj.N0tHY5Huq8EVrftcuBSDgeW8.G.jArojL3k/B8lQlDWSaxTO"


@pytest.fixture(scope="module")
def open_door(tmp_path_factory):
    """Without confirmation of addresses."""
    with deployed(tmp_path_factory.mktemp("open")) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def careful(tmp_path_factory):
    """With it."""
    identity = {"email_verification": "required"}
    with deployed(tmp_path_factory.mktemp("careful"), identity) as deployment:
        yield deployment


def raw_sign_up(deployment, body, content_type="application/json", extra=()):
    person = deployment.stranger()
    fields = [("Content-Type", content_type)] if content_type else []
    return person.ask("POST", BASE + "/auth/signup", body, extra=[*fields, *extra])


def bare(response):
    """What may be compared between two answers."""
    changing = ("x-request-id", "date")
    fields = [(name, value) for name, value in response.fields if name.lower() not in changing]
    return response.status, fields, response.body


# -- without confirmation --


def test_a_new_account_can_be_used_at_once(open_door):
    person = open_door.stranger()
    user = assert_answer(person.sign_up(name="Ada Lovelace"), 201)["user"]
    assert user["email"] == person.email
    assert user["name"] == "Ada Lovelace"
    assert user["roles"] == ["user"]
    assert user["two_factor_enabled"] is False and user["disabled"] is False
    assert user["last_login_at"] is None
    assert person.login()["user"]["id"] == user["id"]


def test_signing_up_signs_nobody_in(open_door):
    person = open_door.stranger()
    response = person.sign_up()
    assert response.status == 201
    assert not response.all("Set-Cookie")
    assert b"token" not in response.body and PASSWORD.encode() not in response.body


def test_an_address_is_taken_once_whatever_its_case(open_door):
    person = open_door.stranger()
    assert person.sign_up().status == 201
    person.email = person.email.upper()
    assert_answer(person.sign_up(), 409, detail="account with this address")
    person.password = OTHER_PASSWORD
    assert person.try_login().status == 401, "and the old password stays"


def test_sign_up_is_audited_without_a_secret(open_door):
    person = open_door.person()
    record = person.records()[0]
    assert record["event_type"] == "signup"
    assert record["user_id"] == person.id
    assert record["ip_address"] == person.address
    assert PASSWORD not in json.dumps(person.records())


def test_nobody_chooses_a_role_when_signing_up(open_door):
    person = open_door.stranger()
    for member in ("role", "roles", "disabled", "email_verified", "id"):
        body = assert_answer(person.sign_up(**{member: "admin"}), 422)
        assert [(e["location"], e["pointer"]) for e in body["errors"]] == [("body", f"/{member}")]


# -- with confirmation --


def test_confirmation_says_202_and_mails_a_link(careful):
    person = careful.stranger()
    body = assert_answer(person.sign_up(), 202)
    assert "user" not in body
    assert person.try_login().status == 401
    token = careful.link_of(person.email, CONFIRM)
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 200)
    assert person.login()["user"]["email_verified"] is True
    assert "email_verified" in person.events()


def test_the_link_is_good_once_and_15_minutes(careful):
    person = careful.stranger()
    person.sign_up()
    token = careful.link_of(person.email, CONFIRM)
    careful.gate.clock.advance(15 * 60 + 1)
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 400)
    assert_answer(person.api("POST", "/auth/email/resend", {"email": person.email}), 200)
    careful.mail.wait(person.email, 2, CONFIRM)
    token = careful.link_of(person.email, CONFIRM)
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 200)
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 400)


def test_opening_the_link_by_get_consumes_nothing(careful):
    person = careful.stranger()
    person.sign_up()
    token = careful.link_of(person.email, CONFIRM)
    for method in ("GET", "HEAD"):
        response = person.api(method, f"/auth/email/verify?token={token}")
        assert response.status in (401, 404, 405)
    assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 200)


def test_the_answer_is_the_same_for_an_address_that_is_known(careful):
    owner = careful.stranger()
    owner.sign_up()
    token = careful.link_of(owner.email, CONFIRM)
    assert owner.api("POST", "/auth/email/verify", {"token": token}).status == 200
    again = careful.stranger(email=owner.email, password=OTHER_PASSWORD)
    new = careful.stranger(email="x" + owner.email, password=OTHER_PASSWORD)
    assert bare(again.sign_up()) == bare(new.sign_up())
    assert careful.mail.wait(owner.email, subject=ALREADY)
    assert again.try_login().status == 401, "the new password does not count"
    owner.login()


def test_an_unconfirmed_account_belongs_to_who_confirms_it(careful):
    """Somebody else's sign-up with my address neither chooses my password nor ends my link."""
    owner = careful.stranger()
    owner.sign_up()
    mine = careful.link_of(owner.email, CONFIRM)
    squatter = careful.stranger(email=owner.email, password=OTHER_PASSWORD)
    assert squatter.sign_up().status == 202
    mails = careful.mail.wait(owner.email, 2, CONFIRM)
    (other,) = {link_token(mail) for mail in mails} - {mine}
    statuses = [owner.api("POST", "/auth/email/verify", {"token": t}).status for t in (mine, other)]
    assert statuses == [200, 400]
    assert squatter.try_login().status == 401
    owner.login()


def test_a_sign_up_does_not_take_an_imported_account(careful):
    owner = careful.stranger()
    line = {"email": owner.email, "roles": ["user", "admin"], "password_hash": IMPORTED_HASH}
    wait_for_commands(careful.gate, careful.folder)
    imported = run("user", "import", "-", "--config", careful.gate.config_path, env=ENV,
                   stdin=json.dumps(line) + "\n")
    assert imported.returncode == 0, imported.stdout + imported.stderr
    squatter = careful.stranger(email=owner.email, password=OTHER_PASSWORD)
    assert squatter.sign_up().status == 202
    token = careful.link_of(owner.email, CONFIRM)
    assert owner.api("POST", "/auth/email/verify", {"token": token}).status == 200
    assert squatter.try_login().status == 401
    assert owner.try_login().status == 200


def test_resending_says_nothing_about_the_address(careful):
    answers = set()
    confirmed = careful.stranger()
    confirmed.sign_up()
    token = careful.link_of(confirmed.email, CONFIRM)
    confirmed.api("POST", "/auth/email/verify", {"token": token})
    waiting = careful.stranger()
    waiting.sign_up()
    for person in (confirmed, waiting, careful.stranger()):
        response = person.api("POST", "/auth/email/resend", {"email": person.email})
        answers.add((response.status, response.body))
    assert len(answers) == 1
    assert careful.mail.wait(waiting.email, 2, CONFIRM)
    assert len(careful.mail.all(confirmed.email)) == 1


# -- passwords --


@pytest.mark.parametrize(
    "password, why",
    [
        ("short-9!x", "at least 12"),
        ("a" * 129, "at most 128"),
        ("password1234", "guess"),
        ("1q2w3e4r5t6y", "guess"),
        ("aaaaaaaaaaaaaaaa", "guess"),
    ],
)
def test_a_weak_password_is_refused_and_says_why(open_door, password, why):
    assert_answer(open_door.stranger(password=password).sign_up(), 422, detail=why)


def test_a_password_of_ones_own_address_is_refused(open_door):
    person = open_door.stranger(email="margarethe.vonderheide@example.com")
    person.password = "margarethe.vonderheide"
    assert_answer(person.sign_up(), 422, detail="guess")


@pytest.mark.parametrize("password", ["ø" * 3 + "-quarry-lantern", "correct horse vellum drift"])
def test_any_characters_and_spaces_are_welcome(open_door, password):
    person = open_door.stranger(password=password)
    assert person.sign_up().status == 201
    person.login()


def test_length_counts_characters_not_bytes(open_door):
    person = open_door.stranger(password="žluťoučký-kůň-" + "ě" * 114)
    assert len(person.password) == 128
    assert person.sign_up().status == 201
    person.login()
    person.password = person.password[:-1]
    assert person.try_login().status == 401, "nothing is cut off"


# -- addresses --


@pytest.mark.parametrize(
    "email",
    ["nobody", "a@", "@example.com", "a@b@example.com", "a b@example.com", "a@exa mple.com"]
    + ["a@example..com", "a@-example.com", "a\n@example.com", "a@[127.0.0.1]", "<a@example.com>"],
)
def test_what_is_no_address_is_refused(open_door, email):
    person = open_door.stranger()
    person.email = email
    assert person.sign_up().status == 422


def test_an_address_of_255_characters_is_refused(open_door):
    person = open_door.stranger()
    person.email = "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + ".example.com"
    assert len(person.email) == 255
    assert assert_answer(person.sign_up(), 422)["errors"][0]["pointer"] == "/email"


# -- bodies --


@pytest.mark.parametrize(
    "body, pointer",
    [
        ({"password": PASSWORD}, "/email"),
        ({"email": "a@example.com"}, "/password"),
        ({"email": 7, "password": PASSWORD}, "/email"),
        ({"email": "a@example.com", "password": None}, "/password"),
        ({"email": "a@example.com", "password": ["x"]}, "/password"),
        ({"email": "a@example.com", "password": ""}, "/password"),
        ({"email": "a@example.com", "password": "x" * 1025}, "/password"),
        ({"email": "a@example.com", "password": PASSWORD, "name": "n" * 101}, "/name"),
        ({"email": "a@example.com", "password": PASSWORD, "name": "a\u0007"}, "/name"),
        ({"email": "a@example.com", "password": PASSWORD, "a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_a_wrong_member_is_named_by_its_pointer(open_door, body, pointer):
    problem = assert_answer(raw_sign_up(open_door, json.dumps(body).encode()), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_all_wrong_members_are_named_at_once(open_door):
    body = {"email": 1, "password": 2, "name": 3, "more": 4}
    problem = assert_answer(raw_sign_up(open_door, json.dumps(body).encode()), 422)
    assert {e["pointer"] for e in problem["errors"]} == {"/email", "/password", "/name", "/more"}


GOOD = b'{"email": "good@example.com", "password": "%s"}' % PASSWORD.encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"null", GOOD + b"x", GOOD + GOOD, GOOD[:-1]]
    + [b"\xef\xbb\xbf" + GOOD, GOOD[:-1] + b', "email": "b@example.com"}']
    + [b'{"email": "a\xff@example.com", "password": "x"}', b"{'email': 'a@example.com'}"]
    + [b'{"email": "a@example.com", "password": "x",}', b"email=a%40example.com&password=x"],
)
def test_what_is_not_one_json_object_is_refused(open_door, body):
    expected = 422 if body in (b"", b"[]", b'"text"', b"null") else 400
    assert_answer(raw_sign_up(open_door, body), expected)


def test_deep_json_is_refused(open_door):
    assert_answer(raw_sign_up(open_door, b'{"email":' + b"[" * 500 + b"]" * 500 + b"}"), 422)


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    + ["application/jsonp", "application/json-patch+json", "text/json"],
)
def test_other_content_types_are_415(open_door, content_type):
    assert_answer(raw_sign_up(open_door, GOOD, content_type), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_with_a_parameter_or_in_capitals_is_json(open_door, content_type):
    body = b'{"email": 1}'
    assert_answer(raw_sign_up(open_door, body, content_type), 422)


def test_a_large_body_is_413(open_door):
    body = b'{"email": "%s"}' % (b"a" * 32 * 1024)
    assert_answer(raw_sign_up(open_door, body), 413)


def test_no_body_reaches_the_backend_and_nothing_is_echoed(open_door):
    before = len(open_door.backend.requests)
    response = raw_sign_up(open_door, b'{"email": "needle-in-a-haystack"}')
    assert b"needle" not in response.body
    assert len(open_door.backend.requests) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_the_business_of_the_routes(open_door, method):
    """Identity owns the pair of method and path; here the catch-all asks to sign in."""
    assert open_door.stranger().api(method, "/auth/signup").status in (401, 405)
