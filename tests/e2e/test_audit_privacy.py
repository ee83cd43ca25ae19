"""SPEC 5: what the log holds of a person is sealed under that person's key, and goes with it."""

import json
import sqlite3

import pytest

from harness.gate import IS_RELEASE
from harness.identity import OTHER_PASSWORD, assert_answer, deployed
from harness.store import audit_rows, columns_with

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

AGENT = "Marked-Browser/7.1 (nobody else has this one)"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("audit-privacy")) as deployment:
        deployment.admin()
        yield deployment


class Marked:
    """Somebody whose requests all say AGENT."""

    def __init__(self, world):
        self.person = world.person()
        plain = self.person.fields
        self.person.fields = lambda extra=(), site="same-origin": plain(
            [("User-Agent", AGENT), *extra], site
        )

    def act(self):
        """Signs in, fails to, changes things: records of many kinds."""
        person = self.person
        assert_answer(person.try_login(OTHER_PASSWORD), 401)
        person.login()
        assert_answer(person.api("PATCH", "/account/profile", {"name": "Marked"}), 200)
        assert_answer(person.api("POST", "/account/password/reset-request", {"email": person.email}), 200)
        assert_answer(person.api("POST", "/compliance/export", {}), 200)
        return person


@pytest.fixture()
def person(world):
    return Marked(world).act()


def store_of(world):
    return world.folder / "gatehouse.db"


def files_with(world, text):
    """The names of the store's files that hold `text`: those that are in use, and leftovers."""
    needle = text.encode()
    files = [path for path in world.folder.iterdir() if path.name.startswith("gatehouse.db")]
    assert files
    return {path.name for path in files if needle in path.read_bytes()}


def is_in_files(world, data):
    return any(data in path.read_bytes() for path in world.folder.glob("gatehouse.db*"))


def wrapped_key(world, name):
    with sqlite3.connect(f"file:{store_of(world)}?mode=ro", uri=True, timeout=10) as store:
        row = store.execute("SELECT wrapped FROM person_keys WHERE person = ?", (name,)).fetchone()
    return row and row[0]


def erase(person):
    body = {"password": person.password}
    return assert_answer(person.api("POST", "/compliance/delete", body), 200)


def test_readers_see_what_the_files_do_not_show(world, person):
    own = person.records()
    assert {r["ip_address"] for r in own} == {person.address}
    assert AGENT in {r["user_agent"] for r in own}
    seen = world.audit(user=person.id)
    assert [r["seq"] for r in seen] == [r["seq"] for r in own]
    assert person.email in {r["metadata"].get("email") for r in seen}
    for text in (person.email, person.address, AGENT):
        assert not files_with(world, text), text


def test_rows_hold_commitments(world, person):
    rows = [row for row in audit_rows(store_of(world)) if row["user_id"] == person.id]
    assert len(rows) >= 5
    for row in rows:
        assert row["ip_address"].startswith("hmac-sha256:") and len(row["ip_address"]) == 76
        assert row["sealed"]
    failed = [row for row in rows if row["event_type"] == "login_failed"]
    assert failed and failed[0]["metadata"]["email"].startswith("hmac-sha256:")
    assert failed[0]["metadata"]["reason"] == "password"
    commitments = [row["ip_address"] for row in rows]
    assert len(set(commitments)) == len(commitments)  # the same address, and no two are alike


def test_an_erased_person_is_in_no_answer_and_in_no_file(world, person):
    key = wrapped_key(world, person.id)
    assert is_in_files(world, key)
    before = [row for row in audit_rows(store_of(world)) if row["user_id"] == person.id]
    erase(person)
    world.mail.wait(person.email, subject="account was deleted")
    for text in (person.email, person.address, AGENT):
        assert not columns_with(store_of(world), text), text
        assert not files_with(world, text), text
        assert text not in json.dumps(world.audit(user=person.id)), text
    assert wrapped_key(world, person.id) is None
    assert not is_in_files(world, key)
    after = [row for row in audit_rows(store_of(world)) if row["user_id"] == person.id]
    assert after[: len(before)] == before  # no row of the log was touched


