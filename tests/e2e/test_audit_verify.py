"""SPEC 5: who changes the log is found out, and where: in the store itself, and from an export alone
with the public key. Checkpoints of another place find what database and signing key together can do.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from harness.backend import Backend
from harness.gate import IS_RELEASE, Gatehouse, run
from harness.identity import ENV, Deployment, identity_config

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

STORE_FILES = ("gatehouse.db", "gatehouse.db-wal")
PAGE = (Path(__file__).parents[2] / "docs" / "audit-format.md").read_text(encoding="utf-8")


class Log:
    """The store of a deployment that is stopped, and what it left in another place."""

    def __init__(self, folder, elsewhere):
        self.folder, self.elsewhere = folder, elsewhere
        self.saved, self.key = elsewhere / "checkpoints", elsewhere / "key"
        self.export, self.config = elsewhere / "export.jsonl", folder / "gatehouse.yaml"

    def command(self, *words):
        return run("audit", *words, env={**ENV, "GATEHOUSE_TEST_CLOCK": str(self.elsewhere / "clock")})

    def verify(self, *words):
        """(exit status, verdict) of the store."""
        result = self.command("verify", "--json", *words, "--config", self.config)
        return result.returncode, json.loads(result.stdout)

    def verify_export(self, path, *words):
        """The same of an export, on a machine that has nothing else."""
        result = run("audit", "verify", path, "--json", "--public-key", self.key, *words)
        return result.returncode, json.loads(result.stdout)

    def copy(self, folder):
        """One to forge."""
        forged = Log(folder, self.elsewhere)
        for name in STORE_FILES:
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, folder / name)
        settings = yaml.safe_load(self.config.read_text())
        settings["store"] = f"sqlite:{folder}/gatehouse.db"
        settings["audit"]["checkpoint"]["export"] = f"file:{folder}/own-checkpoints"
        forged.config.write_text(yaml.safe_dump(settings))
        return forged

    def sql(self, *statements):
        """As somebody with the file and a shell."""
        with sqlite3.connect(self.folder / "gatehouse.db") as store:
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            store.execute("PRAGMA ignore_check_constraints = ON")
            for (name,) in store.execute(triggers).fetchall():
                store.execute(f'DROP TRIGGER "{name}"')
            for statement in statements:
                store.execute(statement)
        store.close()

    def query(self, sql):
        with sqlite3.connect(self.folder / "gatehouse.db") as store:
            return store.execute(sql).fetchall()


def act(deployment, count):
    """Some dozens of records, of which each some are signed."""
    people = [deployment.person() for _ in range(count)]
    for person in people:
        assert person.try_login("certainly-wrong-1").status in (401, 429)
        assert person.api("PATCH", "/account/profile", {"name": "Else"}).status == 200
        deployment.gate.clock.advance(5)
    return people


def checkpoints_of(path):
    return path.read_text(encoding="utf-8").count("\u2014 ") if path.exists() else 0


def signed_in(path):
    """Which records the saved checkpoints speak of; after a restart the last one comes again."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {int(n) for n in re.findall(r"^gatehouse/audit/\w+\n(\d+)\n", text, re.M)}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Two lives of a deployment: `backup` is what the store was after the first."""
    folder, elsewhere = tmp_path_factory.mktemp("log"), tmp_path_factory.mktemp("elsewhere")
    log = Log(folder, elsewhere)
    log.backup = elsewhere / "backup"
    log.backup.mkdir()
    (elsewhere / "clock").write_bytes(bytes(8))
    audit = {"checkpoint": {"records": 8, "interval": "1s", "export": f"file:{log.saved}"}}
    with Backend() as backend:
        settings = identity_config(backend, folder, audit=audit)
        for life in range(2):
            with Gatehouse(settings, env=ENV) as gate:
                deployment = Deployment(gate, backend, folder)
                for _ in range(2):
                    before = signed_in(log.saved)
                    act(deployment, 3)
                    gate.wait_for(lambda: signed_in(log.saved) - before, "a checkpoint")
                log.config.write_text(gate.config_path.read_text())
                gate.stop()
            if life == 0:
                for name in STORE_FILES:
                    if (folder / name).exists():
                        shutil.copy(folder / name, log.backup / name)
    with sqlite3.connect(log.backup / "gatehouse.db") as store:
        [(log.backup_last,)] = store.execute("SELECT max(seq) FROM security_audit_log").fetchall()
    result = log.command("public-key", "--config", log.config)
    assert result.returncode == 0
    log.key.write_text(result.stdout)
    assert log.command("export", "--output", log.export, "--config", log.config).returncode == 0
    log.lines = log.export.read_text(encoding="utf-8").splitlines(keepends=True)
    log.last = len(log.lines)
    # What the saved checkpoints speak of.
    log.signed = [int(n) for n in re.findall(r"^gatehouse/audit/\w+\n(\d+)\n",
                                             log.saved.read_text(encoding="utf-8"), re.M)]
    assert log.backup_last + 12 < log.last
    assert len([n for n in log.signed if n > log.backup_last]) >= 2
    return log


