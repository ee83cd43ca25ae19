#!/usr/bin/python3
"""Configures and builds one of the project's builds below build/.

    tools/build.py release|profile|asan|tsan|fuzz [TARGET ...]

A build is configured again when its options here, or the list of fuzz targets, have changed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

# -g1: reports name functions and lines all the same, and a fifth of the compiler's time is saved.
DEBUG = ["--buildtype=debug", "-Doptimization=1", "-Dc_args=-g1"]
SANITIZE = ["-Db_sanitize=address,undefined"]
BUILDS = {
    # name: (compiler, options)
    "release": ("gcc", ["--buildtype=release", "-Db_lto=true"]),
    "profile": ("gcc", ["--buildtype=release", "-Db_lto=true", "-Ddebug=true"]),
    "asan": ("gcc", [*DEBUG, *SANITIZE, "-Dtest_clock=true"]),
    "tsan": ("gcc", [*DEBUG, "-Db_sanitize=thread", "-Dtest_clock=true"]),
    "fuzz": ("clang", [*DEBUG, *SANITIZE, "-Dtest_clock=true", "-Dfuzz=true"]),
}
GATEHOUSE = "src/app/gatehouse"
VOTE = "examples/vote/vote"
PROGRESS = re.compile(r"\[\d+/\d+\] ")


def fuzz_targets():
    return sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("*_fuzz.c"))


def configure(name):
    compiler, options = BUILDS[name]
    folder = BUILD / name
    stamp = folder / "configured"
    wanted = [" ".join([compiler, *options]), *(fuzz_targets() if name == "fuzz" else [])]
    before = stamp.read_text(encoding="utf-8").splitlines() if stamp.is_file() else []
    if before == wanted and (folder / "build.ninja").is_file():
        return folder
    again = before[:1] == wanted[:1] and (folder / "build.ninja").is_file()
    if folder.is_dir() and not again:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["meson", "setup", *(["--reconfigure"] if again else []), *options]
        + [str(folder), str(ROOT)],
        env={**os.environ, "CC": compiler},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    stamp.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return folder


def ninja(folder, *targets):
    result = subprocess.run(
        ["ninja", "-k", "0", "-C", str(folder), *targets],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        said = [line for line in result.stdout.splitlines() if not PROGRESS.match(line)]
        print("\n".join(said)[-30000:], flush=True)
        result.check_returncode()


def build(name, *targets):
    """Builds and returns the folder; raises subprocess.CalledProcessError on failure."""
    folder = configure(name)
    if name == "release":
        ninja(folder, GATEHOUSE, *targets)
        subprocess.run(
            ["strip", "-o", str(folder / "gatehouse"), str(folder / GATEHOUSE)], check=True
        )
    else:
        ninja(folder, *targets)
    return folder


def described(name):
    """The folder of a build whose description is that of today's meson.build files."""
    folder = configure(name)
    ninja(folder, "build.ninja")
    return folder


def compile_all(name):
    """Every source of a build compiled, nothing linked but the proxy."""
    folder = described(name)
    with open(folder / "compile_commands.json", encoding="utf-8") as file:
        objects = [entry["output"] for entry in json.load(file)]
    ninja(folder, *objects, GATEHOUSE)
    return folder


def introspect(folder, what):
    listed = subprocess.run(
        ["meson", "introspect", f"--{what}", str(folder)], stdout=subprocess.PIPE, check=True
    )
    return json.loads(listed.stdout)


def tests(name):
    """The unit tests of a build: {name: the targets that it runs}."""
    folder = described(name)
    files = {
        target["id"]: [str(Path(path).relative_to(folder)) for path in target["filename"]]
        for target in introspect(folder, "targets")
    }
    return {
        test["name"]: [path for target in test["depends"] for path in files[target]]
        for test in introspect(folder, "tests")
    }


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
