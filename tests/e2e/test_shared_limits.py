"""SPEC 3.9 and 6: limits that nodes share through Redis, and what happens when it is lost."""

import contextlib
import time

import pytest
import yaml

from harness.gate import config, free_port, run
from harness.identity import ENV, Person, identity_config
from harness.nodes import at, settings_of
from harness.redis_server import Redis
from harness.redis_server import program as redis_program
from harness.store import audit_rows
from harness.wire import chunked, request

LIMITS = {
    "five": {"limit": "5/minute"},
    "quick": {"limit": "5/second"},
    "burst": {"limit": "6/minute", "burst": 4},
    "many": {"limit": "40/hour"},
    "mail": {"limit": "3/hour", "key": "body:email"},
    "watched": {"limit": "2/minute", "mode": "observe"},
}


def limited(path, *names):
    return {"path": path, "upstream": "api", "access": "public", "rate_limit": list(names)}


ROUTES = [
    limited("/five", "five"),
    limited("/quick", "quick"),
    limited("/burst", "burst"),
    limited("/many", "many"),
    limited("/both", "five", "many"),
    limited("/mail", "mail", "many"),
    limited("/watched", "watched"),
    {"path": "/**", "upstream": "api", "access": "public", "rate_limit": []},
]

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not redis_program(), reason="redis-server is not installed"),
]


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.close()


def settings(backend, server, /, **changes):
    return config(backend, rate_limits=LIMITS, routes=ROUTES, trusted_proxies=["127.0.0.1/32"],
                  admin_listen=f"127.0.0.1:{free_port()}",
                  **{"redis": {"url": server.url, "timeout": "100ms"}, **changes})


def wait_shared(gate, shared=True):
    gate.wait_for(lambda: gate.metrics()['gatehouse_redis_up{use="limits"}'] == shared,
                  f"redis_up {shared}")


@pytest.fixture
def gate(start, backend, redis):
    node = start(settings(backend, redis))
    wait_shared(node)
    return node


@pytest.fixture
def nodes(start, backend, redis):
    common = settings(backend, redis)
    both = [start(settings_of(common)) for _ in range(2)]
    for node in both:
        wait_shared(node)
    return both


def from_(address):
    return [("X-Forwarded-For", address)]


def statuses(nodes, target, count, fields=()):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.connect()) for node in nodes]
        return [clients[i % len(clients)].request("GET", target, fields).status
                for i in range(count)]


def results(gate):
    name = "gatehouse_shared_limits_total"
    return {key[len(name) + 9 : -2]: value for key, value in gate.metrics().items()
            if key.startswith(name)}


# -- two nodes are one --


def test_five_a_minute_are_five_over_both(nodes):
    assert statuses(nodes, "/five", 10) == [200] * 5 + [429] * 5
    refusal = nodes[1].get("/five")
    assert refusal.problem()["detail"] == "Rate limit exceeded: 5 requests per minute"
    assert 55 <= int(refusal.get("Retry-After")) <= 60
    assert refusal.get("RateLimit-Policy") == '"five";q=5;w=60'
    assert statuses(nodes, "/five", 2, from_("198.18.0.9")) == [200] * 2


def test_remaining_counts_what_the_other_node_admitted(nodes):
    left = [nodes[i % 2].get("/five").get("RateLimit") for i in range(5)]
    assert [state.split(";")[1] for state in left] == ["r=4", "r=3", "r=2", "r=1", "r=0"]


def test_no_second_ever_admits_more_than_five_over_both(nodes):
    admitted, end = [], time.monotonic() + 4
    with nodes[0].connect() as first, nodes[1].connect() as second:
        while time.monotonic() < end:
            for client in (first, second):
                before = time.monotonic()
                if client.request("GET", "/quick").status == 200:
                    admitted.append((before, time.monotonic()))
    assert 15 <= len(admitted) <= 25
    for i in range(len(admitted) - 5):
        # Instants are whole milliseconds.
        assert admitted[i + 5][1] - admitted[i][0] >= 0.999


def test_a_burst_and_a_large_count_are_shared_too(nodes):
    assert statuses(nodes, "/burst", 6) == [200] * 4 + [429] * 2
    assert statuses(nodes, "/many", 42) == [200] * 40 + [429] * 2


