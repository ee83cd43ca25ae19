#!/usr/bin/python3
"""Bounds on shape (CONTRIBUTING.md): functions of at most 70 lines, files of at most 600."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70


def check(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield 1, f"{len(lines)} lines in one file (at most {FILE_LINES_MAX})"
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            if number - start - 1 > FUNCTION_LINES_MAX:
                yield start, f"a function of {number - start - 1} lines (at most {FUNCTION_LINES_MAX})"
            start = None


def main():
    problems = 0
    files = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".c", ".h"))
    for path in files:
        for number, text in check(path):
            print(f"{path.relative_to(ROOT)}:{number}: {text}")
            problems += 1
    print(f"shape: {len(files)} files, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
