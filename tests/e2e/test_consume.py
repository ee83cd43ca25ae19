"""`gatehouse consume`: entries of Redis streams become rows of PostgreSQL, once in effect."""

import http.client
import json
import signal
import socket
import threading
from pathlib import Path

import pytest

from harness.consumer import Consumer, scrape, values, wait_until
from harness.gate import ROOT, config, free_port, run
from harness.redis_server import Redis, program
from harness.relay import Relay
from harness.vote import JSON, Vote
from harness.wire import Client

pytestmark = [pytest.mark.alone, pytest.mark.timeout(150)]

SCHEMA = ROOT / "examples" / "vote" / "schema.sql"
LABELS = 'stream="votes",group="vote-processors"'


@pytest.fixture
def redis():
    """Keeps what it has acknowledged, whatever happens to it."""
    if not program():
        pytest.skip("there is no redis-server")
    server = Redis(appendonly="yes", appendfsync="always")
    yield server
    server.close()


@pytest.fixture
def votes(postgres_server):
    """The name of a database with the votes' schema."""
    name = postgres_server.database()
    postgres_server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", postgres_server.path,
                            "-p", postgres_server.port, "-U", "gatehouse", "-d", name, "-c",
                            SCHEMA.read_text())
    return name


@pytest.fixture
def consume(tmp_path):
    """consume(settings, ...) -> a running consumer."""
    running = []

    def begin(settings, *arguments, **options):
        consumer = Consumer(tmp_path / f"consume{len(running)}.yaml", settings, *arguments, **options)
        running.append(consumer)
        return consumer

    yield begin
    for consumer in running:
        consumer.close()


def settings(store, redis, **changes):
    entry = {"stream": "votes", "group": "vote-processors",
             "statement": "SELECT increment_vote($1)", "fields": ["option"], **changes}
    return {"version": 1, "store": store, "redis": redis, "consume": [entry]}


def results(server, name):
    rows = server.query("SELECT option, count FROM votes ORDER BY option", name)
    return {option: int(count) for option, count in rows}


def add(redis, count, option="cats"):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(redis.socket))
        file = connection.makefile("rwb")
        for _ in range(count):
            file.write(b"XADD votes * option %s\r\n" % option.encode())
        file.flush()
        for _ in range(count):
            assert file.readline().startswith(b"$")
            file.readline()


def post_votes(address, count, option, done):
    with Client(address) as client:
        for _ in range(count):
            response = client.request("POST", "/vote", JSON, b'{"option":"%s"}' % option, "localhost")
            assert response.status == 202, response
            done[option] = done.get(option, 0) + 1


def test_votes_are_exact_while_the_consumer_is_killed_ten_times(
        start, consume, redis, votes, postgres_server, tmp_path):
    """The acceptance of issue 6 in short; the long form is bench/votes.py."""
    url = postgres_server.url(votes)
    with Vote(tmp_path, DATABASE_URL=url, REDIS_URL=redis.url) as service:
        gate = start(config(service, routes=[
            {"path": "/vote", "methods": ["POST"], "upstream": "api", "access": "public"}]))
        consumer = consume(settings(url, redis.url, batch=20))
        done = [{} for _ in range(4)]
        clients = [threading.Thread(target=post_votes, args=(
            gate.address, 250, b"cats" if i % 2 else b"dogs", done[i])) for i in range(4)]
        for client in clients:
            client.start()
        for i in range(10):
            marked = lambda: sum(results(postgres_server, votes).values())
            before = marked()
            wait_until(lambda: marked() > before or before >= 1000, "votes that are counted")
            consumer.kill()
            consumer.start()
        for client in clients:
            client.join()
        assert [sum(each.values()) for each in done] == [250] * 4
        wait_until(lambda: sum(results(postgres_server, votes).values()) >= 1000, "all votes")
        wait_until(lambda: redis.call("XPENDING", "votes", "vote-processors")[0] == 0, "acknowledged")
        assert consumer.stop() == 0
        assert results(postgres_server, votes) == {"cats": 500, "dogs": 500}
        assert service.results() == {"cats": 500, "dogs": 500}


def test_votes_are_exact_over_networks_that_are_cut_and_a_redis_that_restarts(
        consume, redis, votes, postgres_server):
    relay = Relay(postgres_server.port)
    consumer = consume(settings(postgres_server.url(votes, relay.port), redis.url, batch=50))
    counted = lambda: sum(results(postgres_server, votes).values())
    for round_number in range(1, 5):
        add(redis, 300)
        wait_until(lambda: counted() > (round_number - 1) * 600, "the first votes")
        relay.cut()
        add(redis, 300, "dogs")
        redis.restart()
        relay.mend()
        wait_until(lambda: counted() >= round_number * 600, "all votes")
    assert consumer.stop() == 0
    assert results(postgres_server, votes) == {"cats": 1200, "dogs": 1200}
    assert redis.call("XPENDING", "votes", "vote-processors")[0] == 0
    relay.close()


