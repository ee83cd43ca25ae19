"""The long form of `store`: how much of a PostgreSQL server a node takes, and what it counts."""

import contextlib
import pathlib
import re
import threading
import time

import pytest
import yaml

from harness.gate import run
from harness.identity import ENV, new_person
from harness.nodes import node_config, settings_of
from harness.postgres_server import Postgres, programs

pytestmark = pytest.mark.timeout(120)

OPERATIONS = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"


def check(tmp_path, settings, *words):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return run("check", path, "--quiet", *words, env=ENV, timeout=60)


@pytest.fixture(scope="module")
def small():
    """Takes 13 connections, 3 of them reserved."""
    if not programs():
        pytest.skip("PostgreSQL's server is not installed")
    server = Postgres(max_connections="13")
    yield server
    server.close()


def test_the_pool_is_as_large_as_the_file_says(start, backend, tmp_path, database):
    store = {"url": database, "connections": 3, "statement_timeout": "2s", "connect_timeout": "3s"}
    gate = start(settings_of(node_config(backend, tmp_path, store)), env=ENV)
    gate.wait_for(lambda: gate.metrics()["gatehouse_store_connections"] >= 1, "a connection")
    assert gate.metrics()["gatehouse_store_connections_max"] == 3
    assert gate.metrics()["gatehouse_store_connections"] <= 3


def hold_accounts(server, name):
    with contextlib.suppress(AssertionError):  # it is cut off
        server.query("BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20)", name)


@pytest.mark.alone
def test_a_statement_ends_when_the_file_says(start, backend, tmp_path, postgres_server):
    name = postgres_server.database()
    store = {"url": postgres_server.url(name), "statement_timeout": "1500ms"}
    gate = start(settings_of(node_config(backend, tmp_path, store)), env=ENV)
    person = new_person(gate)
    hold = threading.Thread(target=hold_accounts, args=(postgres_server, name))
    hold.start()
    held = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'"
    gate.wait_for(lambda: postgres_server.query(held, name) == [["1"]], "the lock")
    began = time.monotonic()
    assert person.try_login().status == 503
    assert 1.5 <= time.monotonic() - began < 4
    postgres_server.disconnect_all(name)
    hold.join()


def test_every_metric_of_the_store_that_is_documented_is_there(start, backend, tmp_path, database):
    gate = start(settings_of(node_config(backend, tmp_path, database)), env=ENV)
    assert new_person(gate).is_signed_in()
    page = OPERATIONS.read_text(encoding="utf-8")
    page = page[:page.index("Of `gatehouse consume`")]
    documented = set(re.findall(r"`(gatehouse_(?:store|audit)_[a-z_]+)`", page))
    names = {name.split("{")[0] for name in gate.metrics()}
    assert "gatehouse_audit_unsealed_age_seconds" in documented
    seen = {name for name in names if name.startswith(("gatehouse_store_", "gatehouse_audit_"))}
    assert not seen - documented
    assert documented - seen <= {"gatehouse_audit_checkpoint_age_seconds"}  # none is signed yet
    gate.wait_for(lambda: gate.metrics()["gatehouse_audit_unsealed"] == 0, "sealing")
    metrics = gate.metrics()
    assert metrics["gatehouse_audit_sealed_total"] >= metrics["gatehouse_audit_batches_total"] >= 1
    assert metrics["gatehouse_audit_chains_lost_total"] == 0
    assert metrics["gatehouse_audit_foreign_chains_sealed_total"] == 0


def test_a_start_warns_of_a_server_with_too_few_connections(start, backend, tmp_path, small):
    store = {"url": small.url(small.database()), "connections": 10}
    gate = start(settings_of(node_config(backend, tmp_path, store)), env=ENV)
    gate.wait_output("PostgreSQL takes 10 connections")
    assert "may need 11: raise max_connections, or lower store.connections" in gate.output()
    assert new_person(gate).is_signed_in()


def test_a_start_says_nothing_where_there_is_room(start, backend, tmp_path, small):
    store = {"url": small.url(small.database()), "connections": 4}
    gate = start(settings_of(node_config(backend, tmp_path, store)), env=ENV)
    assert new_person(gate).is_signed_in()
    assert "connections (max" not in gate.output()


def test_check_asks_the_server_where_it_is_told_to(backend, tmp_path, small):
    name = small.database()
    settings = settings_of(node_config(backend, tmp_path,
                                       {"url": small.url(name), "connections": 10}))
    assert "PostgreSQL takes" not in check(tmp_path, settings).stdout
    result = check(tmp_path, settings, "--connect")
    assert result.returncode == 0
    assert re.search(r"gatehouse\.yaml:\d+:\d+: warning: PostgreSQL takes 10 connections .* may need "
                     r"11", result.stdout)
    settings["store"]["connections"] = 9
    assert "PostgreSQL takes" not in check(tmp_path, settings, "--connect").stdout
    assert small.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == [["0"]]


def test_check_says_why_the_server_can_not_be_used(backend, tmp_path, small):
    settings = settings_of(node_config(backend, tmp_path, small.url("nowhere")))
    assert check(tmp_path, settings).returncode == 0
    result = check(tmp_path, settings, "--connect")
    assert result.returncode == 1
    assert 'database "nowhere" does not exist' in result.stdout


def test_another_pool_needs_a_restart(start, backend, tmp_path, database):
    settings = settings_of(node_config(backend, tmp_path, database))
    gate = start(settings, env=ENV)
    gate.write_config({**settings, "store": {"url": database, "connections": 9}})
    gate.signal(1)
    gate.wait_output("another store, or other connections to it, need a restart")
