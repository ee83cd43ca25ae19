"""SPEC 6: a session that ended on one node is refused on the others within a second: at once
through Redis, and by reading the store whatever becomes of Redis."""

import socket
import time

import pytest

from harness.backend import OK, Backend
from harness.gate import free_port
from harness.identity import ENV, new_person
from harness.nodes import at, node_config, settings_of
from harness.redis_server import Redis
from harness.redis_server import program as redis_program
from harness.relay import Relay
from harness.wire import request

pytestmark = [
    pytest.mark.alone,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not redis_program(), reason="redis-server is not installed"),
]

UP = 'gatehouse_redis_up{use="revocations"}'
MESSAGES = "gatehouse_revocation_messages_total"
CHANNELS = "{gh}revocations:*"


def reply(received, connection):
    """Streams of events stay open until the gate closes them."""
    if not received.target.startswith("/events"):
        return OK
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    connection.fill()
    return b""


@pytest.fixture
def backend():
    with Backend(reply) as scripted:
        yield scripted


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def name(postgres_server):
    return postgres_server.database()


@pytest.fixture
def settings(backend, tmp_path, postgres_server, name, redis):
    return node_config(backend, tmp_path, postgres_server.url(name), redis={"url": redis.url})


def begin(start, settings, **changes):
    node = start(settings_of(settings, **changes), env=ENV)
    wait_up(node)
    return node


def wait_up(node, up=1):
    node.wait_for(lambda: node.metrics().get(UP) == up, f"{UP} {up}")


def messages(node, result):
    return node.metrics()[f'{MESSAGES}{{result="{result}"}}']


def status_on(person, node):
    """Of one request, which is not made again where the node has to wait for its store."""
    return node.get("/anything", person.fields()).status


def end_session(person, node):
    assert at(person, node).api("POST", "/auth/logout").status == 200


def signed_in_on(nodes):
    """Somebody who is, and a copy of the browser that does not hear of the end."""
    person = new_person(nodes[0])
    copy = person.other_browser()
    copy.cookies = dict(person.cookies)
    for node in nodes:
        assert status_on(copy, node) == 200
    return person, copy


def wait_refused(person, node, began, seconds=1.0):
    """Fails when a request that was made `seconds` after `began` was let in."""
    while True:
        asked = time.monotonic()
        status = status_on(person, node)
        if status == 401:
            return
        assert status == 200, status
        assert asked < began + seconds, f"let in {asked - began:.3f} s after the session had ended"
        time.sleep(0.01)


def assert_ends_in_time(nodes):
    """A logout on each node counts on all others within a second."""
    for node in nodes:
        person, copy = signed_in_on(nodes)
        end_session(person, node)
        began = time.monotonic()
        for other in nodes:
            wait_refused(copy, other, began)


# -- Redis is there --


def test_a_logout_counts_on_all_nodes_and_publishing_tells_them(start, settings):
    nodes = [begin(start, settings) for _ in range(3)]
    before = [messages(node, "received") for node in nodes]
    assert_ends_in_time(nodes)
    for node, received in zip(nodes, before, strict=True):
        node.wait_for(lambda n=node, r=received: messages(n, "received") >= r + 3, "three messages")
        node.wait_for(lambda n=node: messages(n, "published") == 1, "its own one")
        assert messages(node, "refused") == 0 and messages(node, "unpublished") == 0
        assert len([line for line in node.log()
                    if "published through redis" in line.get("message", "")]) == 1


def test_a_node_that_does_not_hear_of_the_store_ends_a_session_by_what_is_published(
        start, settings, postgres_server, name):
    relay = Relay(postgres_server.port)
    first = begin(start, settings)
    second = begin(start, settings, store=postgres_server.url(name, relay.port))
    person, copy = signed_in_on([first, second])
    with second.connect(timeout=10) as client:
        client.send(request("GET", "/events", copy.fields()))
        assert client.read_head().status == 200
        client.take_until(b"data: 1\n\n")
        relay.hold()
        received = messages(second, "received")
        end_session(person, first)
        began = time.monotonic()
        second.wait_for(lambda: messages(second, "received") > received, "the message")
        # As long as it lets anybody in, it refuses this one; and what is open ends.
        status = status_on(copy, second)
        assert status == 401 or time.monotonic() - began > 0.5, status
        assert status in (401, 503)
        client.rest()
        assert time.monotonic() - began < 1.2
        assert second.metrics()["gatehouse_revocations_age_seconds"] > 0.2
    relay.mend()
    second.wait_for(lambda: second.metrics()["gatehouse_revocations_age_seconds"] < 1,
                    "the store heard again")
    assert status_on(copy, second) == 401