def test_a_network_that_is_silent_is_given_up_and_nothing_counts_twice(
        consume, redis, votes, postgres_server):
    relay = Relay(postgres_server.port)
    consumer = consume(settings(postgres_server.url(votes, relay.port), redis.url, batch=50))
    counted = lambda: sum(results(postgres_server, votes).values())
    add(redis, 100)
    wait_until(lambda: counted() == 100, "the first votes")
    relay.hold()
    add(redis, 500)
    consumer.wait_message("the database does not take entries")
    relay.cut()
    relay.mend()
    wait_until(lambda: counted() >= 600, "all votes", 60)
    consumer.wait_message("the database takes entries again")
    assert consumer.stop() == 0
    assert counted() == 600
    relay.close()


def test_a_consumer_takes_over_what_another_left(consume, redis, votes, postgres_server):
    add(redis, 100)
    redis.call("XGROUP", "CREATE", "votes", "vote-processors", "0")
    redis.call("XREADGROUP", "GROUP", "vote-processors", "dead", "COUNT", 60, "STREAMS", "votes", ">")
    base = settings(postgres_server.url(votes), redis.url, claim_after="10s")
    one, two = consume(base, "--consumer", "one"), consume(base, "--consumer", "two")
    wait_until(lambda: results(postgres_server, votes) == {"cats": 100}, "all votes", 40)
    assert one.stop() == 0 and two.stop(signal.SIGINT) == 0


def test_poison_is_parked_with_its_reason_and_those_behind_it_go_on(
        consume, redis, votes, postgres_server):
    consumer = consume(settings(postgres_server.url(votes), redis.url, tries=2))
    add(redis, 3)
    add(redis, 1, "x" * 65)  # longer than the column takes
    redis.call("XADD", "votes", "*", "colour", "red")
    add(redis, 3)
    parked = lambda: postgres_server.query(
        "SELECT fields, reason, tries FROM gatehouse_parked ORDER BY entry_ms, entry_seq", votes)
    wait_until(lambda: results(postgres_server, votes) == {"cats": 6} and len(parked()) == 2, "both")
    (long, malformed) = parked()
    assert json.loads(long[0]) == ["option", "x" * 65] and long[1].startswith("SQLSTATE 23514: ")
    assert long[2] == "2"
    assert malformed == ['["colour","red"]', "it has not all of the fields", "1"]
    assert consumer.stop() == 0
    assert not any("xxxxx" in message for message in consumer.messages())


def test_metrics_and_probes_tell_what_happens(consume, redis, votes, postgres_server):
    port, relay = free_port(), Relay(postgres_server.port)
    consumer = consume(settings(postgres_server.url(votes, relay.port), redis.url,
                                metrics=f"127.0.0.1:{port}"))
    add(redis, 50)
    wait_until(lambda: can_scrape(port), "the listener")
    told = lambda name: values(scrape(port)[1]).get(f"gatehouse_consume_{name}", {}).get(LABELS)
    wait_until(lambda: told("applied_total") == 50 and told("lag") == 0, "metrics of 50 votes")
    assert scrape(port, "/healthz") == (200, "ok\n")
    assert scrape(port, "/readyz") == (200, "ok\n")
    assert told("redis_up") == told("database_up") == 1 and told("parked_total") == 0
    relay.cut()
    add(redis, 700)
    wait_until(lambda: told("database_up") == 0 and (told("lag") or 0) > 400, "the lag")
    assert scrape(port, "/readyz") == (503, "not ready\n")
    assert scrape(port, "/healthz") == (200, "ok\n")
    redis.stop()
    wait_until(lambda: told("redis_up") == 0 and told("lag") is None, "no Redis")
    redis.start()
    relay.mend()
    wait_until(lambda: told("applied_total") == 750 and told("lag") == 0, "the rest")
    assert scrape(port, "/elsewhere")[0] == 404
    assert consumer.stop() == 0
    relay.close()


def test_the_responder_bounds_what_it_takes(consume, redis, votes, postgres_server):
    port = free_port()
    consumer = consume(settings(postgres_server.url(votes), redis.url, metrics=f"127.0.0.1:{port}"))
    wait_until(lambda: can_scrape(port), "the listener")
    with socket.create_connection(("127.0.0.1", port), 10) as long:
        long.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 8000)
        assert ended(long)
    with socket.create_connection(("127.0.0.1", port), 10) as posted:
        posted.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert posted.recv(100).startswith(b"HTTP/1.1 405 ")
    idle = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(40)]
    wait_until(lambda: can_scrape(port), "room again", 20)  # idle ones are closed
    for connection in idle:
        connection.close()
    assert consumer.stop() == 0


