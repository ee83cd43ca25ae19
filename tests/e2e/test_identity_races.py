"""Many at once: what is good once is good once, and honest parallel calls all succeed."""

import json
import threading

from harness.identity import ENV, Mailbox, Person, identity_config, link_token, new_person, totp
from harness.store import number


def in_parallel(count, ask):
    """ask(0..count-1) at the same moment, each on a thread; the answers in order."""
    barrier = threading.Barrier(count)
    answers = [None] * count

    def run(index):
        barrier.wait()
        answers[index] = ask(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers
    return answers


def statuses(answers):
    return [answer.status for answer in answers]


def enrolled(gate):
    person = new_person(gate)
    codes = person.enrol()
    return person, codes


def challenges(gate, person, count):
    """As many sign-ins that wait for their second step, each from an address of its own."""
    found = []
    for index in range(count):
        other = Person(gate, email=person.email, address=f"198.51.100.{index + 1}")
        found.append((other, json.loads(other.try_login().body)["challenge"]))
    return found


# Fifty tries of one account: its own limits would refuse most of them before they could race.
MANY = {
    name: {"limit": "100000/second"}
    for name in ("login", "signup", "two_factor", "refresh", "reset", "reset_token", "password")
}


def settings_of(backend, tmp_path, **identity):
    return identity_config(backend, tmp_path, identity, rate_limits=MANY)


def test_one_code_opens_one_session(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path), env=ENV)
    person, _ = enrolled(gate)
    waiting = challenges(gate, person, 50)
    code = person.next_code()
    answers = in_parallel(50, lambda i: waiting[i][0].second_step(waiting[i][1], code))
    assert statuses(answers).count(200) == 1
    assert set(statuses(answers)) <= {200, 401, 429}


def test_one_recovery_code_opens_one_session(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path), env=ENV)
    person, codes = enrolled(gate)
    waiting = challenges(gate, person, 50)
    answers = in_parallel(50, lambda i: waiting[i][0].second_step(waiting[i][1], codes[0]))
    assert statuses(answers).count(200) == 1
    assert set(statuses(answers)) <= {200, 401, 429}


def test_one_reset_link_sets_one_password(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path), env=ENV)
    person = new_person(gate)
    person.api("POST", "/account/password/reset-request", {"email": person.email})
    token = link_token(Mailbox(gate, tmp_path).wait(person.email, subject="password")[0])

    def reset(index):
        body = {"token": token, "new_password": f"harbour-{index:02d}-violet-anchor"}
        return Person(gate).api("POST", "/account/password/reset", body)

    answers = in_parallel(50, reset)
    assert statuses(answers).count(200) == 1
    winner = statuses(answers).index(200)
    assert person.try_login(f"harbour-{winner:02d}-violet-anchor").status == 200


def test_parallel_tabs_get_one_successor(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path, transport="bearer"), env=ENV)
    person = Person(gate)
    person.sign_up()
    token = person.login()["refresh_token"]

    def refresh(_):
        return Person(gate).api("POST", "/auth/refresh", {"refresh_token": token})

    answers = in_parallel(20, refresh)
    assert statuses(answers) == [200] * 20
    successors = {json.loads(answer.body)["refresh_token"] for answer in answers}
    assert len(successors) == 1 and token not in successors
    [successor] = successors
    gate.clock.advance(11)
    assert Person(gate).api("POST", "/auth/refresh", {"refresh_token": successor}).status == 200
    bearer = [("Authorization", f"Bearer {json.loads(answers[0].body)['access_token']}")]
    sessions = Person(gate).api("GET", "/account/sessions", extra=bearer)
    assert len(json.loads(sessions.body)["sessions"]) == 1


def test_a_token_that_comes_again_ends_its_family_once(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path, transport="bearer"), env=ENV)
    person = Person(gate)
    person.sign_up()
    other_device = Person(gate, email=person.email)
    kept = other_device.login()["refresh_token"]
    first = person.login()["refresh_token"]
    rotated = json.loads(person.api("POST", "/auth/refresh", {"refresh_token": first}).body)
    gate.clock.advance(11)

    def replay(_):
        return Person(gate).api("POST", "/auth/refresh", {"refresh_token": first})

    assert set(statuses(in_parallel(50, replay))) == {401}
    after = {"refresh_token": rotated["refresh_token"]}
    assert Person(gate).api("POST", "/auth/refresh", after).status == 401
    bearer = [("Authorization", f"Bearer {rotated['access_token']}")]
    assert Person(gate).api("GET", "/auth/session", extra=bearer).status == 401
    assert Person(gate).api("POST", "/auth/refresh", {"refresh_token": kept}).status == 200
    revoked = "SELECT count(*) FROM security_audit_log WHERE event_type = 'session_revoked'"
    assert number(tmp_path, revoked) == 1


def test_one_address_makes_one_account(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path), env=ENV)

    def sign_up(_):
        return Person(gate, email="same@example.com").sign_up()

    assert sorted(statuses(in_parallel(20, sign_up))) == [201] + [409] * 19


def test_two_admins_cant_remove_each_other(start, backend, tmp_path):
    gate = start(settings_of(backend, tmp_path, two_factor={"required_for": []}), env=ENV)
    gate.wait_output("there is no admin yet")
    token = (tmp_path / "setup-token").read_text(encoding="utf-8").strip()
    ann, bob = Person(gate), new_person(gate)
    body = {"token": token, "email": ann.email, "password": ann.password}
    assert ann.api("POST", "/auth/setup", body).status == 201
    ann.login()
    path = f"/admin/users/{bob.id}/role"
    assert ann.api("PATCH", path, {"roles": ["user", "admin"]}).status == 200
    bob.login()
    ends = [(ann, bob), (bob, ann)]
    answers = in_parallel(
        2, lambda i: ends[i][0].api("PATCH", f"/admin/users/{ends[i][1].id}/role", {"role": "user"})
    )
    assert sorted(statuses(answers))[0] == 200
    assert sorted(statuses(answers))[1] in (401, 403, 409)


def test_totp_of_rfc_6238():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert totp(secret, 59) == "287082"
    assert totp(secret, 1111111109) == "081804"