def test_a_group_is_charged_whole_or_not_at_all(nodes):
    assert statuses(nodes, "/five", 5) == [200] * 5
    assert statuses(nodes, "/both", 4) == [429] * 4
    assert statuses(nodes, "/many", 41) == [200] * 40 + [429]


def test_a_field_of_the_body_is_counted_over_both(nodes):
    def send(node, email):
        body = b'{"email": "%s"}' % email.encode()
        fields = [("Content-Type", "application/json")]
        return node.request("POST", "/mail", fields, body).status

    addresses = ["a@example.com", " A@Example.com", "a@example.COM ", "a@example.com"]
    assert [send(nodes[i % 2], text) for i, text in enumerate(addresses)] == [200] * 3 + [429]
    assert send(nodes[0], "b@example.com") == 200


def test_observed_limits_are_counted_over_both_and_refuse_nobody(nodes):
    assert statuses(nodes, "/watched", 4) == [200] * 4
    counted = [node.metrics()['gatehouse_observed_total{reason="rate_limited"}'] for node in nodes]
    assert sum(counted) == 2


def test_a_body_that_comes_while_redis_is_asked_arrives_whole(gate, backend):
    body = bytes(range(256)) * 2048
    with gate.connect() as client:
        for _ in range(4):
            assert client.request("POST", "/many", body=body).status == 200
    assert [request.body for request in backend.requests[-4:]] == [body] * 4


def test_over_what_it_admitted_alone_a_node_asks_nobody(gate):
    assert statuses([gate], "/five", 5) == [200] * 5
    asked = results(gate)["decided"]
    assert statuses([gate], "/five", 50) == [429] * 50
    assert results(gate)["decided"] == asked == 5


def test_what_others_admitted_is_asked_about_once_a_second(nodes):
    assert statuses(nodes[:1], "/five", 5) == [200] * 5
    refusals = [nodes[1].get("/five") for _ in range(50)]
    assert {refusal.status for refusal in refusals} == {429}
    assert all(50 <= int(refusal.get("Retry-After")) <= 60 for refusal in refusals)
    found = results(nodes[1])
    assert found["decided"] < 20 and found["decided"] + found["remembered"] == 50


def test_questions_of_one_moment_share_a_round_trip(gate):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(16)]
        for _ in range(10):
            for i, client in enumerate(clients):
                client.send(request("GET", "/five", from_(f"198.18.1.{i}")))
            for client in clients:
                assert client.read().status in (200, 429)
    metrics = gate.metrics()
    assert metrics["gatehouse_shared_limits_commands_total"] > 5 * 16
    assert (metrics["gatehouse_shared_limits_round_trips_total"]
            <= metrics["gatehouse_shared_limits_commands_total"] + 10)


def test_keys_say_nothing_of_clients_and_all_expire(gate, redis):
    for path in ("/five", "/burst", "/many", "/both"):
        statuses([gate], path, 3, from_("203.0.113.77"))
    keys = redis.keys()
    assert len(keys) == 4  # three limits, and the secret
    assert all(key.startswith(b"{gh}") and len(key) <= 22 for key in keys)
    assert all(0 < redis.call("PTTL", key) <= 41 * 86400 * 1000 for key in keys)
    assert not any(b"203.0.113" in key for key in keys)


def test_tcp_with_a_password(start, backend):
    server = Redis(password="kestrel-41-orbit")
    try:
        common = settings(backend, server, redis="env:REDIS_URL")
        both = [start(settings_of(common), env={"REDIS_URL": server.tcp_url}) for _ in range(2)]
        for node in both:
            wait_shared(node)
            assert "kestrel" not in node.output()
        assert statuses(both, "/five", 6) == [200] * 5 + [429]
    finally:
        server.close()


# -- Redis is lost --


def said(gate, text):
    return [line for line in gate.log() if text in line.get("message", "")]


def expect_lost_and_found(gate, lose, find):
    """Service goes on with this node's own count, is told once, and is shared again by itself."""
    assert statuses([gate], "/five", 3) == [200] * 3
    lose()
    began = time.monotonic()
    assert statuses([gate], "/five", 3) == [200, 200, 429]  # what it admitted before still counts
    assert statuses([gate], "/five", 6, from_("198.18.2.1")) == [200] * 5 + [429]
    assert time.monotonic() - began < 3
    wait_shared(gate, False)
    gate.wait_output("redis is away")
    assert gate.get("/readyz", address=int(gate.settings["admin_listen"].split(":")[1])).status == 200
    statuses([gate], "/free", 20)
    assert sum(v for k, v in results(gate).items() if k not in ("decided", "remembered")) >= 1
    find()
    wait_shared(gate)
    gate.wait_output("shared again")
    decided = results(gate)["decided"]
    assert statuses([gate], "/five", 1, from_("198.18.2.2")) == [200]
    assert results(gate)["decided"] == decided + 1
    assert len(said(gate, "redis is away")) == len(said(gate, "shared again")) == 1


