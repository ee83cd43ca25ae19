"""SPEC 4: signing in: cookies, tokens in the body, refusals that tell nothing, throttles."""

import re

import pytest

from harness.gate import IS_RELEASE, Gatehouse
from harness.identity import ENV, OTHER_PASSWORD, assert_answer, claims_of, deployed

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

WRONG = "Invalid email or password"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("login")) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """With the limits of the product."""
    with deployed(tmp_path_factory.mktemp("guarded"), rate_limits=None) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    folder = tmp_path_factory.mktemp("production")
    identity = {"mail": {"from": "no-reply@example.com", "folder": str(folder / "mail")}}
    settings = {"environment": "production", "public_url": "https://example.com"}
    with deployed(folder, identity, **settings) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def bearer(tmp_path_factory):
    identity = {"transport": "bearer"}
    with deployed(tmp_path_factory.mktemp("bearer"), identity) as deployment:
        yield deployment


def cookie_lines(response):
    """{name: (value, {attribute: value or True})}"""
    cookies = {}
    for line in response.all("Set-Cookie"):
        first, *rest = line.split("; ")
        name, _, value = first.partition("=")
        assert name not in cookies
        pairs = [part.partition("=") for part in rest]
        cookies[name] = (value, {key: text or True for key, _, text in pairs})
    return cookies


OVER_HTTPS = [("X-Forwarded-Proto", "https")]


# -- cookies --


def test_a_session_travels_in_cookies_alone(world):
    person = world.stranger()
    person.sign_up()
    response = person.try_login()
    body = assert_answer(response, 200, expires_in=900)
    assert set(body) == {"expires_in", "user"}
    assert body["user"]["email"] == person.email
    for value in person.cookies.values():
        assert value.encode() not in response.body
    assert response.get("Cache-Control") == "no-store"


def test_cookies_of_development_have_no_prefix(world):
    person = world.stranger()
    person.sign_up()
    cookies = cookie_lines(person.try_login())
    assert set(cookies) == {"gh_access", "gh_refresh", "gh_device"}
    assert cookies["gh_access"][1] == {
        "Path": "/", "Max-Age": "900", "HttpOnly": True, "SameSite": "Lax"
    }
    assert cookies["gh_refresh"][1] == {
        "Path": "/api/v1/auth", "HttpOnly": True, "SameSite": "Strict"
    }
    device = cookies["gh_device"][1]
    assert device.pop("Max-Age") and device == {"Path": "/", "HttpOnly": True, "SameSite": "Lax"}


def test_cookies_of_production_are_bound_to_the_host(production):
    person = production.stranger()
    body = {"email": person.email, "password": person.password}
    signed_up = person.api("POST", "/auth/signup", body, extra=OVER_HTTPS)
    assert_answer(signed_up, 201)
    cookies = cookie_lines(person.api("POST", "/auth/login", body, extra=OVER_HTTPS))
    assert set(cookies) == {"__Host-gh_access", "__Secure-gh_refresh", "__Host-gh_device"}
    for value, attributes in cookies.values():
        assert attributes["Secure"] is True and attributes["HttpOnly"] is True
        assert "Domain" not in attributes
    assert cookies["__Host-gh_access"][1]["Path"] == "/"
    assert cookies["__Host-gh_access"][1]["SameSite"] == "Lax"
    assert cookies["__Host-gh_device"][1]["Path"] == "/"
    assert cookies["__Secure-gh_refresh"][1]["Path"] == "/api/v1/auth"
    assert cookies["__Secure-gh_refresh"][1]["SameSite"] == "Strict"
    session = person.api("GET", "/auth/session", extra=OVER_HTTPS)
    assert_answer(session, 200)


def test_production_takes_no_password_in_clear(production):
    person = production.stranger()
    response = person.try_login()
    assert response.status == 403
    assert not response.all("Set-Cookie")


def test_a_cookie_without_its_prefix_counts_for_nothing_in_production(production):
    person = production.stranger()
    body = {"email": person.email, "password": person.password}
    person.api("POST", "/auth/signup", body, extra=OVER_HTTPS)
    person.api("POST", "/auth/login", body, extra=OVER_HTTPS)
    person.cookies = {"gh_access": person.cookies["__Host-gh_access"]}
    response = person.api("GET", "/auth/session", extra=OVER_HTTPS)
    assert_answer(response, 401)


def test_remember_me_outlives_the_browser(world):
    person = world.stranger()
    person.sign_up()
    cookies = cookie_lines(person.try_login(remember=True))
    assert int(cookies["gh_refresh"][1]["Max-Age"]) == 30 * 24 * 3600
    world.gate.clock.advance(29 * 24 * 3600)
    person.cookies.pop("gh_access")
    assert_answer(person.refresh(), 200)
    assert person.is_signed_in()


