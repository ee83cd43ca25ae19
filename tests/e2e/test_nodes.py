"""Several nodes over one PostgreSQL: one system."""

import json
import signal
import threading
import time

import pytest

from harness.gate import run
from harness.identity import ENV, OTHER_PASSWORD, Mailbox, Person, link_token, new_person
from harness.nodes import at, node_config, settings_of, start_nodes
from harness.relay import Relay
from harness.wire import ConnectionEnded
from test_identity_races import in_parallel, statuses

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]


@pytest.fixture
def name(postgres_server):
    return postgres_server.database()


@pytest.fixture
def settings(backend, tmp_path, postgres_server, name):
    return node_config(backend, tmp_path, postgres_server.url(name))


def wait_refused(person, seconds=1.0):
    """Until signed-in requests are refused; fails when one that began later was let in."""
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        status = person.get("/anything").status
        if status == 401:
            return
        assert status == 200, status
        assert began < deadline, f"let in {seconds} s after the session had ended"
        time.sleep(0.02)


def verdict_of(tmp_path, settings):
    path = tmp_path / "verify.yaml"
    path.write_text(json.dumps(settings))
    result = run("audit", "verify", "--json", "--config", path, env=ENV)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    return json.loads(result.stdout)


# ---- One account, one session, wherever one is sent ----


def test_a_session_holds_on_every_node(start, settings):
    first, second = start_nodes(start, settings, 2)
    person = new_person(first)
    assert person.get("/anything").status == 200
    assert at(person, second).get("/anything").status == 200
    assert person.refresh().status == 200
    assert at(person, first).get("/anything").status == 200
    assert person.refresh().status == 200
    assert at(person, second).get("/anything").status == 200


def test_a_logout_is_seen_on_the_others_within_a_second(start, settings):
    nodes = start_nodes(start, settings, 3)
    for gate in nodes:
        person = new_person(gate)
        elsewhere = [at(person.other_browser(), other) for other in nodes if other is not gate]
        for browser in elsewhere:
            browser.cookies = dict(person.cookies)
            assert browser.get("/anything").status == 200
        assert person.api("POST", "/auth/logout").status == 200
        for browser in elsewhere:
            wait_refused(browser)


def test_a_disabled_account_is_out_on_every_node_within_a_second(start, settings, tmp_path):
    first, second = start_nodes(start, settings, 2)
    person = new_person(first)
    at(person, second)
    assert person.get("/anything").status == 200
    assert at(person, first).api(
        "POST", "/account/password",
        {"current_password": person.password, "new_password": OTHER_PASSWORD}).status == 200
    other = person.other_browser()
    other.password = OTHER_PASSWORD
    at(other, second).login()
    deleted = at(other, first).api("DELETE", "/account", {"password": OTHER_PASSWORD})
    assert deleted.status in (200, 204), deleted
    wait_refused(at(other, second))
    assert at(other, second).try_login().status == 401


def test_sign_ups_of_one_address_on_three_nodes_make_one_account(start, settings, postgres_server,
                                                                 name):
    nodes = start_nodes(start, settings, 3)
    answers = in_parallel(
        30, lambda i: Person(nodes[i % 3], email="one@example.com").sign_up())
    assert statuses(answers).count(201) == 1, statuses(answers)
    assert set(statuses(answers)) <= {201, 409, 422}
    assert postgres_server.query("SELECT count(*) FROM accounts", name) == [["1"]]
    assert postgres_server.query(
        "SELECT count(*) FROM security_audit_log WHERE event_type = 'signup' "
        "AND outcome = 'success'", name) == [["1"]]


def test_refreshes_that_race_over_nodes_leave_one_family(start, settings, postgres_server, name):
    nodes = start_nodes(start, settings, 3)
    person = new_person(nodes[0])

    def refresh(index):
        browser = at(person.other_browser(), nodes[index % 3])
        browser.cookies = dict(person.cookies)
        answer = browser.refresh()
        return browser, answer

    answers = in_parallel(30, refresh)
    assert {answer.status for _, answer in answers} == {200}
    successors = {b.cookies.get("gh_refresh") or b.cookies.get("__Secure-gh_refresh")
                  for b, _ in answers}
    assert len(successors) == 1 and None not in successors
    assert postgres_server.query(
        "SELECT count(*) FROM sessions WHERE revoked_us = 0", name) == [["1"]]
    for browser, _ in answers[:3]:
        assert browser.get("/anything").status == 200


