#!/usr/bin/python3
"""The simulation in its quick form: the same seed gives the same tables, all its checks hold, and
each planted fault is found and makes it end with 1. Usage: scale_test.py PROGRAM"""

import re
import subprocess
import sys

# What a planted fault must break, in the words of the program.
PLANTED = {
    "forget": "a shard that remembers admits no more than the limit",
    "open": "never more than nodes times the limit",
    "chatty": "no node has more traffic than the formula",
    "deaf": "each revocation reaches each node",
}
TABLES = {"Limits, any node": 7, "Limits, a node for each client": 7,
          "Traffic of limits, each node": 2, "Questions in one write": 7, "Revocations": 3}
CHECKS = 17


def run(program, *arguments):
    return subprocess.run([program, "--quick", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


def rows(text, heading):
    section = text.split(f"### {heading}\n", 1)[-1].split("###")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def problems_of(result, seed):
    if result.returncode != 0:
        yield f"ends with {result.returncode}: {result.stdout[-2000:]}{result.stderr}"
    if not result.stdout.startswith(f"seed {seed}: 20 nodes, 200000 clients, 8 shards"):
        yield "the parameters do not stand above the tables"
    for heading, count in TABLES.items():
        table = rows(result.stdout, heading)
        if len(table) != count or len({len(row) for row in table}) != 1:
            yield f"{heading}: not {count} rows of one length"
    holds = len(re.findall(r"^- holds: ", result.stdout, re.M))
    if holds != CHECKS:
        yield f"{holds} checks hold, not {CHECKS}"
    yield from figures(result.stdout)


def figures(text):
    """What must be so whatever the seed: a fault shows, and only where it is."""
    for balancing in ("any node", "a node for each client"):
        table = rows(text, f"Limits, {balancing}")
        away, well = table[0], table[-1]
        if int(away[2]) < int(away[1]) // 10:
            yield f"{balancing}: nodes decided too little while their shard was away"
        if int(well[4]) > int(well[2]):
            yield f"{balancing}: a shard that is well admitted beyond a limit"
    hammers = [int(rows(text, f"Limits, {b}")[0][7]) for b in ("any node", "a node for each client")]
    if not hammers[0] > 50 >= hammers[1]:
        yield f"a hammer on any node gets nearly the bound, on one node little, not {hammers}"
    polled, published, both = rows(text, "Revocations")
    if not float(both[1]) < 50 < float(polled[1]):
        yield "publishing is not faster than reading the store"
    if int(published[5]) == 0 or int(both[5]) != 0:
        yield "what is never published must be missed by publishing alone, and only by that"


def main():
    program, problems, seen = sys.argv[1], [], []
    for seed in ("1", "20"):
        result = run(program, "--seed", seed)
        problems += [f"seed {seed}: {text}" for text in problems_of(result, seed)]
        seen.append(result.stdout)
    if run(program, "--seed", "1").stdout != seen[0]:
        problems.append("the same seed gave other tables")
    if seen[0].split("\n", 1)[1] == seen[1].split("\n", 1)[1]:
        problems.append("another seed gave the same tables")
    if run(program, "--shards", "1").returncode != 0:
        problems.append("checks fail with a single shard")
    for plant, broken in PLANTED.items():
        result = run(program, "--plant", plant)
        if result.returncode != 1 or f"- FAILED: {broken}" not in result.stdout:
            problems.append(f"planted {plant}: not found, ends with {result.returncode}")
    for wrong in (["--plant", "nothing"], ["--nodes", "x"], ["--shards", "0"], ["--seed"]):
        if run(program, *wrong).returncode != 2:
            problems.append(f"{wrong} is taken")
    for problem in problems:
        print(problem)
    print(f"scale: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
