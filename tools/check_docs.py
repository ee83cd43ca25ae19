#!/usr/bin/python3
"""Hand-written pages against the code: every reason with its status stands in docs/request-life.md,
every metric in docs/operations.md and no other, every relative link leads somewhere."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REASON = re.compile(r'X\(\w+,\s*"([a-z_]+)",\s*(\d+),')
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def missing_reasons():
    page = (ROOT / "docs" / "request-life.md").read_text(encoding="utf-8")
    table = (ROOT / "src" / "policy" / "reason.h").read_text(encoding="utf-8")
    reasons = REASON.findall(table.replace("\\\n", " "))
    if not reasons:
        yield "src/policy/reason.h: no reasons found"
    for word, status in reasons:
        if f"| `{word}` | {status} |" not in page:
            yield f"docs/request-life.md: no row for {word} with status {status}"


def missing_metrics():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    known = set()
    for source in sorted((ROOT / "src").rglob("*.[ch]")):
        if source.name.endswith("_test.c"):
            continue
        text = source.read_text(encoding="utf-8")
        for name in re.findall(r'\b(gatehouse_[a-z_]+)\b', text):
            known.add(name)
            if source.suffix == ".c" and not re.search(rf"`{name}`", page):
                yield f"docs/operations.md: {name} ({source.relative_to(ROOT)}) is not described"
    for name in re.findall(r"`(gatehouse_[a-z_]+)`", page):
        if name not in known:
            yield f"docs/operations.md: there is no {name}"


def broken_links():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: {target} does not exist"


def main():
    problems = sorted({*missing_reasons(), *missing_metrics(), *broken_links()})
    for problem in problems:
        print(problem)
    print(f"docs: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
