#!/usr/bin/python3
"""Runs the project's tests, or some of them, and ends with a line "N passed, N failed".

    tools/run_tests.py [lint] [unit] [threads] [e2e] [postgresql] [release] [deploy] [fuzz] [docs]
                                       only these steps (default: all)
    tools/run_tests.py --format        let clang-format rewrite the sources
    tools/run_tests.py --write-docs    write the generated pages of docs/ again

Counted are lint steps, cmocka test cases, pytest tests and fuzz targets. PYTEST_ARGS is passed to
pytest, FUZZ_SECONDS is how long each fuzz target runs (5).
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import build as builds

ROOT = builds.ROOT
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
# pytest's arguments for several tests at once; half of their time they wait.
AT_ONCE = ("-n", (os.cpu_count() or 1) + 1)
# Modules whose code is run by several threads.
THREADED = ("obs", "limit", "session", "net", "store", "identity", "upstream", "gateway", "app")
# Of tests/e2e/test_identity_*.py: those that do not look into SQLite's file.
OVER_POSTGRESQL = ("access", "admin", "login", "password", "races", "session", "signup", "two_factor")
GENERATED_DOCS = {
    "docs/config.schema.json": ("config", "schema"),
    "docs/configuration-reference.md": ("config", "reference"),
    "docs/audit-events.md": ("audit", "events"),
}


def announce(text):
    print(f"==> {text}", flush=True)


def run(command, **options):
    return subprocess.run([str(part) for part in command], cwd=ROOT, **options)


def environment(**more):
    return {**os.environ, **SANITIZER_ENV, **{key: str(value) for key, value in more.items()}}


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []

    def add(self, passed, failed, name=""):
        self.passed += passed
        self.failed += failed
        if failed:
            self.failures.append(name)

    def step(self, name, good):
        self.add(int(good), int(not good), name)
        print(f"{'ok' if good else 'FAILED'}: {name}", flush=True)
        return good


def sources():
    folders = [ROOT / "src", ROOT / "tests" / "fuzz", ROOT / "examples"]
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in (".c", ".h"))


def built(tally, name, *targets, by=builds.build):
    """What `by` returns; None when the build fails."""
    try:
        return by(name, *targets)
    except subprocess.CalledProcessError:
        tally.step(f"build {name}", False)
        return None


def lint(tally):
    announce("lint")
    good = run(["clang-format", "--dry-run", "--Werror", *sources()]).returncode == 0
    tally.step("clang-format", good)
    tally.step("layers", run([sys.executable, "tools/check_layers.py"]).returncode == 0)
    tally.step("shape", run([sys.executable, "tools/check_shape.py"]).returncode == 0)
    scripts = ["tools/setup.sh", ".ci/run"]
    tally.step("scripts parse", all(run(["sh", "-n", s]).returncode == 0 for s in scripts))
    if built(tally, "asan"):
        tally.step("gcc: no warnings", True)
    if built(tally, "fuzz", by=builds.compile_all):
        tally.step("clang: no warnings", True)


def cmocka_counts(record):
    """How many cases a unit test program ran, from its own closing lines."""
    text = record.get("stdout", "") + record.get("stderr", "")
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", text))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", text))
    if record["result"] in ("OK", "SKIP"):
        return passed or 1, 0
    return passed, failed or 1


def meson_tests(tally, name, wanted):
    tests = built(tally, name, by=builds.tests)
    if tests is None:
        return
    chosen = {test: programs for test, programs in tests.items() if wanted(test)}
    if not chosen:
        tally.step(f"{name}: there are unit tests", False)
        return
    folder = built(tally, name, *sorted({p for programs in chosen.values() for p in programs}))
    if folder is None:
        return
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs"]
    run([*command, "--timeout-multiplier", "4", *chosen], env=environment())
    with open(folder / "meson-logs" / "testlog.json", encoding="utf-8") as log:
        for line in log:
            record = json.loads(line)
            tally.add(*cmocka_counts(record), f"{name}: {record['name']}")


def unit(tally):
    announce("unit tests, address and undefined-behaviour sanitizers")
    meson_tests(tally, "asan", lambda test: True)


def threads(tally):
    announce("unit tests of threaded modules, thread sanitizer")
    meson_tests(tally, "tsan", lambda test: test.split("/")[0] in THREADED)


def pytest(tally, name, binary, *arguments, **variables):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        result = run(
            [*command, f"--junitxml={report}", *arguments],
            env=environment(GATEHOUSE_BIN=binary, PYTHONDONTWRITEBYTECODE=1, **variables),
        )
        counts = re.search(
            r'<testsuite [^>]*errors="(\d+)" failures="(\d+)" skipped="(\d+)" tests="(\d+)"',
            report.read_text(encoding="utf-8") if report.is_file() else "",
        )
    if not counts:
        tally.step(f"{name}: pytest ran", False)
        return
    errors, failures, skipped, tests = (int(group) for group in counts.groups())
    bad = errors + failures
    tally.add(max(tests - skipped - bad, 0), bad or int(result.returncode not in (0, 5)), name)


def e2e(tally):
    announce("end to end, sanitizers and test clock")
    folder = built(tally, "asan", builds.GATEHOUSE, builds.VOTE)
    if folder:
        extra = shlex.split(os.environ.get("PYTEST_ARGS", ""))
        binary = folder / builds.GATEHOUSE
        pytest(tally, "e2e", binary, "tests/e2e", "--alone=without", *AT_ONCE, *extra)
        pytest(tally, "e2e, alone", binary, "tests/e2e", "--alone=only", *extra)


def postgresql(tally):
    announce("the tests of identity once more, over PostgreSQL")
    folder = built(tally, "asan", builds.GATEHOUSE)
    if folder:
        files = [f"tests/e2e/test_identity_{name}.py" for name in OVER_POSTGRESQL]
        pytest(tally, "postgresql e2e", folder / builds.GATEHOUSE, *files, *AT_ONCE,
               GATEHOUSE_TEST_STORE="postgresql")


def release(tally):
    announce("end to end, release build")
    folder = built(tally, "release")
    if folder:
        pytest(tally, "release e2e", folder / "gatehouse", "tests/e2e", "-m", "release")


def deploy(tally):
    announce("container images, manifests, charts")
    folder = built(tally, "release", builds.VOTE)
    if folder:
        pytest(tally, "deploy", folder / "gatehouse", "tests/deploy")


def fuzz_one(folder, target, seconds):
    corpus = ROOT / "tests" / "fuzz" / "corpus" / target.removesuffix("_fuzz")
    findings = builds.BUILD / "fuzz-findings"
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as grown:
        return run(
            [folder / "tests" / "fuzz" / target, f"-max_total_time={seconds}", "-timeout=10"]
            + ["-rss_limit_mb=2048", f"-artifact_prefix={findings}/{target}-", grown]
            + ([corpus] if corpus.is_dir() else []),
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
        )


def fuzz(tally):
    seconds = int(os.environ.get("FUZZ_SECONDS") or 5)
    announce(f"fuzz targets with their corpora, {seconds} s each")
    targets = builds.fuzz_targets()
    folder = built(tally, "fuzz", *[f"tests/fuzz/{target}" for target in targets])
    if folder is None:
        return
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        results = pool.map(lambda target: fuzz_one(folder, target, seconds), targets)
    for target, result in zip(targets, results):
        closing = re.findall(r"^Done \d+ runs.*$", result.stderr, re.M)
        if result.returncode:
            print(result.stderr[-4000:])
        print(closing[-1] if closing else "no closing line")
        tally.step(f"fuzz {target}", result.returncode == 0)


def generated(folder, command):
    """What the generator writes, or None when it fails."""
    result = run([folder / builds.GATEHOUSE, *command], capture_output=True)
    return result.stdout if result.returncode == 0 else None


def docs(tally):
    announce("pages say what the code does")
    tally.step("reasons, metrics, links", run([sys.executable, "tools/check_docs.py"]).returncode == 0)
    folder = built(tally, "asan")
    if folder is None:
        return
    for page, command in GENERATED_DOCS.items():
        path = ROOT / page
        same = path.is_file() and generated(folder, command) == path.read_bytes()
        tally.step(f"{page} is up to date (make docs)", same)


def write_docs():
    folder = builds.build("asan")
    for page, command in GENERATED_DOCS.items():
        text = generated(folder, command)
        if text is None:
            return 1
        (ROOT / page).write_bytes(text)
    return 0


STEPS = {
    "lint": lint,
    "unit": unit,
    "threads": threads,
    "e2e": e2e,
    "postgresql": postgresql,
    "release": release,
    "deploy": deploy,
    "fuzz": fuzz,
    "docs": docs,
}


def main():
    arguments = sys.argv[1:]
    if arguments == ["--format"]:
        return run(["clang-format", "-i", *sources()]).returncode
    if arguments == ["--write-docs"]:
        return write_docs()
    if any(argument not in STEPS for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    tally = Tally()
    for name in arguments or STEPS:
        started = time.monotonic()
        STEPS[name](tally)
        print(f"    ({name}: {time.monotonic() - started:.0f} s)", flush=True)
    for failure in tally.failures:
        print(f"failed: {failure}")
    if tally.passed + tally.failed == 0:
        tally.failed = 1
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
