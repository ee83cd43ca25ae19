"""SPEC 12 C through examples/c-enterprise.yaml: exact headers, hosts by environment, accounts with
a second factor, limits, the fourteen events, and a start that names the secrets it misses."""

import pytest

from harness.gate import IS_RELEASE, ROOT, Gatehouse, free_port, run
from harness.identity import OTHER_PASSWORD, ROOT_KEY, Deployment, assert_answer
from harness.store import audit_rows

EXAMPLE = ROOT / "examples" / "c-enterprise.yaml"
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; "
    "font-src 'self' https://fonts.gstatic.com; img-src 'self' data: https:; "
    "connect-src 'self' https://*.supabase.co https://api.anthropic.com https://api.exa.ai "
    "https://api.stripe.com"
)
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": CSP,
}
HTTPS = [("X-Forwarded-Proto", "https")]
SECRETS = {
    "SUPABASE_URL": "https://project.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb-7f1a9c3e5b2d4860af",
    "ANTHROPIC_API_KEY": "sk-test-3e5b2d4860af7f1a9c",
    "APP_SECRET_KEY": ROOT_KEY,
}
EVENTS = """login login_failed logout password_change password_reset_request 2fa_enabled
2fa_disabled 2fa_verify_failed session_revoked account_deleted profile_updated role_changed
data_export data_deletion""".split()


def environment(fastapi, folder, **more):
    return {
        "BACKEND": fastapi.url,
        "LISTEN": f"127.0.0.1:{free_port()}",
        "STORE": f"sqlite:{folder}/gatehouse.db",
        "MAIL_FOLDER": f"{folder}/mail",
        "HASH_MEMORY": "8MiB",
        **SECRETS,
        **more,
    }


def development_of(fastapi, folder, **more):
    hosts = {"ENVIRONMENT": "development", "ALLOWED_HOSTS": "localhost,127.0.0.1"}
    return Gatehouse(EXAMPLE, env=environment(fastapi, folder, **hosts, **more))


@pytest.fixture
def world(fastapi, tmp_path):
    """In development, addresses not confirmed: for what is counted and logged."""
    with development_of(fastapi, tmp_path, EMAIL_VERIFICATION="off") as gate:
        yield Deployment(gate, fastapi, tmp_path)


@pytest.fixture(scope="module")
def production(fastapi, tmp_path_factory):
    folder = tmp_path_factory.mktemp("production")
    with Gatehouse(EXAMPLE, env=environment(fastapi, folder)) as gate:
        yield gate


# -- headers --


