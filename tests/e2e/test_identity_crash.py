"""Killed in the middle, and a disk that is full: what was acknowledged stays, nothing is half done."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from harness.gate import Gatehouse
from harness.identity import ENV, OTHER_PASSWORD, Person, identity_config, new_person
from harness.wire import ConnectionEnded


def work_until_killed(gate, workers):
    """Runs each worker on a thread until the gate is gone."""

    def run(worker):
        try:
            while True:
                worker()
        except (ConnectionEnded, OSError):
            pass

    threads = [threading.Thread(target=run, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    return threads


def kill(gate, threads):
    gate.process.send_signal(signal.SIGKILL)
    gate.process.wait()
    gate.stopped = True
    for thread in threads:
        thread.join()


def rows(folder, sql):
    store = sqlite3.connect(f"file:{folder}/gatehouse.db?mode=ro", uri=True)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def assert_nothing_is_half_done(folder):
    [(verdict,)] = rows(folder, "PRAGMA integrity_check")
    assert verdict == "ok"
    assert rows(folder, "PRAGMA foreign_key_check") == []
    [(accounts,)] = rows(folder, "SELECT count(*) FROM accounts")
    [(recorded,)] = rows(
        folder, "SELECT count(*) FROM security_audit_log WHERE event_type = 'signup'"
    )
    assert accounts == recorded  # each change and its event are one transaction


class SignUps:
    """Makes accounts; those that were acknowledged are kept."""

    def __init__(self, gate):
        self.gate = gate
        self.done = []

    def __call__(self):
        person = Person(self.gate)
        if person.sign_up().status == 201:
            self.done.append(person)


class Refreshes:
    def __init__(self, person, token):
        self.person = person
        self.token = token

    def __call__(self):
        response = self.person.api("POST", "/auth/refresh", {"refresh_token": self.token})
        if response.status == 200:
            self.token = json.loads(response.body)["refresh_token"]


class PasswordChanges:
    """Goes back and forth between two passwords; the last that was acknowledged holds, or the one
    that was on its way."""

    def __init__(self, person, headers):
        self.person = person
        self.headers = headers
        self.now, self.next = person.password, OTHER_PASSWORD

    def __call__(self):
        body = {"current_password": self.now, "new_password": self.next}
        response = self.person.api("POST", "/account/password", body, extra=self.headers)
        if response.status == 200:
            self.now, self.next = self.next, self.now


def bearer_person(gate):
    person = Person(gate)
    assert person.sign_up().status == 201
    return person, person.login()


@pytest.mark.parametrize("turn", range(3))
def test_a_kill_loses_nothing_that_was_acknowledged(start, backend, tmp_path, turn):
    settings = identity_config(backend, tmp_path, {"transport": "bearer"}, rate_limits={
        name: {"limit": "100000/second"}
        for name in ("login", "signup", "two_factor", "refresh", "reset", "password")})
    gate = Gatehouse(settings, env=ENV)
    try:
        sign_ups = [SignUps(gate) for _ in range(3)]
        person, grant = bearer_person(gate)
        refreshes = Refreshes(person, grant["refresh_token"])
        other, grant = bearer_person(gate)
        changes = PasswordChanges(
            other, [("Authorization", f"Bearer {grant['access_token']}")])
        threads = work_until_killed(gate, [*sign_ups, refreshes, changes])
        gate.wait_for(lambda: sum(len(s.done) for s in sign_ups) > 10 + 5 * turn, "some accounts")
        kill(gate, threads)
    finally:
        gate.__exit__(None)
    assert_nothing_is_half_done(tmp_path)
    again = start(settings, env=ENV)
    for made in [made for each in sign_ups for made in each.done]:
        made.gate = again
        assert made.try_login().status == 200
    person.gate = other.gate = again
    kept = person.api("POST", "/auth/refresh", {"refresh_token": refreshes.token})
    assert kept.status == 200
    worked = [other.try_login(p).status for p in (changes.now, changes.next)]
    assert sorted(worked) == [200, 401]


# -- a full disk --


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "gatehouse-test", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_and_goes_on_afterwards(backend, small_disk):
    settings = identity_config(backend, small_disk)
    with Gatehouse(settings, env=ENV) as gate:
        ann = new_person(gate)
        ballast = small_disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        made, refused = [], 0
        while refused < 3:
            person = Person(gate)
            status = person.sign_up().status
            assert status in (201, 503)
            refused += status == 503
            if status == 201:
                made.append(person)
        assert ann.get("/public/x").status == 200  # traffic goes on
        ballast.unlink()
        late = Person(gate)
        assert gate.wait_for(lambda: late.sign_up().status in (201, 409), "an account again")
        for person in [*made, late]:
            person.login()
    assert_nothing_is_half_done(small_disk)
