"""SPEC section 4: a failed sign-in tells nothing about the account, by no byte and by no time."""

import json
import random
import re
import sqlite3
import time

import pytest

from harness.gate import IS_RELEASE, run
from harness.identity import BASE, ENV, PASSWORD, identity_config

pytestmark = [
    pytest.mark.alone,
    pytest.mark.release,
    pytest.mark.skipif(not IS_RELEASE, reason="times of the release build are what counts"),
    pytest.mark.timeout(240),
]

# Of PASSWORD, by the C library.
IMPORTED_HASH = "$2b$10$XpCj.N0tHY5Huq8EVrftcuBSDgeW8.G.jArojL3k/B8lQlDWSaxTO"
KINDS = ("known", "unknown", "disabled", "unverified")
EACH = 1000


def area_under_curve(a, b):
    """The chance that a value of `a` is greater than one of `b` (Mann and Whitney's U)."""
    values = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    rank_sum, at = 0.0, 0
    while at < len(values):
        end = at
        while end < len(values) and values[end][0] == values[at][0]:
            end += 1
        mean_rank = (at + 1 + end) / 2
        rank_sum += mean_rank * sum(1 for _, kind in values[at:end] if kind == 0)
        at = end
    return (rank_sum - len(a) * (len(a) + 1) / 2) / (len(a) * len(b))


def test_the_area_is_a_half_for_equal_samples():
    assert area_under_curve([1, 2, 3], [1, 2, 3]) == 0.5
    assert area_under_curve([4, 5], [1, 2]) == 1.0


def make_accounts(settings, folder):
    """A thousand confirmed, disabled and unconfirmed accounts each, all with one password's hash."""
    path = folder / "gatehouse.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    first = run("user", "add", "first@example.com", "--password-stdin", "--config", path,
                env=ENV, stdin=PASSWORD + "\n")
    assert first.returncode == 0, first.stderr
    store = sqlite3.connect(folder / "gatehouse.db")
    [(password_hash,)] = store.execute("SELECT password_hash FROM accounts")
    store.close()
    lines = "".join(
        json.dumps({"email": f"{kind}{number}@example.com", "password_hash": password_hash,
                    "email_verified": kind != "unverified"}) + "\n"
        for kind in KINDS if kind != "unknown" for number in range(EACH)
    )
    imported = run("user", "import", "-", "--config", path, env=ENV, stdin=lines, timeout=120)
    assert imported.returncode == 0, imported.stdout + imported.stderr
    assert f"{3 * EACH} imported" in imported.stdout


def import_accounts(settings, folder, count):
    """Accounts of another system, whose hashes cost ten times ours or more."""
    path = folder / "gatehouse.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    lines = "".join(
        json.dumps({"email": f"imported{number}@example.com", "password_hash": IMPORTED_HASH,
                    "email_verified": True}) + "\n"
        for number in range(count)
    )
    imported = run("user", "import", "-", "--config", path, env=ENV, stdin=lines, timeout=120)
    assert imported.returncode == 0, imported.stdout + imported.stderr


def disable_accounts(folder):
    """Those named disabled...: found by the order of their import, for addresses are sealed."""
    store = sqlite3.connect(folder / "gatehouse.db")
    with store:
        rows = store.execute("SELECT id FROM accounts ORDER BY created_us, rowid").fetchall()
        ids = [row[0] for row in rows][1 + EACH : 1 + 2 * EACH]
        store.executemany("UPDATE accounts SET status = 1 WHERE id = ?", [(i,) for i in ids])
    store.close()


def normalised(response):
    """All of an answer but its request id and its date."""
    changing = {"x-request-id", "date"}
    fields = tuple((name, value) for name, value in response.fields if name.lower() not in changing)
    body = re.sub(rb'"request_id":"[^"]*"', b'"request_id":""', response.body)
    return response.status, fields, body


def ask(client, email, password, address):
    body = json.dumps({"email": email, "password": password}).encode()
    head = (
        f"POST {BASE}/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Sec-Fetch-Site: same-origin\r\nX-Forwarded-For: {address}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    raw = head.encode() + body
    began = time.perf_counter()
    response = client.ask(raw)
    return time.perf_counter() - began, response


def test_no_kind_of_account_can_be_told_from_another(start, backend, tmp_path):
    settings = identity_config(backend, tmp_path, {"email_verification": "required"})
    make_accounts(settings, tmp_path)
    disable_accounts(tmp_path)
    gate = start(settings, env=ENV)
    tries = [(kind, number) for kind in KINDS for number in range(EACH)]
    random.Random(7).shuffle(tries)
    times = {kind: [] for kind in KINDS}
    answers = set()
    with gate.connect(timeout=20) as client:
        for index, (kind, number) in enumerate(tries):
            password = "not-the-right-one" if kind == "known" else PASSWORD
            address = f"10.{index // 65536}.{index // 256 % 256}.{index % 256}"
            seconds, response = ask(client, f"{kind}{number}@example.com", password, address)
            assert response.status == 401, (kind, response.body)
            times[kind].append(seconds)
            answers.add(normalised(response))
    assert len(answers) == 1, answers
    areas = {
        (a, b): area_under_curve(times[a], times[b])
        for i, a in enumerate(KINDS) for b in KINDS[i + 1 :]
    }
    print({pair: round(area, 3) for pair, area in areas.items()})
    assert all(0.44 <= area <= 0.56 for area in areas.values()), areas


def test_imported_accounts_can_not_be_told_from_unknown_addresses(start, backend, tmp_path):
    each = 250
    settings = identity_config(backend, tmp_path)
    import_accounts(settings, tmp_path, each)
    gate = start(settings, env=ENV)
    tries = [(kind, number) for kind in ("imported", "unknown") for number in range(each)]
    random.Random(7).shuffle(tries)
    times = {"imported": [], "unknown": []}
    with gate.connect(timeout=20) as client:
        for index, (kind, number) in enumerate(tries):
            address = f"10.0.{index // 256}.{index % 256}"
            seconds, response = ask(
                client, f"{kind}{number}@example.com", "not-the-right-one", address
            )
            assert response.status == 401, (kind, response.body)
            times[kind].append(seconds)
    area = area_under_curve(times["imported"], times["unknown"])
    print(round(area, 3))
    assert 0.4 <= area <= 0.6  # four deviations of so few tries
