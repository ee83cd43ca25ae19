"""The voting service of examples/vote: alone, behind gatehouse, with Redis and PostgreSQL."""

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import threading
import time
from html.parser import HTMLParser

import pytest

from harness import postgres_server, redis_server
from harness.gate import ROOT, Gatehouse, free_port, run
from harness.identity import ENV, Person, assert_answer
from harness.postgres_server import Postgres
from harness.redis_server import Redis
from harness.vote import JSON, VOTE, Tables, Vote, entries, need_vote, run_vote, wait_until
from harness.wire import Client, ConnectionEnded, chunked, request

D = ROOT / "examples" / "d-vote.yaml"
SIGNED_IN = ROOT / "examples" / "vote" / "signed-in.yaml"
CATS = b'{"option":"cats"}'


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Vote(tmp_path_factory.mktemp("vote")) as running:
        yield running


@pytest.fixture(scope="module")
def gate(service):
    listen = f"127.0.0.1:{free_port()}"
    env = {"BACKEND": service.url, "LISTEN": listen, "ENVIRONMENT": "development"}
    with Gatehouse(D, env={**env, "VOTE_RATE": "1000/minute"}) as running:
        yield running


@contextlib.contextmanager
def redis_with(**options):
    if not redis_server.program():
        pytest.skip("there is no redis-server")
    with contextlib.closing(Redis(**options)) as server:
        yield server


@pytest.fixture(scope="module")
def redis():
    with redis_with() as server:
        yield server


@pytest.fixture
def tables():
    """A database with the schema and no votes."""
    need_vote()
    if not postgres_server.shared():
        pytest.skip("there is no PostgreSQL")
    return Tables(postgres_server.shared()).install()


# -- votes and results --


def test_votes_are_counted_and_survive_a_restart(tmp_path):
    with Vote(tmp_path) as service:
        assert service.results() == {"cats": 0, "dogs": 0}
        for option in ("cats", "dogs", "cats"):
            response = service.vote(option)
            assert response.status == 202
            assert response.json() == {"status": "accepted"}
            assert response.get("Cache-Control") == "no-store"
        assert service.results() == {"cats": 2, "dogs": 1}
    with Vote(tmp_path) as service:
        assert service.results() == {"cats": 2, "dogs": 1}


def test_options_are_those_of_the_environment_in_their_order(tmp_path):
    with Vote(tmp_path, VOTE_OPTIONS='zebras, "quoted" ants,Ünïcode') as service:
        assert list(service.results()) == ["zebras", '"quoted" ants', "Ünïcode"]
        body = json.dumps({"option": '"quoted" ants'}).encode()
        assert service.request("POST", "/vote", JSON, body).status == 202
        assert service.results()['"quoted" ants'] == 1
        assert service.vote("cats").status == 422


def test_an_option_that_is_gone_from_the_ballot_is_not_shown(tmp_path):
    with Vote(tmp_path, VOTE_OPTIONS="cats,dogs,birds") as service:
        service.vote("birds")
        service.vote("cats")
    with Vote(tmp_path) as service:
        assert service.results() == {"cats": 1, "dogs": 0}