@pytest.mark.parametrize("cut", [False, True])
def test_streams_end_on_the_other_node_within_a_second(start, settings, redis, cut):
    nodes = [begin(start, settings) for _ in range(2)]
    person, copy = signed_in_on(nodes)
    if cut:
        redis.stop()
        for node in nodes:
            wait_up(node, 0)
    with nodes[1].connect(timeout=10) as client:
        client.send(request("GET", "/events", copy.fields()))
        assert client.read_head().status == 200
        client.take_until(b"data: 1\n\n")
        end_session(person, nodes[0])
        began = time.monotonic()
        client.rest()
        assert time.monotonic() - began < 1.2


def test_who_can_write_to_redis_signs_nobody_out(start, settings, redis):
    nodes = [begin(start, settings) for _ in range(2)]
    person, copy = signed_in_on(nodes)
    [channel] = redis.call("PUBSUB", "CHANNELS", CHANNELS)
    genuine = overhear(redis, channel, lambda: end_session(person, nodes[0]))
    nodes[1].wait_for(lambda: messages(nodes[1], "received") >= 1, "the genuine one")
    _, other = signed_in_on(nodes)
    forged = [b"", b"\0", genuine[:-1], genuine + b"\0", genuine[:-16] + bytes(16), b"x" * 30_000]
    forged += [genuine[:at] + bytes([genuine[at] ^ 1]) + genuine[at + 1:]
               for at in range(0, len(genuine), 3)]
    for payload in forged:
        assert redis.call("PUBLISH", channel, payload) == 2
    nodes[1].wait_for(lambda: messages(nodes[1], "refused") == len(forged), "all refused")
    for _ in range(20):
        assert redis.call("PUBLISH", channel, genuine) == 2
    nodes[1].wait_for(lambda: messages(nodes[1], "received") == 21, "what came again")
    assert redis.call("PUBLISH", channel, b"x" * 2_000_000) == 2
    for node in nodes:
        assert status_on(other, node) == 200
        assert status_on(copy, node) == 401
        wait_up(node)


