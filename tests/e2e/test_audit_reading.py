"""SPEC 5: who reads the log with personal values in clear is in the log."""

import json
import re
import subprocess

import pytest

from harness.gate import BINARY, IS_RELEASE, run
from harness.identity import ENV, assert_answer, deployed
from harness.store import audit_rows

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

COMMITMENT = re.compile(r"hmac-sha256:[0-9a-f]{64}")
PERSONAL = ("ann@example.com", "192.0.2.10", "Reader/1.0")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit-reading")
    with deployed(folder) as world:
        world.gate.wait_for((folder / "control.sock").exists, "the control socket")
        world.ann = world.person(email="ann@example.com", address="192.0.2.10")
        body = {"email": "ann@example.com", "password": "wrong-as-can-be-1"}
        agent = [("User-Agent", "Reader/1.0")]
        assert_answer(world.ann.api("POST", "/auth/login", body, extra=agent), 401)
        world.admin()
        yield world


def command(world, *words):
    return run("audit", *words, "--config", world.gate.config_path,
               env={**ENV, "GATEHOUSE_TEST_CLOCK": str(world.gate.path / "clock")})


def reads(world):
    """What the log says of readings."""
    return [row for row in audit_rows(world.folder / "gatehouse.db")
            if row["event_type"] == "audit_read"]


# -- commands --


@pytest.mark.parametrize("verb", ["tail", "query"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_without_personal_a_command_shows_none_and_is_no_event(world, verb, form):
    before = reads(world)
    result = command(world, verb, "--limit", "1000", *form)
    assert result.returncode == 0 and result.stdout
    for text in PERSONAL:
        assert text not in result.stdout
    assert world.ann.id in result.stdout
    assert COMMITMENT.search(result.stdout)
    assert reads(world) == before


def test_in_text_a_sealed_address_is_said_to_be(world):
    assert "(sealed)" in command(world, "query", "--event", "login").stdout


@pytest.mark.parametrize("verb", ["tail", "query"])
def test_with_personal_it_is_one_event_before_anything_is_shown(world, verb):
    before = len(reads(world))
    result = command(world, verb, "--limit", "1000", "--personal", "--json")
    assert result.returncode == 0
    for text in PERSONAL:
        assert text in result.stdout
    [event] = reads(world)[before:]
    assert event["metadata"] == {"by": "command", "query": "all"}
    assert event["actor_id"] is None and event["outcome"] == "success"


def test_the_event_says_what_was_asked_and_nothing_personal(world):
    before = len(reads(world))
    result = command(world, "query", "--personal", "--user", "ann@example.com", "--event", "login",
                     "--outcome", "success", "--since", "2026-01-01", "--session", "ann@example.com")
    assert result.returncode == 0
    [event] = reads(world)[before:]
    assert event["metadata"]["query"] == (
        f"event=login user={world.ann.id} session=unknown outcome=success "
        "since=2026-01-01T00:00:00.000000Z")


def test_a_query_does_not_show_its_own_event(world):
    shown = command(world, "query", "--personal", "--limit", "1", "--json").stdout
    assert json.loads(shown)["seq"] < reads(world)[-1]["seq"]


def test_wrong_questions_are_no_events(world):
    before = reads(world)
    assert command(world, "query", "--personal", "--event", "no_such_event").returncode == 1
    assert command(world, "query", "--personal", "--user", "nobody@example.com").returncode == 1
    assert command(world, "query", "--personal", "--bogus").returncode == 2
    assert reads(world) == before


@pytest.mark.parametrize("form", [(), ("--html",)])
def test_a_review_is_one_event_for_its_networks_are_read_in_clear(world, form):
    before = len(reads(world))
    result = command(world, "review", "--since", "2026-01-01", *form)
    assert result.returncode == 0 and "192.0.2.0/24" in result.stdout
    for text in PERSONAL:
        assert text not in result.stdout
    [event] = reads(world)[before:]
    assert event["metadata"]["by"] == "command"
    assert event["metadata"]["query"].startswith("since=2026-01-01T00:00:00.000000Z until=")


def test_following_is_one_event_at_its_start(world):
    before = len(reads(world))
    process = subprocess.Popen(
        [str(BINARY), "audit", "tail", "--follow", "--json", "--personal", "-n", "1", "--config",
         str(world.gate.config_path)],
        env={**ENV, "GATEHOUSE_TEST_CLOCK": str(world.gate.path / "clock"), "PATH": ""},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        for name in ("carl", "dora"):
            person = world.person(email=f"{name}@example.com")
            while json.loads(process.stdout.readline())["user_id"] != person.id:
                pass
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert len(reads(world)) == before + 1


def test_who_begins_in_the_middle_is_noted_too(world):
    world.gate.clock.advance(3601)
    before = len(reads(world))
    assert command(world, "tail", "--after", "1", "--cursor", "--personal").returncode == 0
    assert len(reads(world)) == before + 1


# -- the admin's --


def test_an_admins_reading_is_an_event_for_each_first_page(world):
    admin = world.admin()
    before = len(reads(world))
    first = assert_answer(admin.api("GET", "/admin/audit?event=login&limit=1"), 200)
    assert first["records"] and first["next"]
    [event] = reads(world)[before:]
    assert event["actor_id"] == admin.id
    assert event["metadata"] == {"by": admin.id, "query": "event=login"}
    path = f"/admin/audit?event=login&limit=1&before={first['next']}"
    assert_answer(admin.api("GET", path), 200)
    assert len(reads(world)) == before + 1
    assert_answer(admin.api("GET", "/admin/audit?event=login&limit=1"), 200)
    assert len(reads(world)) == before + 2


def test_an_admin_can_not_begin_behind_the_first_page_unseen(world):
    admin = world.admin()
    before = len(reads(world))
    path = f"/admin/audit?event=signup&user={world.ann.id}&before=999999"
    assert_answer(admin.api("GET", path), 200)
    [event] = reads(world)[before:]
    assert event["metadata"]["query"] == f"event=signup user={world.ann.id}"


def test_refused_questions_are_no_events(world):
    before = reads(world)
    assert_answer(world.admin().api("GET", "/admin/audit?event=none"), 422)
    assert_answer(world.person().api("GET", "/admin/audit"), 403)
    assert reads(world) == before


def test_the_log_with_readings_in_it_is_intact(world):
    world.gate.wait_for(lambda: reads(world), "readings")
    result = command(world, "verify")
    assert result.returncode == 0 and "intact" in result.stdout
