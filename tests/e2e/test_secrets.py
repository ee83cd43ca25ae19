"""SPEC 7: secrets generated, judged, watched and rotated, while people work."""

import base64
import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import threading
import time
from datetime import datetime

import pytest
import yaml

from harness.gate import BINARY, IS_RELEASE, ROOT, Gatehouse, assert_clean, run
from harness.identity import ROOT_KEY, deployed, identity_config
from harness.store import audit_rows

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

DAY = 24 * 3600
SEALED = {
    "accounts": ["email", "name", "totp_secret"],
    "sessions": ["secret", "device", "ip"],
    "tickets": ["data"],
    "devices": ["label"],
    "mails": ["recipient", "message"],
    "person_keys": ["wrapped"],
}
HASH = "$2b$10$XpCj.N0tHY5Huq8EVrftcuBSDgeW8.G.jArojL3k/B8lQlDWSaxTO"


def fresh_key():
    return run("secrets", "generate", "--raw").stdout.strip()


def key_ids(folder):
    """{key id: sealed values under it}, as they stand in the store."""
    found = {}
    with sqlite3.connect(f"file:{folder}/gatehouse.db?mode=ro", uri=True, timeout=10) as store:
        for table, columns in SEALED.items():
            for column in columns:
                query = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
                for (value,) in store.execute(query):
                    if value:
                        assert value[0] == 1
                        key = int.from_bytes(value[1:5], "big")
                        found[key] = found.get(key, 0) + 1
    return found


def field_keys(folder):
    with sqlite3.connect(f"file:{folder}/gatehouse.db?mode=ro", uri=True, timeout=10) as store:
        return store.execute("SELECT id, retired_us FROM keys WHERE purpose = 0").fetchall()


def rotations(folder):
    rows = audit_rows(folder / "gatehouse.db")
    return [r["metadata"]["purpose"] for r in rows if r["event_type"] == "secret_rotated"]


class Keys:
    """A deployment whose root key stands in a file, with a place for the one of before."""

    def __init__(self, folder):
        self.folder = folder
        self.root, self.previous = folder / "root.key", folder / "root.previous"
        self.root.write_text(ROOT_KEY + "\n")
        self.secrets = {"root": f"file:{self.root}", "previous": [f"file:{self.previous}"]}

    def renew(self):
        """As docs/secrets-rotation.md says."""
        self.previous.write_text(self.root.read_text())
        self.root.write_text(fresh_key() + "\n")


def command(gate, *words, env=None):
    clock = {"GATEHOUSE_TEST_CLOCK": str(gate.path / "clock")}
    return run(*words, "--config", gate.config_path, env={**clock, **(env or {})}, timeout=60)


def good(gate, *words, env=None):
    result = command(gate, *words, env=env)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def status(gate, env=None):
    """(exit status, what --json says)"""
    result = command(gate, "secrets", "status", "--json", env=env)
    return result.returncode, json.loads(result.stdout)


@pytest.fixture
def world(tmp_path):
    keys = Keys(tmp_path)
    with deployed(tmp_path, secrets=keys.secrets) as world:
        world.keys = keys
        world.gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        yield world


# -- generate --


def test_generate_prints_a_good_key_and_writes_nothing(tmp_path, backend):
    first, second = fresh_key(), fresh_key()
    assert first != second
    for key in (first, second):
        assert len(base64.urlsafe_b64decode(key + "=")) == 32
    line = run("secrets", "generate").stdout
    assert re.fullmatch(r"APP_SECRET_KEY=[A-Za-z0-9_-]{43}\n", line)
    path = tmp_path / "gatehouse.yaml"
    settings = identity_config(backend, tmp_path)
    settings["secrets"] = {"root": f"file:{tmp_path}/root.key", "required": ["BACKEND_TOKEN"]}
    path.write_text(yaml.safe_dump(settings))
    text = run("secrets", "generate", "--config", path).stdout
    assert f"{tmp_path}/root.key" in text and "# BACKEND_TOKEN= is needed too" in text
    document = json.loads(run("secrets", "generate", "--json", "--config", path).stdout)
    assert len(document[f"file:{tmp_path}/root.key"]) == 43
    assert [entry.name for entry in tmp_path.iterdir()] == ["gatehouse.yaml"]