def test_stopped(gate, redis):
    expect_lost_and_found(gate, redis.stop, redis.start)


def test_hanging(gate, redis):
    expect_lost_and_found(gate, redis.pause, redis.resume)


def test_read_only(gate, redis):
    expect_lost_and_found(gate, redis.make_replica, redis.make_primary)


def test_full(gate, redis):
    def fill():
        redis.call("CONFIG", "SET", "maxmemory", "1")

    def empty():
        redis.call("CONFIG", "SET", "maxmemory", "0")

    expect_lost_and_found(gate, fill, empty)


def test_a_password_that_is_not_taken_any_more(start, backend):
    server = Redis(password="kestrel-41-orbit")
    try:
        gate = start(settings(backend, server, redis="env:REDIS_URL"),
                     env={"REDIS_URL": server.tcp_url.replace("kestrel", "osprey")})
        wait_shared(gate, False)
        gate.wait_output("redis is away")
        assert "osprey" not in gate.output()
        assert statuses([gate], "/five", 6) == [200] * 5 + [429]
    finally:
        server.close()


def test_hanging_makes_nobody_wait_for_long(gate, redis):
    redis.pause()
    took = []
    for i in range(20):
        began = time.monotonic()
        assert gate.get("/five", from_(f"198.18.3.{i}")).status == 200
        took.append(time.monotonic() - began)
    redis.resume()
    # Each worker waits for its time-out once, and knows then.
    assert sorted(took)[10] < 0.1
    assert max(took) < 2


@pytest.fixture
def patient(start, backend, redis):
    """A node that waits for Redis for a second."""
    node = start(settings(backend, redis, redis={"url": redis.url, "timeout": "1s"},
                          limits={"request_body": "8MiB"}))
    wait_shared(node)
    return node


def test_a_large_body_waits_with_its_request(patient, backend, redis):
    body = bytes(range(256)) * (4 * 4096)
    for fields in ((), [("Transfer-Encoding", "chunked")]):
        wait_shared(patient)
        redis.pause()
        sent = chunked(*[body[i : i + 65536] for i in range(0, len(body), 65536)]) if fields else body
        began = time.monotonic()
        assert patient.request("POST", "/many", fields, sent).status == 200
        assert time.monotonic() - began > 0.9
        assert backend.requests[-1].body == body
        redis.resume()


def test_clients_that_go_while_redis_is_asked(patient, redis, backend):
    redis.pause()
    clients = [patient.connect() for _ in range(40)]
    for i, client in enumerate(clients):
        body = b"x" * 1000 if i % 2 else None
        client.send(request("POST" if body else "GET", "/five", from_(f"198.18.5.{i}"), body))
    time.sleep(0.2)
    for client in clients:
        client.reset()
    patient.wait_access(40, reason="client_gone")
    redis.resume()
    assert len(backend.requests) == 0
    assert statuses([patient], "/five", 1, from_("198.18.5.200")) == [200]


def test_it_ends_while_redis_is_asked(patient, redis):
    redis.pause()
    with patient.connect() as client:
        client.send(request("GET", "/five"))
        time.sleep(0.1)
        patient.signal(15)
        assert client.read().status == 200  # decided alone, after the second
    assert patient.wait_exit() == 0
    redis.resume()


def test_emptied(gate, redis):
    """The shared count is lost; what this node admitted itself is not."""
    assert statuses([gate], "/five", 3) == [200] * 3
    redis.flush()
    assert statuses([gate], "/five", 3) == [200, 200, 429]
    assert said(gate, "redis is away") == []
    assert results(gate)["decided"] == 5


def test_started_again_between_two_nodes(nodes, redis):
    assert statuses(nodes, "/five", 2) == [200] * 2
    redis.restart()
    for node in nodes:
        node.wait_output("shared again")
    # Each remembers the one that it admitted; between them there are five again, and no more.
    assert statuses(nodes, "/five", 8).count(200) == 5


