"""SPEC 1 and 5: a command that stands still, because nobody reads what it writes, holds up nobody."""

import os
import subprocess
import time

import pytest

from harness.gate import BINARY, run
from harness.identity import ENV, deployed

# A command that stands still is ended after 30 seconds; what waited for it would take as long.
AT_ONCE_SECONDS = 10
# More than a thousand records of a kilobyte are more than the pipe and the socket hold. So many kinds
# of refusals are told apart at once; the next come half a minute later.
ROUNDS, AT_ONCE = 4, 440


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stalled")
    with deployed(folder) as world:
        world.gate.wait_for((folder / "control.sock").exists, "the control socket")
        for turn in range(ROUNDS):
            refuse(world, turn)
            world.gate.wait_for(lambda: written(world) >= (turn + 1) * AT_ONCE, "the records")
            world.gate.clock.advance(30)
        yield world


def refuse(world, turn):
    """Each of another address: each a record."""
    for i in range(AT_ONCE):
        fields = [("X-Forwarded-For", f"203.{turn}.{i // 250}.{i % 250}"), ("User-Agent", "x" * 150)]
        assert world.gate.request("GET", "/users/7/x", fields).status == 401


def written(world):
    words = ("audit", "query", "--event", "access_denied", "--limit", "100000")
    return len(run(*words, "--config", world.gate.config_path, env=ENV).stdout.splitlines())


def stalled(world):
    """An export of which the first bytes were read, and nothing more."""
    process = subprocess.Popen(
        [str(BINARY), "audit", "export", "--config", str(world.gate.config_path)],
        env={**os.environ, **ENV}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    assert process.stdout.read(10)
    return process


@pytest.mark.parametrize("exports", [1, 7])
def test_a_stalled_export_does_not_hold_up_other_commands_or_people(world, exports):
    ann = world.person()
    processes = [stalled(world) for _ in range(exports)]
    try:
        begun = time.monotonic()
        result = run("user", "disable", ann.email, "--config", world.gate.config_path, env=ENV)
        assert result.returncode == 0, result.stderr
        assert ann.get("/account/profile").status == 401 or not ann.is_signed_in()
        assert ann.try_login().status == 401
        assert world.person().is_signed_in()
        assert run("audit", "tail", "--config", world.gate.config_path, env=ENV).returncode == 0
        assert time.monotonic() - begun < AT_ONCE_SECONDS
        assert all(process.poll() is None for process in processes)  # they do stand still
    finally:
        for process in processes:
            process.kill()
            process.communicate()