@pytest.fixture
def forged(log, tmp_path):
    return log.copy(tmp_path)


# -- what is as it was --


def test_the_log_is_intact(log, tmp_path):
    code, verdict = log.copy(tmp_path).verify("--checkpoint", log.saved)
    assert code == 0 and verdict["intact"] is True and verdict["fault"] == "none"
    assert verdict["records"] == verdict["last_seq"] >= log.last and verdict["first_seq"] == 1
    assert verdict["saved_checkpoints_met"] == len(log.signed) > 3
    assert verdict["checkpoints"] > 3 and verdict["signed_through"] >= max(log.signed)
    text = log.command("verify", "--config", log.config, "--checkpoint", log.saved).stdout
    assert text.startswith("intact: ") and "saved checkpoints agree" in text


def test_the_export_is_intact_everywhere(log):
    code, verdict = log.verify_export(log.export, "--checkpoint", log.saved)
    assert code == 0 and verdict["intact"] is True and verdict["records"] == log.last
    assert verdict["signatures_checked"] is True
    assert verdict["saved_checkpoints_met"] == len(log.signed)


def test_the_verifier_of_the_docs_agrees(log):
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names = {"__name__": "verifier"}
    exec(compile(code, "audit-format.md", "exec"), names)
    text = log.saved.read_text(encoding="utf-8")
    notes = re.findall(r"gatehouse/audit/\w+\n(?:[^\n]+\n)+\n(?:\u2014 [^\n]+\n)+", text)
    assert len(notes) == len(log.signed)
    [(seq, last)] = names["verify"](log.lines, log.key.read_text(), notes).values()
    assert seq == log.last and last == json.loads(log.lines[-1])["hash"]
    with pytest.raises(ValueError, match="missing at the end"):
        names["verify"](log.lines[: log.backup_last], log.key.read_text(), notes)


def test_without_a_key_it_says_what_it_did_not_look_at(log):
    result = run("audit", "verify", log.export)
    assert result.returncode == 0 and "signatures were not checked" in result.stdout
    assert "no saved checkpoint was compared" in result.stdout


def test_an_export_of_a_part_is_checked_as_one(log, tmp_path):
    part = tmp_path / "part"
    part.write_text("".join(log.lines[5:-3]), encoding="utf-8")
    assert log.verify_export(part)[0] == 1
    code, verdict = log.verify_export(part, "--partial")
    assert code == 0 and verdict["first_seq"] == 6 and verdict["last_seq"] == log.last - 3


# -- the store is attacked --

COLUMNS = {
    "time_us": "time_us + 1",
    "event_type": "'logout'",
    "user_id": "'somebody-else'",
    "actor_id": "'somebody-else'",
    "ip_address": "'198.51.100.1'",
    "user_agent": "'other'",
    "session": "'00000000000000000000000000000000'",
    "request_id": "'other'",
    "outcome": "CASE outcome WHEN 'success' THEN 'failure' ELSE 'success' END",
    "metadata": "'{}'",
    "hash": "zeroblob(32)",
}


def columns(log):
    return [name for _, name, *_ in log.query("PRAGMA table_info(security_audit_log)")]