@pytest.mark.parametrize(
    "target",
    ["/health", "/api/v1/items/999", "/boom", "/%00", "/api/v1/auth/session"]
    + ["/api/v1/account/profile", "/api/v1/admin/users", "/api/v1/openapi.json", "/elsewhere"],
)
def test_the_headers_are_exact_on_every_answer(production, target):
    response = production.get(target, HTTPS, host="aria.ai")
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_identitys_own_answers_have_them_too(production):
    fields = [*HTTPS, ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")]
    for path, body in (("login", b'{"email":"a@aria.ai","password":"x"}'), ("signup", b"{}")):
        target = f"/api/v1/auth/{path}"
        response = production.request("POST", target, fields, body, host="aria.ai")
        assert response.status in (401, 422), response
        for name, value in HEADERS.items():
            assert response.all(name) == [value], name


# -- hosts --


@pytest.mark.parametrize(
    "host", ["aria.ai", "app.aria.ai", "a.b.aria.ai", "ARIA.AI", "aria.ai:443"]
)
def test_production_takes_its_hosts(production, host):
    assert production.get("/health", HTTPS, host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.com", "localhost", "127.0.0.1", "aria.ai.evil.com", "evilaria.ai"]
)
@pytest.mark.parametrize("target", ["/health", "/api/v1/auth/session"])
def test_production_refuses_other_hosts(production, host, target):
    response = production.get(target, HTTPS, host=host)
    assert response.status == 400
    assert response.problem()["detail"] == "Invalid host header"
    assert host.encode() not in response.body


def test_development_takes_localhost_and_refuses_evil(fastapi, tmp_path):
    with development_of(fastapi, tmp_path) as development:
        port = development.address
        assert development.get("/health").status == 200
        assert development.get("/health", host=f"localhost:{port}").status == 200
        assert development.get("/health", host="evil.com").status == 400


# -- limits --


needs_clock = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")


def tries(person, path, bodies):
    return [person.api("POST", path, body) for body in bodies]


@needs_clock
@pytest.mark.parametrize(
    "path, body, free",
    [
        ("/auth/login", {"email": "who{}@aria.ai", "password": "wrong-one"}, 401),
        ("/auth/signup", {"email": "new{}@aria.ai", "password": OTHER_PASSWORD}, 201),
        ("/auth/2fa", {"challenge": "A" * 40, "code": "00000{}"}, 400),
    ],
)
def test_the_sixth_try_in_a_minute_is_refused(world, path, body, free):
    person = world.stranger()
    bodies = [{k: v.format(n) for k, v in body.items()} for n in range(7)]
    responses = tries(person, path, bodies[:6])
    assert [response.status for response in responses] == [free] * 5 + [429]
    assert "rate limit" in responses[5].problem()["detail"].lower()
    assert 1 <= int(responses[5].get("Retry-After")) <= 60
    for name, value in HEADERS.items():
        assert responses[5].all(name) == [value], name
    world.gate.clock.advance(61)
    assert person.api("POST", path, bodies[6]).status == free


@needs_clock
def test_the_sixth_login_is_refused_with_the_right_password_too(world):
    person = world.stranger()
    assert person.sign_up().status == 201
    assert [person.try_login("wrong-one").status for _ in range(5)] == [401] * 5
    assert_answer(person.try_login(), 429, detail="rate limit")
    world.gate.clock.advance(61)
    person.login()


@needs_clock
def test_the_fourth_reset_in_an_hour_is_refused(world):
    body = {"email": "Somebody@aria.ai"}
    path = "/account/password/reset-request"
    statuses = [world.stranger().api("POST", path, body).status for _ in range(4)]
    assert statuses == [200, 200, 200, 429], "per e-mail, from whatever address"
    other = world.stranger().api("POST", path, {"email": "other@aria.ai"})
    assert other.status == 200
    world.gate.clock.advance(1800)
    refused = world.stranger().api("POST", path, {"email": "somebody@ARIA.ai"})
    assert_answer(refused, 429, detail="rate limit")
    world.gate.clock.advance(1801)
    assert world.stranger().api("POST", path, body).status == 200


def test_limits_are_counted_for_each_client(world):
    busy, quiet = world.stranger(), world.stranger()

    def attempt(person, number):
        body = {"email": f"{number}@aria.ai", "password": "wrong-one"}
        return person.api("POST", "/auth/login", body).status

    assert [attempt(busy, number) for number in range(6)] == [401] * 5 + [429]
    assert attempt(quiet, 7) == 401


# -- accounts --


@pytest.mark.parametrize(
    "length, status", [(7, 422), (8, 201), (100, 201), (101, 422)]
)
def test_passwords_have_8_to_100_characters(world, length, status):
    password = "xK9#qW2!" + "vellum orbit lantern " * 5
    person = world.stranger(password=password[:length])
    assert len(person.password) == length
    assert person.sign_up().status == status
    if status == 201:
        person.login()


def test_addresses_are_confirmed_by_default(fastapi, tmp_path):
    with development_of(fastapi, tmp_path) as gate:
        world = Deployment(gate, fastapi, tmp_path)
        person = world.stranger()
        assert_answer(person.sign_up(), 202)
        assert person.try_login().status == 401
        token = world.link_of(person.email, "Confirm")
        assert_answer(person.api("POST", "/auth/email/verify", {"token": token}), 200)
        person.login()
        assert person.get("/api/v1/echo").status == 200


def test_items_are_public_and_the_rest_is_signed_in(world):
    stranger = world.stranger()
    assert stranger.get("/api/v1/items").status == 200
    assert stranger.get("/health").status == 200
    assert stranger.get("/api/v1/echo").status == 401
    assert stranger.post("/api/v1/items", {"name": "x", "price": 1}).status == 401
    person = world.person()
    assert person.get("/api/v1/echo").json()["path"] == "/api/v1/echo"


# -- inputs: string lengths, e-mail format, patterns, numeric bounds --

GOOD = {"email": "ann@aria.ai", "role": "user", "phone": "+491234567", "seats": 3, "tags": ["a"]}
AUDITED = [
    ({"email": "not an address"}, "/email", "format"),
    ({"email": "a" * 250 + "@aria.ai"}, "/email", "maxLength"),
    ({"role": "owner"}, "/role", "enum"),
    ({"phone": "0049 123 456"}, "/phone", "pattern"),
    ({"seats": 0}, "/seats", "minimum"),
    ({"seats": 51}, "/seats", "maximum"),
    ({"tags": ["a"] * 11}, "/tags", "maxItems"),
    ({"tags": ["<script>"]}, "/tags/0", "pattern"),
    ({"is_admin": True}, "/is_admin", "additionalProperties"),
]


def test_every_route_judges_its_inputs(world):
    person = world.person()
    assert person.post("/api/v1/invitations", GOOD).status == 202
    for change, pointer, rule in AUDITED:
        refused = person.post("/api/v1/invitations", {**GOOD, **change})
        assert refused.status == 422, change
        assert (pointer, rule) in [(e["pointer"], e["rule"]) for e in refused.problem()["errors"]]
    for name, price in (("", 1), ("x" * 101, 1), ("x", -1), ("x", 1000001)):
        assert person.post("/api/v1/items", {"name": name, "price": price}).status == 422
    assert person.post("/api/v1/items", {"name": "lamp", "price": 20}).status == 201
    assert person.get("/api/v1/items/0").status == 422
    assert person.get("/api/v1/items/1?debug=1").status == 422
    assert person.get("/api/v1/admin/tasks").status == 404  # the backend has it, nobody declared it


def test_refused_inputs_are_audited_by_operation(world):
    person = world.person()
    for _ in range(3):
        person.post("/api/v1/invitations", {**GOOD, "seats": 0})

    def rows():
        all_rows = audit_rows(world.folder / "gatehouse.db")
        return [row for row in all_rows if row["event_type"] == "input_rejected"]

    metadata = world.gate.wait_for(rows, "the record")[0]["metadata"]
    assert metadata["operation"] == "invite" and metadata["reason"] == "input_invalid"


def test_the_audit_of_the_inputs_finds_nothing(tmp_path):
    report = tmp_path / "audit.md"
    document = ROOT / "examples" / "openapi" / "c-enterprise.yaml"
    result = run("openapi", "lint", document, "--ignore", "numeric-id", "--report", report)
    assert result.returncode == 0, result.stdout
    text = report.read_text(encoding="utf-8")
    for operation in ("POST /api/v1/invitations", "GET /api/v1/items/{item_id}", "GET /health"):
        assert operation in text


def test_admins_need_their_second_factor(world):
    admin = world.admin()
    assert admin.session()["two_factor"] is True
    assert admin.api("GET", "/admin/users").status == 200


@needs_clock
def test_the_fourteen_events_are_in_the_log(world):
    """Each done once through its endpoint, then looked for in the table by its name."""

    def later():
        world.gate.clock.advance(61)

    admin = world.admin()
    person = world.stranger()
    person.sign_up()
    person.try_login(OTHER_PASSWORD)
    person.login()
    person.api("PATCH", "/account/profile", {"name": "Ada"})
    other = person.other_browser()
    other.login()
    assert_answer(person.api("DELETE", "/account/sessions"), 200, ended=1)
    later()
    person.enrol()
    later()
    person.login()
    assert_answer(person.try_code("000000"), 401)
    person.api("POST", "/compliance/export", {})
    later()
    disable = {"password": person.password, "code": person.next_code()}
    assert_answer(person.api("POST", "/account/2fa/disable", disable), 200)
    assert_answer(person.refresh(), 200)
    change = {"current_password": person.password, "new_password": OTHER_PASSWORD}
    assert_answer(person.api("POST", "/account/password", change), 200)
    person.password = OTHER_PASSWORD
    person.api("POST", "/account/password/reset-request", {"email": person.email})
    world.link_of(person.email, "Set a new password")
    assert_answer(world.set_roles(person, "user", "admin"), 200)
    assert_answer(world.set_roles(person, "user"), 200)
    later()
    person.login()
    assert_answer(person.api("POST", "/auth/logout", {}), 200)
    person.login()
    assert_answer(person.api("DELETE", "/account", {"password": person.password}), 200)
    gone = world.person()
    assert_answer(gone.api("POST", "/compliance/delete", {"password": gone.password}), 200)
    rows = audit_rows(world.folder / "gatehouse.db")
    names = {row["event_type"] for row in rows}
    assert set(EVENTS) <= names, set(EVENTS) - names
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    by_name = {row["event_type"]: row for row in rows}
    assert by_name["login_failed"]["metadata"]["reason"] == "password"
    assert by_name["data_export"]["metadata"]["record_count"] > 0
    role = by_name["role_changed"]["metadata"]
    assert set(role) >= {"old_role", "new_role", "changed_by"} and role["changed_by"] == admin.id
    erasure = [r["metadata"] for r in rows if r["event_type"] == "data_deletion"]
    assert erasure[0] == {"initiated": True} and erasure[-1]["completed"] is True
    for row in rows:
        assert OTHER_PASSWORD not in str(row) and person.secret not in str(row)


# -- the start --


@pytest.mark.parametrize("name", ["production", "development"])
def test_the_start_names_all_missing_secrets_at_once(fastapi, tmp_path, name):
    env = environment(fastapi, tmp_path, ENVIRONMENT=name, **dict.fromkeys(SECRETS, ""))
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=env)
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if "missing" in line]
    assert len(lines) == 1
    names = "SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, ANTHROPIC_API_KEY, APP_SECRET_KEY"
    assert f"Required secrets are missing or empty: {names}." in lines[0]
    assert "listening" not in result.stdout
    assert not (tmp_path / "gatehouse.db").exists()


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_the_start_names_the_one_that_is_missing(fastapi, tmp_path, name):
    env = environment(fastapi, tmp_path, **{name: ""})
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=env)
    assert result.returncode == 2
    assert f"missing or empty: {name}." in result.stderr
    for value in SECRETS.values():
        assert value not in result.stderr + result.stdout


@pytest.mark.parametrize("root", ["changeme", "secret", "a" * 43 + "=", "short"])
def test_a_weak_root_key_does_not_start_in_production(fastapi, tmp_path, root):
    env = environment(fastapi, tmp_path, APP_SECRET_KEY=root)
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=env)
    assert result.returncode == 2
    assert "APP_SECRET_KEY" in result.stderr


def test_no_secret_is_in_the_output(production):
    text = production.output()
    for name in ("SUPABASE_SERVICE_ROLE_KEY", "ANTHROPIC_API_KEY", "APP_SECRET_KEY"):
        assert SECRETS[name] not in text
