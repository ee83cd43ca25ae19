"""SPEC 5: a row in the store that can be no record is named by `audit verify`; it hides no other, from
nobody who reads the log, and all of them say that it is there."""

import json
import signal
import sqlite3
import subprocess

import pytest

from harness.backend import Backend
from harness.gate import BINARY, Gatehouse, free_port, run
from harness.identity import ENV, Deployment, identity_config

FORGED = {
    "no event": "event_type = 'no_such_event'",
    "no outcome": "outcome = 'neither'",
    "no hash": "prev_hash = x'00'",
}
PASSED = "rows of the log can be no records"


class World(Deployment):
    def __init__(self, gate, backend, folder):
        super().__init__(gate, backend, folder)
        self.places = {name: folder / f"audit.{name}" for name in ("jsonl", "cef")}

    def sql(self, *statements):
        store = sqlite3.connect(self.folder / "gatehouse.db", timeout=10)
        with store:
            store.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                store.execute(statement)
            [(last,)] = store.execute("SELECT max(seq) FROM security_audit_log").fetchall()
        store.close()
        return last

    def append(self, what):
        """A row behind the last one, as somebody with the file writes it; which it is."""
        return self.sql(
            "INSERT INTO security_audit_log SELECT seq + 1, time, event_type, user_id, actor_id,"
            " ip_address, user_agent, session, request_id, outcome, metadata, hash, randomblob(32),"
            " sealed FROM security_audit_log ORDER BY seq DESC LIMIT 1",
            f"UPDATE security_audit_log SET {what} WHERE seq ="
            " (SELECT max(seq) FROM security_audit_log)")

    def command(self, *words):
        return run("audit", *words, "--config", self.gate.config_path, env=ENV)

    def wait_exported(self, text):
        for place in self.places.values():
            self.gate.wait_for(lambda: place.exists() and text in place.read_text(), f"{place}")


@pytest.fixture
def world(tmp_path):
    exports = [f"file:{tmp_path}/audit.jsonl",
               {"to": f"file:{tmp_path}/audit.cef", "format": "cef"}]
    with Backend() as backend:
        settings = identity_config(backend, tmp_path, audit={"export": exports},
                                   admin_listen=f"127.0.0.1:{free_port()}")
        with Gatehouse(settings, env=ENV) as gate:
            yield World(gate, backend, tmp_path)


@pytest.mark.parametrize("what", FORGED)
def test_whoever_follows_the_log_goes_on_behind_it(world, what):
    ann = world.person()
    world.wait_exported(ann.id)
    number = world.append(FORGED[what])
    bob = world.person()
    bob.other_browser().login()  # found by a rule: `new_device`
    world.wait_exported(bob.id)
    world.gate.wait_output(f"{PASSED} and are passed over, the last is {number}:")
    world.gate.wait_for(lambda: "anomaly_detected" in world.places["jsonl"].read_text(), "a finding")
    assert world.gate.metrics()["gatehouse_audit_unreadable_total"] == 1
    assert world.gate.metrics()["gatehouse_audit_failing"] == 0
    lines = [json.loads(line) for line in world.places["jsonl"].read_text().splitlines()]
    assert number not in {line["seq"] for line in lines}
    assert {number - 1, number + 1} <= {line["seq"] for line in lines}
    assert world.gate.output().count(PASSED) == 1
    world.gate.wait_for(lambda: world.gate.output().count("can't be written for file:") == 2,
                        "a line for each place")
    verdict = world.command("verify", "--json")
    found = json.loads(verdict.stdout)
    assert (verdict.returncode, found["fault"], found["seq"]) == (1, "unreadable", number)


@pytest.mark.parametrize("what", FORGED)
def test_whoever_asks_is_shown_the_others(world, what):
    ann = world.person()
    number = world.append(FORGED[what])
    world.sql(f"UPDATE security_audit_log SET {FORGED[what]} WHERE seq = 2")
    bob = world.person()
    for words in (["tail"], ["query"], ["query", "--personal"], ["export"],
                  ["export", "--personal"], ["export", "--format", "cef"],
                  ["export", "--format", "syslog"]):
        result = world.command(*words)
        assert result.returncode == 0, (words, result.stderr)
        assert ann.id in result.stdout and bob.id in result.stdout, words
        assert f"2 {PASSED} and are left out" in result.stderr, words
    result = world.command("query", "--limit", "3", "--json")
    assert len(result.stdout.splitlines()) == 3  # it fills no place
    seen = {record["seq"] for record in world.audit()}
    assert {1, number + 1} <= seen and not {2, number} & seen
    assert ann.records()
    review = world.command("review")
    assert review.returncode == 1 and "login" in review.stdout


def test_following_goes_on_behind_it(world):
    ann = world.person()
    process = subprocess.Popen(
        [BINARY, "audit", "tail", "--follow", "--json", "--config", world.gate.config_path],
        env=ENV, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while ann.id not in process.stdout.readline():
            pass
        number = world.append(FORGED["no event"])
        bob = world.person()
        while bob.id not in (line := process.stdout.readline()):
            assert line and json.loads(line)["seq"] != number
        carl = world.person()  # the look that showed bob is over, and said what it left out
        while carl.id not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[1].count(PASSED) == 1
    finally:
        process.kill()
        process.communicate()