def overhear(redis, channel, do):
    """The bytes that are published while `do` runs."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(10)
        listener.connect(str(redis.socket))
        with listener.makefile("rb") as lines:
            listener.sendall(b"SUBSCRIBE " + channel + b"\r\n")
            for _ in range(6):
                lines.readline()
            do()
            for _ in range(5):
                lines.readline()
            length = int(lines.readline()[1:])
            return lines.read(length)


def test_two_systems_on_one_redis_do_not_hear_each_other(start, settings, backend, tmp_path,
                                                         postgres_server, redis):
    first = begin(start, settings)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    second = begin(start, node_config(backend, elsewhere,
                                      postgres_server.url(postgres_server.database()),
                                      redis={"url": redis.url}))
    assert len(redis.call("PUBSUB", "CHANNELS", CHANNELS)) == 2
    for node in (first, second):
        end_session(new_person(node), node)
        node.wait_for(lambda n=node: messages(n, "received") == 1, "its own message")
    assert messages(first, "received") == 1
    assert messages(first, "refused") == messages(second, "refused") == 0


def test_a_user_of_redis_with_the_documented_rights_will_do(start, settings, redis):
    redis.call("ACL", "SETUSER", "gatehouse", "on", ">good-password", "resetchannels", "~{gh}*",
               "&{gh}*", "+evalsha", "+eval", "+get", "+set", "+time", "+select",
               "+ping", "+publish", "+subscribe")
    url = f"redis://gatehouse:good-password@127.0.0.1:{redis.port}"
    environment = {**ENV, "REDIS_URL": url}
    nodes = [start(settings_of(settings, redis={"url": "env:REDIS_URL"}), env=environment)
             for _ in range(2)]
    for node in nodes:
        wait_up(node)
        node.wait_for(lambda n=node: n.metrics()['gatehouse_redis_up{use="limits"}'] == 1, "limits")
    assert_ends_in_time(nodes)
    assert all(messages(node, "published") == 1 for node in nodes)


# -- Redis is not --


def test_redis_cut_off_changes_nothing_but_speed(start, settings, redis):
    relays = [Relay(redis.port) for _ in range(2)]
    nodes = [begin(start, settings, redis={"url": f"redis://127.0.0.1:{relay.port}"})
             for relay in relays]
    received = messages(nodes[1], "received")
    for relay in relays:
        relay.cut()
    assert_ends_in_time(nodes)
    for node in nodes:
        wait_up(node, 0)
    assert_ends_in_time(nodes)
    assert messages(nodes[1], "received") == received
    nodes[0].wait_for(lambda: messages(nodes[0], "unpublished") >= 1, "one that was not published")
    # One of them alone is back: what it publishes nobody hears.
    relays[0].mend()
    wait_up(nodes[0])
    assert_ends_in_time(nodes)
    relays[1].mend()
    wait_up(nodes[1])
    assert_ends_in_time(nodes)
    for node in nodes:
        node.wait_output("redis is back: sessions that end are published again")
        texts = [line.get("message", "") for line in node.log()]
        assert len([t for t in texts if "which sessions others end is read" in t]) == 1


def test_what_ended_while_redis_was_away_is_known_when_it_is_back(start, settings, redis):
    nodes = [begin(start, settings) for _ in range(2)]
    person, copy = signed_in_on(nodes)
    redis.stop()
    end_session(person, nodes[0])
    began = time.monotonic()
    redis.start()
    wait_refused(copy, nodes[1], began)
    for node in nodes:
        wait_up(node)
    assert_ends_in_time(nodes)


def test_redis_that_hangs_holds_up_nobody(start, settings, redis):
    nodes = [begin(start, settings) for _ in range(2)]
    person, copy = signed_in_on(nodes)
    redis.pause()
    try:
        end_session(person, nodes[0])
        wait_refused(copy, nodes[1], time.monotonic())
        for node in nodes:
            wait_up(node, 0)
        assert_ends_in_time(nodes)
    finally:
        redis.resume()
    for node in nodes:
        wait_up(node)
    assert_ends_in_time(nodes)


def test_nodes_start_without_redis_and_find_it_later(start, settings, redis):
    redis.stop()
    nodes = [start(settings_of(settings), env=ENV) for _ in range(2)]
    for node in nodes:
        node.wait_output("which sessions others end is read from the store only")
    assert_ends_in_time(nodes)
    redis.start()
    for node in nodes:
        wait_up(node)
    assert_ends_in_time(nodes)


def test_a_reload_goes_over_to_another_redis(start, settings, redis):
    second = Redis()
    nodes = [begin(start, settings, sandbox={"connect": second.port}) for _ in range(2)]
    try:
        for node in nodes:
            node.write_config({**node.settings, "redis": {"url": second.url}})
            node.signal(1)
            node.wait_output("configuration reloaded")
        nodes[0].wait_for(lambda: second.call("PUBSUB", "NUMSUB",
                                              *second.call("PUBSUB", "CHANNELS", CHANNELS))[1:]
                          == [2], "both listen there")
        redis.stop()
        for node in nodes:
            wait_up(node)
        received = messages(nodes[1], "received")
        assert_ends_in_time(nodes)
        nodes[1].wait_for(lambda: messages(nodes[1], "received") == received + 2, "both heard")
    finally:
        second.close()


def test_a_single_node_has_no_use_for_it(start, backend, tmp_path, redis):
    settings = node_config(backend, tmp_path, f"sqlite:{tmp_path}/gatehouse.db",
                           redis={"url": redis.url}, admin_listen=f"127.0.0.1:{free_port()}")
    node = start(settings, env=ENV)
    node.wait_for(lambda: node.metrics()['gatehouse_redis_up{use="limits"}'] == 1, "limits")
    assert UP not in node.metrics()
    assert redis.call("PUBSUB", "CHANNELS", CHANNELS) == []
    person = new_person(node)
    end_session(person, node)
