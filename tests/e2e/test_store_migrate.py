"""`gatehouse store migrate`: a deployment moves from SQLite to PostgreSQL, and nobody notices."""

import json

import pytest

from harness.gate import free_port, run
from harness.identity import ENV, Person, deployed
from harness.store import open_copy

pytestmark = pytest.mark.timeout(120)


def migrate(source, target, **env):
    return run("store", "migrate", "--from", source, "--to", target, env={**ENV, **env}, timeout=60)


@pytest.fixture
def lived_in(tmp_path, monkeypatch):
    """A deployment with people in it, stopped."""
    monkeypatch.delenv("GATEHOUSE_TEST_STORE", raising=False)
    with deployed(tmp_path) as world:
        world.people = [world.person() for _ in range(5)]
        world.enrolled = world.people[0]
        world.codes = world.enrolled.enrol()
        world.gate.stop()
        yield world


def moved(world, start, url):
    """The same deployment over the database."""
    settings = {**world.gate.settings, "store": url}
    settings["listen"][0]["address"] = f"127.0.0.1:{free_port()}"
    gate = start(settings, env=ENV)
    for person in world.people:
        person.gate = gate
    return gate


def count(path, table):
    with open_copy(path) as store:
        return store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_people_stay_signed_in_and_the_log_goes_on(lived_in, start, tmp_path, database):
    result = migrate(f"sqlite:{tmp_path}/gatehouse.db", database)
    assert result.returncode == 0, result.stdout + result.stderr
    records = count(tmp_path / "gatehouse.db", "security_audit_log")
    assert f"the audit log verifies: {records} records" in result.stdout
    gate = moved(lived_in, start, database)
    for person in lived_in.people:
        assert person.is_signed_in()
        assert person.refresh().status == 200
    other = Person(gate, email=lived_in.enrolled.email)
    challenge = other.try_login().json()["challenge"]
    assert other.second_step(challenge, lived_in.codes[0]).status == 200
    assert Person(gate, email=lived_in.people[1].email).login()
    gate.stop()
    verdict = json.loads(run("audit", "verify", "--json", "--config", gate.config_path,
                             env=ENV).stdout)
    assert verdict["intact"] and verdict["records"] > records
    assert verdict["signed_through"] > records  # by the keys that came along


def test_it_counts_what_it_moved(lived_in, tmp_path, database):
    result = migrate(f"sqlite:{tmp_path}/gatehouse.db", database)
    told = dict(line.rsplit(" rows", 1)[0].split() for line in result.stdout.splitlines()
                if line.endswith(" rows"))
    assert set(told) >= {"accounts", "sessions", "keys", "person_keys", "security_audit_log"}
    for table, rows in told.items():
        assert int(rows) == count(tmp_path / "gatehouse.db", table)


def test_a_second_time_is_refused_and_changes_nothing(lived_in, tmp_path, database):
    assert migrate(f"sqlite:{tmp_path}/gatehouse.db", database).returncode == 0
    again = migrate(f"sqlite:{tmp_path}/gatehouse.db", database)
    assert again.returncode == 2
    assert "not empty" in again.stderr and "nothing was moved" in again.stderr


def test_a_running_server_keeps_its_file(tmp_path, monkeypatch, database):
    monkeypatch.delenv("GATEHOUSE_TEST_STORE", raising=False)
    with deployed(tmp_path):
        result = migrate(f"sqlite:{tmp_path}/gatehouse.db", database)
    assert result.returncode == 2 and result.stderr.strip()


def test_a_database_in_use_is_left_alone(lived_in, start, tmp_path, database):
    gate = moved(lived_in, start, database)  # an empty one: it makes its own keys there
    gate.wait_output("started")
    result = migrate(f"sqlite:{tmp_path}/gatehouse.db", database)
    assert result.returncode == 2 and "not empty" in result.stderr
    gate.stop()


def test_a_password_does_not_stand_on_the_command_line(lived_in, tmp_path, database):
    spelt = database.replace("gatehouse@", "gatehouse:hunter2@")
    result = migrate(f"sqlite:{tmp_path}/gatehouse.db", spelt)
    assert result.returncode == 2
    assert "env:NAME" in result.stderr and "hunter2" not in result.stdout + result.stderr
    result = migrate(f"sqlite:{tmp_path}/gatehouse.db", "env:TARGET", TARGET=spelt)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("words", [
    (),
    ("migrate",),
    ("migrate", "--from", "sqlite:x"),
    ("migrate", "--from", "postgresql://a/b", "--to", "sqlite:x"),
    ("migrate", "--from", "sqlite:", "--to", "postgresql://a/b"),
    ("migrate", "--from", "sqlite:/nowhere/x.db", "--to", "postgresql://127.0.0.1:1/b"),
    ("migrate", "--to"),
    ("migrate", "--force"),
    ("move",),
])
def test_what_makes_no_sense_is_refused(words):
    result = run("store", *words)
    assert result.returncode == 2 and result.stderr.strip()


def test_a_database_that_is_away_is_told(lived_in, tmp_path):
    result = migrate(f"sqlite:{tmp_path}/gatehouse.db", f"postgresql://x@127.0.0.1:{free_port()}/y")
    assert result.returncode == 2 and result.stderr.strip()
