"""SPEC 5: a clock that leapt drops nothing of the log."""

import pytest

from harness.gate import IS_RELEASE, Gatehouse
from harness.identity import ENV, Deployment, identity_config
from harness.backend import Backend
from harness.store import audit_rows

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

DAY = 86400
KEPT = "nothing is dropped for its age"


@pytest.fixture
def world(tmp_path):
    with Backend() as backend:
        audit = {"retention": "30d", "checkpoint": {"records": 2, "interval": "1s"}}
        settings = identity_config(backend, tmp_path, audit=audit)
        with Gatehouse(settings, env=ENV) as gate:
            yield Deployment(gate, backend, tmp_path)


def rows(world):
    return audit_rows(world.folder / "gatehouse.db")


def sign_segments(world, count=2):
    """So many checkpoints, each behind somebody's records."""
    for _ in range(count):
        world.person()
        last = rows(world)[-1]["seq"]
        world.gate.clock.advance(2)
        world.gate.wait_for(lambda: any(row["event_type"] == "audit_checkpoint"
                                        for row in rows(world) if row["seq"] >= last), "a checkpoint")


def test_far_beyond_the_newest_record_nothing_is_dropped_until_one_comes(world):
    sign_segments(world, 3)
    world.gate.clock.advance(400 * DAY)
    world.gate.wait_output(KEPT)
    assert rows(world)[0]["seq"] == 1
    world.gate.clock.advance(59 * 60)  # once an hour at most
    world.person()

    def dropped():
        world.gate.clock.advance(61)
        return rows(world)[0]["seq"] > 1

    world.gate.wait_for(dropped, "retention")
    assert world.gate.output().count(KEPT) == 1


def test_a_start_far_beyond_the_log_keeps_it_for_a_day(tmp_path):
    with Backend() as backend:
        audit = {"retention": "30d", "checkpoint": {"records": 2, "interval": "1s"}}
        settings = identity_config(backend, tmp_path, audit=audit)
        with Gatehouse(settings, env=ENV) as gate:
            sign_segments(Deployment(gate, backend, tmp_path), 3)
        clock = tmp_path / "clock"
        clock.write_bytes((400 * DAY * 1000).to_bytes(8, "little", signed=True))
        with Gatehouse(settings, env={**ENV, "GATEHOUSE_TEST_CLOCK": str(clock)}) as gate:
            world = Deployment(gate, backend, tmp_path)
            gate.wait_output(KEPT)
            world.person()  # with the wrong time, if it is wrong
            assert rows(world)[0]["seq"] == 1
