"""SPEC 5: refusals in the audit log, each once; floods as counts; checkpoints in a second place; what
happens to all of it when the process ends, is killed, or has no disk."""

import gc
import itertools
import json
import signal
import socket
import struct

import pytest

from harness.backend import Backend, answer
from harness.gate import IS_RELEASE, WAIT_SECONDS, Gatehouse, free_port, run
from harness.h2 import H2Client
from harness.h2_frames import block, head, headers, ping, rst_stream
from harness.identity import ENV, ROUTES, deployed, identity_config, new_person
from harness.store import audit_rows
from harness.wire import request
from test_identity_crash import small_disk  # noqa: F401

needs_clock = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

REFUSALS = {"request_rejected", "host_rejected", "origin_rejected", "rate_limited", "access_denied",
            "csp_violation"}
LIMITED = {"path": "/limited", "upstream": "api", "access": "public", "rate_limit": ["tight"]}
SMALL = {"path": "/small", "upstream": "api", "access": "public", "request_body": "10"}
SETTINGS = {
    "routes": [LIMITED, SMALL, *ROUTES],
    "rate_limits": {"tight": {"limit": "1/hour", "key": "client"}},
    "cors": {"origins": ["https://app.example.com"], "credentials": True},
    "csp": {"mode": "report_only", "report_path": "/csp-report"},
    "headers": {"preset": "spa"},
}
addresses = (f"203.0.113.{n}" for n in itertools.count(1))


def query(gate, *words):
    """Records in clear, newest first."""
    result = run("audit", "query", "--json", "--personal", "--limit", "100000", *words,
                 "--config", gate.config_path, env=ENV)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def refusals(gate, address):
    return [r for r in query(gate) if r["event_type"] in REFUSALS and r["ip_address"] == address]


def count_of(records):
    return sum(record["metadata"]["count"] for record in records)


def wait_refusals(gate, address, count=1):
    def found():
        records = refusals(gate, address)
        return records if count_of(records) >= count else None

    return gate.wait_for(found, f"{count} refusals of {address}")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("refusals"), **SETTINGS) as deployment:
        yield deployment


# -- each kind, once --


def ask(gate, address, method="GET", target="/public/x", fields=(), body=None, host="localhost"):
    return gate.request(method, target, [("X-Forwarded-For", address), *fields], body, host)


def foreign_preflight(gate, address):
    return ask(gate, address, "OPTIONS", fields=[
        ("Origin", "https://evil.example"), ("Access-Control-Request-Method", "DELETE")])


def over_the_limit(gate, address):
    assert ask(gate, address, target="/limited").status == 200
    return ask(gate, address, target="/limited")