def test_a_changed_value_is_found(log, tmp_path):
    number = 11
    for column in columns(log):
        if column in ("seq", "sealed", "prev_hash"):  # below; no hash covers `sealed`
            continue
        folder = tmp_path / column
        folder.mkdir()
        forged = log.copy(folder)
        [(before,)] = forged.query(f"SELECT {column} FROM security_audit_log WHERE seq = {number}")
        value = COLUMNS.get(column) or ("1" if column == "time" else "'other'")
        if column == "time" and isinstance(before, str):
            value = "replace(time, '2', '3')"
        if column == "outcome" and isinstance(before, int):
            value = "1 - outcome"
        if column == "metadata" and before in ("{}", None):
            value = "'{\"x\":1}'"
        forged.sql(f"UPDATE security_audit_log SET {column} = {value} WHERE seq = {number}")
        [(after,)] = forged.query(f"SELECT {column} FROM security_audit_log WHERE seq = {number}")
        assert after != before, column
        code, verdict = forged.verify("--checkpoint", log.saved)
        assert code == 1 and verdict["intact"] is False, column
        assert verdict["seq"] == number, (column, verdict)


@pytest.mark.parametrize("value", ["event_type = 'no_such_event'", "outcome = 'neither'",
                                   "hash = x'00'"])
@pytest.mark.parametrize("number", [1, 11])
def test_a_row_that_no_record_can_be_is_named(log, forged, value, number):
    forged.sql(f"UPDATE security_audit_log SET {value} WHERE seq = {number}")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("unreadable", number)


COPY = ("INSERT INTO security_audit_log SELECT {}, time, event_type, user_id, actor_id, ip_address,"
        " user_agent, session, request_id, outcome, metadata, prev_hash, hash, sealed"
        " FROM security_audit_log WHERE seq = 3")


@pytest.mark.parametrize("number", [2**63 - 1, 0, -1, -(2**63)])
def test_a_row_under_a_number_that_no_record_has_is_found(log, forged, number):
    """Behind the last one, where nothing could follow; before the first one, where nobody looks."""
    [(last,)] = forged.query("SELECT max(seq) FROM security_audit_log")
    forged.sql(COPY.format(number))
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == (last + 1 if number > 0 else 1)


@pytest.mark.parametrize("value", ["metadata = '[]'", "metadata = ''", "user_id = x'fffe' || ''",
                                   "user_id = char(27) || '[2J' || char(155)", "time = -1",
                                   "session = replace(hex(zeroblob(60000)), '00', 'ab')"])
def test_what_somebody_wrote_is_named_and_commands_show_the_rest(log, forged, value):
    forged.sql(f"UPDATE security_audit_log SET {value} WHERE seq = 11")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == 11
    for words in (["tail", "-n", "1000"], ["query", "--personal"], ["export"],
                  ["export", "--personal"], ["export", "--format", "cef"],
                  ["export", "--format", "syslog"]):
        result = forged.command(*words, "--config", forged.config)
        assert result.returncode == 0 and len(result.stdout.splitlines()) > 20, result.stderr
        steering = r"[\x00-\x09\x0b-\x1f\x7f-\x9f]" if words[0] != "export" else r"[\x00-\x09\x0b-\x1f\x7f]"
        assert not re.search(steering, result.stdout)


def test_a_link_that_was_bent_is_found(log, forged):
    forged.sql("UPDATE security_audit_log SET prev_hash = zeroblob(32) WHERE seq = 12")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == 12


def test_a_removed_record_is_found(log, forged):
    forged.sql("DELETE FROM security_audit_log WHERE seq = 9")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("missing", 9)


def test_a_removed_record_whose_number_is_given_again_is_found(log, forged):
    forged.sql("DELETE FROM security_audit_log WHERE seq = 9",
               "UPDATE security_audit_log SET seq = -seq + 1 WHERE seq > 9",
               "UPDATE security_audit_log SET seq = -seq WHERE seq < 0")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == 9


def test_an_inserted_record_is_found(log, forged):
    others = ", ".join(name for name in columns(log) if name != "seq")
    forged.sql("UPDATE security_audit_log SET seq = -seq - 1 WHERE seq >= 9",
               "UPDATE security_audit_log SET seq = -seq WHERE seq < 0",
               f"INSERT INTO security_audit_log (seq, {others}) "
               f"SELECT 9, {others} FROM security_audit_log WHERE seq = 8")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == 9


