#!/usr/bin/python3
"""Writes files as C data: embed.py schema OUTPUT.h FILE, or embed.py page OUTPUT.c FILE..."""

import sys
from pathlib import Path

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def data(path):
    # Numbers, because compilers bound the length of string literals; of signed char.
    numbers = [byte - 256 if byte > 127 else byte for byte in path.read_bytes()]
    rows = [numbers[start : start + 24] for start in range(0, len(numbers), 24)]
    return "\n    " + ",\n    ".join(", ".join(map(str, row)) for row in rows)


def schema(path):
    return f"static const char schema_sql[] = {{{data(path)}, 0}};\n"


def page(paths):
    text = '#include "page.h"\n\n'
    rows = ""
    for number, path in enumerate(paths):
        text += f"static const char FILE_{number}[] = {{{data(path)}}};\n"
        url = "/" if path.name == "index.html" else f"/{path.name}"
        rows += f'    {{"{url}", "{TYPES[path.suffix]}", FILE_{number}, sizeof(FILE_{number})}},\n'
    text += f"\nconst struct page_file page_files[] = {{\n{rows}}};\n"
    return text + f"const size_t page_file_count = {len(paths)};\n"


def main():
    kind, output, *files = sys.argv[1:]
    paths = [Path(name) for name in files]
    text = schema(*paths) if kind == "schema" else page(paths)
    Path(output).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
