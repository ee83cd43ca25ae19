"""SPEC 5: where the log begins. Retention moves that on, and nobody else: not who can delete rows or
change their times, and no clock that goes back.
"""

import json
import shutil
import sqlite3

import pytest
from harness.backend import Backend
from harness.gate import IS_RELEASE, Gatehouse, free_port, run
from harness.identity import ENV, Deployment, identity_config
from harness.store import audit_rows

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

DAY = 24 * 3600
AUDIT_KEY = 4  # the purpose of a row in `keys`


class World:
    """A deployment whose lives may begin at any time."""

    def __init__(self, folder, backend):
        self.folder, self.backend, self.saved = folder, backend, folder / "checkpoints"
        audit = {"retention": "30d",
                 "checkpoint": {"records": 4, "interval": "1s", "export": f"file:{self.saved}"}}
        self.settings = identity_config(backend, folder, audit=audit,
                                        admin_listen=f"127.0.0.1:{free_port()}")

    def start(self):
        return Gatehouse(self.settings, env=ENV)

    def act(self, gate, people=2):
        """Some records, and a checkpoint over them."""
        deployment = Deployment(gate, self.backend, self.folder)
        deployment.person()
        before = self.rows()[-1]["seq"]
        for _ in range(people):
            deployment.person()

        def is_signed():
            rows = self.rows()
            return rows[-1]["seq"] > before + people and rows[-1]["event_type"] == "audit_checkpoint"

        gate.wait_for(is_signed, "a checkpoint")

    def rows(self):
        return audit_rows(self.folder / "gatehouse.db")

    def sql(self, statement):
        """As somebody with the file, and without any key."""
        with sqlite3.connect(self.folder / "gatehouse.db", timeout=10) as store:
            store.execute(statement)
        store.close()

    def first(self):
        return self.rows()[0]["seq"]

    def audit(self, gate, *words, config=True):
        settings = ("--config", gate.config_path) if config else ()
        return run("audit", *words, *settings,
                   env={**ENV, "GATEHOUSE_TEST_CLOCK": str(gate.path / "clock")})

    def verify(self, gate, *words):
        result = self.audit(gate, "verify", "--json", "--checkpoint", self.saved, *words)
        return result.returncode, json.loads(result.stdout)


@pytest.fixture
def world(tmp_path):
    with Backend() as backend:
        yield World(tmp_path, backend)


def says(gate, text):
    return any(text in line for line in gate.output().splitlines())


def test_the_server_does_not_sign_for_records_that_somebody_else_has_cut(world):
    with world.start() as gate:
        world.act(gate, 4)
        world.sql("DELETE FROM security_audit_log WHERE seq < 8")
        code, verdict = world.verify(gate)
        assert code == 1 and verdict["fault"] == "front" and verdict["seq"] == 1
        world.act(gate)
        code, verdict = world.verify(gate)
        assert code == 1 and verdict["fault"] == "front" and verdict["seq"] == 1
        gate.stop()
    with world.start() as gate:
        world.act(gate)
        code, verdict = world.verify(gate)
        assert code == 1 and verdict["fault"] == "front" and verdict["seq"] == 1


def test_the_server_signs_no_more_where_the_log_lost_what_it_had_signed(world):
    with world.start() as gate:
        world.act(gate)
        world.act(gate)
        signed = [row["seq"] for row in world.rows() if row["event_type"] == "audit_checkpoint"]
        note = f"\n{signed[-1] - 1}\n"
        gate.wait_for(lambda: note in world.saved.read_text(encoding="utf-8"), "it saved")
        world.sql(f"DELETE FROM security_audit_log WHERE seq >= {signed[-1] - 1}")
        deployment = Deployment(gate, world.backend, world.folder)
        [deployment.person() for _ in range(3)]
        gate.wait_for(lambda: says(gate, "records that were signed are gone or changed"), "a loud log")
        rows = world.rows()
        assert rows[-1]["seq"] >= signed[-1] and rows[-1]["event_type"] != "audit_checkpoint"
        code, verdict = world.verify(gate)
        assert code == 1 and verdict["fault"] in ("contradiction", "truncated")
        assert gate.metrics()["gatehouse_audit_failing"] == 1