def test_swapped_records_are_found(log, forged):
    forged.sql("UPDATE security_audit_log SET seq = -1 WHERE seq = 9",
               "UPDATE security_audit_log SET seq = 9 WHERE seq = 10",
               "UPDATE security_audit_log SET seq = 10 WHERE seq = -1")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == 9


def test_a_front_that_was_dropped_is_found(log, forged):
    forged.sql("DELETE FROM security_audit_log WHERE seq <= 3")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("front", 1)


def cut_at(log):
    """Somewhere before the last saved checkpoint."""
    return max(log.signed) - 2


def test_a_cut_tail_is_found_through_a_saved_checkpoint(log, forged):
    last = cut_at(log)
    forged.sql(f"DELETE FROM security_audit_log WHERE seq > {last}")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("truncated", last + 1)


def test_a_log_that_was_emptied_is_found(log, forged):
    forged.sql("DELETE FROM security_audit_log")
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == 1


def put_backup(log, forged):
    for name in STORE_FILES:
        (forged.folder / name).unlink(missing_ok=True)
        if (log.backup / name).exists():
            shutil.copy(log.backup / name, forged.folder / name)


def test_an_old_backup_is_found_through_a_saved_checkpoint(log, forged):
    put_backup(log, forged)
    code, verdict = forged.verify()
    assert code == 0 and verdict["intact"] is True  # by itself it is a good log
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["fault"] in ("truncated", "contradiction")
    assert log.backup_last < verdict["seq"] <= min(n for n in log.signed if n > log.backup_last)


def go_on(forged, wanted):
    """Whoever holds database and keys lets the real program write what comes next."""
    settings = yaml.safe_load(forged.config.read_text())
    with Backend() as backend:
        settings["upstreams"]["api"]["servers"] = [backend.url]
        with Gatehouse(settings, env=ENV) as gate:
            deployment = Deployment(gate, backend, forged.folder)
            own = forged.folder / "own-checkpoints"
            before = checkpoints_of(own)
            while forged.query("SELECT coalesce(max(seq), 0) FROM security_audit_log")[0][0] < wanted:
                act(deployment, 1)
            gate.wait_for(lambda: checkpoints_of(own) > before, "a checkpoint")
            gate.stop()


def test_a_chain_built_anew_with_the_key_is_found_through_a_saved_checkpoint(log, forged):
    put_backup(log, forged)
    go_on(forged, max(log.signed) + 5)
    code, verdict = forged.verify()
    assert code == 0 and verdict["signed_through"] > log.backup_last  # all is signed, by the real key
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["fault"] == "contradiction"
    assert verdict["seq"] == min(n for n in log.signed if n > log.backup_last)


def go_on_unsigned(lines, count):
    """What somebody writes who has no key."""
    before = json.loads(lines[-1])
    more = []
    for seq in range(before["seq"] + 1, before["seq"] + 1 + count):
        record = {**before, "seq": seq, "event_type": "logout", "metadata": {}, "ip_address": None,
                  "user_agent": None, "prev_hash": before["hash"]}
        record.pop("hash")
        record.pop("sealed", None)
        text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        before = {**record, "hash": hashlib.sha256(text.encode()).hexdigest()}
        more.append(json.dumps(before) + "\n")
    return more


def insert(forged, lines):
    with sqlite3.connect(forged.folder / "gatehouse.db") as store:
        for record in map(json.loads, lines):
            when = datetime.fromisoformat(record["time"]) - datetime(1970, 1, 1, tzinfo=timezone.utc)
            store.execute(
                "INSERT INTO security_audit_log (seq, time, event_type, user_id, actor_id, session,"
                " request_id, outcome, metadata, prev_hash, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (record["seq"], when // timedelta(microseconds=1), record["event_type"],
                 record["user_id"], record["actor_id"], record["session"], record["request_id"],
                 record["outcome"], "{}", bytes.fromhex(record["prev_hash"]),
                 bytes.fromhex(record["hash"])))
    store.close()