def test_without_it_a_month_is_too_long(world):
    person = world.person()
    world.gate.clock.advance(29 * 24 * 3600)
    assert_answer(person.refresh(), 401)


def test_the_access_cookie_is_a_token_of_its_kind(world):
    person = world.person()
    header, claims = claims_of(person.cookies["gh_access"])
    assert header["alg"] == "HS256" and header["typ"] == "at+jwt" and header["kid"]
    assert claims["sub"] == person.id and claims["aud"] == "api" and claims["sid"]
    assert claims["exp"] - claims["iat"] == 900


def test_two_cookies_of_one_name_are_refused(world):
    person = world.person()
    twice = f"gh_access={person.cookies['gh_access']}; gh_access={person.cookies['gh_access']}"
    person.cookies = {}
    assert_answer(person.get("/x", extra=[("Cookie", twice)]), 400)


def test_a_changed_token_is_refused(world):
    person = world.person()
    token = person.cookies["gh_access"]
    header, claims, signature = token.split(".")
    flipped = signature[:5] + ("A" if signature[5] != "A" else "B") + signature[6:]
    for changed in (f"{header}.{claims}.{flipped}", f"{header}.{claims}.", f"{header}.{claims}"):
        person.cookies["gh_access"] = changed
        assert_answer(person.get("/x"), 401)
    person.cookies["gh_access"] = token
    assert person.get("/x").status == 200


# -- tokens in the body --


def test_under_bearer_the_tokens_are_in_the_body(bearer):
    person = bearer.stranger()
    person.sign_up()
    response = person.try_login()
    body = assert_answer(response, 200, expires_in=900, token_type="Bearer")
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert not {"gh_access", "gh_refresh"} & set(cookie_lines(response))
    header, claims = claims_of(body["access_token"])
    assert header["alg"] == "EdDSA" and header["typ"] == "at+jwt"
    assert claims["aud"] == "api"
    authorization = [("Authorization", f"Bearer {body['access_token']}")]
    session = person.api("GET", "/auth/session", extra=authorization)
    assert_answer(session, 200)
    assert_answer(person.api("GET", "/auth/session"), 401)


def test_under_bearer_no_browser_header_is_needed(bearer):
    """Nothing here travels by itself, so there is nothing another site could abuse."""
    person = bearer.stranger()
    person.sign_up()
    body = {"email": person.email, "password": person.password}
    person.cookies = {}
    tokens = assert_answer(person.api("POST", "/auth/login", body, site=None), 200)
    body = {"refresh_token": tokens["refresh_token"]}
    fresh = assert_answer(person.api("POST", "/auth/refresh", body, site=None), 200)
    assert fresh["refresh_token"] != tokens["refresh_token"]


def test_under_bearer_logout_ends_the_access_token(bearer):
    person = bearer.stranger()
    person.sign_up()
    tokens = assert_answer(person.try_login(), 200)
    authorization = [("Authorization", f"Bearer {tokens['access_token']}")]
    body = {"refresh_token": tokens["refresh_token"]}
    assert_answer(person.api("POST", "/auth/logout", body, extra=authorization), 200)
    assert_answer(person.api("GET", "/auth/session", extra=authorization), 401)
    assert_answer(person.api("POST", "/auth/refresh", body), 401)


def test_under_cookies_a_token_in_the_body_is_not_looked_at(world):
    person = world.person()
    token = person.cookies["gh_refresh"]
    person.cookies = {}
    assert_answer(person.api("POST", "/auth/refresh", {"refresh_token": token}), 401)


# -- refusals --


def bare(response):
    changing = ("x-request-id", "date")
    fields = [(name, value) for name, value in response.fields if name.lower() not in changing]
    body = re.sub(rb'"request_id":"[^"]*"', b"", response.body)
    return response.status, fields, body


