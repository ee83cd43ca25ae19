#!/usr/bin/python3
"""What checking a JSON body against a JSON Schema costs: ours, ajv's and python3-jsonschema's parser
and validator on the same schema and bodies, each in its own process on one core.

    bench/validation.py [--rounds COUNT] [--blaze FOLDER]

Rounds take turns, so that what else the machine does meets all of them; the medians are printed.

ajv is installed by npm into a temporary folder, in the versions of bench/validation/package-lock.json;
without npm it is left out. FOLDER: a checkout of sourcemeta/blaze (C++), which is compiled, for
minutes, with CMake.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

import measure as bench

HERE = pathlib.Path(__file__).resolve().parent / "validation"
SCHEMA = HERE / "order.schema.json"
BUILD = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", bench.ROOT / "build/release"))
PROGRAM = "src/schema/schema_validate_bench"
BODIES = 64
NAMES = ["Ada Lovelace", "Grace Hopper", "Jürgen Müller", "Łucja Kowalska", "Sean O'Brien"]
CITIES = [("Berlin", "DE"), ("Wien", "AT"), ("København", "DK"), ("Galway", "IE"), ("Gdańsk", "PL")]
ITEMS = ["Desk lamp", "Notebook, ruled", "USB-C cable 2 m", "Office chair \"Nord\"", "Tea, Assam"]


def address(rng):
    city, country = rng.choice(CITIES)
    return {"street": f"{rng.choice(['Main Street', 'Hauptstraße', 'Quay'])} {rng.randint(1, 199)}",
            "city": city, "postcode": str(rng.randint(10000, 99999)), "country": country}


def line(rng):
    return {"sku": "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=8)),
            "name": rng.choice(ITEMS), "quantity": rng.randint(1, 20),
            "price": rng.randint(100, 99999) / 100,
            "options": {"colour": rng.choice(["black", "white", "oak"]), "size": "M"}}


def order(rng):
    digits = f"{rng.getrandbits(128):032x}"
    return {"id": "-".join([digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20],
                            digits[20:]]),
            "reference": f"ORD-{rng.randint(0, 999999):06}",
            "created_at": f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T09:41:07Z",
            "status": rng.choice(["draft", "placed", "paid", "shipped"]), "currency": "EUR",
            "customer": {"id": rng.randint(1, 2**31 - 1), "name": rng.choice(NAMES),
                         "email": f"customer{rng.randint(1, 9999)}@mail.example.com",
                         "phone": f"+49{rng.randint(10**9, 10**10 - 1)}",
                         "newsletter": rng.random() < 0.5, "birthday": None},
            "shipping": address(rng), "billing": address(rng) if rng.random() < 0.3 else None,
            "lines": [line(rng) for _ in range(rng.randint(3, 5))],
            "total": rng.randint(1000, 999999) / 100, "tags": ["gift", "express", "web"],
            "note": "Please leave it with the neighbours if nobody is at home."}


def bodies():
    rng = random.Random(1)
    return [json.dumps(order(rng), ensure_ascii=False, separators=(",", ":"))
            for _ in range(BODIES)]


def measure(command, **more):
    out = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                         preexec_fn=bench.pin(bench.CORES[0]), **more)
    return json.loads(out.stdout)


def ajv(folder, texts):
    """Each of these prepares and returns what measures once, or None where it can't be had."""
    if not shutil.which("npm"):
        return None
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                   check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return lambda: measure(["node", HERE / "ajv.js", SCHEMA, texts],
                           env={**os.environ, "NODE_PATH": str(folder / "node_modules")})


def blaze(folder, checkout, texts):
    if not checkout:
        return None
    subprocess.run(["cmake", "-S", HERE / "blaze", "-B", folder / "build", f"-DBLAZE={checkout}",
                    "-DCMAKE_BUILD_TYPE=Release"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder / "build"], check=True, stdout=subprocess.DEVNULL)
    return lambda: measure([folder / "build/blaze_bench", SCHEMA, texts])


def ours(texts):
    subprocess.run(["ninja", "-C", str(BUILD), PROGRAM], check=True, stdout=subprocess.DEVNULL)
    return lambda: measure([BUILD / PROGRAM, SCHEMA, texts])


def python_jsonschema(texts):
    return lambda: measure(["/usr/bin/python3", HERE / "python_jsonschema.py", SCHEMA, texts])


def medians(rounds):
    return {key: statistics.median(result[key] for result in rounds) for key in rounds[0]}


def print_table(results):
    base = results["gatehouse"]
    print(f"\nNanoseconds for a body of {base['bytes']:.0f} bytes, and how many times ours:\n")
    print("| | parse | check | both | |\n|---|---:|---:|---:|---:|")
    for name, result in results.items():
        print(f"| {name} | {result['parse']:,.0f} | {result['check']:,.0f} | "
              f"{result['both']:,.0f} | {result['both'] / base['both']:.1f} |")
        if "from_bytes" in result:
            print(f"| {name}, from bytes | | | {result['from_bytes']:,.0f} | "
                  f"{result['from_bytes'] / base['both']:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", metavar="COUNT", type=int, default=1)
    parser.add_argument("--blaze", metavar="FOLDER", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-validation-") as name:
        folder = pathlib.Path(name)
        texts = folder / "bodies"
        texts.write_text("\n".join(bodies()) + "\n")
        contenders = {
            "gatehouse": ours(texts),
            "ajv, JSON.parse": ajv(folder, texts),
            "blaze": blaze(folder, args.blaze, texts),
            "python3-jsonschema": python_jsonschema(texts),
        }
        contenders = {name: run for name, run in contenders.items() if run}
        rounds = [{name: run() for name, run in contenders.items()} for _ in range(args.rounds)]
        print_table({name: medians([each[name] for each in rounds]) for name in contenders})


if __name__ == "__main__":
    sys.exit(main())
