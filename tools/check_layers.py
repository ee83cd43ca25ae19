#!/usr/bin/python3
"""Compares every #include below src/ with tools/layers.toml; prints file:line for each offence."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def matches(header, names):
    return any(header == name or (name.endswith("/") and header.startswith(name)) for name in names)


def allowed_library(header, module, is_test, rules):
    """True or False for the headers of known libraries, None for all others."""
    verdict = None
    for table in ["libraries"] + (["test_libraries"] if is_test else []):
        for name, modules in rules[table].items():
            if matches(header, [name]):
                verdict = bool(verdict) or modules == "any" or module in modules
    return verdict


def check_own(header, module, is_test, rules):
    target = header.split("/")[0] if "/" in header else None
    if target not in rules["modules"]:
        return f'"{header}" names no module; write "module/file.h"'
    may = rules["modules"][module]["may"]
    if is_test:
        may = may + rules["test_modules"].get(module, [])
    if target != module and target not in may:
        return f"{module} may not include {target} ({header})"
    if not (ROOT / "src" / header).is_file():
        return f'"{header}" does not exist'
    return None


def check_system(header, module, is_test, rules):
    verdict = allowed_library(header, module, is_test, rules)
    if verdict is not None:
        return None if verdict else f"{module} may not include <{header}>"
    world = rules["system"]["world"].get(module, [])
    if is_test or header in rules["system"]["everywhere"] or header in world or "*" in world:
        return None
    return f"{module} may not include <{header}>: it touches the world, or is not listed"


def check_file(path, rules):
    module = path.relative_to(ROOT / "src").parts[0]
    is_test = path.name.endswith(("_test.c", "_fixture.c"))
    if module not in rules["modules"]:
        yield 1, f"module {module} is not in layers.toml"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        own, system = found.groups()
        problem = (
            check_own(own, module, is_test, rules) if own else check_system(system, module, is_test, rules)
        )
        if problem:
            yield number, problem


def check_levels(rules):
    for name, module in rules["modules"].items():
        for lower in module["may"]:
            other = rules["modules"][lower]
            if other["level"] > module["level"]:
                yield f"layers.toml: {name} may include {lower}, which is above it"
            if other["level"] == module["level"] and name in other["may"]:
                yield f"layers.toml: {name} and {lower} include each other"


def main():
    rules = tomllib.loads((ROOT / "tools" / "layers.toml").read_text(encoding="utf-8"))
    problems = list(check_levels(rules))
    files = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".c", ".h"))
    for path in files:
        problems += [f"{path.relative_to(ROOT)}:{n}: {text}" for n, text in check_file(path, rules)]
    for problem in problems:
        print(problem)
    print(f"layers: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