KINDS = {
    "host": (lambda g, a: ask(g, a, host="evil.example"), 400,
             "host_rejected", "host_unknown", None),
    "body": (lambda g, a: ask(g, a, "POST", "/small", body=b"x" * 11), 413,
             "request_rejected", "body_too_large", "/small"),
    "preflight": (foreign_preflight, 403, "origin_rejected", "preflight_refused", "/public/**"),
    "limit": (over_the_limit, 429, "rate_limited", "rate_limited", "/limited"),
    "nobody": (lambda g, a: ask(g, a, target="/users/7/x"), 401,
               "access_denied", "not_signed_in", "/users/{user_id}/**"),
    "forged token": (lambda g, a: ask(g, a, target="/users/7/x",
                                      fields=[("Authorization", "Bearer a.b.c")]), 401,
                     "access_denied", "credential_refused", "/users/{user_id}/**"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_refusal_makes_its_event_once(world, kind):
    send, status, event, reason, route = KINDS[kind]
    address = next(addresses)
    assert send(world.gate, address).status == status
    records = wait_refusals(world.gate, address)
    assert len(records) == 1, records
    record = records[0]
    assert (record["event_type"], record["outcome"]) == (event, "failure")
    assert record["metadata"]["reason"] == reason
    assert record["metadata"].get("route") == route
    assert record["metadata"]["count"] == 1
    assert record["user_id"] is None
    assert record["request_id"]


def test_a_limit_is_named(world):
    address = next(addresses)
    over_the_limit(world.gate, address)
    assert wait_refusals(world.gate, address)[0]["metadata"]["policy"] == "tight"


@pytest.mark.parametrize("head, reason", [
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n", "malformed"),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     "framing"),
    (b"GET /../x HTTP/1.1\r\nHost: localhost\r\n\r\n", "path_above_root"),
    (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", "version"),
])
def test_what_can_not_be_read_is_in_the_log_with_the_peer(world, head, reason):
    """Who is behind a proxy is not known then."""
    with world.gate.connect() as client:
        assert client.ask(head).status in (400, 505)

    def found():
        records = refusals(world.gate, "127.0.0.1")
        return [r for r in records if r["metadata"]["reason"] == reason]

    records = world.gate.wait_for(found, reason)
    assert (len(records), records[0]["event_type"]) == (1, "request_rejected")


def test_the_one_who_is_signed_in_is_named(world):
    ann, bob = world.person(), world.person()
    assert ann.get(f"/users/{bob.id}/x").status == 403
    record = wait_refusals(world.gate, ann.address)[0]
    assert record["metadata"]["reason"] == "not_owner"
    assert record["user_id"] == record["actor_id"] == ann.id
    login = next(r for r in query(world.gate, "--event", "login") if r["user_id"] == ann.id)
    assert record["session"] == login["session"]
    assert ann.get("/admin/x").status == 403
    assert ann.post("/public/x", {}, site="cross-site").status == 403
    reasons = {r["metadata"]["reason"] for r in wait_refusals(world.gate, ann.address, 3)}
    assert reasons == {"not_owner", "role_missing", "cross_site"}


@needs_clock
def test_floods_over_http2_are_named_and_counted(tmp_path):
    """One record at once, and the rest of the minute as one with a count."""
    listens = [{"address": f"127.0.0.1:{free_port()}", "h2c": True}]
    with deployed(tmp_path, **SETTINGS, listen=listens) as world:
        gate = world.gate

        def found(count):
            records = [r for r in refusals(gate, "127.0.0.1")
                       if r["metadata"]["reason"] == "http2_flood"]
            return records if count_of(records) == count else None

        for turn in range(3):
            with H2Client(gate.address) as client:
                while client.try_send_frames(*[ping(struct.pack(">Q", n)) for n in range(50)]):
                    pass
            if turn == 0:  # those that came before it is written would count in the same record
                gate.wait_for(lambda: found(1), "the first flood")
        with H2Client(gate.address) as client:
            fields = block(head())
            stream = 1
            while client.try_send_frames(headers(stream, fields), rst_stream(stream)):
                stream += 2

        gate.clock.advance(61)
        records = gate.wait_for(lambda: found(4), "the floods")
    assert {r["event_type"] for r in records} == {"rate_limited"}
    assert sorted((r["metadata"]["policy"], r["metadata"]["count"]) for r in records) == [
        ("ping", 1), ("ping", 2), ("resets", 1)]


def test_reports_of_browsers_are_counted_by_directive(world):
    address = next(addresses)
    body = json.dumps([{"type": "csp-violation", "body": {"effectiveDirective": name}}
                       for name in ("img-src", "img-src", "https://evil.example/?token=1")])
    fields = [("Content-Type", "application/reports+json")]
    assert ask(world.gate, address, "POST", "/csp-report", fields, body.encode()).status == 204
    records = wait_refusals(world.gate, address, 3)
    counts = {r["metadata"]["directive"]: r["metadata"]["count"] for r in records}
    assert counts == {"img-src": 2, "other": 1}


def test_what_is_no_refusal_makes_no_record(world):
    address, last = next(addresses), next(addresses)
    assert ask(world.gate, address).status == 200
    world.backend.answer = answer(404)
    try:
        assert ask(world.gate, address).status == 404
    finally:
        world.backend.answer = Backend.OK if hasattr(Backend, "OK") else answer(200)
    assert ask(world.gate, address, "POST", "/csp-report", body=b"no report").status == 204
    ask(world.gate, last, target="/users/7/x")
    wait_refusals(world.gate, last)
    assert refusals(world.gate, address) == []


# -- floods --


def flood(gate, address, count, target="/users/7/x", status=b"401"):
    """That many refusals over one connection, all of them answered."""
    one = request("GET", target, [("X-Forwarded-For", address)])
    with gate.connect() as client:
        for begin in range(0, count, 50):
            client.send(one * min(50, count - begin))
            for _ in range(min(50, count - begin)):
                assert client.read().status == int(status)


@needs_clock
def test_a_flood_is_two_records_a_minute_with_the_exact_sum(world):
    address, other = next(addresses), next(addresses)
    flood(world.gate, address, 5000)
    wait_refusals(world.gate, address)
    world.gate.clock.advance(61)
    records = wait_refusals(world.gate, address, 5000)
    assert count_of(records) == 5000
    assert len(records) == 2
    ask(world.gate, other, target="/users/7/x")
    wait_refusals(world.gate, other)
    assert len(refusals(world.gate, address)) == 2


# -- checkpoints --


def verify(folder, gate_or_config, *words):
    return run("audit", "verify", *words, "--config", gate_or_config, env=ENV)


def notes_of(path):
    if not path.exists():
        return []
    blocks = path.read_text().split("\n\n")
    return [b for b in blocks if b.startswith("gatehouse/audit/")]


def test_checkpoints_reach_a_file_and_verify(backend, tmp_path):
    path = tmp_path / "checkpoints"
    settings = identity_config(backend, tmp_path, audit={
        "checkpoint": {"records": 3, "interval": "1h", "export": [f"file:{path}"]}})
    with Gatehouse(settings, env=ENV) as gate:
        gate.wait_for(lambda: new_person(gate) and len(notes_of(path)) >= 2, "two checkpoints")
        done = verify(tmp_path, gate.config_path, "--checkpoint", path)
        assert done.returncode == 0, done.stdout + done.stderr
        gate.stop()
        rows = audit_rows(tmp_path / "gatehouse.db")
        assert rows[-1]["event_type"] == "audit_checkpoint"
        last = notes_of(path)[-1].splitlines()
        assert int(last[1]) == rows[-2]["seq"]
        assert last[2]
        done = verify(tmp_path, gate.config_path, "--checkpoint", path)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_clock
def test_what_is_new_is_signed_after_a_while_and_then_nothing(backend, tmp_path):
    path = tmp_path / "checkpoints"
    settings = identity_config(backend, tmp_path, audit={
        "checkpoint": {"records": 1000, "interval": "60s", "export": [f"file:{path}"]}})
    with Gatehouse(settings, env=ENV) as gate:
        new_person(gate)
        gate.wait_for(lambda: audit_rows(tmp_path / "gatehouse.db"), "records")
        assert notes_of(path) == []
        def signed():
            gate.clock.advance(61)
            return notes_of(path)
        gate.wait_for(signed, "a checkpoint")
        count = len(audit_rows(tmp_path / "gatehouse.db"))
        for _ in range(5):
            gate.clock.advance(3600)
            ask(gate, next(addresses))
        assert len(audit_rows(tmp_path / "gatehouse.db")) == count


def test_a_webhook_that_fails_gets_what_it_missed(backend, tmp_path):
    with Backend(answer(500)) as hook:
        settings = identity_config(backend, tmp_path, audit={
            "checkpoint": {"records": 1, "export": [f"{hook.url}/notes"]}})
        with Gatehouse(settings, env=ENV) as gate:
            new_person(gate)
            hook.wait_requests(1)
            gate.wait_output("do not reach")
            hook.answer = answer(204)
            gate.wait_output("takes the log again")
        sent = json.loads(hook.last.body)
        assert all(r["event_type"] == "audit_checkpoint" for r in sent)
        assert sent[0]["metadata"]["note"].startswith("gatehouse/audit/")


def test_records_go_to_a_file_while_they_are_written_and_verify(backend, tmp_path):
    path, keys = tmp_path / "records", tmp_path / "keys"
    settings = identity_config(backend, tmp_path, audit={
        "checkpoint": {"records": 2}, "export": [f"file:{path}"]})
    for _ in range(2):  # a restart goes on behind the last record
        with Gatehouse(settings, env=ENV) as gate:
            new_person(gate)
            keys.write_text(run("audit", "public-key", "--config", gate.config_path,
                                env=ENV).stdout)
    rows = audit_rows(tmp_path / "gatehouse.db")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [row["seq"] for row in rows]
    done = run("audit", "verify", path, "--public-key", keys)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_of_another_log_is_told_of_and_gone_on_with(backend, tmp_path):
    path = tmp_path / "records"
    settings = identity_config(backend, tmp_path, audit={"export": [f"file:{path}"]})
    with Gatehouse(settings, env=ENV) as gate:
        for _ in range(3):
            new_person(gate)
    before = len(path.read_text().splitlines())
    for old in tmp_path.glob("gatehouse.db*"):
        old.unlink()
    with Gatehouse(settings, env=ENV) as gate:
        gate.wait_output("holds records that this log does not have")
        new_person(gate)
    assert len(path.read_text().splitlines()) - before == len(
        audit_rows(tmp_path / "gatehouse.db"))


def test_syslog_gets_checkpoints(backend, tmp_path):
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(WAIT_SECONDS)
        settings = identity_config(backend, tmp_path, audit={
            "checkpoint": {"records": 1, "export": [f"syslog:{path}"]}})
        with Gatehouse(settings, env=ENV) as gate:
            new_person(gate)
            message = log.recv(100000).decode()
    assert message.startswith("<110>1 ") and " audit_checkpoint " in message, message


@needs_clock
def test_what_is_too_old_goes_and_the_rest_verifies(backend, tmp_path):
    settings = identity_config(backend, tmp_path, audit={
        "retention": "2d", "checkpoint": {"records": 2}})
    with Gatehouse(settings, env=ENV) as gate:
        people = [new_person(gate) for _ in range(4)]
        ask(gate, next(addresses), target="/users/7/x")

        def rows_of(event):
            return [r["seq"] for r in audit_rows(tmp_path / "gatehouse.db")
                    if r["event_type"] == event]

        def signed():
            refused, notes = rows_of("access_denied"), rows_of("audit_checkpoint")
            gate.clock.advance(61)
            return refused and notes and refused[0] < notes[-1] and refused[0]

        old = gate.wait_for(signed, "a checkpoint over the refusal")
        gate.clock.advance(3 * 86400)
        ask(gate, next(addresses), target="/users/7/x")

        def dropped():
            gate.clock.advance(3601)
            return audit_rows(tmp_path / "gatehouse.db")[0]["seq"] > old

        gate.wait_for(dropped, "the old to be dropped")
        gate.wait_output("too old and dropped")
        done = verify(tmp_path, gate.config_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert people


# -- reloads, metrics --


def test_reloads_are_in_the_log(start, backend, tmp_path):
    settings = identity_config(backend, tmp_path, admin_listen=f"127.0.0.1:{free_port()}")
    gate = start(settings, env=ENV)
    gate.signal(signal.SIGHUP)
    gate.wait_output("configuration reloaded")
    gate.config_path.write_text("version: 1\nhostss: []\n")
    gate.signal(signal.SIGHUP)
    gate.wait_output("reload refused")
    gate.write_config(settings)

    def both():
        rows = audit_rows(tmp_path / "gatehouse.db")
        rows = [r for r in rows if r["event_type"] == "config_reloaded"]
        return rows if len(rows) == 2 else None

    assert [r["outcome"] for r in gate.wait_for(both, "two records")] == ["success", "failure"]
    name = 'gatehouse_audit_records_total{event="config_reloaded"}'
    gate.wait_for(lambda: gate.metrics()[name] == 2, "the metric")
    assert gate.metrics()["gatehouse_audit_failing"] == 0


# -- ends --


def stored_counts(folder, reason):
    rows = audit_rows(folder / "gatehouse.db")
    return sum(r["metadata"]["count"] for r in rows if r["metadata"].get("reason") == reason)


def test_an_end_loses_nothing(backend, tmp_path):
    settings = identity_config(backend, tmp_path)
    with Gatehouse(settings, env=ENV) as gate:
        flood(gate, next(addresses), 700)
        flood(gate, next(addresses), 33, target="/../x", status=b"400")
        gate.stop()
    assert stored_counts(tmp_path, "not_signed_in") == 700
    assert stored_counts(tmp_path, "path_above_root") == 33
    assert audit_rows(tmp_path / "gatehouse.db")[-1]["event_type"] == "audit_checkpoint"


def test_a_kill_loses_a_moment_and_breaks_nothing(backend, tmp_path):
    settings = identity_config(backend, tmp_path)
    gate = Gatehouse(settings, env=ENV)
    try:
        person = new_person(gate)
        kinds = [next(addresses) for _ in range(30)]
        for address in kinds:
            ask(gate, address, target="/users/7/x")
        gate.wait_for(lambda: stored_counts(tmp_path, "not_signed_in") == 30, "all kinds")
        late = next(addresses)
        ask(gate, late, target="/users/7/x")
        gate.process.send_signal(signal.SIGKILL)
        gate.process.wait(WAIT_SECONDS)
        gate.stopped = True
    finally:
        gate.__exit__(None)
    assert stored_counts(tmp_path, "not_signed_in") in (30, 31)
    with Gatehouse(settings, env=ENV) as again:
        done = verify(tmp_path, again.config_path)
        assert done.returncode == 0, done.stdout + done.stderr
        person.gate = again
        person.login()


# -- a full disk --


def fill(folder):
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return ballast


@needs_clock
def test_with_a_full_disk_traffic_goes_on_and_counts_are_kept(backend, small_disk):  # noqa: F811
    settings = identity_config(backend, small_disk, admin_listen=f"127.0.0.1:{free_port()}")
    with Gatehouse(settings, env=ENV) as gate:
        person = new_person(gate)
        ballast = fill(small_disk)
        sent = itertools.count(1)

        def failing():
            for _ in range(20):
                last.append(next(sent))
                address = f"192.0.2.{last[-1] % 250 + 1}"
                assert ask(gate, address, target=f"/users/7/x").status == 401
            gate.clock.advance(61)
            return gate.metrics()["gatehouse_audit_failing"] == 1

        last = []
        gate.wait_for(failing, "the disk to be full for the log")
        gate.wait_output("requests are served all the same")
        flood(gate, "192.0.2.99", 300)
        assert person.get("/public/x").status == 200
        waiting = gate.metrics()["gatehouse_audit_waiting"]
        assert waiting > 0
        ballast.unlink()
        gate.wait_output("the log is written again")
        gate.clock.advance(61)
        gate.wait_for(lambda: stored_counts(small_disk, "not_signed_in") == len(last) + 300,
                      "every refusal")
        gate.wait_for(lambda: gate.metrics()["gatehouse_audit_failing"] == 0, "no failure")
        done = verify(small_disk, gate.config_path)
        assert done.returncode == 0, done.stdout + done.stderr
    gc.collect()  # Python keeps the store's file open, and the disk busy, until then