def test_an_end_that_is_not_signed_is_found(log, forged, tmp_path):
    code, verdict = log.verify_export(log.export)
    tail = verdict["last_seq"] - verdict["signed_through"]
    more = go_on_unsigned(log.lines, 10001 - tail)
    path = tmp_path / "more.jsonl"
    path.write_text("".join(log.lines + more[:-1]), encoding="utf-8")
    code, verdict = log.verify_export(path)
    assert code == 0 and verdict["last_seq"] - verdict["signed_through"] == 10000
    path.write_text("".join(log.lines + more), encoding="utf-8")
    signed = verdict["signed_through"]
    code, verdict = log.verify_export(path)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("not_signed", signed + 1)
    assert verdict["line"] == signed + 1
    assert log.verify_export(path, "--unsigned", "10001")[0] == 0
    assert log.verify_export(path, "--config", forged.config)[0] == 1
    for wrong in ("0", "-1", "many", ""):
        result = run("audit", "verify", path, "--unsigned", wrong)
        assert result.returncode == 2
    # In the store; more is written between two checkpoints where the file says so.
    forged.sql(f"DELETE FROM security_audit_log WHERE seq > {log.last}")
    insert(forged, more)
    code, verdict = forged.verify()
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("not_signed", signed + 1)
    settings = yaml.safe_load(forged.config.read_text())
    settings["audit"]["checkpoint"]["records"] = 1001
    forged.config.write_text(yaml.safe_dump(settings))
    assert forged.verify()[0] == 0
    assert log.verify_export(path, "--config", forged.config)[0] == 0


def test_a_log_begun_anew_is_found(log, forged):
    """The same keys, not one old record."""
    forged.sql("DELETE FROM security_audit_log")
    go_on(forged, max(log.signed) + 5)
    assert forged.verify()[0] == 0
    code, verdict = forged.verify("--checkpoint", log.saved)
    assert code == 1 and verdict["seq"] == min(log.signed)


def test_checkpoints_that_are_none_of_this_log_are_refused(log, forged, tmp_path):
    text = log.saved.read_text(encoding="utf-8")
    for name, changed in (("forged", text.replace("\ntime 2", "\ntime 3", 1)), ("no", "nothing\n"),
                          ("other", text.replace("gatehouse/audit/", "gatehouse/audit/0", 1))):
        path = tmp_path / name
        path.write_text(changed, encoding="utf-8")
        result = forged.command("verify", "--config", forged.config, "--checkpoint", path)
        assert result.returncode == 1 and "saved checkpoints" in result.stderr, name
        result = run("audit", "verify", log.export, "--public-key", log.key, "--checkpoint", path)
        assert result.returncode == 1 and "saved checkpoints" in result.stderr, name


# -- an export is attacked --


def changed(lines, number, old, new):
    line = lines[number - 1]
    assert old in line
    return [*lines[: number - 1], line.replace(old, new, 1), *lines[number:]]


def swap(lines, a, b):
    lines = list(lines)
    lines[a - 1], lines[b - 1] = lines[b - 1], lines[a - 1]
    return lines


FORGERIES = {
    "changed": (lambda lines: changed(lines, 7, '"outcome":"', '"outcome":"x'), 7),
    "hash": (lambda lines: changed(lines, 7, '"hash":"', '"hash":"0'), 7),
    "other hash": (lambda lines: swap_hash(lines, 7), 7),
    "removed": (lambda lines: lines[:6] + lines[7:], 7),
    "repeated": (lambda lines: lines[:7] + lines[6:], 7),
    "swapped": (lambda lines: swap(lines, 7, 8), 7),
    "front": (lambda lines: lines[3:], 1),
    "no JSON": (lambda lines: lines[:6] + ["{}\n"] + lines[7:], 7),
    "emptied": (lambda lines: [], 1),
}


def swap_hash(lines, number):
    record = json.loads(lines[number - 1])
    record["hash"] = "0" * 64
    return [*lines[: number - 1], json.dumps(record) + "\n", *lines[number:]]


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_export_is_found(log, tmp_path, name):
    forge, seq = FORGERIES[name]
    path = tmp_path / "forged.jsonl"
    path.write_text("".join(forge(log.lines)), encoding="utf-8")
    code, verdict = log.verify_export(path, "--checkpoint", log.saved)
    assert code == 1 and verdict["intact"] is False
    assert verdict["seq"] == seq, verdict


