#!/usr/bin/python3
"""Writes a text file as a C array: embed_text.py OUTPUT HEADER NAME FILE.

The array is `const char NAME[]` with a NUL behind it; HEADER is the one that declares it.
"""

import sys
from pathlib import Path


def embed(header, name, path):
    # Bytes, because compilers bound the length of string literals.
    text = ", ".join(str(byte) for byte in Path(path).read_bytes())
    return (f'/* Made by tools/embed_text.py from {Path(path).name}. */\n'
            f'#include "{header}"\n\nconst char {name}[] = {{{text}, 0}};\n')


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(embed(*sys.argv[2:]), encoding="ascii")