def test_records_of_the_erased_stay_with_nulls(world, person):
    before = world.audit(user=person.id)
    erase(person)
    after = world.audit(user=person.id)
    assert len(after) > len(before)
    personal = {"ip_address", "user_agent", "metadata"}
    for old, new in zip(before, after):
        assert {k: v for k, v in old.items() if k not in personal} == {
            k: v for k, v in new.items() if k not in personal
        }
        assert new["ip_address"] is None and new["user_agent"] is None
        emails = {name for name in old["metadata"] if name == "email"}
        assert new["metadata"] == {**old["metadata"], **dict.fromkeys(emails)}
    last = after[-1]
    assert last["event_type"] == "data_deletion" and last["outcome"] == "success"
    assert last["metadata"] == {"initiated": True, "completed": True}
    assert last["ip_address"] is None and last["user_agent"] is None


def test_others_stay_readable(world, person):
    other = Marked(world).act()
    erase(person)
    assert {r["ip_address"] for r in other.records()} == {other.address}
    assert AGENT in json.dumps(world.audit(user=other.id))


def test_refusals_that_waited_for_their_minute_are_written_without_it(world):
    marked = Marked(world)
    person = marked.person

    def written(count):
        records = world.audit(user=person.id, event="access_denied")
        return records if sum(r["metadata"]["count"] for r in records) == count else None

    assert person.get("/users/7/x").status == 403
    [first] = world.gate.wait_for(lambda: written(1), "the first refusal")
    assert first["ip_address"] == person.address
    for _ in range(4):
        assert person.get("/users/7/x").status == 403
    erase(person)
    world.gate.clock.advance(61)
    records = world.gate.wait_for(lambda: written(5), "the rest of the refusals")
    assert len(records) == 2
    for record in records:
        assert record["ip_address"] is None and record["user_agent"] is None
    for text in (person.email, person.address):
        assert text not in json.dumps(world.audit())


def test_whoever_deletes_the_account_alone_leaves_no_more(world, person):
    body = {"password": person.password}
    assert_answer(person.api("DELETE", "/account", body), 200)
    records = json.dumps(world.audit(user=person.id))
    for text in (person.email, person.address, AGENT):
        assert text not in records
    assert wrapped_key(world, person.id) is None
    assert "account_deleted" in records


def test_what_an_admin_deletes_is_erased_too(world, person):
    assert_answer(world.admin().api("DELETE", f"/admin/users/{person.id}"), 200)
    records = world.audit(user=person.id)
    for text in (person.email, person.address, AGENT):
        assert text not in json.dumps(records)
    assert records[-1]["event_type"] == "account_deleted"
    assert records[-1]["ip_address"] == world.admin().address
    assert wrapped_key(world, person.id) is None


def test_a_stranger_is_under_the_key_of_the_day(world):
    stranger = world.stranger(email="nobody-has-this@example.com")
    assert_answer(stranger.try_login(), 401)
    [record] = [
        r for r in world.audit(event="login_failed") if r["metadata"]["email"] == stranger.email
    ]
    assert record["user_id"] is None and record["ip_address"] == stranger.address
    assert wrapped_key(world, f"day:{record['time'][:10]}")
    assert not files_with(world, stranger.email)


@pytest.mark.parametrize("agent", ["\x80\xff<script>\t\"},{", "a" * 2000, "caf\xe9"])
def test_hostile_user_agents_stay_one_value(world, agent):
    person = world.person()
    fields = [("User-Agent", agent)]
    response = person.api("PATCH", "/account/profile", {"name": "Else"}, extra=fields)
    assert_answer(response, 200)
    record = person.records()[-1]
    assert record["event_type"] == "profile_updated"
    assert record["user_agent"][:3] == agent[:3].encode("latin-1").decode("utf-8", "replace")
    assert set(record) == set(person.records()[0])