def test_retention_does_not_drop_what_somebody_made_look_old(world):
    with world.start() as gate:
        world.act(gate, 4)
        world.sql(f"UPDATE security_audit_log SET time = time - {60 * DAY * 1000000}")
        world.act(gate)
        gate.clock.advance(3700)
        world.act(gate)
        world.act(gate)
        assert world.rows()[0]["seq"] == 1
        code, verdict = world.verify(gate)
        assert code == 1 and verdict["fault"] == "changed" and verdict["seq"] == 1


def test_a_clock_that_went_back_for_a_while_makes_nothing_old(world):
    lives = [60 * DAY, 0, 60 * DAY + 3700]
    for offset in lives:
        with world.start() as gate:
            gate.clock.advance(offset)
            world.act(gate)
            gate.stop()
    with world.start() as gate:
        gate.clock.advance(lives[-1] + 3700)
        world.act(gate)
        assert [row["seq"] for row in world.rows()] == list(range(1, len(world.rows()) + 1))
        gate.clock.advance(31 * DAY)
        world.act(gate)
        gate.clock.advance(3700)
        gate.wait_for(lambda: says(gate, "were too old and dropped"), "retention")
        assert world.rows()[0]["seq"] > 1
        code, verdict = world.verify(gate)
        assert code == 0, verdict


def test_a_front_that_was_dropped_before_its_time_is_found_through_saved_checkpoints(world, tmp_path):
    """Whoever holds database and keys has the real program drop what is younger."""
    with world.start() as gate:
        world.act(gate, 4)
        gate.stop()
    world.settings["audit"]["retention"] = "1d"
    with world.start() as gate:
        gate.clock.advance(3 * DAY)
        world.act(gate)
        gate.clock.advance(3700)
        gate.wait_for(lambda: says(gate, "were too old and dropped"), "retention")
        code, verdict = world.verify(gate)
        assert code == 0 and verdict["first_seq"] > 1 and verdict["retention_checked"] is True
        code, verdict = world.verify(gate, "--retention", "30d")
        assert code == 1 and verdict["fault"] == "front" and 0 < verdict["seq"] < world.first()
        gate.stop()
    world.settings["audit"]["retention"] = "30d"
    with world.start() as gate:
        gate.clock.advance(3 * DAY + 3800)
        assert world.verify(gate)[0] == 1
        assert world.verify(gate, "--retention", "1d")[0] == 0
        export, key, saved = (tmp_path / name for name in ("export.jsonl", "key", "saved"))
        shutil.copyfile(world.saved, saved)  # the log grows, and with it the file
        for words in (("export", "--output", export), ("public-key", "--output", key)):
            assert world.audit(gate, *words).returncode == 0
        elsewhere = ("verify", export, "--public-key", key, "--checkpoint", saved)
        result = world.audit(gate, *elsewhere, config=False)
        assert result.returncode == 0 and "was not checked: that needs the retention" in result.stdout
        result = world.audit(gate, *elsewhere, "--retention", "1d", config=False)
        assert result.returncode == 0 and "dropped before was older than" in result.stdout
        for words in (("--retention", "30d"), ("--config", gate.config_path)):
            result = world.audit(gate, *elsewhere, *words, config=False)
            assert result.returncode == 1 and "before its time" in result.stdout
        for wrong in ("30", "0s", "", "for ever"):
            assert world.audit(gate, *elsewhere, "--retention", wrong, config=False).returncode == 2
            assert world.audit(gate, "verify", "--retention", wrong).returncode == 2


def test_signatures_that_no_key_is_there_for_were_not_checked(world):
    with world.start() as gate:
        world.act(gate)
        assert world.verify(gate)[1]["signatures_checked"] is True
        world.sql(f"DELETE FROM keys WHERE purpose = {AUDIT_KEY}")
        code, verdict = world.verify(gate)
        assert code == 0 and verdict["signatures_checked"] is False and verdict["signed_through"] == 0
        assert "signatures were not checked" in world.audit(gate, "verify").stdout
