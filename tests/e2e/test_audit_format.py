"""docs/audit-format.md has a verifier in Python: it must accept the page's vectors and find forgeries.

No server is needed. That the vectors are what the code writes is checked by src/audit/vectors_test.c.
"""

import base64
import copy
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAGE = (Path(__file__).parents[2] / "docs" / "audit-format.md").read_text(encoding="utf-8")
NAME = "gatehouse/audit/0123456789abcdef"
OUR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def block(fence):
    found = re.findall(rf"^```{fence}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return found[0]


CODE = block("python")
KEY = block("key")
NOTE = block("note")
LINES = block("jsonl").rstrip("\n").split("\n")
SECOND = block("jsonl chain 2").rstrip("\n").split("\n")
SECOND_NOTE = block("note chain 2")


@pytest.fixture(scope="module")
def verify():
    names = {"__name__": "verifier"}
    exec(compile(CODE, "audit-format.md", "exec"), names)
    return names["verify"]


def records(lines=LINES):
    return [json.loads(line) for line in lines]


def dump(rows):
    return [json.dumps(row) for row in rows]


def hash_of(row):
    covered = {name: row[name] for name in row if name not in ("hash", "sealed", "personal")}
    text = json.dumps(covered, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sign(seq, last, first=1, before="0" * 64, key=OUR_KEY, key_id=None, chain=""):
    def b64(hexadecimal):
        return base64.b64encode(bytes.fromhex(hexadecimal)).decode()

    text = (f"{NAME}\n{seq}\n{b64(last)}\n{chain}first {first} {b64(before)}\n"
            "time 2026-02-01T00:00:03.000001Z\n")
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = key_id or hashlib.sha256(f"{NAME}\n\x01".encode() + public).digest()[:4]
    signature = base64.b64encode(key_id + key.sign(text.encode())).decode()
    return f"{text}\n\u2014 {NAME} {signature}\n"


def rebuild(rows, start=0, key=None):
    """Links again from an index on; with a key the checkpoints are made anew too."""
    for i in range(start, len(rows)):
        rows[i]["seq"] = i + 1
        rows[i]["prev_hash"] = rows[i - 1]["hash"] if i else "0" * 64
        if key and rows[i]["event_type"] == "audit_checkpoint":
            rows[i]["metadata"]["note"] = sign(i, rows[i]["prev_hash"], key=key)
        rows[i]["hash"] = hash_of(rows[i])
    return rows


def test_the_vectors_verify(verify):
    last = records()[-1]["hash"]
    assert verify(LINES, KEY) == {1: (4, last)}
    assert verify(LINES, KEY, [NOTE]) == {1: (4, last)}
    assert sign(4, last) == NOTE


def test_the_page_says_what_is_in_the_vectors():
    assert len(LINES) == 4 and "personal" in LINES[0] and "sealed" in LINES[1]
    assert records()[2]["event_type"] == "audit_checkpoint"


def test_it_runs_as_a_program(tmp_path):
    for name, text in (("verify.py", CODE), ("export", "\n".join(LINES) + "\n"), ("key", KEY),
                       ("note", NOTE), ("cut", "\n".join(LINES[:3]) + "\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")

    def run(export):
        return subprocess.run([sys.executable, "verify.py", export, "key", "note"], cwd=tmp_path,
                              capture_output=True, text=True, timeout=30)

    good, cut = run("export"), run("cut")
    assert good.returncode == 0 and good.stdout.startswith("chain 1: good through record 4, hash "), good
    assert cut.returncode != 0 and "record 4: missing" in cut.stderr


@pytest.mark.parametrize("index", range(4))
def test_a_changed_byte_is_found(verify, index):
    line = LINES[index].encode()
    sealed = re.search(rb'"sealed":"[^"]*"', line)
    for at in range(len(line)):
        if sealed and sealed.start() <= at < sealed.end():
            continue  # no hash covers it
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1:]
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError, InvalidSignature)):
            # The last line has nothing behind it: the saved checkpoint knows it.
            verify([*LINES[:index], changed.decode("utf-8"), *LINES[index + 1:]], KEY, [NOTE])


