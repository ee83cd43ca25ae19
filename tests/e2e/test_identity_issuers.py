"""SPEC 3.12: tokens of another issuer, verified by its key set."""

import json
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from harness.backend import Backend, answer
from harness.gate import IS_RELEASE
from harness.identity import ROUTES, assert_answer, deployed
from harness.jwks import encode, forge_hs256

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

ISSUER = "https://idp.example.com"


def whole(number):
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


class Provider:
    """Another issuer: a key, its set at an address, tokens."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        self.other_key = rsa.generate_private_key(65537, 2048)
        numbers = self.key.public_key().public_numbers()
        self.jwk = {"kty": "RSA", "n": whole(numbers.n), "e": whole(numbers.e)}
        self.jwk.update(kid="idp-1", alg="RS256", use="sig")
        body = json.dumps({"keys": [self.jwk]}).encode()
        self.server = Backend(answer(200, {"Content-Type": "application/json"}, body))

    def token(self, clock, key=None, header=None, **claims):
        now = int(time.time() + clock.offset_ms / 1000)
        header = {"alg": "RS256", "typ": "JWT", "kid": "idp-1", **(header or {})}
        payload = {
            "iss": ISSUER,
            "aud": "api",
            "sub": "idp|7",
            "iat": now,
            "exp": now + 300,
            "email": "seven@example.org",
            "email_verified": True,
            "groups": ["editor"],
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        data = f"{encode(header)}.{encode(payload)}"
        signature = (key or self.key).sign(data.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{data}.{encode(signature)}"


@pytest.fixture(scope="module")
def provider():
    provider = Provider()
    yield provider
    provider.server.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory, provider):
    trusted = {
        "issuer": ISSUER,
        "jwks": f"{provider.server.url}/jwks.json",
        "audience": "api",
        "algorithms": ["RS256"],
        "roles_claim": "groups",
    }
    identity = {"issuers": [trusted], "roles": ["user", "admin", "editor"]}
    access = {"owner": "user_id", "owner_issuer": ISSUER}
    routes = [{"path": "/theirs/{user_id}/**", "upstream": "api", "access": access}, *ROUTES]
    folder = tmp_path_factory.mktemp("issuers")
    with deployed(folder, identity, routes=routes) as deployment:
        provider.server.wait_requests(1)

        def taken():
            return ask(deployment, provider.token(deployment.gate.clock)).status == 200

        deployment.gate.wait_for(taken, "the keys of the issuer")
        yield deployment


def ask(world, token, path="/tasks"):
    person = world.stranger()
    return person.get(path, extra=[("Authorization", f"Bearer {token}")])


def test_its_people_come_in_under_their_own_ids(world, provider):
    assert ask(world, provider.token(world.gate.clock)).status == 200
    seen = world.backend.last
    assert seen.get("X-User-Id") == "idp|7"
    assert seen.get("X-User-Email") == "seven@example.org"
    assert seen.get("X-User-Roles") == "editor"


def test_roles_come_from_the_claim_that_was_named_and_from_the_list(world, provider):
    token = provider.token(world.gate.clock, groups=["emperor", "user"], roles=["admin"])
    assert ask(world, token).status == 200
    assert world.backend.last.get("X-User-Roles") == "user"


@pytest.mark.parametrize("verified", [False, None])
def test_an_unverified_address_is_not_handed_on(world, provider, verified):
    token = provider.token(world.gate.clock, email_verified=verified)
    assert ask(world, token).status == 200
    assert world.backend.last.get("X-User-Id") == "idp|7"
    assert not world.backend.last.get("X-User-Email")


def test_they_own_what_has_their_id(world, provider):
    token = provider.token(world.gate.clock, sub="idp-eight")
    assert ask(world, token, "/theirs/idp-eight/x").status == 200
    assert ask(world, token, "/theirs/idp-nine/x").status == 403
    person = world.person()
    assert person.ask("GET", f"/theirs/{person.id}/x").status == 403


def test_the_id_of_one_of_ours_owns_nothing_of_theirs(world, provider):
    person = world.person()
    token = provider.token(world.gate.clock, sub=person.id)
    assert_answer(ask(world, token, f"/users/{person.id}/x"), 403)
    assert person.ask("GET", f"/users/{person.id}/x").status == 200


def test_the_id_of_one_of_ours_opens_no_account(world, provider):
    """Another issuer must not be able to speak for one of our people."""
    person = world.person()
    token = provider.token(world.gate.clock, sub=person.id)
    for path in ("/account/profile", "/auth/session", "/account/sessions", "/account/activity"):
        assert_answer(ask(world, token, "/api/v1" + path), 403, detail="not kept here")


CHANGES = [
    {"iss": "https://evil.example"},
    {"iss": ISSUER + "/"},
    {"iss": None},
    {"aud": "other"},
    {"aud": None},
    {"exp": 1},
    {"exp": None},
    {"sub": None},
    {"sub": ""},
    {"nbf": 9999999999},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: "-".join(map(str, *c.items())))
def test_claims_that_do_not_fit_are_refused(world, provider, change):
    assert_answer(ask(world, provider.token(world.gate.clock, **change)), 401)


def test_signatures_that_do_not_fit_are_refused(world, provider):
    clock = world.gate.clock
    token = provider.token(clock)
    head, body, signature = token.split(".")
    payload = {"iss": ISSUER, "aud": "api", "sub": "x", "exp": 9999999999}
    forged = [
        provider.token(clock, key=provider.other_key),
        provider.token(clock, header={"kid": "idp-2"}),
        provider.token(clock, key=provider.other_key, header={"jwk": provider.jwk}),
        provider.token(clock, header={"jku": "https://evil.example/jwks.json"}),
        provider.token(clock, header={"x5u": "https://evil.example/x"}),
        provider.token(clock, header={"crit": ["exp"]}),
        provider.token(clock, header={"typ": "logout+jwt"}),
        provider.token(clock, header={"alg": "RS512"}),
        f"{encode({'alg': 'none'})}.{body}.",
        forge_hs256({"kid": "idp-1", "typ": "JWT"}, payload, provider.jwk["n"].encode()),
        f"{head}.{encode({**payload, 'groups': ['admin']})}.{signature}",
    ]
    for index, one in enumerate(forged):
        assert ask(world, one).status in (400, 401), index


def test_they_have_no_account_here(world, provider):
    token = provider.token(world.gate.clock)
    for method, path in (
        ("GET", "/account/profile"),
        ("GET", "/account/sessions"),
        ("POST", "/account/2fa/setup"),
        ("POST", "/compliance/export"),
        ("DELETE", "/account/sessions"),
    ):
        person = world.stranger()
        extra = [("Authorization", f"Bearer {token}")]
        body = None if method == "GET" else {}
        response = person.api(method, path, body, extra=extra)
        assert_answer(response, 403, detail="not kept here")
    extra = [("Authorization", f"Bearer {token}")]
    assert_answer(world.stranger().api("POST", "/auth/logout", {}, extra=extra), 200)
    assert ask(world, token).status == 200, "its end is the issuer's business"


def test_their_admins_are_none_of_ours(world, provider):
    token = provider.token(world.gate.clock, groups=["admin"], amr=["mfa"])
    assert ask(world, token, "/admin/x").status == 200
    assert_answer(ask(world, token, "/api/v1/admin/users"), 403)
    single = provider.token(world.gate.clock, groups=["admin"], amr=["pwd"])
    assert_answer(ask(world, single, "/admin/x"), 403)


def test_keys_that_can_not_be_fetched_open_nothing(tmp_path, provider):
    trusted = {"issuer": ISSUER, "jwks": "http://127.0.0.1:9/jwks.json", "audience": "api"}
    identity = {"issuers": [{**trusted, "algorithms": ["RS256"]}]}
    with deployed(tmp_path, identity) as world:
        world.gate.wait_output("can't be fetched")
        assert_answer(ask(world, provider.token(world.gate.clock)), 401)
        assert world.person().get("/tasks").status == 200