@pytest.mark.parametrize("words", [["--loud"], ["--json", "--raw"], ["--root-file", "x"]])
def test_generate_refuses_what_it_does_not_know(words):
    assert run("secrets", "generate", *words).returncode == 2


# -- check --


def test_check_names_all_that_is_bad_and_shows_no_value(tmp_path, backend):
    path = tmp_path / "gatehouse.yaml"
    production = {"environment": "production", "public_url": "https://example.com"}
    settings = identity_config(backend, tmp_path, **production)
    settings["secrets"] = {
        "required": ["NOT_THERE", "EMPTY", "FORGOTTEN"],
        "fernet": ["env:NO_FERNET"],
    }
    path.write_text(yaml.safe_dump(settings))
    bad = {
        "EMPTY": "",
        "FORGOTTEN": "changeme-now",
        "APP_SECRET_KEY": "short-and-weak-7313",
        "NO_FERNET": "not-a-key-9021",
    }
    result = run("secrets", "check", "--config", path, env=bad)
    assert result.returncode == 1, result.stderr
    for name in ("NOT_THERE", "EMPTY", "FORGOTTEN", "APP_SECRET_KEY", "NO_FERNET"):
        assert name in result.stderr
    for value in ("changeme-now", "short-and-weak", "7313", "9021"):
        assert value not in result.stdout + result.stderr
    good_ones = {
        "NOT_THERE": "x-of-ours-1",
        "EMPTY": "y-of-ours-2",
        "FORGOTTEN": "z-of-ours-3",
        "APP_SECRET_KEY": fresh_key(),
        "NO_FERNET": base64.urlsafe_b64encode(bytes(range(32))).decode(),
    }
    result = run("secrets", "check", "--config", path, env=good_ones)
    assert result.returncode == 0, result.stderr
    for value in good_ones.values():
        assert value not in result.stdout + result.stderr


# -- status --


def test_status_says_when_a_key_is_overdue(world):
    code, report = status(world.gate)
    assert code == 0 and report["overdue"] == 0 and report["unfinished"] is False
    purposes = {entry["purpose"] for entry in report["secrets"]}
    assert {"root", "field", "index", "cookie", "signing"} <= purposes
    world.gate.clock.advance(89 * DAY)  # signing keys renew themselves; the rest is not due yet
    report = world.gate.wait_for(lambda: (r := status(world.gate))[0] == 0 and r[1], "no one due")
    assert {e["age_days"] for e in report["secrets"] if e["purpose"] == "root"} == {89}
    world.gate.clock.advance(1 * DAY + 60)
    code, report = status(world.gate)
    assert code == 1 and report["overdue"] >= 2
    assert "OVERDUE" in command(world.gate, "secrets", "status").stdout
    world.keys.renew()
    good(world.gate, "secrets", "rotate")
    good(world.gate, "secrets", "rotate", "--signing")
    late = {e["purpose"] for e in status(world.gate)[1]["secrets"] if e["overdue"]}
    assert late <= {"audit"}


def test_status_takes_the_schedule_of_the_configuration(tmp_path):
    keys = Keys(tmp_path)
    with deployed(tmp_path, secrets={**keys.secrets, "rotate_after": "10d"}) as world:
        assert status(world.gate)[0] == 0
        world.gate.clock.advance(10 * DAY + 60)
        code, report = status(world.gate)
        assert code == 1
        assert {"root", "field"} <= {e["purpose"] for e in report["secrets"] if e["overdue"]}


# -- rotate --


