"""SPEC 12 A: the seven headers on every response (examples/a-headers.yaml); sessions in cookies,
encryption at rest with Fernet read and rotated, a policy for the SPA (a-cookies.yaml)."""

import json
import sqlite3

import pytest
import yaml
from cryptography.fernet import Fernet

from harness.gate import IS_RELEASE, ROOT, Gatehouse, free_port, run
from harness.identity import PASSWORD, ROOT_KEY, Deployment, assert_answer
from harness.store import columns_with, open_copy
from harness.wire import Client, request

COOKIES = ROOT / "examples" / "a-cookies.yaml"
REVIEW = ROOT / "docs" / "security-review.md"
EXAMPLE = ROOT / "examples" / "a-headers.yaml"
HEADERS = {
    "Strict-Transport-Security": "max-age=15552000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module")
def gate(fastapi):
    listen = f"127.0.0.1:{free_port()}"
    with Gatehouse(EXAMPLE, env={"BACKEND": fastapi.url, "LISTEN": listen}) as running:
        yield running


REQUESTS = {
    "health": ("GET", "/health", {}, 200),
    "list": ("GET", "/api/v1/items", {}, 200),
    "redirect": ("GET", "/old", {}, 307),
    "not modified": ("GET", "/cached", {"If-None-Match": '"v1"'}, 304),
    "missing": ("GET", "/api/v1/items/999", {}, 404),
    "wrong method": ("DELETE", "/health", {}, 405),
    "invalid": ("GET", "/api/v1/items/abc", {}, 422),
    "exception": ("GET", "/boom", {}, 500),
    "preflight": (
        "OPTIONS",
        "/api/v1/items",
        {"Origin": "https://evil.com", "Access-Control-Request-Method": "GET"},
        None,
    ),
    "bad path": ("GET", "/%5c", {}, 400),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_every_response_has_each_header_once(gate, case):
    method, target, fields, status = REQUESTS[case]
    response = gate.request(method, target, fields)
    if status:
        assert response.status == status
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_a_malformed_request_gets_them_too(gate):
    with Client(gate.address) as client:
        response = client.ask(request("GET", "/", [("Bad Name", "1")]))
    assert response.status == 400
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_the_backend_alone_has_none_of_them(fastapi):
    """What the example is compared with."""
    with Client(fastapi.port) as client:
        response = client.request("GET", "/health")
    assert not {name.lower() for name in HEADERS} & response.names()


# -- the rest, through a-cookies.yaml --

needs_clock = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")
HTTPS = [("X-Forwarded-Proto", "https")]
HOST = "app.example.com"
OLD_KEY = Fernet.generate_key()
DEVELOPMENT = {
    "ENVIRONMENT": "development",
    "ALLOWED_HOSTS": "localhost",
    "PUBLIC_URL": "http://localhost",
}


def environment(fastapi, folder, **more):
    (folder / "root.key").write_text(ROOT_KEY + "\n")
    return {
        "BACKEND": fastapi.url,
        "LISTEN": f"127.0.0.1:{free_port()}",
        "STORE": f"sqlite:{folder}/app.db",
        "SECRETS": str(folder),
        "CHECKPOINTS": str(folder / "checkpoints"),
        "MAIL_FOLDER": f"{folder}/mail",
        "FERNET_KEY": OLD_KEY.decode(),
        "EMAIL_VERIFICATION": "off",
        "HASH_MEMORY": "8MiB",
        **more,
    }


def deployed(fastapi, folder, settings=COOKIES):
    """(its environment, for commands, is .env)"""
    gate = Gatehouse(settings, env=environment(fastapi, folder, **DEVELOPMENT))
    world = Deployment(gate, fastapi, folder)
    world.env = environment(fastapi, folder, **DEVELOPMENT)
    world.env["GATEHOUSE_TEST_CLOCK"] = str(gate.path / "clock")
    gate.wait_for((folder / "control.sock").exists, "the control socket")
    return world


@pytest.fixture
def world(fastapi, tmp_path):
    world = deployed(fastapi, tmp_path)
    with world.gate:
        yield world


@pytest.fixture(scope="module")
def production(fastapi, tmp_path_factory):
    env = environment(fastapi, tmp_path_factory.mktemp("cookies"))
    with Gatehouse(COOKIES, env=env) as gate:
        yield gate


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/api/v1/items", 401),
        ("POST", "/api/v1/auth/login", 403),
        ("GET", "/app/main.js", 404),
        ("GET", "/%5c", 400),
    ],
)
def test_the_same_headers_with_accounts(production, method, target, status):
    response = production.request(method, target, HTTPS, host=HOST)
    assert response.status == status
    for name, value in HEADERS.items():
        assert response.all(name) == [value], name


def test_the_policy_of_the_spa_bears_inline_styles_and_no_inline_scripts(production):
    response = production.get("/app/index.html", HTTPS, host=HOST)
    policy = response.all("Content-Security-Policy")
    assert len(policy) == 1
    directives = dict(part.strip().split(" ", 1) for part in policy[0].split(";"))
    assert directives["style-src"] == "'self' 'unsafe-inline'"
    assert directives["script-src"] == "'self'"
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    other = production.get("/health", HTTPS, host=HOST).get("Content-Security-Policy")
    assert "unsafe-inline" not in other


