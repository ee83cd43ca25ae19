"""The titles of h2spec as cases of our own: what is sent, and what has to come of it.

A title is named by its list (generic, http2, hpack), its section and its number there. What counts
as passed is what h2spec takes: an error of a stream is RST_STREAM with one of the codes, or the end
of the whole connection; an error of the connection is GOAWAY with one of the codes, or its end.
"""

import re

from harness.h2 import H2Client
from harness.h2_frames import Code, Frame, block, head, headers

CASES = {}  # (list, section, number): Case
LISTS = ("generic", "http2", "hpack")
ANSWER = bytes(range(64, 128))  # what the server under test answers to GET and POST


class Case:
    def __init__(self, title, play, own, start):
        self.title = title
        self.play = play
        self.own = own
        self.start = start


def special(name, title, own=None, start=True):
    """Decorates a case that is a function of the peer. `name` is "list section/number"."""

    def register(play):
        listed, section, number = re.fullmatch(r"(\w+) ([\d.]+)/(\d+)", name).groups()
        key = (listed, section, int(number))
        assert key not in CASES and listed in LISTS, key
        CASES[key] = Case(title, play, own, start)
        return play

    return register


def case(name, title, outcome, frames, own=None):
    """A case that sends `frames(peer)` in one piece and then has this outcome."""

    def play(peer):
        peer.say(*frames(peer))
        outcome(peer)

    special(name, title, own)(play)


def titles(path):
    """What cases.txt lists: {(list, section, number): title}."""
    found, listed, section = {}, -1, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if one := re.fullmatch(r"\s+(\d+): (.+)", line):
            key = (LISTS[listed], section, int(one[1]))
            assert key not in found, key
            found[key] = one[2]
        elif one := re.fullmatch(r"\s+(\d+(?:\.\d+)*)\. .+", line):
            section = one[1]
        elif line:
            assert not line.startswith(" "), line
            listed += 1
    return found


# -- outcomes --


def answered(peer):
    peer.expect_answer()


def alive(peer):
    peer.sync()


def stream_error(*codes, stream=1):
    return lambda peer: peer.expect_stream_error(stream, *codes)


def connection_error(*codes):
    return lambda peer: peer.expect_connection_error(*codes)


class Peer(H2Client):
    backend = None  # the scripted one behind the server, if it has one

    def expect_received(self, name, value):
        if self.backend:
            assert self.backend.last.get(name) == value

    def block(self, method="GET", fields=(), **changes):
        """A request's header block, of literals only."""
        return block(head(method, "/", fields, **{"scheme": self.scheme, **changes}))

    def get(self, stream=1, fields=(), **options):
        return headers(stream, self.block("GET", fields), **options)

    def post(self, stream=1, fields=(), **options):
        return headers(stream, self.block("POST", fields), **{"end": False, **options})

    def say(self, *pieces):
        """Frames, and bytes that are none, in one piece."""
        for piece in pieces:
            if isinstance(piece, Frame):
                self.note(piece)
        out = b"".join(p.encoded() if isinstance(p, Frame) else p for p in pieces)
        self.try_send(out)

    def expect_answer(self, stream=1):
        response = self.finish(stream)
        assert response.status == 200, response
        assert self.goaway is None, self.goaway
        return response

    def expect_stream_error(self, stream, *codes):
        while True:
            known = self.streams.get(stream)
            if known and known.reset is not None:
                assert known.reset in codes, f"RST_STREAM {known.reset!r}, wanted {codes}"
                return
            if self.has_error():
                self.expect_connection_error(*codes)
                return
            if self.read_frame() is None:
                return

    def has_error(self):
        return self.goaway is not None and self.goaway[1] != Code.NO_ERROR

    def expect_connection_error(self, *codes):
        self.drain()
        assert not self.has_error() or self.goaway[1] in codes, f"{self.goaway}, wanted {codes}"

    def expect_body(self, stream, count):
        """So many bytes of the answer's body, and no more while the window is shut."""
        self.answer_head(stream)
        response = self.streams[stream].response
        self.wait(lambda: len(response.body) >= count, f"{count} bytes of a body")
        self.sync()
        assert response.body == ANSWER[:count]