class Load:
    """People who work meanwhile; what they are answered is kept."""

    def __init__(self, people):
        self.locks = [threading.Lock() for _ in people]
        self.stop = threading.Event()
        self.bad, self.count = [], 0
        work = zip(people, self.locks)
        self.threads = [threading.Thread(target=self.work, args=pair) for pair in work]
        for thread in self.threads:
            thread.start()

    def work(self, person, lock):
        rounds = 0
        while not self.stop.is_set():
            rounds += 1
            self.note(lock, "GET", lambda: person.get(f"/users/{person.id}/notes"))
            self.note(lock, "sessions", lambda: person.api("GET", "/account/sessions"))
            body = {"name": f"Round {rounds}"}
            self.note(lock, "profile", lambda: person.api("PATCH", "/account/profile", body))
            if rounds % 5 == 0:
                self.note(lock, "refresh", person.refresh)
            if rounds % 7 == 0:
                self.note(lock, "login", person.try_login)

    def note(self, lock, what, ask):
        with lock:
            response = ask()
        self.count += 1
        if response.status not in (200, 204):
            self.bad.append((what, response.status, response.body[:200]))

    def leap(self, clock, seconds):
        """Between requests: for one that is under way it would be a backend that is late."""
        with contextlib.ExitStack() as held:
            for lock in self.locks:
                held.enter_context(lock)
            clock.advance(seconds)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert self.count > 0
        assert self.bad == []


def test_rotates_while_people_work(world):
    people = [world.person() for _ in range(4)]
    people[0].enrol()
    before = set(key_ids(world.folder))
    load = Load(people)
    for _ in range(3):
        world.keys.renew()
        text = good(world.gate, "secrets", "rotate")
        assert "root key: replaced" in text
    load.end()
    good(world.gate, "secrets", "rotate")
    after = key_ids(world.folder)
    assert len(after) == 1 and not before & set(after)
    assert rotations(world.folder) == ["root", "field"] * 3 + ["field"]
    for person in people:  # what the store holds of them is still theirs
        assert person.other_browser().try_login().status == 200
    world.gate.stop()
    # Only the newest root opens the store.
    result = command(world.gate, "user", "list")
    assert result.returncode == 0 and people[0].email in result.stdout
    world.keys.root.write_text(world.keys.previous.read_text())
    result = command(world.gate, "user", "list")
    assert result.returncode == 2 and "root secret" in result.stderr


def test_a_retired_key_goes_an_hour_later(world):
    world.person()
    world.keys.renew()
    good(world.gate, "secrets", "rotate")
    assert len(field_keys(world.folder)) == 2
    world.gate.clock.advance(3700)
    world.gate.wait_for(lambda: len(field_keys(world.folder)) == 1, "the retired key to go")
    assert len(key_ids(world.folder)) == 1
    assert field_keys(world.folder)[0][1] == 0