def test_tokens_are_in_http_only_cookies_and_nowhere_else(production):
    body = {"email": "spa@example.com", "password": PASSWORD}
    fields = [*HTTPS, ("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin")]

    def post(path, fields=fields):
        target, data = f"/api/v1/auth/{path}", json.dumps(body).encode()
        return production.request("POST", target, fields, data, host=HOST)

    assert post("signup").status == 201
    response = post("login")
    assert response.status == 200
    lines = {line.split("=", 1)[0]: line for line in response.all("Set-Cookie")}
    assert {"__Host-gh_access", "__Secure-gh_refresh"} <= set(lines)
    for line in lines.values():
        assert "; HttpOnly" in line and "; Secure" in line and "; SameSite=" in line
        value = line.split("=", 1)[1].split(";", 1)[0]
        assert value.encode() not in response.body
    cookie = lines["__Host-gh_access"].split(";", 1)[0]
    signed_in = production.get("/api/v1/items", [*HTTPS, ("Cookie", cookie)], host=HOST)
    assert signed_in.status == 200
    # A page of another origin that has the browser send it gets nowhere.
    foreign = [*HTTPS, ("Cookie", cookie), ("Sec-Fetch-Site", "cross-site")]
    assert post("logout", [*foreign, ("Content-Type", "application/json")]).status == 403


@needs_clock
def test_what_is_stored_of_people_is_encrypted(world):
    person = world.person()
    secret = person.api("POST", "/account/2fa/setup", {}).json()["secret"]
    assert_answer(person.api("PATCH", "/account/profile", {"name": "Zuleika Dobson"}), 200)
    for text in (person.email, "Zuleika", secret, person.address, PASSWORD):
        assert not columns_with(world.folder / "app.db", text), text
    with open_copy(world.folder / "app.db") as store:
        sealed = store.execute("SELECT email, name FROM accounts").fetchone()
    assert all(value[0] == 1 and len(value) > 40 for value in sealed)


@needs_clock
def test_a_sealed_value_is_good_in_its_own_place_only(world):
    """Authenticated, and bound to row and column: one person's name put into another's row."""
    ann, bob = world.person(), world.person()
    assert_answer(ann.api("PATCH", "/account/profile", {"name": "Zuleika Dobson"}), 200)
    world.gate.stop()
    with sqlite3.connect(world.folder / "app.db") as store:
        (name,) = store.execute("SELECT name FROM accounts WHERE id = ?", (ann.id,)).fetchone()
        store.execute("UPDATE accounts SET name = ? WHERE id = ?", (name, bob.id))
    own = run("user", "export", ann.id, "--config", COOKIES, env=world.env)
    assert own.returncode == 0 and "Zuleika" in own.stdout
    foreign = run("user", "export", bob.id, "--config", COOKIES, env=world.env)
    assert foreign.returncode == 1, foreign.stdout + foreign.stderr
    assert "Zuleika" not in foreign.stdout + foreign.stderr


@needs_clock
def test_fernet_values_are_read_rewritten_and_rotated(world, fastapi):
    """From the old system's table to a store that its key opens nothing of."""
    old = Fernet(OLD_KEY)
    hashed = "$2b$10$XpCj.N0tHY5Huq8EVrftcuBSDgeW8.G.jArojL3k/B8lQlDWSaxTO"
    people = world.folder / "people.jsonl"
    tokens = {
        "email": old.encrypt(b"ada@example.com").decode(),
        "name": old.encrypt("Ada Lovelace".encode()).decode(),
    }
    people.write_text(json.dumps({**tokens, "password_hash": hashed}) + "\n")

    def command(*words):
        result = run(*words, "--config", COOKIES, env=world.env, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    assert "1 imported" in command("user", "import", people)
    for text in ("ada@example.com", "Lovelace", *tokens.values()):
        assert not columns_with(world.folder / "app.db", text), text
    before = sealed_under(world)
    (world.folder / "root.previous").write_text(ROOT_KEY + "\n")
    (world.folder / "root.key").write_text(run("secrets", "generate", "--raw").stdout)
    command("secrets", "rotate")
    (world.folder / "root.previous").unlink()
    assert before.isdisjoint(sealed_under(world))
    assert "ada@example.com" in command("user", "list")
    world.gate.stop()
    # The old key is out of the file and of the environment, and nothing is missed.
    settings = yaml.safe_load(COOKIES.read_text())
    settings["secrets"].pop("fernet")
    settings["listen"][0]["address"] = world.env["LISTEN"]
    env = {k: v for k, v in world.env.items() if k not in ("FERNET_KEY", "GATEHOUSE_TEST_CLOCK")}
    with Gatehouse(settings, env=env) as gate:
        gate.wait_for((world.folder / "control.sock").exists, "the control socket")
        listed = run("user", "list", "--config", gate.config_path, env=env)
        assert "ada@example.com" in listed.stdout


def sealed_under(world):
    """Ids of the keys that the addresses in the store are sealed under."""
    with open_copy(world.folder / "app.db") as store:
        rows = store.execute("SELECT email FROM accounts").fetchall()
    assert rows
    return {int.from_bytes(value[1:5], "big") for (value,) in rows}


def test_the_security_review_speaks_of_what_is_set_here():
    page = REVIEW.read_text(encoding="utf-8")
    for name in HEADERS:
        assert f"`{name}`" in page, name
    for word in ("Fernet", "localStorage", "HttpOnly", "unsafe-inline", "## Residual risks"):
        assert word in page, word
