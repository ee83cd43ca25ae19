#!/usr/bin/python3
"""Writes numbered SQL files as a C table: embed_sql.py OUTPUT FILE... (0001_name.sql, 0002_...)."""

import re
import sys
from pathlib import Path

HEAD = '/* Made by tools/embed_sql.py from src/store/%s/. */\n#include "store/migrations.h"\n\n'
NAMES = {"migrations": "gh_migration", "migrations_postgresql": "gh_postgresql_migration"}


def embed(files):
    rows = []
    directory = Path(files[0]).parent.name
    name = NAMES[directory]
    text = HEAD % directory
    for number, path in enumerate(sorted(map(Path, files)), 1):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
        if not match or int(match[1]) != number:
            sys.exit(f"{path}: migrations are named 0001_name.sql, 0002_name.sql, ... without a gap")
        # Bytes, because compilers bound the length of string literals.
        sql = ", ".join(str(byte) for byte in path.read_bytes())
        text += f"static const char SQL_{number}[] = {{{sql}, 0}};\n"
        rows.append(f'    {{{number}, "{match[2]}", SQL_{number}}},\n')
    text += f"\nconst struct gh_migration {name}s[] = {{\n" + "".join(rows) + "};\n"
    return text + f"const unsigned {name}_count = {len(rows)};\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(embed(sys.argv[2:]), encoding="ascii")
