"""Several processes, each with a chain of the log: one that loses its chain, and one that holds a
chain and does nothing else."""

import contextlib
import json
import time

import pytest

from harness.gate import run
from harness.identity import ENV, Person, new_person
from harness.nodes import node_config, settings_of, start_nodes

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]

LOCK = "'audit_chains'::regclass::oid::int4, 1"
HOLDERS = ("FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted "
           "AND classid = 'audit_chains'::regclass::oid AND database = "
           "(SELECT oid FROM pg_database WHERE datname = current_database())")
# The second in line waits 15 s for the first.
RECORDED_SECONDS = 40


@pytest.fixture
def name(postgres_server):
    return postgres_server.database()


def rows(postgres_server, name, sql):
    return postgres_server.query(sql, name)


def wait_until(condition, what, seconds=15):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def first_chain_held(postgres_server, name):
    """By somebody who records nothing; whoever had it has lost it."""
    holder = postgres_server.session(name)
    try:
        holder.stdin.write(f"SELECT pg_terminate_backend(pid) {HOLDERS} AND objid = 1;\n"
                           f"SELECT pg_advisory_lock({LOCK});\n")
        holder.stdin.flush()
        locked = "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE granted AND " \
                 "locktype = 'advisory' AND objid = 1 AND application_name = 'psql' " \
                 f"AND datname = '{name}'"
        wait_until(lambda: rows(postgres_server, name, locked), "the lock of the first chain")
        yield
    finally:
        holder.stdin.close()
        holder.wait(30)


def test_findings_are_recorded_beside_a_holder_that_records_nothing(start, backend, tmp_path,
                                                                    postgres_server, name):
    settings = node_config(backend, tmp_path, postgres_server.url(name),
                           audit={"anomaly": {"credential_stuffing": "log"}})
    [gate] = start_nodes(start, settings, 1)
    gate.stop()  # from now on there is a first chain
    with first_chain_held(postgres_server, name):
        [gate] = start_nodes(start, settings, 1)
        for number in range(20):
            assert Person(gate, email=f"leaked{number}@example.net").try_login().status == 401
        found = wait_until(
            lambda: rows(postgres_server, name,
                         "SELECT chain, metadata::json ->> 'rule' FROM security_audit_log "
                         "WHERE event_type = 'anomaly_detected'"), "a finding", RECORDED_SECONDS)
        assert found == [["2", "credential_stuffing"]]
        assert gate.metrics()["gatehouse_anomalies_muted_total"] == 0
        gate.stop()


def test_a_node_that_loses_its_chain_leaves_nothing_out_at_second_places(start, backend, tmp_path,
                                                                         postgres_server, name):
    records, saved = tmp_path / "records.jsonl", tmp_path / "checkpoints"
    audit = {"export": [f"file:{records}"],
             "checkpoint": {"interval": "1s", "export": f"file:{saved}"}}
    settings = node_config(backend, tmp_path, postgres_server.url(name), audit=audit)
    records.mkdir()  # the place is down
    [gate] = start_nodes(start, settings, 1)
    new_person(gate)
    unsealed = "SELECT 1 FROM audit_unsealed"  # who takes the chain here would not seal it
    wait_until(lambda: not rows(postgres_server, name, unsealed), "all records sealed")
    with first_chain_held(postgres_server, name):
        wait_until(lambda: rows(postgres_server, name, f"SELECT 1 {HOLDERS} AND objid = 2"),
                   "another chain")
        new_person(gate)
        wait_until(lambda: rows(
            postgres_server, name, "SELECT 1 FROM security_audit_log WHERE chain = 2 AND "
            "event_type = 'audit_checkpoint'"), "a checkpoint of another chain")
        new_person(gate)
    records.rmdir()
    unsigned = "SELECT 1 FROM security_audit_log l WHERE seq = (SELECT max(seq) FROM " \
               "security_audit_log m WHERE m.chain = l.chain) AND event_type <> 'audit_checkpoint'"
    wait_until(lambda: not rows(postgres_server, name, unsigned), "checkpoints of both chains")
    gate.stop()

    logged = {(int(chain), int(seq)) for chain, seq in rows(
        postgres_server, name, "SELECT chain, seq FROM security_audit_log")}
    assert {chain for chain, _ in logged} == {1, 2}
    brought = {(record.get("chain", 1), record["seq"])
               for record in map(json.loads, records.read_text().splitlines())}
    assert brought == logged

    path = tmp_path / "verify.json"
    path.write_text(json.dumps(settings_of(settings)))
    result = run("audit", "verify", "--json", "--config", path, "--checkpoint", saved, env=ENV)
    verdict = json.loads(result.stdout)
    assert result.returncode == 0 and verdict["intact"], verdict
    signed = {(int(chain), int(seq) - 1) for chain, seq in rows(
        postgres_server, name, "SELECT chain, seq FROM security_audit_log "
        "WHERE event_type = 'audit_checkpoint'")}
    notes = set()
    for note in saved.read_text().split("gatehouse/audit/")[1:]:
        lines = note.splitlines()
        if len(lines) < 2 or not lines[1].isdigit():
            continue  # the line of a signature, which has the name, too
        chain = next((int(line[6:]) for line in lines if line.startswith("chain ")), 1)
        notes.add((chain, int(lines[1])))
    assert notes == signed
