"""Streams that begin, stall, change their windows, are given up and cut in any order: whatever is
not given up gets its own answer, whole, and nothing is left when all have gone."""

import random

import pytest

from harness.backend import Backend, answer
from harness.gate import Gatehouse, config, free_port
from harness.h2 import H2Client
from harness.h2_frames import (
    WINDOW_MAX,
    Code,
    Setting,
    data,
    ping,
    priority,
    rst_stream,
    settings,
    window_update,
)
from harness.wire import chunked

SEEDS = range(24)
STEPS = 400
OPEN_MAX = 60
# Less than the budgets of a second, whatever the machine's pace.
LEFT = {"reset": 60, "settings": 12, "ping": 50, "order": 100}
WINDOWS = (0, 1, 1000, 65535, 1 << 20)


def body_of(seed, size):
    """Bytes that differ from place to place and from stream to stream."""
    return random.Random(f"{seed}:{size}").randbytes(size)


def backend_answer(backend):
    """/KIND/SEED/SIZE; requests with a body get it back, unless they are answered early."""

    def reply(received, connection):
        kind, seed, size = received.target[1:].split("/")
        if kind != "early" and not backend.read_body(received, connection):
            return b""
        body = received.body if kind == "echo" else body_of(seed, int(size))
        if kind == "chunked":
            pieces = [body[at : at + 5000] for at in range(0, len(body), 5000)]
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            return head + chunked(*pieces)
        if kind == "close":
            connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
            return b""
        if kind == "cut":
            connection.send(answer(200, body=body + b"more")[:-4])
            return b""
        if kind == "early":
            connection.send(answer(200, {"Connection": "close"}, body))
            while connection.fill():  # no reset that would take the answer with it
                pass
            return b""
        return answer(200, body=body)

    return reply


@pytest.fixture(scope="module")
def gate(certificates):
    with Backend() as backend:
        backend.answer_early, backend.answer = True, backend_answer(backend)
        pair = certificates["localhost"]
        listen = [
            {"address": f"127.0.0.1:{free_port()}", "h2c": True},
            {"address": f"127.0.0.1:{free_port()}", "tls": pair.settings()},
        ]
        admin = f"127.0.0.1:{free_port()}"
        with Gatehouse(config(backend, listen=listen, admin_listen=admin)) as running:
            running.tls_port = int(listen[1]["address"].rsplit(":", 1)[1])
            running.tls = pair.client_context(["h2"])
            yield running


