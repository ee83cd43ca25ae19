"""`make run` as a newcomer starts it, once."""

import os
import shutil
import subprocess

import pytest

from harness.gate import IS_RELEASE, ROOT

pytestmark = [
    pytest.mark.release,
    pytest.mark.skipif(not IS_RELEASE, reason="builds and runs the release binary"),
    pytest.mark.skipif(not shutil.which("make"), reason="there is no make"),
    pytest.mark.timeout(300),
]


def test_make_run_shows_both_sides_and_ends_0():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    result = subprocess.run(
        ["make", "--no-print-directory", "run", "DEMO_ONCE=1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for shown in ("X-Content-Type-Options: nosniff", "Server: uvicorn", "429", "413", "400", "body /price"):
        assert shown.lower() in result.stdout.lower(), shown
