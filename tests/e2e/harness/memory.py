"""What stands in the memory of a running process: read as root, page by page, where there is one."""

import os
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT, SWAPPED = 1 << 63, 1 << 62
# Pages read at a time; a text that lies across two such pieces is found all the same.
PIECE = 256


def regions(pid):
    """(first byte, last byte + 1, name) of all that can be read and written."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            span, rights, *rest = line.split(maxsplit=5)
            begin, end = (int(number, 16) for number in span.split("-"))
            if rights.startswith("rw"):
                yield begin, end, rest[3].strip() if len(rest) > 3 else ""


def present(pagemap, begin, end):
    """Runs of pages that are there: (first byte, last byte + 1)."""
    run = None
    for piece in range(begin, end, PAGE * 65536):
        count = min((end - piece) // PAGE, 65536)
        pagemap.seek(piece // PAGE * 8)
        entries = struct.unpack(f"<{count}Q", pagemap.read(count * 8))
        for index, entry in enumerate(entries):
            at = piece + index * PAGE
            if entry & (PRESENT | SWAPPED):
                if run is None:
                    run = at
                elif at - run >= PIECE * PAGE:
                    yield run, at + PAGE
                    run = at  # one page is read twice
            elif run is not None:
                yield run, at
                run = None
    if run is not None:
        yield run, end


def find(pid, *texts):
    """Where each text stands: {text: [(address, name of the region)]}."""
    found = {text: set() for text in texts}
    largest = 64 << 30  # the shadow of sanitizers is no memory of ours
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(f"/proc/{pid}/pagemap", "rb", 0) as map_:
        for begin, end, name in regions(pid):
            if end - begin > largest or name == "[vvar]":
                continue
            for first, last in present(map_, begin, end):
                try:
                    memory.seek(first)
                    data = memory.read(last - first)
                except OSError:
                    continue  # gone meanwhile, or a page that must not be read
                for text in texts:
                    at = data.find(text)
                    while at >= 0:
                        found[text].add((first + at, name))
                        at = data.find(text, at + 1)
    return {text: sorted(places) for text, places in found.items()}