def swap(rows, i, j):
    rows[i], rows[j] = rows[j], rows[i]
    return rows


FORGERIES = {
    "removed": (lambda r: r[:1] + r[2:], "record 2,"),
    "repeated": (lambda r: [*r[:2], r[1], *r[2:]], "record 3,"),
    "swapped": (lambda r: swap(r, 1, 2), "record 2,"),
    "front": (lambda r: r[1:], "record 1: missing"),
    "tail": (lambda r: r[:3], "record 4: missing at the end"),
    "all": (lambda r: [], "record 1: missing at the end"),
    "twice": (lambda r: r + r, "record 5,"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_records_out_of_place_are_found(verify, name):
    forge, said = FORGERIES[name]
    with pytest.raises(ValueError, match=said):
        verify(dump(forge(records())), KEY, [NOTE])


def test_a_record_with_a_hash_of_its_own_is_found(verify):
    rows = records()
    rows[0]["user_id"] = "somebody else"
    rows[0]["hash"] = hash_of(rows[0])
    with pytest.raises(ValueError, match="record 2,.*or the one before"):
        verify(dump(rows), KEY)


def test_a_chain_built_anew_without_the_key_is_found(verify):
    rows = records()
    rows[1]["user_id"] = "somebody else"
    with pytest.raises(ValueError, match="record 3,.*another log"):
        verify(dump(rebuild(rows, 1)), KEY)


def test_a_chain_built_anew_with_the_key_is_found_through_a_saved_checkpoint(verify):
    rows = records()
    rows[1]["user_id"] = "somebody else"
    rows = rebuild(rows, 1, OUR_KEY)
    assert verify(dump(rows), KEY)[1][0] == 4
    with pytest.raises(ValueError, match="record 4: a saved checkpoint"):
        verify(dump(rows), KEY, [NOTE])


def test_a_checkpoint_of_another_key_is_found(verify):
    with pytest.raises(ValueError, match="another key"):
        verify(dump(rebuild(records(), 2, OTHER_KEY)), KEY)
    last = records()[3]["hash"]
    with pytest.raises(ValueError, match="another key"):
        verify(LINES, KEY, [sign(4, last, key=OTHER_KEY)])
    forged = sign(4, last, key=OTHER_KEY, key_id=bytes.fromhex(KEY.split("+")[1]))
    with pytest.raises(InvalidSignature):
        verify(LINES, KEY, [forged])


def test_what_retention_dropped_is_as_a_checkpoint_says(verify):
    rows = records()
    before = rows[0]["hash"]
    rows[2]["metadata"]["note"] = sign(2, rows[1]["hash"], 2, before)
    rows[2]["hash"] = hash_of(rows[2])
    rows = rebuild(rows, 3)
    assert verify(dump(rows[1:]), KEY)[1][0] == 4
    with pytest.raises(ValueError, match="record 2: missing"):
        verify(dump(rows[2:]), KEY)
    with pytest.raises(ValueError, match="record 2: missing"):
        forged = copy.deepcopy(rows)
        forged[1]["prev_hash"] = "1" * 64
        forged[1]["hash"] = hash_of(forged[1])
        forged[2]["prev_hash"] = forged[1]["hash"]
        forged[2]["metadata"]["note"] = sign(2, forged[1]["hash"], 2, before)
        forged[2]["hash"] = hash_of(forged[2])
        verify(dump(forged[1:3]), KEY)


@pytest.mark.parametrize("person, field, value", [
    ("actor", "ip_address", "192.0.2.8"), ("actor", "user_agent", "other"),
    ("subject", "metadata.email", "eve@example.com"), ("subject", "metadata.reason", "password"),
    ("actor", "salt", "00" * 32)])
def test_personal_values_that_were_not_committed_to_are_found(verify, person, field, value):
    rows = records()
    rows[0]["personal"][person][field] = value
    with pytest.raises(ValueError):
        verify(dump(rows), KEY)


def test_erased_values_change_nothing(verify):
    rows = records()
    del rows[0]["personal"]
    del rows[1]["sealed"]
    assert verify(dump(rows), KEY, [NOTE]) == {1: (4, rows[-1]["hash"])}


@pytest.mark.parametrize("text", ['"seq":1,"seq":1', '"seq":1.0', '"seq":"1"', '"seq":NaN'])
def test_what_is_no_plain_json_is_refused(verify, text):
    with pytest.raises((ValueError, TypeError)):
        verify([LINES[0].replace('"seq":1', text), *LINES[1:]], KEY)


# -- several chains --


def mixtures():
    yield LINES + SECOND
    yield SECOND + LINES
    yield [LINES[0], *SECOND[:2], *LINES[1:3], SECOND[2], LINES[3]]


def test_chains_verify_in_any_mixture(verify):
    heads = {1: (4, records()[-1]["hash"]), 2: (3, records(SECOND)[-1]["hash"])}
    assert sign(3, heads[2][1], chain="chain 2\n") == SECOND_NOTE
    for lines in mixtures():
        assert verify(lines, KEY, [SECOND_NOTE, NOTE]) == heads
    assert verify(SECOND, KEY, [SECOND_NOTE]) == {2: heads[2]}


@pytest.mark.parametrize("index", range(3))
def test_a_changed_byte_of_another_chain_is_found(verify, index):
    line = SECOND[index].encode()
    for at in range(len(line)):
        changed = (line[:at] + bytes([line[at] ^ 1]) + line[at + 1:]).decode("utf-8")
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError, InvalidSignature)):
            verify([*LINES, *SECOND[:index], changed, *SECOND[index + 1:]], KEY, [NOTE, SECOND_NOTE])


