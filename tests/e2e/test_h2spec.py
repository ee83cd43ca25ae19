"""Each title of h2spec, in clear and over TLS; the cases are in h2spec/."""

import pytest

import h2spec.connection, h2spec.generic, h2spec.messages  # which fill CASES
from h2spec import ANSWER, CASES, Peer, titles
from harness.backend import Backend, answer
from harness.gate import ROOT, Gatehouse, config, free_port

TITLES = ROOT / ".." / "shared" / "conformance" / "h2spec" / "cases.txt"
NAMES = [" ".join(map(str, key[:2])) + f"/{key[2]}" for key in CASES]


class Server:
    """Where it listens, and the backend behind it."""

    def __init__(self, clear, secure, tls, backend=None):
        self.clear, self.secure, self.tls, self.backend = clear, secure, tls, backend

    def connect(self, way, **options):
        if way == "tls":
            return Peer(self.secure, tls=self.tls, **options)
        return Peer(self.clear, **options)


@pytest.fixture(scope="module")
def server(certificates):
    pair = certificates["localhost"]
    clear, secure = free_port(), free_port()
    listen = [
        {"address": f"127.0.0.1:{clear}", "h2c": True},
        {"address": f"127.0.0.1:{secure}", "tls": pair.settings()},
    ]
    with Backend(answer(200, body=ANSWER)) as backend, Gatehouse(config(backend, listen=listen)):
        yield Server(clear, secure, pair.client_context(["h2"]), backend)


def test_every_title_has_a_case_and_every_case_a_title():
    if not TITLES.is_file():
        pytest.skip(f"there is no {TITLES}")
    wanted = titles(TITLES)
    assert len(wanted) == 146
    assert {key: case.title for key, case in CASES.items()} == wanted


@pytest.mark.parametrize("way", ["clear", "tls"])
@pytest.mark.parametrize("case", CASES.values(), ids=NAMES)
def test_h2spec(server, case, way):
    with server.connect(way, own=case.own, start=case.start, timeout=10) as peer:
        peer.backend = server.backend
        case.play(peer)