def test_all_refusals_are_alike(tmp_path):
    """Unknown, wrong, disabled, unconfirmed: the same bytes but for request id and date."""
    identity = {"email_verification": "required"}
    with deployed(tmp_path, identity) as world:
        def confirmed():
            person = world.stranger()
            person.sign_up()
            token = world.link_of(person.email, "Confirm")
            person.api("POST", "/auth/email/verify", {"token": token})
            return person

        wrong, disabled = confirmed(), confirmed()
        disabled.login()
        unconfirmed = world.stranger()
        unconfirmed.sign_up()
        answer = world.admin().api("POST", f"/admin/users/{disabled.id}/disable", {})
        assert_answer(answer, 200)
        answers = [
            bare(world.stranger().try_login()),
            bare(world.stranger(email="no address at all").try_login()),
            bare(world.stranger(email=wrong.email).try_login(OTHER_PASSWORD)),
            bare(world.stranger(email=disabled.email).try_login()),
            bare(world.stranger(email=disabled.email).try_login(OTHER_PASSWORD)),
            bare(world.stranger(email=unconfirmed.email).try_login()),
            bare(world.stranger(email=unconfirmed.email).try_login(OTHER_PASSWORD)),
        ]
        assert answers[0][0] == 401 and WRONG.encode() in answers[0][2]
        for answer in answers[1:]:
            assert answer == answers[0]
        reasons = [r["metadata"]["reason"] for r in world.audit(event="login_failed")]
        assert reasons == ["unknown", "unknown", "password", "disabled", "password"] + [
            "unverified", "password"
        ]


def test_a_wrong_login_is_401_and_sets_nothing(world):
    person = world.person()
    stranger = world.stranger(email=person.email)
    response = stranger.try_login(OTHER_PASSWORD)
    assert_answer(response, 401, detail=WRONG)
    assert not response.all("Set-Cookie")
    assert "login_failed" in person.events()


def test_a_failed_login_is_audited_with_its_reason(world):
    person = world.person()
    stranger = world.stranger(email=person.email)
    stranger.try_login(OTHER_PASSWORD)
    record = [r for r in person.records() if r["event_type"] == "login_failed"][-1]
    assert record["outcome"] == "failure"
    assert record["ip_address"] == stranger.address
    assert record["metadata"] == {"email": person.email, "reason": "password"}


def test_the_address_is_not_case_sensitive(world):
    person = world.person()
    person.email = person.email.upper()
    person.login()


def test_an_old_or_bad_session_does_not_stop_a_login(world):
    person = world.person()
    person.cookies["gh_access"] = "eyJhbGciOiJub25lIn0.e30."
    person.login()
    assert person.is_signed_in()


def test_a_login_makes_a_new_session(world):
    person = world.person()
    _, before = claims_of(person.cookies["gh_access"])
    person.login()
    _, after = claims_of(person.cookies["gh_access"])
    assert before["sid"] != after["sid"]


# -- throttles --


def fail(person, times):
    return [person.try_login(OTHER_PASSWORD) for _ in range(times)]


