"""SPEC 12 E through examples/e-tasks.yaml: accounts with bcrypt, sessions in httpOnly cookies,
nobody's tasks for anybody else."""

import json

import pytest

from harness.gate import IS_RELEASE, ROOT, Gatehouse, free_port, run
from harness.identity import OTHER_PASSWORD, PASSWORD, ROOT_KEY, Deployment
from harness.identity import assert_answer, claims_of
from harness.store import audit_rows, columns_with, password_hashes

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

EXAMPLE = ROOT / "examples" / "e-tasks.yaml"
HTTPS = [("X-Forwarded-Proto", "https")]
APP = "https://tasks.example.com"
DEVELOPMENT = {
    "ENVIRONMENT": "development",
    "ALLOWED_HOSTS": "localhost",
    "PUBLIC_URL": "http://localhost",
    "APP_ORIGIN": "http://localhost",
    "EMAIL_VERIFICATION": "off",
}


def environment(fastapi, folder, **more):
    return {
        "BACKEND": fastapi.url,
        "LISTEN": f"127.0.0.1:{free_port()}",
        "STORE": f"sqlite:{folder}/tasks.db",
        "MAIL_FOLDER": f"{folder}/mail",
        "APP_SECRET_KEY": ROOT_KEY,
        "CHECKPOINTS": f"{folder}/checkpoints",
        **more,
    }


def development_of(fastapi, folder, **more):
    return Gatehouse(EXAMPLE, env=environment(fastapi, folder, **{**DEVELOPMENT, **more}))


