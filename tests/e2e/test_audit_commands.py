"""SPEC 5: `gatehouse audit`: the log as an operator reads and exports it, beside a server and alone."""

import json
import re
import subprocess
import time
from html.parser import HTMLParser

import pytest
import yaml

from harness.gate import BINARY, IS_RELEASE, run
from harness.identity import BASE, ENV, assert_answer, deployed, identity_config
from harness.store import audit_rows

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

MEMBERS = ["seq", "time", "event_type", "user_id", "actor_id", "ip_address", "user_agent",
           "session", "request_id", "outcome", "metadata"]
CHAINED = {*MEMBERS, "prev_hash", "hash"}
# What steers a terminal, or is the end of a line for some readers.
STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
COMMITMENT = re.compile(r"hmac-sha256:[0-9a-f]{64}")
# What somebody sends who wants to write records of his own, or to steer the reader's terminal.
HOSTILE = {
    "tab and forged CEF": "x\tCEF:0|gatehouse|gatehouse|0|login|forged|0|suid=admin outcome=success",
    "CEF delimiters": r"a=b|c\|d=\=e outcome=success suid=root",
    "forged JSON": '","outcome":"success"}{"seq":1,"x":"',
    "forged syslog": '"] <110>1 2026-01-01T00:00:00Z h gatehouse - login [x@1 seq="1',
    "markup": "<script>alert(1)</script>|`[x](javascript:1)`",
    "C1, NEL and line separators": "a\u0085b\u009bc\u2028d\u2029e",
    "invalid UTF-8": b"a\xff\xfe\xc0\x80\xed\xa0\x80z".decode("latin-1"),
    "long": "L" * 12000,
}
# What no header of HTTP can carry comes by the body: the address that is tried.
HOSTILE_EMAILS = ["a\r\nb@example.com", "\x1b[2J\x1b]0;owned\x07@example.com", "a\u2028b\x00c@example.com",
                  "a,b|c=d\\e\"]@example.com", "a\u0085\u009b2Jb\u2028c@example.com"]


class Audit:
    """`gatehouse audit` over a deployment's configuration."""

    def __init__(self, config_path, folder, clock):
        self.config_path, self.folder = config_path, folder
        self.env = {**ENV, "GATEHOUSE_TEST_CLOCK": str(clock)}

    def __call__(self, *words):
        return run("audit", *words, "--config", self.config_path, env=self.env)

    def good(self, *words):
        result = self(*words)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def records(self, *words):
        text = self.good(*words, "--json")
        assert not STEERING.search(text)
        lines = text.split("\n")
        assert lines.pop() == ""
        return [json.loads(line) for line in lines]

    def rows(self):
        return audit_rows(self.folder / "gatehouse.db")


def wire(text):
    """As a header's bytes: the harness writes latin-1."""
    return text.encode("utf-8").decode("latin-1") if any(ord(c) > 255 for c in text) else text


def live(world):
    """What the tests look for."""
    ann = world.person(email="ann@example.com", address="192.0.2.10")
    bob = world.person(email="bob@example.com", address="2001:db8::10")
    for agent in HOSTILE.values():
        body = {"email": "ann@example.com", "password": "wrong-as-can-be-1"}
        response = ann.api("POST", "/auth/login", body, extra=[("User-Agent", wire(agent))])
        assert response.status in (401, 429), response
        world.gate.clock.advance(20 * 60)
    for email in HOSTILE_EMAILS:
        stranger = world.stranger(email=email)
        assert stranger.try_login().status in (401, 422)
    assert_answer(bob.try_login("wrong-as-can-be-2"), 401)
    world.gate.clock.advance(20 * 60)
    bob.login()
    assert_answer(bob.api("POST", "/auth/logout", {}), 200)
    for _ in range(4):
        world.person()
    world.ann, world.bob = ann, bob


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A running server carries the commands out."""
    folder = tmp_path_factory.mktemp("audit-served")
    with deployed(folder) as world:
        world.gate.wait_for((folder / "control.sock").exists, "the control socket")
        live(world)
        world.audit_command = Audit(world.gate.config_path, folder, world.gate.path / "clock")
        yield world


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """There was a server; the commands open the store themselves."""
    folder = tmp_path_factory.mktemp("audit-alone")
    with deployed(folder) as world:
        world.gate.wait_for((folder / "control.sock").exists, "the control socket")
        live(world)
        clock = folder / "clock"
        clock.write_bytes((world.gate.path / "clock").read_bytes())
        path = folder / "gatehouse.yaml"
        path.write_text(world.gate.config_path.read_text())
        world.gate.stop()
        world.audit_command = Audit(path, folder, clock)
        yield world


@pytest.fixture(params=["served", "alone"])
def world(request):
    """Both ways; they must not differ."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def audit(world):
    return world.audit_command


