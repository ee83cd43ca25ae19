"""SPEC 12 B through examples/b-backlog.yaml and deploy/systemd: the ninety-day backlog, settled."""

import configparser
import contextlib
import datetime
import json
import os
import sqlite3
import subprocess
import time

import pytest
import yaml

from harness.gate import BINARY, IS_RELEASE, ROOT, Gatehouse, free_port, run
from harness.identity import ROOT_KEY, Deployment, Person, assert_answer
from harness.nodes import at
from harness.redis_server import Redis
from harness.redis_server import program as redis_program
from harness.store import audit_rows

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

EXAMPLE = ROOT / "examples" / "b-backlog.yaml"
UNITS = ROOT / "deploy" / "systemd"
DAY = 24 * 3600
HTTPS = [("X-Forwarded-Proto", "https")]
HOST = "app.example.com"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
OFF = ("camera", "microphone", "geolocation", "payment", "usb")
DEVELOPMENT = {
    "ENVIRONMENT": "development",
    "ALLOWED_HOSTS": "localhost",
    "PUBLIC_URL": "http://localhost",
    "EMAIL_VERIFICATION": "off",
    "HASH_MEMORY": "8MiB",
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
        "DATABASE_PASSWORD": "kestrel-41-orbit",
        "SMTP_PASSWORD": "tundra-78-basil",
        **more,
    }


@pytest.fixture(scope="module")
def production(fastapi, tmp_path_factory):
    folder = tmp_path_factory.mktemp("backlog")
    with Gatehouse(EXAMPLE, env=environment(fastapi, folder)) as gate:
        gate.store = folder / "app.db"
        yield gate


@pytest.fixture
def world(fastapi, tmp_path):
    env = environment(fastapi, tmp_path, **DEVELOPMENT)
    with Gatehouse(EXAMPLE, env=env) as gate:
        world = Deployment(gate, fastapi, tmp_path)
        world.env = {**env, "GATEHOUSE_TEST_CLOCK": str(gate.path / "clock")}
        gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        yield world


def command(world, *words):
    return run(*words, "--config", EXAMPLE, env=world.env, timeout=60)