def test_a_cut_export_is_found_through_a_saved_checkpoint(log, tmp_path):
    last = cut_at(log)
    path = tmp_path / "cut.jsonl"
    path.write_text("".join(log.lines[:last]), encoding="utf-8")
    assert log.verify_export(path)[0] == 0
    code, verdict = log.verify_export(path, "--checkpoint", log.saved)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("truncated", last + 1)


def test_an_export_of_a_log_that_was_built_anew_is_found(log, forged, tmp_path):
    put_backup(log, forged)
    go_on(forged, max(log.signed) + 5)
    path = tmp_path / "anew.jsonl"
    assert forged.command("export", "--output", path, "--config", forged.config).returncode == 0
    assert log.verify_export(path)[0] == 0
    code, verdict = log.verify_export(path, "--checkpoint", log.saved)
    assert code == 1 and verdict["fault"] == "contradiction"
    assert verdict["seq"] == min(n for n in log.signed if n > log.backup_last)


def test_an_export_signed_by_another_key_is_found(log, tmp_path):
    """As a whole other log that is shown in its place."""
    other = tmp_path / "other"
    other.mkdir()
    notes = other / "checkpoints"
    audit = {"checkpoint": {"records": 5, "interval": "1s", "export": f"file:{notes}"}}
    with Backend() as backend:
        settings = identity_config(backend, other, audit=audit)
        with Gatehouse(settings, env=ENV) as gate:
            act(Deployment(gate, backend, other), 4)
            gate.wait_for(lambda: checkpoints_of(notes), "a checkpoint")
            result = run("audit", "export", "--output", tmp_path / "other.jsonl", "--config",
                         gate.config_path, env=ENV)
            assert result.returncode == 0
    code, verdict = log.verify_export(tmp_path / "other.jsonl")
    assert code == 1 and verdict["fault"] == "checkpoint"


def test_personal_values_that_were_exchanged_are_found(log, tmp_path):
    path = tmp_path / "personal.jsonl"
    command = ("export", "--personal", "--output", path, "--config", log.config)
    assert log.command(*command).returncode == 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert log.verify_export(path, "--checkpoint", log.saved)[0] == 0
    number = next(n for n, line in enumerate(lines, 1) if '"ip_address":"198.18.' in line)
    path.write_text("".join(changed(lines, number, '"ip_address":"198.18.', '"ip_address":"198.19.')),
                    encoding="utf-8")
    code, verdict = log.verify_export(path)
    assert code == 1 and (verdict["fault"], verdict["seq"]) == ("opening", number)


# -- what can't be read --


def test_files_that_cannot_be_read(log, tmp_path):
    assert run("audit", "verify", tmp_path / "none").returncode == 2
    assert run("audit", "verify", log.export, "--public-key", tmp_path / "none").returncode == 2
    key = tmp_path / "key"
    for text in ("", "nonsense\n", log.key.read_text().replace("+A", "+B", 1)):
        key.write_text(text)
        result = run("audit", "verify", log.export, "--public-key", key)
        assert result.returncode == 1 and "public key" in result.stderr
    assert run("audit", "verify", log.export, "--bogus").returncode == 2


def test_a_line_without_end_is_the_fault_of_that_line(log, tmp_path):
    """Nobody reads 16 GiB, in memory of a fixed size or not."""
    path = tmp_path / "endless"
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(log.lines[:6]) + log.lines[6].rstrip("\n"))
        file.truncate(file.tell() + (1 << 34))
    code, verdict = log.verify_export(path)
    path.unlink()
    assert code == 1 and (verdict["fault"], verdict["seq"], verdict["line"]) == ("unreadable", 7, 7)


def test_standard_input_is_taken(log):
    text = log.export.read_text(encoding="utf-8")
    result = run("audit", "verify", "-", "--public-key", log.key, "--json", stdin=text)
    assert result.returncode == 0 and json.loads(result.stdout)["records"] == log.last