def test_refuses_a_root_that_is_none(world, tmp_path):
    people = world.person()
    file = tmp_path / "new.key"
    for text in ("", "changeme", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x" * 5000):
        file.write_text(text)
        result = command(world.gate, "secrets", "rotate", "--root-file", file)
        assert result.returncode == 2, result.stdout
        assert not text or text not in result.stdout + result.stderr
    result = command(world.gate, "secrets", "rotate", "--root-file", tmp_path / "none.key")
    assert result.returncode == 2
    assert rotations(world.folder) == []
    assert people.is_signed_in()


def test_a_new_root_by_file_while_the_environment_holds_the_old(tmp_path):
    new = tmp_path / "new.key"
    new.write_text(fresh_key())
    with deployed(tmp_path) as world:
        person = world.person()
        text = good(world.gate, "secrets", "rotate", "--root-file", new)
        assert "Before the next start" in text and "env:APP_SECRET_KEY" in text
        assert new.read_text() not in text
        assert person.is_signed_in()
        world.gate.stop()
        settings = world.gate.settings
    with Gatehouse(settings, env={"APP_SECRET_KEY": new.read_text()}) as gate:
        person.gate = gate
        assert person.is_signed_in()
    gate = Gatehouse(settings, env={"APP_SECRET_KEY": ROOT_KEY}, wait=False)
    assert gate.wait_exit() == 2
    assert "root secret" in gate.stderr


def test_a_new_root_by_the_environment(tmp_path):
    """Restart with root and previous set, then rotate."""
    new, old = {"APP_SECRET_KEY": fresh_key()}, {"APP_SECRET_KEY_PREVIOUS": ROOT_KEY}
    secrets = {"previous": ["env:APP_SECRET_KEY_PREVIOUS"]}
    with deployed(tmp_path, secrets=secrets) as world:
        person = world.person()
        assert "root key: as it was" in good(world.gate, "secrets", "rotate")
        world.gate.stop()
        settings = world.gate.settings
    with Gatehouse(settings, env={**new, **old}) as gate:
        person.gate = gate
        assert person.is_signed_in()
        gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        code, report = status(gate)
        assert code == 1 and report["unfinished"] is True
        good(gate, "secrets", "rotate")
        assert status(gate)[0] == 0
    with Gatehouse(settings, env=new) as gate:
        person.gate = gate
        assert person.is_signed_in()
    assert rotations(tmp_path) == ["field", "root", "field"]


def test_rotates_without_a_server(world):
    person = world.person()
    world.gate.stop()
    world.keys.renew()
    text = good(world.gate, "secrets", "rotate")
    assert "values sealed anew" in text
    assert len(key_ids(world.folder)) == 1
    world.keys.previous.unlink()
    assert person.email in good(world.gate, "user", "list")
    assert good(world.gate, "secrets", "status")


def script_of_the_guide(world):
    """The lines that docs/secrets-rotation.md gives to a timer, for this deployment."""
    text = (ROOT / "docs" / "secrets-rotation.md").read_text()
    [script] = re.findall(r"```sh\n(cd /etc/gatehouse/secrets\n.*?)```", text, re.S)
    script = script.replace("/etc/gatehouse/gatehouse.yaml", str(world.gate.config_path))
    script = script.replace("/etc/gatehouse/secrets", str(world.folder))
    return script.replace("gatehouse secrets", f"{BINARY} secrets")


def test_the_script_of_the_guide_may_end_anywhere(world):
    person = world.person()
    lines = script_of_the_guide(world)
    for cut in ("umask", "cp root.key", "mv root.next", "}", f"{BINARY} secrets rotate", "rm root"):
        before = lines[: lines.index(cut)]
        if cut in ("cp root.key", "mv root.next"):
            before += "exit 9\n}"  # in the middle of the braces
        subprocess.run(["sh", "-ec", before], capture_output=True, timeout=60, check=False)
        result = subprocess.run(["sh", "-ec", lines], capture_output=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr.decode()
        assert not world.keys.previous.exists()
        assert len(key_ids(world.folder)) == 1
    assert person.is_signed_in()
    world.gate.stop()
    assert person.email in good(world.gate, "user", "list")


# -- killed in the middle --


def import_people(world, count):
    lines = [
        json.dumps({"email": f"import{i}@example.com", "password_hash": HASH, "name": f"No. {i}"})
        for i in range(count)
    ]
    path = world.folder / "people.jsonl"
    path.write_text("\n".join(lines))
    text = good(world.gate, "user", "import", path)
    assert f"{count} imported" in text


def kill_when_mixed(world):
    """Starts a rotation and kills the server when some values are under the new key and some are
    not. False: it was faster."""
    process = subprocess.Popen(
        [str(BINARY), "secrets", "rotate", "--config", str(world.gate.config_path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    mixed = False
    while process.poll() is None and not mixed:
        mixed = len(key_ids(world.folder)) > 1
    world.gate.signal(signal.SIGKILL)
    world.gate.process.wait()
    world.gate.stopped = True
    _, errors = process.communicate(timeout=30)
    assert_clean(errors.decode())
    return len(key_ids(world.folder)) > 1


def test_goes_on_after_kill_9(tmp_path):
    keys = Keys(tmp_path)
    settings, in_the_middle = None, 0
    with deployed(tmp_path, secrets=keys.secrets) as world:
        world.gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        person = world.person()
        import_people(world, 600)
        keys.renew()
        in_the_middle += kill_when_mixed(world)
        settings = world.gate.settings
        gate = world.gate
        for _ in range(3):
            with Gatehouse(settings) as gate:
                world.gate = person.gate = gate
                gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
                assert person.is_signed_in()
                keys.renew()
                in_the_middle += kill_when_mixed(world)
        with Gatehouse(settings) as gate:
            person.gate = gate
            gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
            good(gate, "secrets", "rotate")
            assert len(key_ids(tmp_path)) == 1
            assert person.is_signed_in()
            assert status(gate)[0] == 0
            listed = good(gate, "user", "list", "--json").splitlines()
            assert len(listed) == 601
        keys.previous.unlink()
        with Gatehouse(settings) as gate:
            person.gate = gate
            assert person.is_signed_in()
    assert in_the_middle > 0


def test_a_server_goes_on_by_itself_with_what_was_left(tmp_path):
    keys = Keys(tmp_path)
    with deployed(tmp_path, secrets=keys.secrets) as world:
        world.gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        import_people(world, 600)
        for _ in range(5):
            keys.renew()
            if kill_when_mixed(world):
                break
            world.gate = Gatehouse(world.gate.settings)
        with Gatehouse(world.gate.settings) as gate:
            gate.wait_for(lambda: len(key_ids(tmp_path)) == 1, "all to be sealed anew")


# -- keys that sign --


def test_signing_keys_roll_without_a_401(world):
    people = [world.person() for _ in range(3)]
    load = Load(people)
    load.leap(world.gate.clock, 11 * 60)  # the first keys are no longer new
    assert "published" in good(world.gate, "secrets", "rotate", "--signing")
    result = command(world.gate, "secrets", "rotate", "--signing")
    assert result.returncode == 1 and "wait to sign" in result.stdout
    [when] = re.findall(r"can be made from (\S+)Z on", result.stdout)
    now = time.time() + world.gate.clock.offset_ms / 1000
    seconds = datetime.fromisoformat(when + "+00:00").timestamp() - now
    assert 9 * 60 < seconds <= 10 * 60 + 1
    jwks = lambda: world.gate.get("/.well-known/jwks.json").json()["keys"]
    load.leap(world.gate.clock, 31)  # the keeper looks each half a minute
    world.gate.wait_for(lambda: len(jwks()) == 2, "two published keys")
    for _ in range(12):
        load.leap(world.gate.clock, 60)
        time.sleep(0.15)
    load.end()
    assert rotations(world.folder).count("signing") == 1
    assert rotations(world.folder).count("cookie") == 1
    for person in people:
        assert person.is_signed_in()


# -- values of another system --


def test_imports_what_was_fernet(tmp_path):
    head = "gAAAAABlU_EA8PHy8_T19vf4-fr7_P3-_"
    email = head + "_FbJp-7evZhWK5iBlnywQNLdtxvAcp_CV6LBuQ-_PPrd_32VDEqUOsifuCNDoRU3A=="
    env = {
        "FERNET_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "NEW_FERNET_KEY": "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
    }
    secrets = {"fernet": ["env:NEW_FERNET_KEY", "env:FERNET_KEY"]}
    with deployed(tmp_path, secrets=secrets, env=env) as world:
        world.gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
        path = tmp_path / "people.jsonl"
        wrong = email[:40] + ("A" if email[40] != "A" else "B") + email[41:]
        path.write_text("\n".join(json.dumps({"email": e}) for e in (email, wrong)))
        result = command(world.gate, "user", "import", path, env=env)
        assert result.returncode == 1 and "1 imported, 1 refused" in result.stdout
        assert "line 2: email: a Fernet token that no key" in result.stderr
        assert "ada@example.com" in good(world.gate, "user", "list", env=env)
