"""An hour in short (tests/endurance/run.py says what): kills, rotations, erasures, and an audit of it."""

import subprocess
import sys

import pytest

from harness.gate import ROOT


@pytest.mark.alone
@pytest.mark.release
@pytest.mark.timeout(240)
def test_an_hour_leaves_a_log_that_holds_and_no_secret():
    result = subprocess.run([sys.executable, str(ROOT / "tests" / "endurance" / "run.py")],
                            capture_output=True, text=True, timeout=220)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-6000:]
    assert result.stdout.endswith("nothing was found\n")
