#!/usr/bin/python3
"""Several nodes over one PostgreSQL and one Redis: sign-ins a second, and how long it takes until the
rest goes on when something is lost.

    bench/nodes.py [--seconds 5] [--rounds 5] [--only logins|failover]

Everything runs on this machine: gatehouse (release build), PostgreSQL (fsync and synchronous_commit
on), Redis, and the clients, which ask again every 2 ms. Times are medians and the worst of all rounds.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
os.environ.setdefault("GATEHOUSE_BIN", str(ROOT / "build" / "release" / "gatehouse"))

from harness.backend import Backend  # noqa: E402
from harness.gate import Gatehouse  # noqa: E402
from harness.identity import CHEAP, ENV, new_person  # noqa: E402
from harness.nodes import MANY, at, node_config, settings_of  # noqa: E402
from harness.postgres_server import Postgres  # noqa: E402
from harness.redis_server import Redis  # noqa: E402

PEOPLE = 32
CLIENTS = 8
ASK_AGAIN_SECONDS = 0.002
GIVE_UP_SECONDS = 60
AS_DEPLOYED = {"memory": "64MiB", "passes": 2}
UP = 'gatehouse_redis_up{use="%s"}'


def durable():
    return Postgres(fsync="on", full_page_writes="on", synchronous_commit="on")


@contextlib.contextmanager
def begun(settings, count=1):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Gatehouse(settings_of(settings), env=ENV)) for _ in range(count)]


# -- sign-ins --


def sign_ins(gates, people, seconds):
    """How many in a second; each client has people of its own and takes turns at the nodes."""
    counts = [0] * CLIENTS
    end = time.monotonic() + seconds

    def work(number):
        mine, turn = people[number::CLIENTS], 0
        while time.monotonic() < end:
            person = mine[turn % len(mine)]
            person.cookies = {}
            at(person, gates[turn % len(gates)]).login()
            counts[number] += 1
            turn += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


def measure_sign_ins(backend, options):
    print(f"| sign-ins a second, {CLIENTS} clients | SQLite | PostgreSQL | PostgreSQL, 2 nodes |")
    print("|---|---|---|---|")
    for name, hashing in (("argon2id of 64 MiB, 2 passes (the default)", AS_DEPLOYED),
                          ("argon2id of 8 MiB, 1 pass", CHEAP)):
        found = [[], [], []]
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder, contextlib.closing(durable()) as server:
                places = (f"sqlite:{folder}/gatehouse.db", server.url(server.database()),
                          server.url(server.database()))
                for rates, store, nodes in zip(found, places, (1, 1, 2), strict=True):
                    settings = node_config(backend, pathlib.Path(folder), store,
                                           identity={"passwords": hashing})
                    with begun(settings, nodes) as gates:
                        people = [new_person(gates[0]) for _ in range(PEOPLE)]
                        rates.append(sign_ins(gates, people, options.seconds))
        print(f"| {name} | " + " | ".join(f"{statistics.median(r):.0f}" for r in found) + " |")


# -- what is lost --


def until(condition, what):
    """Seconds until it holds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > GIVE_UP_SECONDS:
            sys.exit(f"bench: waited in vain for {what}")
        time.sleep(ASK_AGAIN_SECONDS)
    return time.monotonic() - began


def slowest(gate, seconds, target="/public/x"):
    """The longest that one of many requests, one after another, had to wait; all have to pass."""
    longest, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        status = gate.get(target).status
        if status != 200:
            sys.exit(f"bench: a public route answered {status}")
        longest = max(longest, time.monotonic() - began)
    return longest


def is_up(gate, use):
    return gate.metrics().get(UP % use) == 1


def ended(gates):
    """A session that ends on one node is refused on the other."""
    person = new_person(gates[0])
    copy = person.other_browser()
    copy.cookies = dict(person.cookies)
    until(lambda: gates[1].get("/x", copy.fields()).status == 200, "the session on the other node")
    if person.api("POST", "/auth/logout").status != 200:
        sys.exit("bench: no logout")
    return until(lambda: gates[1].get("/x", copy.fields()).status == 401, "the end of a session")


def lose_redis(gates, redis):
    yield "a logout counts on another node, told by Redis", ended(gates)
    redis.stop()
    yield "Redis is killed: the longest that a request waited", slowest(gates[0], 1)
    yield "a logout counts on another node, read from PostgreSQL", ended(gates)
    redis.start()
    yield ("Redis is back: until limits are shared again",
           until(lambda: is_up(gates[0], "limits"), "shared limits"))
    redis.pause()
    yield "Redis hangs: the longest that a request waited", slowest(gates[0], 3)
    redis.resume()
    yield ("Redis answers again: until limits are shared again",
           until(lambda: is_up(gates[0], "limits"), "shared limits"))
    until(lambda: is_up(gates[0], "revocations") and is_up(gates[1], "revocations"), "messages")


def signs_in(gate, person):
    person.cookies = {}
    return at(person, gate).try_login().status == 200


def lose_postgres(gates, server):
    person = new_person(gates[0])
    server.stop(3)
    yield "PostgreSQL is killed: the longest that a public request waited", slowest(gates[0], 1)
    server.start()
    yield ("PostgreSQL takes connections again: until somebody signs in",
           until(lambda: signs_in(gates[0], person), "a sign-in"))
    until(lambda: signs_in(gates[1], person), "a sign-in on the other node")
    began = time.monotonic()
    server.disconnect_all(server.name)
    if not signs_in(gates[0], person):
        sys.exit("bench: connections that were ended were not made anew")
    yield "all connections are ended by the server: the next sign-in takes", time.monotonic() - began


def unsealed(server):
    return int(server.query("SELECT count(*) FROM audit_unsealed", server.name)[0][0])


def lose_node(gates, server):
    people = [new_person(gates[1]) for _ in range(4)]
    stop = threading.Event()

    def work(person):
        with contextlib.suppress(OSError, AssertionError):
            while not stop.is_set():
                person.cookies = {}
                person.login()

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    gates[1].process.kill()
    began = time.monotonic()
    gates[1].process.wait()
    gates[1].stopped = True
    stop.set()
    new_person(gates[0])
    yield "a node is killed: until somebody signs in on the other", time.monotonic() - began
    for thread in threads:
        thread.join()
    until(lambda: unsealed(server) == 0, "the sealing of what it left")
    yield "and until nothing that it left of the audit log is unsealed", time.monotonic() - began


def measure_failover(backend, options):
    found = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(durable()) as server, \
                contextlib.closing(Redis()) as redis:
            server.name = server.database()
            settings = node_config(backend, pathlib.Path(folder), server.url(server.name),
                                   redis={"url": redis.tcp_url},
                                   rate_limits={**MANY, "global": {"limit": "100000/second"}})
            with begun(settings, 2) as gates:
                for gate in gates:
                    for use in ("limits", "revocations"):
                        until(lambda g=gate, u=use: is_up(g, u), f"redis_up {use}")
                for lost in (lose_redis(gates, redis), lose_postgres(gates, server),
                             lose_node(gates, server)):
                    for what, seconds in lost:
                        found.setdefault(what, []).append(seconds * 1000)
    print("| what | median | worst |")
    print("|---|---|---|")
    for what, times in found.items():
        print(f"| {what} | {statistics.median(times):.0f} ms | {max(times):.0f} ms |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("logins", "failover"))
    options = parser.parse_args()
    with Backend() as backend:
        if options.only != "failover":
            measure_sign_ins(backend, options)
            print()
        if options.only != "logins":
            measure_failover(backend, options)


if __name__ == "__main__":
    main()