def test_five_failures_are_free_then_delays_double(world):
    owner = world.person()
    attacker = world.stranger(email=owner.email)
    assert [r.status for r in fail(attacker, 6)] == [401] * 6
    delays = []
    for _ in range(12):
        response = attacker.try_login(OTHER_PASSWORD)
        assert_answer(response, 429, detail="rate limit")
        delays.append(int(response.get("Retry-After")))
        world.gate.clock.advance(delays[-1] + 0.01)
        assert attacker.try_login(OTHER_PASSWORD).status == 401
    assert delays[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert delays[10:] == [900, 900]


def test_a_throttled_account_refuses_the_right_password_too(world):
    owner = world.person()
    fail(world.stranger(email=owner.email), 6)
    elsewhere = world.stranger(email=owner.email)
    assert_answer(elsewhere.try_login(), 429)
    world.gate.clock.advance(2)
    elsewhere.login()
    assert world.stranger(email=owner.email).try_login(OTHER_PASSWORD).status == 401


def test_unknown_addresses_are_throttled_alike(world):
    known, unknown = world.person(), world.stranger()
    answers = []
    for email in (known.email, unknown.email):
        attacker = world.stranger(email=email)
        fail(attacker, 6)
        answers.append(bare(world.stranger(email=email).try_login(OTHER_PASSWORD)))
    assert answers[0][0] == 429
    assert answers[0] == answers[1]


def test_the_device_cookie_lets_the_owner_in(world):
    owner = world.person()
    assert "gh_device" in owner.cookies
    fail(world.stranger(email=owner.email), 8)
    assert world.stranger(email=owner.email).try_login().status == 429
    owner.cookies = {"gh_device": owner.cookies["gh_device"]}
    owner.login()


def test_a_device_cookie_has_a_budget_of_its_own(world):
    owner = world.person()
    thief = world.stranger(email=owner.email)
    for _ in range(6):
        thief.cookies = {"gh_device": owner.cookies["gh_device"]}
        assert thief.try_login(OTHER_PASSWORD).status == 401
    assert_answer(thief.try_login(), 429)


def test_a_device_cookie_is_of_one_account(world):
    owner, other = world.person(), world.person()
    fail(world.stranger(email=owner.email), 8)
    stranger = world.stranger(email=owner.email)
    stranger.cookies = {"gh_device": other.cookies["gh_device"]}
    assert_answer(stranger.try_login(), 429)


def test_a_network_is_throttled_over_many_accounts(world):
    attacker = world.stranger()
    people = [world.person() for _ in range(7)]
    statuses = []
    for person in people:
        attacker.email = person.email
        statuses.append(attacker.try_login(OTHER_PASSWORD).status)
    assert statuses == [401] * 6 + [429]
    assert world.stranger(email=people[-1].email).try_login().status == 200


def test_the_delay_is_there_after_a_restart(tmp_path):
    with deployed(tmp_path) as world:
        owner = world.person()
        attacker = world.stranger(email=owner.email)
        fail(attacker, 6)
        for delay in (1, 2, 4, 8, 16, 32):
            world.gate.clock.advance(delay + 0.01)
            assert attacker.try_login(OTHER_PASSWORD).status == 401
        settings, offset = world.gate.settings, world.gate.clock.offset_ms
        world.gate.stop()
        with Gatehouse(settings, env=ENV) as gate:
            gate.clock.advance(offset / 1000)
            attacker.gate = gate
            assert_answer(attacker.try_login(), 429)


# -- limits --


def test_the_sixth_login_in_a_minute_is_refused(guarded):
    person = guarded.stranger()
    statuses = [person.try_login().status for _ in range(5)]
    assert statuses == [401] * 5
    response = person.try_login()
    assert_answer(response, 429, detail="Rate limit exceeded: 5 requests per minute")
    assert response.get("RateLimit-Policy") == '"login";q=5;w=60'
    assert int(response.get("Retry-After")) <= 60
    guarded.gate.clock.advance(61)
    assert person.try_login().status == 401


def test_the_sixth_login_to_an_account_is_refused_from_anywhere(guarded):
    email = guarded.stranger().email
    statuses = [guarded.stranger(email=email).try_login().status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_the_sixth_sign_up_in_a_minute_is_refused(guarded):
    person = guarded.stranger()
    statuses = []
    for number in range(6):
        person.email = f"signup-{number}-{person.address}@example.com"
        statuses.append(person.sign_up().status)
    assert statuses == [201] * 5 + [429]


def test_six_codes_for_one_challenge_are_too_many(guarded):
    person = guarded.person()
    person.enrol()
    guarded.gate.clock.advance(61)
    challenge = person.try_login().json()["challenge"]
    statuses = []
    for number in range(6):
        body = {"challenge": challenge, "code": f"00000{number}"}
        statuses.append(guarded.stranger().api("POST", "/auth/2fa", body).status)
    assert statuses[:5] == [401] * 5
    assert statuses[5] in (400, 429)



# -- nobody keeps what was said to one --


def assert_kept_by_nobody(response, status=200):
    assert response.status == status, response
    assert response.all("Cache-Control") == ["no-store"]
    return response.json() if status < 400 else response.problem()


def test_cookies_are_kept_by_nobody_without_a_preset_too(tmp_path):
    with deployed(tmp_path, headers={"preset": "off"}) as world:
        person = world.stranger()
        assert_kept_by_nobody(person.sign_up(), 201)
        assert_kept_by_nobody(person.try_login(OTHER_PASSWORD), 401)
        assert_kept_by_nobody(person.try_login())
        assert_kept_by_nobody(person.refresh())
        assert_kept_by_nobody(person.step_up())
        assert_kept_by_nobody(person.api("GET", "/auth/session"))
        setup = assert_kept_by_nobody(person.api("POST", "/account/2fa/setup", {}))
        person.secret = setup["secret"]
        code = {"code": person.next_code()}
        assert_kept_by_nobody(person.api("POST", "/account/2fa/verify", code))
        challenge = assert_kept_by_nobody(person.try_login())["challenge"]
        assert_kept_by_nobody(person.second_step(challenge))
        assert "no-store" not in person.get("/public/x").all("Cache-Control")


def test_tokens_in_bodies_are_kept_by_nobody_without_a_preset_too(tmp_path):
    with deployed(tmp_path, {"transport": "bearer"}, headers={"preset": "off"}) as world:
        person = world.stranger()
        person.sign_up()
        tokens = assert_kept_by_nobody(person.try_login())
        body = {"refresh_token": tokens["refresh_token"]}
        assert assert_kept_by_nobody(person.api("POST", "/auth/refresh", body))["access_token"]
        bearer = [("Authorization", f"Bearer {tokens['access_token']}")]
        body = {"password": person.password}
        answer = person.api("POST", "/auth/step-up", body, extra=bearer)
        assert assert_kept_by_nobody(answer)["access_token"]
