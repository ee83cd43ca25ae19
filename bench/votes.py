#!/usr/bin/python3
"""The acceptance of the voting service in its long form: votes posted by several clients through
gatehouse (examples/d-vote.yaml, limits raised, sign-in off) into a Redis stream, while the consumer
that adds them up in PostgreSQL is killed again and again (-9). Results must be exact.

    bench/votes.py [--votes 100000] [--clients 8] [--kills 10] [--batch 252] [--all]

--all: the network to PostgreSQL is cut and mended meanwhile, and Redis is killed and started again (it
keeps what it has acknowledged). A vote whose answer is lost then may have been taken: it is not sent
again, counts as unknown, and results lie within their number. What is in the stream is counted exactly.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
os.environ.setdefault("GATEHOUSE_BIN", str(ROOT / "build" / "release" / "gatehouse"))

from harness.consumer import Consumer, scrape, values  # noqa: E402
from harness.gate import Gatehouse, free_port  # noqa: E402
from harness.postgres_server import Postgres  # noqa: E402
from harness.redis_server import Redis  # noqa: E402
from harness.relay import Relay  # noqa: E402
from harness.vote import JSON, Vote  # noqa: E402
from harness.wire import Client  # noqa: E402

OPTIONS = ("cats", "dogs", "birds")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--votes", type=int, default=100000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--batch", type=int, default=252)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=6)
    return parser.parse_args()


class Voter(threading.Thread):
    """One client, one connection; `accepted` and `unknown` by option."""

    def __init__(self, address, count, seed):
        super().__init__(daemon=True)
        self.address, self.count = address, count
        self.random = random.Random(seed)
        self.accepted = dict.fromkeys(OPTIONS, 0)
        self.unknown = dict.fromkeys(OPTIONS, 0)
        self.client = None

    def run(self):
        for _ in range(self.count):
            option = self.random.choice(OPTIONS)
            self.post(option)

    def post(self, option):
        try:
            if not self.client:
                self.client = Client(self.address)
            response = self.client.request(
                "POST", "/vote", JSON, b'{"option":"%s"}' % option.encode(), "localhost")
        except OSError:
            self.client = None
            self.unknown[option] += 1
            return
        if response.status == 202:
            self.accepted[option] += 1
        elif response.status in (502, 503, 504):
            self.unknown[option] += 1
            time.sleep(0.05)
        else:
            sys.exit(f"votes: {response}")


def counted(postgres, name):
    rows = postgres.query("SELECT option, count FROM votes", name)
    found = {option: int(count) for option, count in rows}
    return {option: found.get(option, 0) for option in OPTIONS}


def disturb(options, voters, consumer, relay, redis):
    """Kills the consumer as the votes come in; with --all also networks and Redis."""
    done = lambda: sum(sum(v.accepted.values()) + sum(v.unknown.values()) for v in voters)
    for number in range(1, options.kills + 1):
        while done() < options.votes * number // (options.kills + 1):
            time.sleep(0.01)
        consumer.kill()
        if options.all and number % 3 == 0:
            relay.cut()
        consumer.start()
        if options.all and number == options.kills // 2:
            redis.restart()
        time.sleep(0.2)
        relay.mend()


def report(options, voters, found, seconds, counted_seconds, kills):
    accepted = {o: sum(v.accepted[o] for v in voters) for o in OPTIONS}
    unknown = {o: sum(v.unknown[o] for v in voters) for o in OPTIONS}
    total, lost = sum(accepted.values()), sum(unknown.values())
    exact = all(accepted[o] <= found[o] <= accepted[o] + unknown[o] for o in OPTIONS)
    print(f"{total} votes taken in {seconds:.1f} s from {options.clients} clients: "
          f"{total / seconds:.0f}/s; {lost} answers lost")
    print(f"counted {sum(found.values())} {found}, {counted_seconds:.1f} s after the first vote, "
          f"consumer killed {kills} times")
    print("exact" if exact and not lost else "exact but for lost answers" if exact else
          f"WRONG: {accepted} were taken")
    return 0 if exact else 1


def settle(postgres, name, redis, at_least):
    """Until everything in the stream is counted and acknowledged."""
    deadline = time.monotonic() + 300
    while True:
        found = counted(postgres, name)
        pending = redis.call("XPENDING", "votes", "vote-processors")[0]
        length = redis.call("XLEN", "votes")
        if pending == 0 and sum(found.values()) == length and length >= at_least:
            return found
        if time.monotonic() > deadline:
            sys.exit(f"votes: {found}, {pending} pending, {length} in the stream")
        time.sleep(0.1)


def play(options, folder, postgres, redis):
    name = postgres.database()
    postgres.query((ROOT / "examples" / "vote" / "schema.sql").read_text(), name)
    relay, port = Relay(postgres.port), free_port()
    way = relay.port if options.all else postgres.port
    settings = {"version": 1, "store": postgres.url(name, way), "redis": redis.url,
                "consume": [{"stream": "votes", "group": "vote-processors",
                             "statement": "SELECT increment_vote($1)", "fields": ["option"],
                             "batch": options.batch, "metrics": f"127.0.0.1:{port}"}]}
    with Vote(folder, DATABASE_URL=postgres.url(name), REDIS_URL=redis.url,
              VOTE_OPTIONS=",".join(OPTIONS), THREADS=8) as service:
        consumer = Consumer(folder / "consume.yaml", settings)
        listen = f"127.0.0.1:{free_port()}"
        environment = {"ENVIRONMENT": "development", "BACKEND": service.url, "LISTEN": listen,
                       "VOTE_RATE": "1000000/second", "REQUEST_RATE": "1000000/second"}
        with Gatehouse(ROOT / "examples" / "d-vote.yaml", ["--listen", listen], environment) as gate:
            voters = [Voter(gate.address, options.votes // options.clients, options.seed * 100 + i)
                      for i in range(options.clients)]
            began = time.monotonic()
            for voter in voters:
                voter.start()
            disturb(options, voters, consumer, relay, redis)
            for voter in voters:
                voter.join()
            seconds = time.monotonic() - began
            found = settle(postgres, name, redis, sum(sum(v.accepted.values()) for v in voters))
            status = report(options, voters, found, seconds, time.monotonic() - began, options.kills)
            told = values(scrape(port)[1])
            print({key.removeprefix("gatehouse_consume_"): sum(value.values())
                   for key, value in told.items()}, "of the last consumer")
        if consumer.stop() != 0:
            status = 1
    relay.close()
    return status


def main():
    options = arguments()
    postgres = Postgres(synchronous_commit="on")
    redis = Redis(appendonly="yes", appendfsync="everysec")
    try:
        with tempfile.TemporaryDirectory(prefix="votes-") as folder:
            return play(options, Path(folder), postgres, redis)
    finally:
        redis.close()
        postgres.close()


if __name__ == "__main__":
    sys.exit(main())
