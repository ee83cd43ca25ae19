#!/usr/bin/python3
"""Configures and builds one of the project's builds below build/.

    tools/build.py release|asan|tsan|fuzz [TARGET ...]

A build is configured again when its options here, or the list of fuzz targets, have changed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

DEBUG = ["--buildtype=debug", "-Doptimization=1"]
SANITIZE = ["-Db_sanitize=address,undefined"]
BUILDS = {
    # name: (compiler, options)
    "release": ("gcc", ["--buildtype=release", "-Db_lto=true"]),
    "asan": ("gcc", [*DEBUG, *SANITIZE, "-Dtest_clock=true"]),
    "tsan": ("gcc", [*DEBUG, "-Db_sanitize=thread", "-Dtest_clock=true"]),
    "fuzz": ("clang", [*DEBUG, *SANITIZE, "-Dtest_clock=true", "-Dfuzz=true"]),
}
GATEHOUSE = "src/app/gatehouse"


def fuzz_targets():
    return sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("*_fuzz.c"))


def configure(name):
    compiler, options = BUILDS[name]
    folder = BUILD / name
    stamp = folder / "configured"
    wanted = " ".join([compiler, *options, *(fuzz_targets() if name == "fuzz" else [])])
    if (folder / "build.ninja").is_file():
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return folder
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["meson", "setup", *options, str(folder), str(ROOT)],
        env={**os.environ, "CC": compiler},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    stamp.write_text(wanted, encoding="utf-8")
    return folder


def ninja(folder, *targets):
    subprocess.run(["ninja", "--quiet", "-C", str(folder), *targets], check=True)


def build(name, *targets):
    """Builds and returns the folder; raises subprocess.CalledProcessError on failure."""
    folder = configure(name)
    if name == "release":
        ninja(folder, GATEHOUSE)
        subprocess.run(
            ["strip", "-o", str(folder / "gatehouse"), str(folder / GATEHOUSE)], check=True
        )
    else:
        ninja(folder, *targets)
    return folder


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in BUILDS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        folder = build(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        return error.returncode or 1
    if sys.argv[1] == "release":
        path = folder / "gatehouse"
        print(f"built {path.relative_to(ROOT)} ({path.stat().st_size // 1024} KiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