def test_a_code_is_good_once_over_all_nodes(start, settings):
    nodes = start_nodes(start, settings, 2)
    person = new_person(nodes[0])
    person.enrol()
    waiting = []
    for index in range(20):
        other = Person(nodes[index % 2], email=person.email, address=f"198.51.100.{index + 1}")
        waiting.append((other, other.try_login().json()["challenge"]))
    code = person.next_code()
    for gate in nodes:
        gate.clock.advance((nodes[0].clock.offset_ms - gate.clock.offset_ms) / 1000)
    answers = in_parallel(20, lambda i: waiting[i][0].second_step(waiting[i][1], code))
    assert statuses(answers).count(200) == 1, statuses(answers)


def test_nodes_that_start_at_once_on_an_empty_database_share_their_keys(start, settings,
                                                                        postgres_server, name):
    gates = [start(settings_of(settings), env=ENV, wait=False) for _ in range(3)]
    for gate in gates:
        gate.wait_ready()
    people = [new_person(gate) for gate in gates]
    for person in people:
        for gate in gates:
            assert at(person, gate).get("/anything").status == 200
    # Of each purpose that has one key at a time, one is in use.
    rows = postgres_server.query(
        "SELECT purpose, count(*) FROM keys WHERE retired_us = 0 GROUP BY purpose", name)
    assert {purpose: count for purpose, count in rows if count != "1"} == {}


# ---- The log ----


def test_one_verification_covers_the_chains_of_all_nodes(start, settings, tmp_path,
                                                         postgres_server, name):
    nodes = start_nodes(start, settings, 3)
    for gate in nodes:
        for _ in range(5):
            new_person(gate)
    for gate in nodes:
        gate.stop()
    chains = postgres_server.query(
        "SELECT chain, count(*) FROM security_audit_log GROUP BY chain ORDER BY chain", name)
    assert len(chains) == 3, chains
    assert postgres_server.query("SELECT count(*) FROM audit_unsealed", name) == [["0"]]
    verdict = verdict_of(tmp_path, settings)
    assert verdict["intact"] and verdict["records"] == sum(int(count) for _, count in chains)

    postgres_server.query(
        "UPDATE security_audit_log SET user_id = 'x' WHERE chain = 2 AND seq = 3", name)
    verdict = verdict_of(tmp_path, settings)
    assert not verdict["intact"]
    assert (verdict["chain"], verdict["seq"]) == (2, 3)


def test_a_chain_that_somebody_invented_is_no_part_of_an_intact_log(start, settings, tmp_path,
                                                                    postgres_server, name):
    gate = start_nodes(start, settings, 1)[0]
    new_person(gate)
    gate.stop()
    verdict = verdict_of(tmp_path, settings)
    assert verdict["intact"] and verdict["records"]
    facts = "seq, time, event_type, outcome, metadata, prev_hash, hash"
    postgres_server.query(f"INSERT INTO security_audit_log (chain, {facts}) SELECT 77, {facts} FROM "
                          "security_audit_log WHERE chain = 1", name)
    result = run("audit", "verify", "--config", tmp_path / "verify.yaml", env=ENV)
    assert result.returncode == 1, result.stdout + result.stderr
    verdict = verdict_of(tmp_path, settings)
    assert (verdict["fault"], verdict["chain"], verdict["seq"]) == ("unreadable", 77, 1)

    count = "SELECT count(*) FROM security_audit_log WHERE chain "
    before = postgres_server.query(count + "= 77", name)
    gate = start_nodes(start, settings, 1)[0]
    new_person(gate)
    gate.stop()
    assert postgres_server.query(count + "= 77", name) == before
    assert postgres_server.query(count + "NOT IN (1, 77)", name) == [["0"]]


def test_a_node_that_is_killed_under_load_loses_nothing_acknowledged(start, settings, tmp_path,
                                                                     postgres_server, name):
    nodes = start_nodes(start, settings, 2)
    done = [[], []]

    def sign_up(index):
        try:
            while True:
                person = Person(nodes[index % 2])
                if person.sign_up().status == 201:
                    done[index % 2].append(person.email)
        except (ConnectionEnded, OSError):
            pass

    threads = [threading.Thread(target=sign_up, args=(index,), daemon=True) for index in range(6)]
    for thread in threads:
        thread.start()
    nodes[0].wait_for(lambda: len(done[0]) >= 20 and len(done[1]) >= 20, "sign-ups on both nodes")
    nodes[0].process.send_signal(signal.SIGKILL)
    nodes[0].process.wait()
    nodes[0].stopped = True
    survivors = len(done[1])
    nodes[1].wait_for(lambda: len(done[1]) >= survivors + 5, "sign-ups on the node that is left")
    nodes[1].process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    nodes[1].wait_exit()

    acknowledged = len(done[0]) + len(done[1])
    [[accounts]] = postgres_server.query("SELECT count(*) FROM accounts", name)
    assert int(accounts) >= acknowledged
    # What the killed one left unsealed is sealed by whoever comes next.
    third = start(settings_of(settings), env=ENV)
    for email in done[0][-3:] + done[1][-3:]:
        Person(third, email=email).login()
    third.wait_for(lambda: postgres_server.query("SELECT count(*) FROM audit_unsealed", name)
                   == [["0"]], "all records sealed")
    [[signups]] = postgres_server.query(
        "SELECT count(*) FROM security_audit_log WHERE event_type = 'signup' "
        "AND outcome = 'success'", name)
    assert signups == accounts  # each change and its event are one transaction
    third.stop()
    assert verdict_of(tmp_path, settings)["intact"]