def ended(connection):
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def can_scrape(port):
    try:
        return scrape(port)[0] == 200
    except (OSError, http.client.HTTPException):  # refused, or closed at once
        return False


def test_it_ends_cleanly_while_both_are_away(consume, tmp_path):
    consumer = consume(settings("postgresql://127.0.0.1:1/x", "redis://127.0.0.1:1"))
    consumer.wait_message("Redis is away")
    assert consumer.stop() == 0


def test_a_process_that_ends_elsewhere_ends_nothing_here(consume, tmp_path):
    # Who was started by exec in a shell can have children that it knows nothing of.
    consumer = consume(settings("postgresql://127.0.0.1:1/x", "redis://127.0.0.1:1"))
    consumer.wait_message("Redis is away")
    consumer.process.send_signal(signal.SIGCHLD)
    assert consumer.stop() == 0
    told = [message for message in consumer.messages() if message.startswith("signal ")]
    assert told == ["signal 15: finishing what is in hand"]


def test_secrets_come_by_reference_and_are_not_told(consume, redis, votes, postgres_server):
    name = "env:VOTES_DATABASE"
    secret = "kJ2very9private8word7"
    url = f"postgresql://gatehouse:{secret}@127.0.0.1:{postgres_server.port}/{votes}"
    consumer = consume({**settings("memory:", redis.url, database=name)},
                       env={"VOTES_DATABASE": url})
    add(redis, 5)
    wait_until(lambda: results(postgres_server, votes) == {"cats": 5}, "votes")
    assert consumer.stop() == 0
    assert secret not in consumer.stderr + json.dumps(consumer.lines)


@pytest.mark.parametrize("arguments, words", [
    (["--stream", "votes"], "--stream and --group go together"),
    (["--consumer", ""], "--consumer takes a name"),
    (["more"], "no arguments but options"),
    (["--stream", "a", "--group", "b"], "no such stream and group"),
    (["--config", "/nonexistent"], "/nonexistent"),
    (["--nonsense"], "--help"),
])
def test_wrong_usage_is_2(tmp_path, arguments, words):
    path = tmp_path / "consume.yaml"
    path.write_text(json.dumps(settings("postgresql:///x", "redis://127.0.0.1:1")))
    result = run("consume", "--config", path, "--user", "root", *arguments)
    assert result.returncode == 2 and words in result.stderr, result.stderr


@pytest.mark.parametrize("changes, words", [
    ({"consume": None}, "has no `consume`"),
    ({"redis": None}, "there is no redis"),
    ({"store": None}, "rows are kept in PostgreSQL"),
    ({"redis": "env:NOT_SET_HERE"}, "NOT_SET_HERE"),
    ({"store": "env:NOT_SET_HERE"}, "NOT_SET_HERE"),
])
def test_a_wrong_configuration_is_2(tmp_path, changes, words):
    path = tmp_path / "consume.yaml"
    changed = {**settings("postgresql:///x", "redis://127.0.0.1:1"), **changes}
    path.write_text(json.dumps({key: value for key, value in changed.items() if value}))
    result = run("consume", "--config", path, "--user", "root")
    assert result.returncode == 2 and words in result.stderr, result.stderr


def test_check_judges_a_consumers_file(tmp_path):
    path = tmp_path / "consume.yaml"
    good = settings("postgresql:///x?host=/run/postgresql", "redis://127.0.0.1:1")
    path.write_text(json.dumps(good))
    assert run("check", path).returncode == 0
    good["consume"][0]["fields"] = ["option", "voter"]
    path.write_text(json.dumps(good))
    result = run("check", path)
    assert result.returncode == 1 and "does not use the 2 fields" in result.stdout


def test_it_is_held_as_the_server_is(consume, redis, votes, postgres_server):
    entry = {**settings(postgres_server.url(votes), redis.url),
             "sandbox": {"mode": "enforce", "required": True}}
    consumer = consume(entry)
    consumer.wait_message("sandbox: files, TCP ports and system calls are held")
    add(redis, 3)
    wait_until(lambda: results(postgres_server, votes).get("cats") == 3, "votes")
    for task in Path(f"/proc/{consumer.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        assert "Seccomp:\t2" in lines and "NoNewPrivs:\t1" in lines, lines[0]
    assert consumer.stop() == 0