def test_alone_each_node_admits_at_most_the_full_limit(nodes, redis):
    assert statuses(nodes, "/five", 4) == [200] * 4
    redis.stop()
    assert statuses(nodes, "/five", 12).count(200) == 6  # three more each: two were its own
    redis.start()
    for node in nodes:
        node.wait_output("shared again")
    assert statuses(nodes, "/five", 4) == [429] * 4


def test_not_there_at_the_start(start, backend, redis):
    redis.stop()
    gate = start(settings(backend, redis))
    gate.wait_output("redis is away")
    assert statuses([gate], "/five", 6) == [200] * 5 + [429]
    redis.start()
    gate.wait_output("shared again")
    wait_shared(gate)


def test_somebody_elses_data_in_the_way(gate, redis):
    statuses([gate], "/five", 1)
    key = [key for key in redis.keys() if key.startswith(b"{gh}l:")][0]
    redis.call("DEL", key)
    redis.call("RPUSH", key, "junk")
    assert statuses([gate], "/five", 5) == [200] * 4 + [429]
    assert said(gate, "redis is away") == []


# -- settings --


def test_a_reload_goes_over_to_another_redis(start, redis, backend):
    other = Redis()
    try:
        gate = start({**settings(backend, redis), "sandbox": {"connect": other.port}})
        wait_shared(gate)
        changed = {**gate.settings, "redis": {"url": other.url, "timeout": "100ms"}}
        gate.write_config(changed)
        gate.signal(1)
        gate.wait_output("redis: its settings are new")
        gate.wait_output("configuration reloaded")
        # Workers go over one by one.
        gate.wait_for(lambda: statuses([gate], "/many", 1) and other.keys("{gh}l:*"), "its keys")
        wait_shared(gate)
        redis.flush()
        assert statuses([gate], "/five", 6, from_("198.18.4.1")) == [200] * 5 + [429]
        assert len(other.keys("{gh}l:*")) == 2
        assert redis.keys() == []
    finally:
        other.close()


def test_check_says_that_limits_are_shared(tmp_path, backend, redis):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(settings(backend, redis)))
    checked = run("check", path)
    assert checked.returncode == 0, checked.stderr
    assert "shared through Redis" in checked.stdout
    path.write_text(yaml.safe_dump(settings(backend, redis, redis=None)))
    assert "shared through Redis" not in run("check", path).stdout


# -- identity: its own limits, and the audit log --


@pytest.fixture
def people(start, backend, redis, tmp_path, database):
    """Two nodes with accounts."""
    common = identity_config(backend, tmp_path, store=database,
                             redis={"url": redis.url, "timeout": "100ms"},
                             rate_limits={"login": {"limit": "5/minute"}})
    both = [start(settings_of(common), env=ENV) for _ in range(2)]
    for node in both:
        wait_shared(node)
    return both


def test_sign_ins_of_a_client_are_counted_over_both(people):
    stranger = Person(people[0])
    found = [at(stranger, people[i % 2]).try_login().status for i in range(7)]
    assert found == [401] * 5 + [429] * 2


def test_sign_ins_to_an_account_are_counted_over_both(people):
    """The quota that identity asks for itself, from another thread."""
    email = "somebody@example.com"
    found = []
    for i in range(7):
        stranger = Person(people[i % 2], email=email)
        found.append(stranger.try_login().status)
    assert found == [401] * 5 + [429] * 2


def test_losing_and_finding_it_is_audited(start, backend, redis, tmp_path):
    gate = start(identity_config(backend, tmp_path, admin_listen=f"127.0.0.1:{free_port()}",
                                 redis={"url": redis.url, "timeout": "100ms"}), env=ENV)
    wait_shared(gate)

    def rows():
        return [row for row in audit_rows(tmp_path / "gatehouse.db")
                if row["event_type"].startswith("limits_")]

    redis.stop()
    gate.wait_for(lambda: len(rows()) == 1, "limits_degraded")
    redis.start()
    gate.wait_for(lambda: len(rows()) == 2, "limits_restored")
    lost, found = rows()
    assert (lost["event_type"], lost["outcome"]) == ("limits_degraded", "failure")
    assert "socket" in lost["metadata"]["reason"]
    assert (found["event_type"], found["outcome"]) == ("limits_restored", "success")
    assert found["metadata"]["seconds"] >= 0