def test_a_chain_that_is_gone_is_found_by_its_saved_checkpoint(verify):
    assert list(verify(LINES, KEY, [NOTE])) == [1]
    with pytest.raises(ValueError, match="chain 2: record 1: missing at the end"):
        verify(LINES, KEY, [NOTE, SECOND_NOTE])
    with pytest.raises(ValueError, match="^record 1: missing at the end"):
        verify(SECOND, KEY, [NOTE, SECOND_NOTE])


def renumbered(rows, chain):
    for row in rows:
        row["chain"] = chain
    return rebuild(rows)


def test_a_chain_under_another_number_is_found(verify):
    with pytest.raises(ValueError, match="chain 3: record 2, .*another log"):
        verify(dump(renumbered(records(SECOND), 3)), KEY)
    rows = renumbered(records(SECOND)[:1], 3)
    with pytest.raises(ValueError, match="chain 2: record 1: missing at the end"):
        verify(dump(rows), KEY, [SECOND_NOTE])


def test_a_record_fits_into_no_other_chain(verify):
    rows = records(SECOND)
    rows[1]["chain"] = 3
    with pytest.raises(ValueError, match="chain 3: record 1, .*changed"):
        verify(dump(rows), KEY)
    rows[1]["hash"] = hash_of(rows[1])
    with pytest.raises(ValueError, match="chain 3: record 1, .*another log"):
        verify(dump(rows), KEY)
    one = records()[2]
    one["chain"] = 2
    one["hash"] = hash_of(one)
    with pytest.raises(ValueError, match="chain 2: record 3, .*follow"):
        verify([*SECOND[:2], *dump([one])], KEY)


def test_a_checkpoint_of_one_chain_says_nothing_of_another(verify):
    last = records(SECOND)[2]["hash"]
    with pytest.raises(ValueError, match="^record 3: a saved checkpoint has another hash"):
        verify(LINES + SECOND, KEY, [sign(3, last)])
    rows = records(SECOND)
    rows[1]["metadata"]["note"] = sign(1, rows[0]["hash"])
    rows[1]["hash"] = hash_of(rows[1])
    with pytest.raises(ValueError, match="chain 2: record 2, .*another log"):
        verify(dump(rows), KEY)


@pytest.mark.parametrize("number", ["0", "1", "-2", "2.0", '"2"', "true", "null"])
def test_what_is_no_number_of_a_chain_is_refused(verify, number):
    rows = records()[:1]
    rows[0]["chain"] = json.loads(number)
    rows[0]["hash"] = hash_of(rows[0])
    with pytest.raises((ValueError, TypeError)):
        verify(dump(rows), KEY)
