"""Audit records of several nodes go through a stream of Redis into one table."""

import json
import socket

import pytest

from harness.consumer import Consumer, wait_until
from harness.gate import config, run
from harness.identity import ENV, Deployment, identity_config
from harness.redis_server import Redis, program

pytestmark = [pytest.mark.alone, pytest.mark.timeout(150)]

TABLE = """CREATE TABLE audit_events (node text NOT NULL, chain bigint NOT NULL, seq bigint NOT NULL,
    record text NOT NULL, PRIMARY KEY (node, chain, seq))"""
# docs/consume.md has the same
STATEMENT = """INSERT INTO audit_events (node, chain, seq, record) VALUES ($1,
    coalesce(($2::jsonb ->> 'chain')::bigint, 1), ($2::jsonb ->> 'seq')::bigint, $2)
    ON CONFLICT DO NOTHING"""


@pytest.fixture
def redis():
    if not program():
        pytest.skip("there is no redis-server")
    server = Redis()
    yield server
    server.close()


def audited(backend, folder, redis, to="redis:audit"):
    return identity_config(backend, folder, audit={"export": [to]}, redis=redis.url)


def test_records_come_into_the_table_once(
        start, backend, redis, postgres_server, tmp_path):
    name = postgres_server.database()
    postgres_server.query(TABLE, name)
    consumer = Consumer(tmp_path / "consume.yaml", {
        "version": 1, "store": postgres_server.url(name), "redis": redis.url,
        "consume": [{"stream": "audit", "group": "table", "statement": STATEMENT,
                     "fields": ["node", "record"]}]})
    gate = start(audited(backend, tmp_path, redis), env=ENV)
    world = Deployment(gate, backend, tmp_path)
    people = [world.person() for _ in range(3)]
    rows = lambda: postgres_server.query("SELECT node, seq, record FROM audit_events ORDER BY seq", name)
    wait_until(lambda: all(any(p.id in row[2] for row in rows()) for p in people), "their records")
    redis.restart()  # it forgets all
    later = world.person()
    wait_until(lambda: any(later.id in row[2] for row in rows()), "records behind the restart", 90)
    numbers = [int(row[1]) for row in rows()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {row[0] for row in rows()} == {socket.gethostname()}
    assert all(json.loads(row[2])["seq"] == int(row[1]) for row in rows())
    assert consumer.stop() == 0


def test_the_stream_is_bounded(start, backend, redis, tmp_path):
    gate = start(audited(backend, tmp_path, redis, "redis:audit?maxlen=10"), env=ENV)
    world = Deployment(gate, backend, tmp_path)
    for _ in range(30):
        world.person()
    # About: a node of the stream holds a hundred entries.
    wait_until(lambda: redis.call("XLEN", "audit") > 10, "entries")
    assert redis.call("XLEN", "audit") <= 210


def test_the_log_goes_on_while_redis_is_away_and_comes_behind(start, backend, redis, tmp_path):
    gate = start(audited(backend, tmp_path, redis), env=ENV)
    world = Deployment(gate, backend, tmp_path)
    world.person()
    redis.stop()
    person = world.person()
    gate.wait_output("do not reach redis:audit")
    redis.start()
    found = lambda: any(person.id.encode() in entry[1][3] for entry in
                        redis.call("XRANGE", "audit", "-", "+"))
    wait_until(found, "what had waited", 90)


@pytest.mark.parametrize("to", ["redis:", "redis:?maxlen=5", "redis:audit?maxlen=0",
                                "redis:audit?maxlen=x", "redis://127.0.0.1/audit"])
def test_what_is_no_stream_is_refused(backend, tmp_path, to):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(json.dumps({**config(backend), "redis": "redis://127.0.0.1:1",
                                "audit": {"export": [to]}}))
    result = run("check", path)
    assert result.returncode == 1 and "write redis:STREAM" in result.stdout, result.stdout


def test_a_stream_needs_redis(backend, tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(json.dumps({**config(backend), "audit": {"export": ["redis:audit"]}}))
    result = run("check", path)
    assert result.returncode == 1 and "there is no redis" in result.stdout, result.stdout