def test_votes_of_many_clients_at_once_are_all_counted(tmp_path):
    with Vote(tmp_path) as service:

        def voter():
            with Client(service.port) as client:
                for _ in range(25):
                    assert client.request("POST", "/vote", JSON, CATS).status == 202

        threads = [threading.Thread(target=voter) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert service.results()["cats"] == 200


BAD_BODIES = [
    (b"", 400),
    (b"option=cats", 400),
    (b'{"option":"cats"', 400),
    (b'{"option":"cats","option":"dogs"}', 400),
    (b'{"option":"cats\\u0000"}', 400),
    (b'{"option":"\xff"}', 400),
    (b"[" * 4000, 400),
    (b"null", 422),
    (b'["cats"]', 422),
    (b'{"option":1}', 422),
    (b'{"option":"cats","weight":100}', 422),
    (b'{"option":"birds"}', 422),
    (b"{\"option\":\"cats'; DROP TABLE votes; --\"}", 422),
]


@pytest.mark.parametrize("body,status", BAD_BODIES, ids=[str(b[0][:40]) for b in BAD_BODIES])
def test_what_is_no_vote_is_refused_and_not_counted(service, gate, body, status):
    before = service.results()
    for asked in (service, gate):
        response = asked.request("POST", "/vote", JSON, body)
        assert response.status == status
        assert response.get("Content-Type") == "application/problem+json"
        assert response.json()["status"] == status
    assert service.results() == before


@pytest.mark.parametrize(
    "fields",
    [[], [("Content-Type", "text/plain")], [("Content-Type", "application/jsonx")],
     [("Content-Type", "application/x-www-form-urlencoded")], [*JSON, *JSON]],
)
def test_a_vote_must_say_that_it_is_json(service, fields):
    assert service.request("POST", "/vote", fields, CATS).status == 415


def test_parameters_of_the_media_type_do_no_harm(service):
    fields = [("Content-Type", "Application/JSON; charset=utf-8")]
    assert service.request("POST", "/vote", fields, CATS).status == 202


def test_bodies_up_to_the_bound_pass_and_one_more_byte_is_413(service):
    body = CATS + b" " * (4096 - len(CATS))
    assert service.request("POST", "/vote", JSON, body).status == 202
    assert service.request("POST", "/vote", JSON, body + b" ").status == 413
    fields = [*JSON, ("Transfer-Encoding", "chunked")]
    assert service.request("POST", "/vote", fields, chunked(body)).status == 202
    assert service.request("POST", "/vote", fields, chunked(body, b" ")).status == 413


def test_too_large_a_body_is_refused_before_it_is_sent(service):
    with Client(service.port) as client:
        client.send(request("POST", "/vote", [*JSON, ("Content-Length", "1000000000")]))
        assert client.read().status == 413
        assert client.at_end()


def test_a_body_without_end_is_cut_off(service):
    with Client(service.port) as client:
        client.send(request("POST", "/vote", [*JSON, ("Transfer-Encoding", "chunked")]))
        block = b"10000\r\n" + b" " * 65536 + b"\r\n"
        sent = 0
        while client.try_send(block):
            sent += 1
            assert sent < 1000  # what the sockets' buffers hold is far less
    assert service.get("/healthz").status == 200


@pytest.mark.parametrize(
    "method,target,allow",
    [("GET", "/vote", "POST"), ("DELETE", "/vote", "POST"), ("POST", "/results", "GET, HEAD"),
     ("PUT", "/", "GET, HEAD"), ("POST", "/health", "GET, HEAD")],
)
def test_other_methods_are_405(service, method, target, allow):
    response = service.request(method, target, JSON, b"{}")
    assert response.status == 405
    assert response.get("Allow") == allow


def test_other_paths_are_404(service):
    for target in ("/votes", "/vote/", "/../vote", "/page/index.html", "/index.html", "/schema.sql"):
        assert service.get(target).status == 404, target


def test_health(service):
    for target in ("/health", "/readyz", "/healthz"):
        response = service.get(target)
        assert response.status == 200
        assert response.json() == {"status": "ok"}


def test_a_database_that_fails_is_503_and_unhealthy_until_it_is_back(tmp_path):
    with Vote(tmp_path, STORE_TIMEOUT_MS=50) as service:
        holder = sqlite3.connect(tmp_path / "votes.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        response = service.vote("cats")
        assert response.status == 503
        assert response.get("Retry-After") == "1"
        holder.execute("ROLLBACK")
        assert service.vote("cats").status == 202
        holder.execute("ALTER TABLE votes RENAME TO elsewhere")
        assert service.get("/health").status == 503
        assert service.get("/results").status == 503
        assert service.get("/healthz").status == 200
        holder.execute("ALTER TABLE elsewhere RENAME TO votes")
        assert service.get("/health").status == 200
        assert service.results()["cats"] == 1
        holder.close()
    assert service.stderr.count("votes is away") == 3
    assert service.stderr.count("votes is back") == 3


# -- the page --


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_works_under_its_policy(gate):
    response = gate.get("/")
    assert response.status == 200
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    assert response.get("Content-Security-Policy") == "default-src 'self'"
    page = Page(response.body.decode())
    assert not page.all("style")
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
    sources = [a["src"] for a in page.all("script")] + [a["href"] for a in page.all("link")]
    assert sorted(sources) == ["/vote.css", "/vote.js"]
    for source, kind in (("/vote.js", "text/javascript"), ("/vote.css", "text/css")):
        answer = gate.get(source)
        assert answer.status == 200
        assert answer.get("Content-Type") == f"{kind}; charset=utf-8"
    assert not re.search(r"innerHTML|eval\(|setAttribute\(\"style|http://|https://", gate.get("/vote.js").body.decode())
    assert not re.search(rb"url\(|@import", gate.get("/vote.css").body)


def test_the_page_tells_its_parts_to_those_who_do_not_see_it(gate):
    page = Page(gate.get("/").body.decode())
    assert page.all("html")[0]["lang"] == "en"
    for tag in ("title", "main", "h1", "legend", "caption", "noscript"):
        assert len(page.all(tag)) == 1, tag
    assert [a["scope"] for a in page.all("th")] == ["col"] * 3
    assert [a["role"] for a in page.all("p") if "role" in a] == ["status"] * 2
    assert page.all("button")[0]["type"] == "submit"


def test_head_of_the_page_has_no_body(gate):
    response = gate.request("HEAD", "/")
    assert response.status == 200
    assert response.body == b""


# -- behind gatehouse --


def test_the_gateway_adds_its_headers_and_takes_the_ones_that_leak(gate):
    response = gate.request("POST", "/vote", JSON, CATS)
    assert response.status == 202
    assert response.get("X-Frame-Options") == "DENY"
    assert response.get("Server") is None
    assert response.get("Cache-Control") == "no-store"


def test_a_page_of_another_site_can_not_vote(service, gate):
    before = service.results()
    evil = [("Origin", "https://evil.com"), ("Sec-Fetch-Site", "cross-site")]
    # What a browser sends without asking first is no JSON, and if it asks it is told no.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert gate.request("POST", "/vote", [*evil, ("Content-Type", kind)], CATS).status == 415
    asking = [("Access-Control-Request-Method", "POST")]
    asking += [("Access-Control-Request-Headers", "content-type")]
    assert gate.request("OPTIONS", "/vote", [*evil, *asking]).status == 403
    assert service.results() == before


def test_the_app_of_the_listed_origin_can_vote(gate):
    fields = [*JSON, ("Origin", "http://localhost:3000"), ("Sec-Fetch-Site", "same-site")]
    response = gate.request("POST", "/vote", fields, CATS)
    assert response.status == 202
    assert response.get("Access-Control-Allow-Origin") == "http://localhost:3000"


def test_replicas_share_the_limits_where_there_is_a_redis(service, redis):
    redis.call("FLUSHALL")
    env = {"BACKEND": service.url, "ENVIRONMENT": "development", "VOTE_RATE": "5/minute"}
    env["REDIS_URL"] = redis.url
    one = Gatehouse(D, env={**env, "LISTEN": f"127.0.0.1:{free_port()}"})
    other = Gatehouse(D, env={**env, "LISTEN": f"127.0.0.1:{free_port()}"})
    clients = iter(range(1, 255))

    def votes_of_a_client():
        fields = [*JSON, ("X-Forwarded-For", f"198.51.100.{next(clients)}")]
        asked = (one, other) * 4
        return [gate.request("POST", "/vote", fields, CATS).status for gate in asked]

    with one, other:
        # Each connects at its first requests, and decides alone until then.
        wait_until(lambda: votes_of_a_client() == [202] * 5 + [429] * 3, "a limit that is shared")


# -- one vote for each account --


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed-in")
    with Vote(folder, VOTE_ONCE="user") as service:
        env = {
            **ENV,
            "ENVIRONMENT": "development",
            "PUBLIC_URL": "http://localhost",
            "LISTEN": f"127.0.0.1:{free_port()}",
            "BACKEND": service.url,
            "STORE": f"sqlite:{folder}/gatehouse.db",
            "MAIL_FOLDER": str(folder / "mail"),
            "EMAIL_VERIFICATION": "off",
        }
        with Gatehouse(SIGNED_IN, env=env) as gate:
            yield service, gate


def sign_up(gate):
    person = Person(gate)
    assert person.sign_up().status in (201, 202)
    person.login()
    return person


def test_the_first_vote_of_an_account_counts_and_no_other(signed_in):
    service, gate = signed_in
    before = service.results()
    ann, bob = sign_up(gate), sign_up(gate)
    for person, option in ((ann, "cats"), (ann, "dogs"), (ann, "cats"), (bob, "dogs")):
        assert person.post("/vote", {"option": option}).status == 202
    after = service.results()
    assert after["cats"] == before["cats"] + 1
    assert after["dogs"] == before["dogs"] + 1


def test_votes_of_one_account_at_once_are_one(signed_in):
    service, gate = signed_in
    before = service.results()["cats"]
    person = sign_up(gate)
    threads = [
        threading.Thread(target=person.post, args=("/vote", {"option": "cats"})) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.results()["cats"] == before + 1


def test_another_site_can_not_vote_with_the_rights_of_somebody(signed_in):
    service, gate = signed_in
    before = service.results()
    person = sign_up(gate)
    assert_answer(person.post("/vote", {"option": "cats"}, site="cross-site"), 403)
    assert service.results() == before


def test_who_is_not_signed_in_reads_but_does_not_vote(signed_in):
    service, gate = signed_in
    before = service.results()
    stranger = Person(gate)
    for extra in ([], [("X-User-Id", "7"), ("X_User_Id", "7"), ("x-user-id", "8")]):
        response = stranger.post("/vote", {"option": "cats"}, extra=extra)
        assert_answer(response, 401)
    assert gate.get("/results").json()["results"] == before
    assert gate.get("/").status == 200


def test_the_table_has_who_voted_and_never_for_what(tmp_path):
    with Vote(tmp_path, VOTE_ONCE="user") as service:
        assert service.vote("cats", [("X-User-Id", "ann-7")]).status == 202
    with sqlite3.connect(tmp_path / "votes.db") as database:
        assert database.execute("SELECT * FROM voters").fetchall() == [("ann-7",)]
        assert database.execute("SELECT * FROM votes").fetchall() == [("cats", 1)]


@pytest.mark.parametrize(
    "fields",
    [[], [("X-User-Id", "")], [("X-User-Id", "a"), ("X-User-Id", "b")], [("X-User-Id", "a" * 129)],
     [("X-User-Id", "a b")], [("X-User-Id", "\xe9")]],
)
def test_a_vote_needs_exactly_one_identity(tmp_path, fields):
    with Vote(tmp_path, VOTE_ONCE="user") as service:
        response = service.vote("cats", fields)
        assert response.status == 401
        assert response.get("WWW-Authenticate")
        assert service.results()["cats"] == 0


# -- the end --


def begin_vote(client, service):
    """A vote of which the last byte is missing, once the service has it in hand."""
    raw = request("POST", "/vote", [*JSON, ("Expect", "100-continue")], CATS)
    head, _, body = raw.partition(b"\r\n\r\n")
    client.send(head + b"\r\n\r\n")
    assert client.read_head().status == 100
    client.send(body[:-1])
    return body[-1:]


def is_closed(port):
    try:
        Client(port).close()
        return False
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_what_is_in_flight_and_ends_0(tmp_path, number):
    with Vote(tmp_path) as service:
        with Client(service.port) as client, Client(service.port) as idle:
            assert idle.request("GET", "/healthz").status == 200
            last = begin_vote(client, service)
            service.signal(number)
            time.sleep(0.2)  # it must not end meanwhile, which nothing else can show
            assert service.process.poll() is None
            late = idle.request("GET", "/readyz")
            assert late.status == 503 and late.get("Connection") == "close"
            client.send(last)
            response = client.read()
            assert response.status == 202
            assert response.get("Connection") == "close"
            assert service.wait_exit() == 0
    with sqlite3.connect(tmp_path / "votes.db") as database:
        assert database.execute("SELECT * FROM votes").fetchall() == [("cats", 1)]


@pytest.mark.parametrize("threads", [1, 2])
def test_who_is_connected_when_the_end_comes_is_answered(tmp_path, threads):
    """Also those whom no thread has accepted yet, because all of them wait for the store."""
    with Vote(tmp_path, THREADS=threads, STORE_TIMEOUT_MS=8000) as service:
        holder = sqlite3.connect(tmp_path / "votes.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        clients = [Client(service.port) for _ in range(threads + 3)]
        for client in clients:
            client.send(request("POST", "/vote", JSON, CATS))
        time.sleep(0.2)  # threads have taken what they can
        service.signal()
        wait_until(lambda: is_closed(service.port), "the listener's end")
        holder.execute("ROLLBACK")
        holder.close()
        for client in clients:
            assert client.read().status == 202
            client.close()
        assert service.wait_exit() == 0
    with Vote(tmp_path) as service:
        assert service.results()["cats"] == threads + 3


def test_the_wait_for_slow_clients_is_bounded(tmp_path):
    service = Vote(tmp_path, DRAIN_SECONDS=1)
    with Client(service.port) as client:
        begin_vote(client, service)
        service.signal()
        assert service.wait_exit() == 1
    assert "cut off" in service.stderr


def test_a_second_signal_ends_at_once(tmp_path):
    service = Vote(tmp_path)
    with Client(service.port) as client:
        begin_vote(client, service)
        service.signal()
        time.sleep(0.1)  # two signals that are pending together are one
        service.signal()
        assert service.wait_exit() == 1


def test_a_client_that_left_in_the_middle_does_not_delay_the_end(tmp_path):
    with Vote(tmp_path, BODY_BYTES_MAX=1048576) as service:
        with Client(service.port) as client:
            client.send(request("POST", "/vote", [*JSON, ("Content-Length", "1000000")]))
            client.send(b" " * 900000)
        with Client(service.port) as client:
            client.send(request("POST", "/vote", [*JSON, ("Content-Length", "1000")]))
            client.reset()
        begun = time.monotonic()
        service.signal()
        assert service.wait_exit() == 0
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "variables",
    [{"VOTE_OPTIONS": "cats"}, {"VOTE_ONCE": "yes"}, {"LISTEN": "nowhere"}, {"THREADS": "0"},
     {"DATABASE_URL": "mysql://u:hunter2@h/d"}, {"DATABASE_URL": "postgresql://u:hunter2@[h/d"},
     {"REDIS_URL": "rediss://:hunter2@h"}, {"REDIS_URL": "redis://:hunter2@h"}],
)
def test_a_start_that_can_not_work_names_the_variable_and_no_secret(tmp_path, variables):
    result = run_vote(**{"DATABASE_URL": f"sqlite:{tmp_path}/v.db", **variables})
    assert result.returncode == 2
    assert list(variables)[0] in result.stderr
    assert "hunter2" not in result.stderr


def test_help_and_wrong_usage():
    assert run_vote("--help").returncode == 0
    assert run_vote("--verbose").returncode == 2
    assert run_vote("install", DATABASE_URL="sqlite:/nowhere").returncode == 2


# -- Redis and PostgreSQL --


def test_a_vote_is_an_entry_of_the_stream(redis, tables, tmp_path):
    redis.call("DEL", "votes")
    with Vote(tmp_path, DATABASE_URL=tables.url, REDIS_URL=redis.url) as service:
        assert service.vote("cats", [("X-User-Id", "nobody asked")]).status == 202
        assert service.vote("dogs").status == 202
        assert service.vote("birds").status == 422
        assert service.results() == {"cats": 0, "dogs": 0}  # counting is the consumer's
        assert service.get("/health").status == 200
    assert entries(redis) == [{"option": "cats", "user": ""}, {"option": "dogs", "user": ""}]


def test_the_entry_names_the_voter_where_one_vote_counts(redis, tables, tmp_path):
    redis.call("DEL", "once")
    variables = {"DATABASE_URL": tables.url, "REDIS_URL": redis.url, "STREAM": "once"}
    with Vote(tmp_path, VOTE_ONCE="user", **variables) as service:
        assert service.vote("cats", [("X-User-Id", "ann")]).status == 202
        assert service.vote("cats").status == 401
    assert entries(redis, "once") == [{"option": "cats", "user": "ann"}]


def test_results_are_those_of_the_table(redis, tables, tmp_path):
    with Vote(tmp_path, DATABASE_URL=tables.url, REDIS_URL=redis.url) as service:
        assert tables.ask("SELECT increment_vote('cats')") == "1"
        assert tables.ask("SELECT increment_vote('cats')") == "2"
        assert tables.ask("SELECT increment_vote('unknown')") == "1"
        assert service.results() == {"cats": 2, "dogs": 0}


def test_increment_vote_counts_the_first_vote_of_somebody(tables):
    assert tables.ask("SELECT increment_vote('cats', 'ann')") == "1"
    assert tables.ask("SELECT increment_vote('dogs', 'ann')") == "0"
    assert tables.ask("SELECT increment_vote('cats', 'bob')") == "2"
    assert tables.ask("SELECT increment_vote('cats', 'ann')") == "2"
    assert tables.ask("SELECT option, count FROM votes ORDER BY 1") == "cats|2"
    assert tables.ask("SELECT voter FROM voters ORDER BY 1").split() == ["ann", "bob"]


@pytest.mark.parametrize("call", ["''", "repeat('a', 65)", "NULL", "'cats', ''", "'cats', NULL"])
def test_increment_vote_refuses_what_is_no_vote(tables, call):
    with pytest.raises(AssertionError, match="constraint"):
        tables.ask(f"SELECT increment_vote({call})")
    assert tables.ask("SELECT count(*) FROM votes") == "0"
    assert tables.ask("SELECT count(*) FROM voters") == "0"


def test_the_schema_may_be_installed_again_and_by_several_at_once(tables):
    tables.ask("SELECT increment_vote('cats')")
    starts = [
        subprocess.Popen([VOTE, "install"], env={"DATABASE_URL": tables.url}) for _ in range(4)
    ]
    assert [process.wait(30) for process in starts] == [0] * 4
    assert tables.ask("SELECT count FROM votes") == "1"


def test_without_redis_votes_are_counted_in_postgresql_at_once(tables, tmp_path):
    with Vote(tmp_path, DATABASE_URL=tables.url, VOTE_ONCE="user") as service:
        for option, voter in (("cats", "ann"), ("dogs", "ann"), ("dogs", "bob")):
            assert service.vote(option, [("X-User-Id", voter)]).status == 202
        assert service.results() == {"cats": 1, "dogs": 1}


def test_redis_away_is_503_and_a_vote_is_never_sent_twice(tables, tmp_path):
    with redis_with(appendonly="yes") as redis:
        variables = {"DATABASE_URL": tables.url, "REDIS_URL": redis.url}
        with Vote(tmp_path, **variables, STORE_TIMEOUT_MS=300) as service:
            assert service.vote("cats").status == 202
            redis.stop()
            assert service.vote("cats").status == 503
            assert service.get("/health").status == 503
            assert service.results()["cats"] == 0
            redis.start()
            # The connection of before has ended, and it is seen before a vote is sent on it.
            assert [service.vote("dogs").status for _ in range(8)] == [202] * 8
            assert service.get("/health").status == 200
            redis.pause()
            begun = time.monotonic()
            assert service.vote("cats").status == 503
            assert time.monotonic() - begun < 5
            redis.resume()
            wait_until(lambda: service.get("/health").status == 200, "Redis again")
            options = [entry["option"] for entry in entries(redis)]
            assert options[:9] == ["cats"] + ["dogs"] * 8
            assert len(options) <= 10  # the one of the stopped server may have come late


def test_a_redis_that_takes_no_writes_is_503(tables, tmp_path):
    with redis_with(maxmemory=1, maxmemory_policy="noeviction") as redis:
        with Vote(tmp_path, DATABASE_URL=tables.url, REDIS_URL=redis.url) as service:
            assert service.vote("cats").status == 503
            assert entries(redis) == []
            redis.call("CONFIG", "SET", "maxmemory", "0")
            assert service.vote("cats").status == 202


def test_the_rights_of_the_checklist_are_enough_and_no_more_are_given(redis, tables, tmp_path):
    tables.ask("CREATE ROLE reader LOGIN")
    tables.ask("CREATE ROLE adder LOGIN")
    reader = tables.url.replace("gatehouse@", "reader@")
    redis.call("ACL", "SETUSER", "taker", "on", ">taken", "+xadd", "+ping", "~votes")
    stream = f"redis://taker:taken@127.0.0.1:{redis.port}"
    with Vote(tmp_path, DATABASE_URL=reader, REDIS_URL=stream) as service:
        assert service.get("/health").status == 503
        tables.ask("GRANT SELECT ON votes TO reader")
        assert service.get("/health").status == 200
        assert service.vote("cats").status == 202
        assert service.results() == {"cats": 0, "dogs": 0}
    for role in ("reader", "adder"):
        for call in ("increment_vote('cats')", "increment_vote('cats', 'ann')"):
            with pytest.raises(AssertionError, match="permission denied"):
                tables.ask(f"SELECT {call}", role)
    functions = "increment_vote(text), increment_vote(text, text)"
    tables.ask(f"GRANT EXECUTE ON FUNCTION {functions} TO adder")
    assert tables.ask("SELECT increment_vote('cats', 'ann')", "adder") == "1"
    for table in ("votes", "voters"):
        with pytest.raises(AssertionError, match="permission denied"):
            tables.ask(f"SELECT * FROM {table}", "adder")
    # Tables of the caller's own are not taken for the service's.
    trick = "CREATE TEMP TABLE votes (option text, count bigint); SELECT increment_vote('dogs')"
    tables.ask(trick, "adder")
    assert tables.ask("SELECT option, count FROM votes ORDER BY 1").split() == ["cats|1", "dogs|1"]
    tables.ask("REVOKE ALL ON votes FROM reader")
    tables.ask(f"REVOKE ALL ON FUNCTION {functions} FROM adder")
    tables.ask("DROP ROLE reader")
    tables.ask("DROP ROLE adder")


def test_redis_with_a_password_and_a_database(tables, tmp_path):
    with redis_with(password="open sesame") as redis:
        right = f"redis://:open%20sesame@127.0.0.1:{redis.port}/2"
        with Vote(tmp_path, DATABASE_URL=tables.url, REDIS_URL=right) as service:
            assert service.vote("cats").status == 202
        wrong = f"redis://:wrong@127.0.0.1:{redis.port}/2"
        with Vote(tmp_path, DATABASE_URL=tables.url, REDIS_URL=wrong) as service:
            assert service.vote("cats").status == 503
            assert "wrong" not in service.stderr


def test_postgresql_away_is_503_and_comes_back(tmp_path):
    need_vote()
    if not postgres_server.programs():
        pytest.skip("there is no PostgreSQL")
    with contextlib.closing(Postgres()) as server:
        tables = Tables(server)
        with Vote(tmp_path, DATABASE_URL=tables.url, STORE_TIMEOUT_MS=500) as service:
            assert service.get("/health").status == 503  # no schema yet
            tables.install()
            assert service.get("/health").status == 200
            assert service.vote("cats").status == 202
            server.stop()
            assert service.vote("cats").status == 503
            assert service.get("/results").status == 503
            server.start()
            assert [service.vote("cats").status for _ in range(6)] == [202] * 6
            assert service.results()["cats"] == 7


def test_the_examples_pass_the_check():
    env = {**ENV, "ENVIRONMENT": "production", "SMTP_URL": "smtps://mail.example.com"}
    for path in (D, SIGNED_IN):
        result = run("check", "--config", path, env=env)
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_readme_names_every_variable_and_its_default():
    folder = ROOT / "examples" / "vote"
    readme = (folder / "README.md").read_text()
    source = (folder / "settings.c").read_text()
    named = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", readme, re.M))
    texts = re.findall(r'text_of\("([A-Z_]+)", (?:"(.*?)"|NULL)\)', source)
    numbers = re.findall(r'\{"([A-Z_]+)", (\d+), ', source)
    assert len(texts) == 7 and len(numbers) == 4
    for name, default in texts + numbers:
        assert named.pop(name) == (f"`{default}`" if default else "none"), name
    assert named == {}
    for chapter in ("Quick start", "Environment variables", "Security configuration", "Endpoints",
                    "Production checklist", "Development guidelines"):
        assert f"\n## {chapter}\n" in readme