def unit(name):
    """The sections of a systemd unit."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read(UNITS / name, encoding="utf-8")
    return parser


def run_script(world, name, **env):
    """A script of deploy/systemd, as its unit starts it."""
    service = unit(name.replace(".sh", ".service").replace("r", "gatehouse-r", 1))["Service"]
    assert service["ExecStart"] == f"/bin/sh /usr/local/share/gatehouse/{name}"
    named = dict(pair.split("=", 1) for pair in service["Environment"].split())
    given = {"CONFIG": str(EXAMPLE), "SECRETS": str(world.folder), **env}
    assert named.keys() <= given.keys()
    return subprocess.run(
        ["/bin/sh", str(UNITS / name)],
        env={**os.environ, **world.env, **given, "GATEHOUSE": str(BINARY)},
        capture_output=True,
        text=True,
        timeout=60,
    )


# -- CSP: reported first, then enforced --


def ask(gate, method="GET", target="/health", fields=(), body=None):
    return gate.request(method, target, [*HTTPS, *fields], body, host=HOST)


def test_the_policy_is_reported_first(production):
    response = ask(production)
    assert response.status == 200
    reported = response.all("Content-Security-Policy-Report-Only")
    assert len(reported) == 1
    assert reported[0].startswith(POLICY) and "report-to" in reported[0]
    # What no page of the app can miss is enforced from the first day.
    enforced = response.all("Content-Security-Policy")
    assert len(enforced) == 1
    assert "script-src" not in enforced[0] and "frame-ancestors 'none'" in enforced[0]


def test_one_variable_enforces_it(fastapi, tmp_path):
    env = environment(fastapi, tmp_path, CSP_MODE="enforce")
    with Gatehouse(EXAMPLE, env=env) as gate:
        response = ask(gate)
        assert response.all("Content-Security-Policy-Report-Only") == []
        enforced = response.all("Content-Security-Policy")
        assert len(enforced) == 1 and enforced[0].startswith(POLICY)


def test_reports_of_browsers_are_in_the_audit_log(production):
    report = [{
        "type": "csp-violation",
        "url": f"https://{HOST}/",
        "body": {
            "documentURL": f"https://{HOST}/",
            "effectiveDirective": "script-src-elem",
            "blockedURL": "https://cdn.example/old.js",
            "disposition": "report",
        },
    }]
    fields = [("Content-Type", "application/reports+json")]
    response = ask(production, "POST", "/csp-report", fields, json.dumps(report).encode())
    assert response.status == 204

    def recorded():
        return [r for r in audit_rows(production.store) if r["event_type"] == "csp_violation"]

    record = production.wait_for(recorded, "csp_violation")[0]
    assert record["metadata"]["directive"] == "script-src-elem"


def test_permissions_policy_turns_features_off(production):
    for target in ("/health", "/api/v1/items", "/api/v1/admin/tasks"):
        lines = ask(production, target=target).all("Permissions-Policy")
        assert len(lines) == 1
        assert all(f"{name}=()" in lines[0] for name in OFF), lines[0]


# -- limits on sign-ins --


def test_the_sixth_sign_in_of_a_minute_is_refused(world):
    stranger = world.stranger()
    assert [stranger.try_login().status for _ in range(6)] == [401] * 5 + [429]
    assert stranger.try_login().get("Retry-After")
    assert world.stranger().try_login().status == 401
    world.gate.clock.advance(61)
    assert stranger.try_login().status == 401


def try_any(person, replica):
    """From the same address to an account that nobody has tried before."""
    person.email = f"somebody{next(Person.numbers)}@example.com"
    return at(person, replica).try_login().status


@pytest.mark.skipif(not redis_program(), reason="redis-server is not installed")
def test_replicas_share_the_limits_of_sign_ins(fastapi, tmp_path, database):
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(contextlib.closing(Redis()))
        replicas = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            env = environment(fastapi, tmp_path / name, **DEVELOPMENT, STORE=database,
                              REDIS_URL=redis.url)
            replicas.append(stack.enter_context(Gatehouse(EXAMPLE, env=env)))
            replicas[-1].wait_output("rate limits are shared through redis")
        stranger, other = Person(replicas[0]), Person(replicas[1])
        found = [try_any(stranger, replicas[i % 2]) for i in range(8)]
        assert found == [401] * 5 + [429] * 3
        assert [try_any(other, replicas[i % 2]) for i in range(2)] == [401] * 2
        redis.stop()
        for replica in replicas:
            replica.wait_output("redis is away")
        for replica in replicas:  # alone, each for itself
            newcomer = Person(replica)
            assert [try_any(newcomer, replica) for _ in range(6)] == [401] * 5 + [429]


# -- secrets: none by default, rotated each quarter --


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_PASSWORD", "changeme"),
        ("DATABASE_PASSWORD", "your-password-here"),
        ("SMTP_PASSWORD", "password"),
        ("SMTP_PASSWORD", "Admin"),
    ],
)
def test_default_credentials_are_refused(fastapi, tmp_path, name, value):
    env = environment(fastapi, tmp_path, **{name: value})
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=env)
    assert result.returncode == 2
    assert f"look like an example's: {name}." in result.stderr
    assert value not in result.stdout + result.stderr.replace(name, "")


def test_missing_credentials_and_a_weak_root_are_named_together(fastapi, tmp_path):
    env = environment(fastapi, tmp_path, DATABASE_PASSWORD="", SMTP_PASSWORD="secret")
    (tmp_path / "root.key").write_text("correct horse battery\n")
    result = run("serve", "--config", EXAMPLE, "--user", "root", env=env)
    assert result.returncode == 2
    assert "missing or empty: DATABASE_PASSWORD." in result.stderr
    assert "look like an example's: SMTP_PASSWORD." in result.stderr
    assert "too weak: file:" in result.stderr and "horse" not in result.stderr


@pytest.mark.alone
def test_secrets_are_due_after_ninety_days_and_the_script_rotates_them(world):
    person = world.person()
    assert command(world, "secrets", "status").returncode == 0
    world.gate.clock.advance(91 * DAY)
    overdue = command(world, "secrets", "status")
    assert overdue.returncode == 1 and "OVERDUE" in overdue.stdout
    result = run_script(world, "rotate.sh")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (world.folder / "root.key").read_text().strip() != ROOT_KEY
    assert not (world.folder / "root.previous").exists()
    assert command(world, "secrets", "status").returncode == 0, overdue.stdout
    person.login()
    rotated = [r["metadata"]["purpose"] for r in audit_rows(world.folder / "app.db")
               if r["event_type"] == "secret_rotated"]
    assert {"root", "field", "signing", "audit"} <= set(rotated)


def test_a_rotation_that_ended_half_way_is_gone_on_with(world):
    """root.previous is there: the key of the rotation before was made, and no other is."""
    (world.folder / "root.previous").write_text(ROOT_KEY + "\n")
    key = run("secrets", "generate", "--raw").stdout
    world.gate.clock.advance(3600)
    (world.folder / "root.key").write_text(key)
    result = run_script(world, "rotate.sh")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (world.folder / "root.key").read_text() == key
    assert not (world.folder / "root.previous").exists()


# -- the review --


def this_month(world):
    now = time.time() + world.gate.clock.offset_ms / 1000
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m")


def test_the_review_of_a_month_is_written(world):
    admin = world.admin()
    person = world.person()
    world.stranger(email=person.email).try_login("certainly-wrong-72")
    assert_answer(person.api("PATCH", "/account/profile", {"name": "Zuleika Dobson"}), 200)
    assert_answer(world.set_roles(person, "user", "admin"), 200)
    month, reviews = this_month(world), world.folder / "reviews"
    result = run_script(world, "review.sh", MONTH=month, REVIEWS=str(reviews))
    assert result.returncode == 0, result.stdout + result.stderr
    assert sorted(path.name for path in reviews.iterdir()) == [f"{month}.html", f"{month}.md"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in reviews.iterdir())
    page = (reviews / f"{month}.md").read_text()
    for text in ("login_failed", "role_changed", admin.id, "Intact"):
        assert text in page, text
    for text in (person.email, "Zuleika", person.password):
        assert text not in page, text


def test_the_review_finds_personal_data_where_it_should_not_be(world):
    admin = world.admin()
    agent = "Mozilla/5.0 (card 4111 1111 1111 1111; ann@example.com)"
    stranger = world.stranger()
    fields = [("User-Agent", agent)]
    body = {"email": stranger.email, "password": "certainly-wrong-72"}
    assert stranger.api("POST", "/auth/login", body, extra=fields).status == 401
    page = command(world, "audit", "review", "--since", "1d").stdout
    assert "user_agent" in page and "card" in page.lower()
    assert "4111" not in page and "ann@example.com" not in page
    assert admin.is_signed_in()


def test_the_review_fails_for_a_log_that_was_changed(world):
    world.person()
    world.gate.stop()
    with sqlite3.connect(world.folder / "app.db") as store:
        store.execute("UPDATE security_audit_log SET outcome = 'failure' WHERE seq = 2")
    month, reviews = this_month(world), world.folder / "reviews"
    result = run_script(world, "review.sh", MONTH=month, REVIEWS=str(reviews))
    assert result.returncode == 1
    assert "record 2" in (reviews / f"{month}.md").read_text().lower()


def test_checkpoints_go_to_a_second_place(world):
    world.person()
    path = world.folder / "checkpoints"

    def signed():
        world.gate.clock.advance(61)
        return path.exists() and path.stat().st_size

    world.gate.wait_for(signed, "a checkpoint")
    result = command(world, "audit", "verify", "--checkpoint", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "saved checkpoints agree" in result.stdout


# -- a second factor for admins --


def test_admins_can_do_nothing_without_their_second_factor(world):
    admin = world.stranger()
    body = {"token": world.setup_token(), "email": admin.email, "password": admin.password}
    assert_answer(admin.api("POST", "/auth/setup", body), 201)
    admin.login()
    for path in ("/api/v1/admin/tasks", "/api/v1/admin/users", "/api/v1/echo"):
        assert_answer(admin.get(path), 403, detail="second factor")
    admin.enrol()
    assert admin.get("/api/v1/admin/tasks").status == 200
    assert admin.get("/api/v1/admin/users").status == 200
    assert_answer(world.person().get("/api/v1/admin/tasks"), 403)


# -- timers --


def test_timers_come_as_often_as_they_should():
    calendars = {
        "gatehouse-review.timer": "*-*-01 05:00 UTC",
        "gatehouse-rotate.timer": "*-01,04,07,10-08 04:00 UTC",
        "gatehouse-secrets.timer": "daily",
    }
    assert {path.name for path in UNITS.glob("*.timer")} == set(calendars)
    for name, calendar in calendars.items():
        timer = unit(name)["Timer"]
        assert timer["OnCalendar"] == calendar and timer["Persistent"] == "true"
        service = unit(name.replace(".timer", ".service"))["Service"]
        assert service["Type"] == "oneshot"
        assert service["User"] == unit("gatehouse.service")["Service"]["User"]