# ---- The network ----


def test_a_node_without_its_database_lets_nobody_in_and_comes_back(start, backend, tmp_path,
                                                                   postgres_server, name):
    relay = Relay(postgres_server.port)
    settings = node_config(backend, tmp_path, postgres_server.url(name))
    cut_off = start(settings_of(settings, store=postgres_server.url(name, relay.port)), env=ENV)
    healthy = start(settings_of(settings), env=ENV)
    person = new_person(cut_off)
    assert person.get("/anything").status == 200
    relay.cut()
    cut_off.wait_for(lambda: person.get("/anything").status == 503, "signed-in requests refused")
    answer = person.get("/anything")
    assert answer.status == 503 and answer.get("Retry-After")
    assert person.get("/public/x").status == 200
    assert person.try_login().status == 503
    assert at(person, healthy).get("/anything").status == 200
    assert person.api("POST", "/auth/logout").status == 200
    relay.mend()
    at(person, cut_off)
    cut_off.wait_for(lambda: person.get("/anything").status != 503, "the node back")
    assert person.get("/anything").status == 401  # what happened meanwhile was read back
    cut_off.wait_for(lambda: Person(cut_off).sign_up().status == 201, "changes again")
    cut_off.stop()
    relay.close()


def test_a_silent_network_to_the_database_is_a_lost_one(start, backend, tmp_path, postgres_server,
                                                        name):
    relay = Relay(postgres_server.port)
    settings = node_config(backend, tmp_path, postgres_server.url(name))
    gate = start(settings_of(settings, store=postgres_server.url(name, relay.port)), env=ENV)
    person = new_person(gate)
    relay.hold()
    gate.wait_for(lambda: person.get("/anything").status == 503, "signed-in requests refused")
    assert person.get("/public/x").status == 200
    relay.mend()
    gate.wait_for(lambda: person.get("/anything").status == 200, "the node back")
    gate.stop()
    relay.close()


@pytest.mark.parametrize("silent", [False, True], ids=["cut", "silent"])
def test_a_node_without_its_database_ends_when_it_is_asked_to(start, backend, tmp_path,
                                                              postgres_server, name, silent):
    relay = Relay(postgres_server.port)
    settings = node_config(backend, tmp_path, postgres_server.url(name))
    gate = start(settings_of(settings, store=postgres_server.url(name, relay.port)), env=ENV)
    new_person(gate)
    if silent:
        relay.hold()
    else:
        relay.cut()
    gate.signal(signal.SIGTERM)
    assert gate.wait_exit(15) == 0
    relay.close()


def test_a_database_that_restarts_is_gone_on_with(start, backend, tmp_path, own_postgres):
    name = own_postgres.database()
    settings = node_config(backend, tmp_path, own_postgres.url(name))
    first, second = start_nodes(start, settings, 2)
    person = new_person(first)
    own_postgres.stop(3)
    second.wait_for(lambda: at(person, second).get("/anything").status == 503, "a lost database")
    assert person.get("/public/x").status == 200
    own_postgres.start()
    for gate in (first, second):
        gate.wait_for(lambda g=gate: at(person, g).get("/anything").status == 200, "it is back")
        new_person(gate)
    first.stop()
    second.stop()
    verdict = verdict_of(tmp_path, settings)
    assert verdict["intact"], verdict


# ---- Mails and links ----


def test_a_mail_is_sent_once_by_whichever_node(start, backend, tmp_path, postgres_server, name):
    settings = node_config(backend, tmp_path, postgres_server.url(name),
                           {"email_verification": "required"})
    nodes = start_nodes(start, settings, 3)
    people = [Person(nodes[index % 3]) for index in range(12)]
    for person in people:
        assert person.sign_up().status == 202
    mailbox = Mailbox(nodes[0], tmp_path)
    for index, person in enumerate(people):
        [mail] = mailbox.wait(person.email)
        other = at(person, nodes[(index + 1) % 3])
        assert other.api("POST", "/auth/email/verify", {"token": link_token(mail)}).status == 200
        other.login()
    assert len(mailbox.all()) == len(people)