# -- tail --


def test_tail_shows_the_newest_last(audit):
    # Of a server each look may find new ones (checkpoints, rules).
    records = audit.records("tail", "-n", "5")
    assert len(records) == 5
    numbers = [record["seq"] for record in records]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert all(list(record) == MEMBERS for record in records)
    lines = audit.good("tail", "-n", "3").splitlines()
    assert len(lines) == 3 and int(lines[-1].split()[0]) >= numbers[-1]
    assert len(audit.good("tail").splitlines()) == 20


def test_tail_shows_whole_lines_without_controls(audit):
    text = audit.good("tail", "-n", "1000")
    assert len(text.splitlines()) == text.count("\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def follow(audit, *words):
    return subprocess.Popen(
        [str(BINARY), "audit", "tail", "--follow", *words, "--config", str(audit.config_path)],
        env={**audit.env, "PATH": ""}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)


def test_tail_follows(served):
    process = follow(served.audit_command, "--json", "-n", "1")
    try:
        first = json.loads(process.stdout.readline())
        carl = served.person(email="carl@example.com")
        seen = [first]
        while seen[-1]["event_type"] != "login" or seen[-1]["user_id"] != carl.id:
            seen.append(json.loads(process.stdout.readline()))
        numbers = [record["seq"] for record in seen]
        assert numbers == list(range(first["seq"], first["seq"] + len(seen)))
        assert "signup" in [record["event_type"] for record in seen[1:]]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_following_where_nothing_can_be_read_ends(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text("version: 1\n")
    result = run("audit", "tail", "--follow", "--config", path, env=ENV)
    assert result.returncode == 2 and result.stderr


# -- query --


def test_query_shows_the_newest_first(audit):
    numbers = [record["seq"] for record in audit.records("query", "--limit", "7")]
    assert len(numbers) == 7 and numbers == sorted(numbers, reverse=True)
    assert len(audit.good("query", "--limit", "4").splitlines()) == 4


def test_query_by_user(world, audit):
    ann = audit.records("query", "--user", "ann@example.com")
    assert ann and {record["user_id"] for record in ann} == {world.ann.id}
    assert ann == audit.records("query", "--user", world.ann.id)
    shown = {record["metadata"].get("email") for record in ann} - {None}
    assert shown and all(COMMITMENT.fullmatch(email) for email in shown)
    ann = audit.records("query", "--personal", "--user", "ann@example.com")
    assert {record["event_type"] for record in ann} == {"signup", "login", "login_failed"}
    assert "ann@example.com" in {record["metadata"].get("email") for record in ann}
    assert audit("query", "--user", "nobody@example.com").returncode == 1


def test_query_by_event_and_outcome(audit):
    failed = audit.records("query", "--event", "login_failed")
    assert failed and {record["event_type"] for record in failed} == {"login_failed"}
    assert {r["outcome"] for r in audit.records("query", "--outcome", "failure")} == {"failure"}
    assert {r["outcome"] for r in audit.records("query", "--outcome", "success")} == {"success"}
    assert audit.records("query", "--event", "login_failed", "--outcome", "success") == []
    result = audit("query", "--event", "no_such_event")
    assert result.returncode == 1 and "no_such_event" in result.stderr
    assert audit("query", "--outcome", "perhaps").returncode == 1


def test_query_by_session(audit):
    [logout] = audit.records("query", "--event", "logout")
    session = audit.records("query", "--session", logout["session"])
    assert [record["event_type"] for record in session] == ["logout", "login"]
    assert audit.records("query", "--session", "0" * 32) == []


def test_query_by_time(audit):
    everything = audit.records("query", "--limit", "100000")
    middle = everything[len(everything) // 2]["time"]
    since = audit.records("query", "--limit", "100000", "--since", middle)
    until = audit.records("query", "--limit", "100000", "--until", middle)
    assert min(record["time"] for record in since) == middle
    assert max(record["time"] for record in until) < middle
    seqs = {record["seq"] for record in everything}
    assert seqs <= {r["seq"] for r in since} | {r["seq"] for r in until}
    assert audit.records("query", "--since", "2999-01-01") == []
    assert audit.records("query", "--until", "2001-02-03T04:05:06Z") == []
    assert len(audit.records("query", "--since", "30d")) > 10


@pytest.mark.parametrize("words", [
    ("query", "--since", "yesterday"), ("query", "--limit", "0"), ("query", "--limit", "many"),
    ("query", "--limit"), ("query", "--bogus"), ("tail", "-n", "-1"), ("tail", "surplus"),
    ("export", "--format", "xml"), ("tell",), ("verify", "--partial"),
    ("verify", "--public-key", "x"), ("query", "--since", "2026-13-01"),
    ("export", "--output", "/nonexistent/file"), ("verify", "--checkpoint", "/nonexistent/file"),
])
def test_wrong_usage_is_told_and_nothing_is_done(audit, words):
    before = len(audit.rows())
    result = audit(*words)
    assert result.returncode == 2 and result.stderr and not result.stdout
    assert not [r for r in audit.rows()[before:] if r["event_type"] == "data_export"]


def test_help(audit):
    assert run("audit").returncode == 2
    text = run("audit", "--help").stdout
    for verb in ("tail", "query", "verify", "public-key", "review", "export"):
        assert f"\n  {verb} " in text
    assert audit("query", "--help").returncode == 0


# -- export --


def read_jsonl(data):
    """Strict: one object a line, no member twice, every line ended."""
    def members(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    assert data.endswith(b"\n")
    lines = data.decode("utf-8").split("\n")[:-1]
    records = [json.loads(line, object_pairs_hook=members) for line in lines]
    assert not STEERING.search(data.decode("utf-8"))
    for record in records:
        assert CHAINED <= set(record) <= CHAINED | {"sealed", "personal"}
    return records


def unescape(text, escaped):
    out, i = "", 0
    while i < len(text):
        if text[i] == "\\":
            assert text[i + 1] in escaped, text
            i += 1
        else:
            assert text[i] not in escaped, text
        out += text[i]
        i += 1
    return out


def read_cef(data):
    """By the standard's rules: seven bars in the header, then keys up to the next " key="."""
    assert data.endswith(b"\n")
    events = []
    for line in data.decode("utf-8").split("\n")[:-1]:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line), line
        parts = re.split(r"(?<!\\)((?:\\\\)*)\|", line, maxsplit=7)
        header = ["".join(pair) for pair in zip(parts[:14:2], parts[1:14:2])]
        extension = parts[14]
        assert header[0] == "CEF:0" and header[1:3] == ["gatehouse", "gatehouse"]
        assert re.fullmatch(r"\d|10", header[6])
        keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", extension))
        ends = [match.start() for match in keys[1:]] + [len(extension)]
        fields = {}
        for match, end in zip(keys, ends):
            assert match[1] not in fields, f"{match[1]} twice: {line}"
            fields[match[1]] = unescape(extension[match.end():end], "\\=")
        events.append((unescape(header[4], "\\|"), fields))
    return events


SYSLOG = re.compile(
    r"<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "
    r"\[([!-~]+?)((?: [!-~]{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*)\] \ufeff(.*)")


def read_syslog(data):
    """RFC 5424 section 6, a message each line."""
    assert data.endswith(b"\n")
    messages = []
    for line in data.decode("utf-8").split("\n")[:-1]:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line), line
        match = SYSLOG.fullmatch(line)
        assert match, line
        pairs = re.findall(r" ([!-~]+?)=\"((?:[^\"\\\]]|\\.)*)\"", match[8])
        assert int(match[1]) // 8 == 13 and match[4] == "gatehouse"
        parameters = {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}
        messages.append((match[6], match[2], parameters, json.loads(match[9])))
    return messages


def export(audit, tmp_path, *words):
    path = tmp_path / "export"
    text = audit.good("export", *words, "--output", path)
    assert text == ""
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes()


def of_log(audit, count):
    """The first rows as the store has them."""
    return audit.rows()[:count]


def test_export_as_lines_of_json_is_the_log(audit, tmp_path):
    records = read_jsonl(export(audit, tmp_path))
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    for record, row in zip(records, of_log(audit, len(records))):
        assert {name: record[name] for name in MEMBERS if name != "time"} == {
            name: row[name] for name in MEMBERS if name != "time"}
        assert record["hash"] == row["hash"].hex() and record["prev_hash"] == row["prev_hash"].hex()
    assert len(records) > 20


def test_export_without_personal_shows_no_personal_value(audit, tmp_path):
    for form in ("jsonl", "cef", "syslog"):
        data = export(audit, tmp_path, "--format", form).decode()
        for text in ("ann@example.com", "bob@example.com", "192.0.2.10", "2001:db8::10", "LLLL",
                     "alert(1)", "owned"):
            assert text not in data, (form, text)
    for record in read_jsonl(export(audit, tmp_path)):
        for name in ("ip_address", "user_agent"):
            assert record[name] is None or COMMITMENT.fullmatch(record[name])
        assert "personal" not in record


def test_export_as_cef_is_read_back(audit, tmp_path):
    events = read_cef(export(audit, tmp_path, "--format", "cef"))
    rows = of_log(audit, len(events))
    assert [int(fields["externalId"]) for _, fields in events] == [row["seq"] for row in rows]
    for (name, fields), row in zip(events, rows):
        assert name == row["event_type"] and fields["outcome"] == row["outcome"]
        assert fields.get("duid") == row["user_id"] and fields.get("suid") == row["actor_id"]
        assert fields["cs4"] == row["hash"].hex() and fields["cs4Label"] == "hash"
        if "cs3" in fields:
            assert json.loads(fields["cs3"]) == row["metadata"]
        assert "src" not in fields and "requestClientApplication" not in fields


def test_export_as_syslog_is_read_back(audit, tmp_path):
    messages = read_syslog(export(audit, tmp_path, "--format", "syslog"))
    rows = of_log(audit, len(messages))
    for (name, stamp, parameters, record), row in zip(messages, rows):
        assert name == row["event_type"] == record["event_type"] and stamp == record["time"]
        assert int(parameters["seq"]) == record["seq"] == row["seq"]
        assert parameters["outcome"] == row["outcome"]
        assert parameters["hash"] == record["hash"] == row["hash"].hex()
        assert parameters.get("user") == row["user_id"]


def agent_as_kept(agent):
    """What is kept of a user agent: its first bytes, with what is not UTF-8 replaced."""
    return agent.encode("latin-1" if "\xff" in agent else "utf-8")[:256].decode("utf-8", "replace")


def test_hostile_texts_are_values_and_nothing_more(audit, tmp_path):
    """With personal values in clear, in all three formats: as many records as without, and each
    text in the one field that it belongs to."""
    count = len(read_jsonl(export(audit, tmp_path)))
    records = read_jsonl(export(audit, tmp_path, "--personal"))
    assert len(records) >= count
    opened = [record["personal"]["actor"] for record in records
              if record.get("personal", {}).get("actor")]
    agents = {person.get("user_agent") for person in opened}
    assert {"markup", "long", "forged JSON"} <= {
        name for name, agent in HOSTILE.items() if agent_as_kept(agent) in agents}
    assert "L" * 256 in agents and "L" * 257 not in str(agents)
    assert all("\n" not in a and "\x1b" not in a for a in agents if a)
    emails = {record["personal"]["subject"].get("metadata.email") for record in records
              if record.get("personal", {}).get("subject")}
    assert {"ann@example.com", "bob@example.com", HOSTILE_EMAILS[-1]} <= emails
    events = read_cef(export(audit, tmp_path, "--format", "cef", "--personal"))
    assert [int(fields["externalId"]) for _, fields in events] == list(range(1, len(events) + 1))
    shown = {fields.get("requestClientApplication") for _, fields in events}
    assert HOSTILE["CEF delimiters"] in shown and HOSTILE["markup"] in shown
    assert not [fields for _, fields in events if fields.get("suid") in ("admin", "root")]
    sources = {fields.get("src") for _, fields in events}
    assert "192.0.2.10" in sources
    assert "2001:db8::10" in {fields.get("c6a2") for _, fields in events}
    messages = read_syslog(export(audit, tmp_path, "--format", "syslog", "--personal"))
    assert [int(p["seq"]) for _, _, p, _ in messages] == list(range(1, len(messages) + 1))


def test_export_of_a_part(world, audit, tmp_path):
    data = export(audit, tmp_path, "--user", "bob@example.com", "--event", "logout")
    [record] = read_jsonl(data)
    assert record["user_id"] == world.bob.id
    everything = read_jsonl(export(audit, tmp_path))
    middle = everything[len(everything) // 2]["time"]
    # By each record's own time: of two at once the later record may have the earlier time.
    seqs = [record["seq"] for record in read_jsonl(export(audit, tmp_path, "--since", middle))]
    wanted = [record["seq"] for record in everything if record["time"] >= middle]
    assert seqs[:len(wanted)] == wanted, "and behind them the exports of this test"
    before = [record["seq"] for record in read_jsonl(export(audit, tmp_path, "--until", middle))]
    assert before == [record["seq"] for record in everything if record["time"] < middle]


def exports_since(audit, count):
    return [(row["outcome"], row["metadata"]) for row in audit.rows()[count:]
            if row["event_type"] == "data_export"]


def test_exports_are_audited(audit, tmp_path):
    before = len(audit.rows())
    count = len(read_jsonl(export(audit, tmp_path)))
    [(outcome, metadata)] = exports_since(audit, before)
    assert outcome == "success"
    assert metadata == {"scope": "audit", "personal": False, "record_count": count}


def test_an_export_of_personal_values_is_audited_before_it_begins(audit, tmp_path):
    before = len(audit.rows())
    result = audit("export", "--personal", "--output", tmp_path / "export")
    assert result.returncode == 0 and "personal values in clear" in result.stderr
    records = read_jsonl((tmp_path / "export").read_bytes())
    first, last = exports_since(audit, before)
    assert first == ("success", {"scope": "audit", "personal": True})
    assert last[1] == {"scope": "audit", "personal": True, "record_count": len(records)}
    # That it began stands in what was exported.
    assert {"scope": "audit", "personal": True} in [record["metadata"] for record in records]


def test_an_export_that_its_reader_breaks_off_is_audited(served, tmp_path):
    audit = served.audit_command
    before = len(audit.rows())
    process = subprocess.Popen(
        [str(BINARY), "audit", "export", "--personal", "--config", str(audit.config_path)],
        env={**audit.env, "PATH": ""}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    process.stdout.close()
    process.stderr.close()
    process.wait(20)
    served.gate.wait_for(lambda: exports_since(audit, before), "a record of it")
    assert exports_since(audit, before)[0] == ("success", {"scope": "audit", "personal": True})


def test_nothing_is_exported_where_the_file_cannot_be_made(audit, tmp_path):
    before = len(audit.rows())
    result = audit("export", "--personal", "--output", tmp_path)
    assert result.returncode == 2 and not exports_since(audit, before)


# -- review --


class Page(HTMLParser):
    """What a browser sees."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.attributes = set(), [], []
        self.feed(text)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


TITLES = ["Integrity", "Events", "Anomalies", "Privileged actions", "Failures by network",
          "Personal data where none should be", "Secrets"]


def test_review_as_markdown(audit):
    text = audit.good("review")
    assert text.startswith("# Audit review")
    for title in TITLES:
        assert f"\n## {title}\n" in text
    counts = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.M))
    rows = audit.rows()
    assert int(counts["login_failed"]) == sum(r["event_type"] == "login_failed" for r in rows)
    assert int(counts["logout"]) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    for row in re.findall(r"^\|.*$", text, re.M):
        assert row.endswith("|")
    assert "<script>" not in text


def test_review_as_html(audit, tmp_path):
    path = tmp_path / "review.html"
    audit.good("review", "--html", "--since", "7d", "--output", path)
    page = Page(path.read_text(encoding="utf-8"))
    for title in TITLES:
        assert title in page.text
    assert "script" not in page.tags and not [n for n, _ in page.attributes if n.startswith("on")]
    for name, value in page.attributes:  # nothing is loaded from anywhere
        assert name not in ("src", "href") or not re.match(r"\w+:|//", value or "")


def test_review_ends_with_1_when_the_log_is_broken(tmp_path):
    with deployed(tmp_path) as world:
        world.person()
        path = tmp_path / "gatehouse.yaml"
        path.write_text(world.gate.config_path.read_text())
        clock = tmp_path / "clock"
        clock.write_bytes(bytes(8))
        world.gate.stop()
        audit = Audit(path, tmp_path, clock)
        assert "login" in audit.good("review")
        change_a_row(tmp_path)
        result = audit("review")
        assert result.returncode == 1 and "## Integrity" in result.stdout
        assert "record 1 " in result.stdout


def change_a_row(folder):
    import sqlite3
    with sqlite3.connect(folder / "gatehouse.db") as store:
        names = [n for (n,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in names:
            store.execute(f'DROP TRIGGER "{name}"')
        store.execute("UPDATE security_audit_log SET request_id = 'x' WHERE seq = 1")


# -- an empty log, no identity --


def test_a_log_without_records(tmp_path, backend):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(identity_config(backend, tmp_path)))
    clock = tmp_path / "clock"
    clock.write_bytes(bytes(8))
    audit = Audit(path, tmp_path, clock)
    assert audit.good("query", "--event", "login", "--json") == ""
    assert audit("verify").returncode == 0
    assert audit("review").returncode == 0


def test_where_identity_is_off_there_is_no_log(tmp_path, backend):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(identity_config(backend, tmp_path, {"enabled": False}, routes=[
        {"path": "/**", "upstream": "api", "access": "public"}])))
    result = run("audit", "tail", "--config", path, env=ENV)
    assert result.returncode == 2 and result.stderr