@pytest.fixture(scope="module")
def world(fastapi, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    with development_of(fastapi, folder) as gate:
        world = Deployment(gate, fastapi, folder)
        world.admin()
        yield world


@pytest.fixture(scope="module")
def production(fastapi, tmp_path_factory):
    with Gatehouse(EXAMPLE, env=environment(fastapi, tmp_path_factory.mktemp("tasks"))) as gate:
        yield gate


def tasks_of(person):
    return f"/api/v1/users/{person.id}/tasks"


# -- one's own tasks --


def test_one_user_is_refused_anothers_tasks(world):
    ann, bob = world.person(), world.person()
    assert bob.post(tasks_of(bob), {"title": "buy a boat"}).status == 201
    assert bob.get(tasks_of(bob)).json() == [{"title": "buy a boat"}]
    for response in (
        ann.get(tasks_of(bob)),
        ann.post(tasks_of(bob), {"title": "sink it"}),
        ann.ask("DELETE", tasks_of(bob)),
        ann.get(tasks_of(bob) + "/1"),
    ):
        assert_answer(response, 403)
        assert b"boat" not in response.body
    assert bob.get(tasks_of(bob)).json() == [{"title": "buy a boat"}]
    assert ann.get(tasks_of(ann)).json() == []


def test_strangers_are_refused_too(world):
    bob = world.person()
    assert_answer(world.stranger().get(tasks_of(bob)), 401)


def test_admins_see_all_with_their_second_factor(world):
    assert_answer(world.person().get("/api/v1/admin/tasks"), 403)
    assert world.admin().get("/api/v1/admin/tasks").status == 200


def test_refused_attempts_are_logged(world):
    ann, bob = world.person(), world.person()
    response = ann.get(tasks_of(bob))
    line = world.gate.wait_access(id=response.get("X-Request-Id"))[0]
    assert line["status"] == 403 and line["user"] == ann.id and line["stage"] == "access"


def test_failed_logins_are_logged(world):
    person = world.person()
    world.stranger(email=person.email).try_login(OTHER_PASSWORD)
    assert "login_failed" in person.events()


# -- passwords and sessions --


def test_hashes_are_bcrypt_of_the_cost_that_was_asked(world):
    world.person()
    hashes = password_hashes(world.folder / "tasks.db")
    assert hashes and all(text.startswith("$2b$12$") for text in hashes)


def test_bcrypt_takes_no_more_than_72_bytes(world):
    person = world.stranger(password="vellum orbit lantern " * 4)
    assert len(person.password) == 84
    assert_answer(person.sign_up(), 422, detail="72 bytes")
    person.password = person.password[:72]
    assert_answer(person.sign_up(), 201)


def test_sessions_are_in_http_only_cookies(world):
    person = world.stranger()
    person.sign_up()
    response = person.try_login()
    lines = response.all("Set-Cookie")
    assert len(lines) == 3 and all("; HttpOnly" in line for line in lines)
    assert not any(value.encode() in response.body for value in person.cookies.values())


def test_production_sets_them_secure(fastapi, tmp_path):
    env = environment(fastapi, tmp_path, EMAIL_VERIFICATION="off")
    with Gatehouse(EXAMPLE, env=env) as gate:
        world = Deployment(gate, fastapi, tmp_path)
        person = world.stranger()
        body = {"email": person.email, "password": person.password}
        extra = [*HTTPS, ("Content-Type", "application/json")]

        def ask(method, path, data=None):
            fields = person.fields(extra if data else HTTPS)
            data = json.dumps(data).encode() if data else None
            response = gate.request(method, path, fields, data, host="tasks.example.com")
            person.keep_cookies(response)
            return response

        assert ask("POST", "/api/v1/auth/signup", body).status == 201
        response = ask("POST", "/api/v1/auth/login", body)
        assert response.status == 200
        lines = response.all("Set-Cookie")
        assert len(lines) == 3 and all("; Secure" in line for line in lines)
        assert {"__Host-gh_access", "__Secure-gh_refresh"} <= set(person.cookies)
        assert response.get("Strict-Transport-Security")
        identifier = response.json()["user"]["id"]
        assert ask("GET", f"/api/v1/users/{identifier}/tasks").json() == []


def test_the_session_is_renewed_before_it_is_over(world):
    person = world.person()
    world.gate.clock.advance(14 * 60)
    assert_answer(person.refresh(), 200, expires_in=900)
    world.gate.clock.advance(14 * 60)
    assert person.get(tasks_of(person)).status == 200
    assert person.session()["user"]["id"] == person.id


def test_the_expiry_of_tokens_is_configurable(fastapi, tmp_path):
    with development_of(fastapi, tmp_path, JWT_EXPIRY="5m") as gate:
        person = Deployment(gate, fastapi, tmp_path).person()
        _, claims = claims_of(person.cookies["gh_access"])
        assert claims["exp"] - claims["iat"] == 300 and claims["aud"] == "tasks"
        gate.clock.advance(301)
        assert_answer(person.get(tasks_of(person)), 401)
        assert_answer(person.refresh(), 200, expires_in=300)
        assert person.get(tasks_of(person)).status == 200


def test_the_session_is_checked_before_every_call(world):
    person = world.person()
    copy = dict(person.cookies)
    assert_answer(person.api("POST", "/auth/logout", {}), 200)
    person.cookies = copy
    assert_answer(person.get(tasks_of(person)), 401)


def test_authentication_is_rate_limited(world):
    person = world.stranger()
    statuses = [person.try_login().status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_writes_are_limited_for_each_user(world):
    ann, bob = world.person(), world.person()
    statuses = [ann.post(tasks_of(ann), {"title": str(n)}).status for n in range(61)]
    assert statuses == [201] * 60 + [429]
    assert bob.post(tasks_of(bob), {"title": "mine"}).status == 201
    assert ann.get(tasks_of(ann)).status == 200


# -- anomalies --


@pytest.fixture
def own(fastapi, tmp_path):
    """A deployment for one test; commands take .env."""
    with development_of(fastapi, tmp_path) as gate:
        world = Deployment(gate, fastapi, tmp_path)
        world.env = {
            **environment(fastapi, tmp_path, **DEVELOPMENT),
            "GATEHOUSE_TEST_CLOCK": str(gate.path / "clock"),
        }
        gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        yield world


def command(world, *words):
    return run(*words, "--config", EXAMPLE, env=world.env, timeout=60)


def findings(world, rule):
    rows = audit_rows(world.folder / "tasks.db")
    return [r for r in rows if r["event_type"] == "anomaly_detected" and
            r["metadata"]["rule"] == rule]


def test_a_list_of_leaked_passwords_is_blocked(own):
    ann = own.person(address="198.18.77.5")
    for number in range(15):
        thief = own.stranger(address=f"203.0.113.{number}", email=f"leaked{number}@example.net")
        assert_answer(thief.try_login(OTHER_PASSWORD), 401)
    record = own.gate.wait_for(lambda: findings(own, "credential_stuffing"), "a finding")[0]
    assert record["metadata"]["action"] == "block"
    assert record["metadata"]["evidence"]["accounts_failed"] == 15
    assert record["metadata"]["network"].startswith("hmac-sha256:")

    def blocked():
        return own.stranger(address="203.0.113.99").try_login().status == 403

    own.gate.wait_for(blocked, "the block")
    assert ann.get(tasks_of(ann)).status == 200
    ann.login()
    own.gate.clock.advance(15 * 60 + 1)
    assert own.stranger(address="203.0.113.99").try_login().status == 401


def test_who_tries_the_ids_of_others_is_blocked(own):
    ann, bob = own.person(), own.person()
    for number in range(30):
        assert ann.get(f"/api/v1/users/{number}/tasks").status == 403
    own.gate.clock.advance(61)
    record = own.gate.wait_for(lambda: findings(own, "id_scanning"), "a finding")[0]
    assert record["user_id"] == ann.id and record["metadata"]["evidence"]["refused"] >= 30

    def blocked():
        response = ann.get(tasks_of(ann))
        return response.status == 403 and response.get("Retry-After")

    own.gate.wait_for(blocked, "the block")
    assert bob.get(tasks_of(bob)).status == 200


# -- secrets --


def signing_keys(world):
    return {key["kid"] for key in world.gate.get("/.well-known/jwks.json").json()["keys"]}


def test_the_keys_of_tokens_roll_while_people_work(own):
    ann = own.person()
    own.gate.clock.advance(11 * 60)
    old_kid = claims_of(ann.cookies["gh_access"])[0]["kid"]
    assert command(own, "secrets", "rotate", "--signing").returncode == 0
    assert ann.get(tasks_of(ann)).status == 200
    own.gate.clock.advance(10 * 60)

    def signed_anew():  # the keeper looks each half a minute
        own.gate.clock.advance(61)
        assert_answer(ann.refresh(), 200)
        return claims_of(ann.cookies["gh_access"])[0]["kid"] != old_kid

    own.gate.wait_for(signed_anew, "a token of the new key")
    assert ann.get(tasks_of(ann)).status == 200
    assert {"cookie", "signing"} <= rotated(own)


def test_the_keys_of_tokens_replace_themselves_after_thirty_days(own):
    own.person()
    assert "cookie" not in rotated(own)
    own.gate.clock.advance(30 * 24 * 3600 + 60)
    own.gate.wait_for(lambda: {"cookie", "signing"} <= rotated(own), "new keys")


def rotated(world):
    return {r["metadata"]["purpose"] for r in audit_rows(world.folder / "tasks.db")
            if r["event_type"] == "secret_rotated"}


def test_the_root_is_replaced_by_a_restart_and_a_command(own, fastapi):
    ann = own.person()
    new_key = run("secrets", "generate", "--raw").stdout.strip()
    own.gate.stop()
    keys = {"APP_SECRET_KEY": new_key, "APP_SECRET_KEY_PREVIOUS": ROOT_KEY}
    with development_of(fastapi, own.folder, **keys) as gate:
        gate.wait_for((own.folder / "control.sock").exists, "the control socket")
        own.env.update(keys)
        result = command(own, "secrets", "rotate")
        assert result.returncode == 0, result.stdout + result.stderr
    assert {"root", "field"} <= rotated(own)
    with development_of(fastapi, own.folder, APP_SECRET_KEY=new_key) as gate:
        ann.gate = gate
        ann.login()
    old = environment(fastapi, own.folder, **DEVELOPMENT)
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=old)
    assert result.returncode == 2 and "does not open the keys" in result.stderr


def test_secrets_are_overdue_after_ninety_days(own):
    assert command(own, "secrets", "status").returncode == 0
    own.gate.clock.advance(91 * 24 * 3600)
    result = command(own, "secrets", "status")
    assert result.returncode == 1 and "OVERDUE" in result.stdout


# -- the trail --


def test_the_audit_trail_proves_itself(own):
    ann = own.person()
    ann.get("/api/v1/users/7/tasks")
    ann.api("POST", "/auth/logout", {})
    result = command(own, "audit", "verify")
    assert result.returncode == 0 and "intact" in result.stdout
    review = command(own, "audit", "review", "--since", "7d")
    assert review.returncode == 0
    assert ann.email not in review.stdout


# -- the rest of the list --


def test_production_speaks_https_alone(production):
    response = production.get("/health", host="tasks.example.com")
    assert response.status == 308
    assert response.get("Location") == "https://tasks.example.com/health"
    body = b'{"email":"a@example.com","password":"x"}'
    target = "/api/v1/auth/login"
    assert production.request("POST", target, (), body, host="tasks.example.com").status == 403


def test_errors_leak_nothing_in_production(production):
    response = production.get("/boom", HTTPS, host="tasks.example.com")
    assert response.status == 401
    for target in ("/api/v1/users/7/tasks", "/api/v1/admin/tasks", "/api/v1/account/profile"):
        response = production.get(target, HTTPS, host="tasks.example.com")
        assert response.problem()["detail"]
        assert b"Traceback" not in response.body and b"sql" not in response.body.lower()


def test_the_app_and_nobody_else_may_read_across_origins(production):
    preflight = [*HTTPS, ("Access-Control-Request-Method", "DELETE")]
    for origin, status in ((APP, 204), ("https://evil.example", 403)):
        fields = [*preflight, ("Origin", origin)]
        target = "/api/v1/users/7/tasks"
        response = production.request("OPTIONS", target, fields, host="tasks.example.com")
        assert response.status == status
        allowed = response.get("Access-Control-Allow-Origin")
        assert allowed == (origin if status == 204 else None)
        with_cookies = response.get("Access-Control-Allow-Credentials")
        assert with_cookies == ("true" if status == 204 else None)


def test_security_headers_are_there(production):
    response = production.get("/api/v1/auth/session", HTTPS, host="tasks.example.com")
    assert response.get("Content-Security-Policy").startswith("default-src 'none'")
    assert response.get("X-Content-Type-Options") == "nosniff"
    assert response.get("X-Frame-Options") == "DENY"
    assert response.get("Strict-Transport-Security") == "max-age=63072000; includeSubDomains"


def test_personal_data_is_encrypted_at_rest(world):
    person = world.person()
    person.api("PATCH", "/account/profile", {"name": "Zuleika Dobson"})
    path = world.folder / "tasks.db"
    for text in (person.email, "Zuleika"):
        assert not columns_with(path, text), text
    assert not columns_with(path, PASSWORD)


def test_bodies_have_a_limit(world):
    person = world.person()
    response = person.post(tasks_of(person), {"title": "x" * 300_000})
    assert_answer(response, 413)


def test_access_is_reviewed_by_a_command(world, fastapi):
    env = environment(fastapi, world.folder, **DEVELOPMENT)
    result = run("access", "review", "--config", EXAMPLE, env=env)
    assert world.admin().email in result.stdout
    assert "admin" in result.stdout
    assert result.returncode == 0, result.stdout


def test_secrets_come_from_the_environment(fastapi, tmp_path):
    env = environment(fastapi, tmp_path, APP_SECRET_KEY="")
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=env)
    assert result.returncode == 2
    assert "missing or empty: APP_SECRET_KEY." in result.stderr
    assert ROOT_KEY not in EXAMPLE.read_text()