class Chaos:
    def __init__(self, client, seed):
        self.client, self.seed = client, seed
        self.random = random.Random(seed)
        self.expected = {}  # stream: (kind, body)
        self.rest = {}  # stream: what of its body is still to be sent
        self.left = dict(LEFT)

    def may(self, what):
        self.left[what] -= 1
        return self.left[what] >= 0

    def open_streams(self):
        return [s for s in self.client.streams.values() if not s.is_over() and not s.given_up]

    def begin(self):
        if len(self.open_streams()) >= OPEN_MAX:
            return
        kind = self.random.choice(["plain", "chunked", "close", "cut", "early", "echo", "echo"])
        size = int(self.random.paretovariate(0.4) * 10) % 100_000
        body = body_of(self.client.next_stream, size)
        target = f"/{kind}/{self.client.next_stream}/{size}"
        fields = {}
        if kind in ("early", "echo") and self.random.random() < 0.5:
            fields["content-length"] = str(size)
        uploads = kind in ("early", "echo")
        stream = self.client.begin("POST" if uploads else "GET", target, fields, end=not uploads)
        self.expected[stream] = kind, body
        if uploads:
            self.rest[stream] = body

    def upload(self, limit=20_000):
        """A piece of a body, as the windows allow."""
        if not self.rest:
            return False
        stream = self.random.choice(list(self.rest))
        if stream.is_over() or stream.given_up:
            del self.rest[stream]
            return True
        rest = self.rest[stream]
        size = self.random.randrange(limit) + 1
        room = min(size, len(rest), self.client.send_window, stream.send_window, 16384)
        if rest and room <= 0:
            return False
        self.rest[stream] = rest[room:]
        end = not self.rest[stream]
        padding = self.random.choice([None, None, 0]) if room < 16000 else None
        if padding is not None and min(self.client.send_window, stream.send_window) <= room:
            padding = None
        self.client.try_send_frames(data(stream.number, rest[:room], end, padding))
        if end:
            del self.rest[stream]
        return True

    def step(self):
        streams = self.open_streams()
        stream = self.random.choice(streams) if streams else None
        what = self.random.choices(
            ["begin", "upload", "window", "connection", "reset", "settings", "ping", "order"],
            [20, 40, 25, 15, 4, 2, 3, 5],
        )[0]
        if what == "begin":
            self.begin()
        elif what == "upload":
            self.upload()
        elif what == "connection":
            self.client.try_send_frames(window_update(0, self.random.randrange(1, 30_000)))
        elif what == "settings" and self.may(what):
            size = self.random.choice(WINDOWS)
            self.client.try_send_frames(settings({Setting.INITIAL_WINDOW_SIZE: size}))
        elif what == "ping" and self.may(what):
            self.client.try_send_frames(ping(self.random.randbytes(8)))
        elif what == "window" and stream:
            size = self.random.randrange(1, 50_000)
            self.client.try_send_frames(window_update(stream.number, size))
        elif what == "order" and stream and self.may(what):
            before = self.random.randrange(stream.number)
            self.client.try_send_frames(priority(stream.number, before))
        elif what == "reset" and stream and self.may(what):
            code = self.random.choice(list(Code))
            self.client.try_send_frames(rst_stream(stream.number, code))
        self.read()

    def read(self):
        assert self.client.read_ready(), self.client.goaway

    def finish(self):
        """Everything is opened wide, and sent; what is not over by then waits for ever."""
        client = self.client
        client.pays_back = True
        client.try_send_frames(settings({Setting.INITIAL_WINDOW_SIZE: 1 << 24}))
        client.settle()
        client.try_send_frames(window_update(0, WINDOW_MAX - client.receive_window))
        while self.rest:
            if not self.upload():
                assert client.read_frame() is not None, client.goaway
            self.read()
        for stream in self.expected:
            if not stream.given_up:
                client.wait(stream.is_over, f"stream {stream.number}: {self.expected[stream][0]}")
        client.sync()

    def check(self):
        assert self.client.goaway is None
        for stream, (kind, body) in self.expected.items():
            if stream.given_up:
                continue
            if kind == "cut":
                assert stream.reset is not None and not stream.ended
                continue
            assert stream.ended, (stream.number, kind, stream.reset)
            assert stream.reset in (None, Code.NO_ERROR)
            assert (stream.response.status, stream.response.body) == (200, body), kind


@pytest.mark.parametrize("seed", SEEDS)
def test_every_stream_gets_its_own_answer(gate, seed):
    tls = {"tls": gate.tls} if seed % 4 == 3 else {}
    own = {Setting.INITIAL_WINDOW_SIZE: random.Random(seed).choice(WINDOWS)}
    address = gate.tls_port if tls else gate.address
    with H2Client(address, own=own, **tls) as client:
        client.settle()
        client.pays_back = False
        chaos = Chaos(client, seed)
        for _ in range(STEPS):
            chaos.step()
        chaos.finish()
        chaos.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_client_that_goes_in_the_middle_leaves_nothing(gate, seed):
    own = {Setting.INITIAL_WINDOW_SIZE: random.Random(seed).choice(WINDOWS)}
    with H2Client(gate.address, own=own) as client:
        client.settle()
        client.pays_back = False
        chaos = Chaos(client, -1 - seed)
        for _ in range(chaos.random.randrange(20, 200)):
            chaos.step()
        if seed % 2:
            client.reset()


def test_nothing_is_left_when_all_have_gone(gate):
    with H2Client(gate.address) as client:
        assert client.request("GET", "/plain/1/100").status == 200
    for name in ("gatehouse_http2_connections", "gatehouse_http2_streams"):
        gate.wait_for(lambda name=name: gate.metrics()[name] == 0, f"no {name}")
