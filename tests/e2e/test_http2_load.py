"""SPEC 3.1: the end of a server and its reloads under requests over HTTP/2 lose none of them; and
forward-auth, asked over HTTP/2."""

import signal
import threading

import pytest

from harness.gate import IS_RELEASE, config, free_port
from harness.h2 import H2Client, StreamReset
from harness.identity import BASE, deployed
from harness.wire import WireError

CLIENTS = 3
BATCH = 10


class Load(threading.Thread):
    """A client that always has some requests under way, and comes again when it is told to go.
    What a server did not take by its last GOAWAY is no failure: it is asked again."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate
        self.over = threading.Event()
        self.answered, self.connections, self.failed = 0, 0, []
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                client = H2Client(self.gate.address)
            except OSError:
                return  # it listens no more
            with client:
                self.connections += 1
                while not self.over.is_set() and not client.goaway:
                    self.ask(client)

    def ask(self, client):
        streams = []
        try:
            for _ in range(BATCH):
                streams.append(client.begin("GET", "/load"))
        except OSError:  # it has gone: what it says of the last stream is still to be read
            pass
        for stream in streams:
            self.settle(client, stream)

    def settle(self, client, stream):
        try:
            status = client.finish(stream).status
        except (WireError, OSError) as error:
            if not client.goaway or stream.number <= client.goaway[0]:
                self.failed.append(f"{stream.number}: {error!r}, {client.goaway}")
            return
        self.answered += 1
        if status != 200:
            self.failed.append(f"{stream.number}: {status}")


@pytest.fixture
def loaded(start, backend):
    settings = config(backend)
    settings["listen"][0]["h2c"] = True
    gate = start(settings)
    loads = [Load(gate) for _ in range(CLIENTS)]
    yield gate, loads
    for load in loads:
        load.over.set()
        load.join()


def wait_answers(gate, loads, count):
    aims = [load.answered + count for load in loads]
    gate.wait_for(
        lambda: all(load.answered >= aim for load, aim in zip(loads, aims)), "answers under load"
    )


@pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")
def test_reloads_under_load_fail_no_request(loaded):
    gate, loads = loaded
    for count in (1, 2, 3):
        wait_answers(gate, loads, 50)
        before = [load.connections for load in loads]
        gate.signal(signal.SIGHUP)
        gate.wait_for(lambda c=count: gate.output().count("configuration reloaded") == c, "reload")
        gate.clock.advance(5)
        gate.wait_for(
            lambda b=before: all(load.connections > n for load, n in zip(loads, b)),
            "the clients on new connections",
        )
    wait_answers(gate, loads, 50)
    assert not any(load.failed for load in loads), [load.failed for load in loads]


def test_the_end_of_the_server_under_load_fails_no_request(loaded):
    gate, loads = loaded
    wait_answers(gate, loads, 100)
    gate.signal(signal.SIGTERM)
    assert gate.wait_exit() == 0
    for load in loads:
        load.join()
        assert not load.failed
    lines = [line for line in gate.access_lines() if line["path"] == "/load"]
    assert {line["status"] for line in lines} == {200}
    assert len(lines) == sum(load.answered for load in loads), "answered and not seen, or the reverse"


# -- forward-auth --


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    listen = [{"address": f"127.0.0.1:{free_port()}", "h2c": True}]
    peers = {"authz": {"peers": ["127.0.0.1/32"]}}
    with deployed(tmp_path_factory.mktemp("forward"), peers, listen=listen) as deployment:
        yield deployment


def traefik(uri):
    facts = {"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "http"}
    facts |= {"X-Forwarded-Host": "localhost", "X-Forwarded-Uri": uri}
    return f"{BASE}/authz/forward-auth", facts


def envoy(uri):
    return f"{BASE}/authz/ext-authz{uri}", {"Content-Length": "0"}


def nginx(uri):
    facts = {"X-Original-Method": "GET", "X-Original-URL": f"http://localhost{uri}"}
    return f"{BASE}/authz/auth-request", facts


DIALECTS = pytest.mark.parametrize("dialect", [traefik, envoy, nginx], ids=lambda d: d.__name__)


def questions(world, dialect):
    """(person or None, target, fields) of requests whose answers differ."""
    ann, bob = world.person(), world.person()
    for person, uri in (
        (ann, "/data?a=b"),
        (bob, "/data"),
        (None, "/data"),
        (None, "/public/x"),
        (ann, "/admin/x"),
        (ann, f"/users/{ann.id}/tasks"),
        (bob, f"/users/{ann.id}/tasks"),
    ):
        target, facts = dialect(uri)
        yield person, target, (person or world.stranger()).fields(list(facts.items()))


@pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")
@DIALECTS
def test_forward_auth_answers_as_over_http1(world, dialect):
    """All questions at once on one connection, as proxies that speak HTTP/2 ask them."""
    told = ("Remote-User", "Remote-Groups", "Remote-Email", "Cache-Control", "WWW-Authenticate")
    asked = list(questions(world, dialect))
    with H2Client(world.gate.address) as client:
        streams = [client.begin("GET", target, fields) for _, target, fields in asked]
        answers = [client.finish(stream) for stream in streams]
    statuses = []
    for response, (person, target, fields) in zip(answers, asked):
        plain = world.gate.request("GET", target, fields)
        assert response.status == plain.status
        assert [response.get(name) for name in told] == [plain.get(name) for name in told]
        if response.status == 200:
            assert (response.get("Remote-User") or None) == (person.id if person else None)
        statuses.append(response.status)
    assert statuses == [200, 200, 401, 200, 403, 200, 403]


@pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")
def test_cookies_in_crumbs_are_the_same_session(world):
    person = world.person()
    target, facts = traefik("/data")
    fields = [f for f in person.fields(list(facts.items())) if f[0] != "Cookie"]
    fields += [("Cookie", f"{name}={value}") for name, value in person.cookies.items()]
    with H2Client(world.gate.address) as client:
        response = client.request("GET", target, fields)
        assert (response.status, response.get("Remote-User")) == (200, person.id)
        twice = [*fields, ("Cookie", f"gh_access={world.person().cookies['gh_access']}")]
        assert client.request("GET", target, twice).status in (400, 401, 403)


def test_a_reset_question_is_nobodys_matter(world):
    with H2Client(world.gate.address) as client:
        target, facts = traefik("/public/x")
        fields = world.stranger().fields(list(facts.items()))
        assert client.request("GET", target, fields).status == 200
        bad = client.begin("GET", target, [*fields, ("Connection", "close")])
        try:
            assert client.answer_head(bad).status == 400
        except StreamReset:
            pass
        assert client.request("GET", target, fields).status == 200
