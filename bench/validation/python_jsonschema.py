"""python3-jsonschema with json.loads: nanoseconds for a body, as JSON.

    python_jsonschema.py SCHEMA BODIES      (one body a line)
"""

import json
import sys
import time

import jsonschema

ROUNDS, ROUND_S = 3, 1.0


def best_ns(run, bodies):
    best = float("inf")
    for _ in range(ROUNDS):
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < ROUND_S:
            for body in bodies:
                run(body)
            done += len(bodies)
        best = min(best, (time.perf_counter() - start) / done * 1e9)
    return best


schema = json.load(open(sys.argv[1]))
lines = [line for line in open(sys.argv[2]).read().split("\n") if line]
validator = jsonschema.Draft202012Validator(
    schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
print(json.dumps({
    "parse": best_ns(json.loads, lines),
    "check": best_ns(validator.validate, [json.loads(line) for line in lines]),
    "both": best_ns(lambda line: validator.validate(json.loads(line)), lines),
}))
