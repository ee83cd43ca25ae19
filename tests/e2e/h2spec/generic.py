"""h2spec's first list: what every server of HTTP/2 does."""

from harness.h2_frames import (
    INCREMENTAL,
    NEVER_INDEXED,
    NOT_INDEXED,
    Setting,
    block,
    continuation,
    data,
    goaway,
    headers,
    indexed,
    literal,
    ping,
    priority,
    rst_stream,
    settings,
    table_size,
    window_update,
)

from . import alive, answered, case, special

SHUT = {Setting.INITIAL_WINDOW_SIZE: 0}  # answers can't end, so that streams stay half-closed


@special("generic 1/1", "Sends a client connection preface")
def the_preface(peer):
    peer.settle()


case(
    "generic 2/1",
    "Sends a PRIORITY frame on idle stream",
    answered,
    lambda peer: [priority(1), peer.get()],
)


@special(
    "generic 2/2", "Sends a WINDOW_UPDATE frame on half-closed (remote) stream", own=SHUT
)
def window_update_when_half_closed(peer):
    peer.say(peer.get(), window_update(1, 100))
    peer.expect_answer()


case(
    "generic 2/3",
    "Sends a PRIORITY frame on half-closed (remote) stream",
    answered,
    lambda peer: [peer.get(), priority(1)],
)
case(
    "generic 2/4",
    "Sends a RST_STREAM frame on half-closed (remote) stream",
    alive,
    lambda peer: [peer.get(), rst_stream(1)],
    own=SHUT,
)


@special("generic 2/5", "Sends a PRIORITY frame on closed stream")
def priority_when_closed(peer):
    peer.say(peer.get())
    peer.expect_answer()
    peer.say(priority(1))
    peer.sync()
    peer.say(peer.get(3))
    peer.expect_answer(3)


# -- 3: each kind of frame --

case(
    "generic 3.1/1",
    "Sends a DATA frame",
    answered,
    lambda peer: [peer.post(), data(1, b"test", end=True)],
)
case(
    "generic 3.1/2",
    "Sends multiple DATA frames",
    answered,
    lambda peer: [peer.post(), data(1, b"test"), data(1, b"test", end=True)],
)
case(
    "generic 3.1/3",
    "Sends a DATA frame with padding",
    answered,
    lambda peer: [peer.post(), data(1, b"test", end=True, padding=8)],
)
case("generic 3.2/1", "Sends a HEADERS frame", answered, lambda peer: [peer.get()])
case(
    "generic 3.2/2",
    "Sends a HEADERS frame with padding",
    answered,
    lambda peer: [peer.get(padding=8)],
)
case(
    "generic 3.2/3",
    "Sends a HEADERS frame with priority",
    answered,
    lambda peer: [peer.get(depends=(0, 256, True))],
)
case(
    "generic 3.3/1",
    "Sends a PRIORITY frame with priority 1",
    answered,
    lambda peer: [peer.get(), priority(1, weight=1)],
)
case(
    "generic 3.3/2",
    "Sends a PRIORITY frame with priority 256",
    answered,
    lambda peer: [peer.get(), priority(1, weight=256)],
)
case(
    "generic 3.3/3",
    "Sends a PRIORITY frame with stream dependency",
    answered,
    lambda peer: [priority(1, depends=3), peer.get()],
)
case(
    "generic 3.3/4",
    "Sends a PRIORITY frame with exclusive",
    answered,
    lambda peer: [peer.get(), priority(1, exclusive=True)],
)
case(
    "generic 3.3/5",
    "Sends a PRIORITY frame for an idle stream, then send a HEADER frame for a lower stream ID",
    answered,
    lambda peer: [priority(3), peer.get(1)],
)
case(
    "generic 3.4/1",
    "Sends a RST_STREAM frame",
    alive,
    lambda peer: [peer.post(), rst_stream(1)],
)


@special("generic 3.5/1", "Sends a SETTINGS frame")
def settings_are_acknowledged(peer):
    peer.settle()
    peer.say(settings({Setting.HEADER_TABLE_SIZE: 100}))
    peer.settle()


case("generic 3.7/1", "Sends a PING frame", alive, lambda peer: [])


@special("generic 3.8/1", "Sends a GOAWAY frame")
def goaway_of_the_client(peer):
    """What is open goes on to its end; the connection may then end."""
    peer.say(peer.get(), goaway())
    peer.expect_answer()
    peer.say(ping())
    while not peer.ping_acks and peer.read_frame() is not None:
        pass
    assert not peer.has_error()


case(
    "generic 3.9/1",
    "Sends a WINDOW_UPDATE frame with stream ID 0",
    answered,
    lambda peer: [window_update(0, 1), peer.get()],
)
case(
    "generic 3.9/2",
    "Sends a WINDOW_UPDATE frame with stream ID 1",
    answered,
    lambda peer: [peer.get(), window_update(1, 1)],
)


def in_pieces(peer, count):
    """A request's header block in so many CONTINUATION frames behind HEADERS."""
    whole = peer.block(fields=[("x-filler", "a" * 100)])
    size = len(whole) // (count + 1) + 1
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert len(pieces) == count + 1
    last = pieces.pop()
    first = headers(1, pieces.pop(0), end_headers=False)
    return [first, *(continuation(1, p, end_headers=False) for p in pieces), continuation(1, last)]


case(
    "generic 3.10/1", "Sends a CONTINUATION frame", answered, lambda peer: in_pieces(peer, 1)
)
case(
    "generic 3.10/2",
    "Sends multiple CONTINUATION frames",
    answered,
    lambda peer: in_pieces(peer, 5),
)

# -- 4: requests --


@special("generic 4/1", "Sends a GET request")
def get(peer):
    assert peer.request("GET", "/").status == 200


@special("generic 4/2", "Sends a HEAD request")
def head_request(peer):
    response = peer.request("HEAD", "/")
    assert (response.status, response.body) == (200, b"")


@special("generic 4/3", "Sends a POST request")
def post(peer):
    assert peer.request("POST", "/", body=b"test").status == 200


case(
    "generic 4/4",
    "Sends a POST request with trailers",
    answered,
    lambda peer: [
        peer.post(fields=[("trailer", "x-test")]),
        data(1, b"test"),
        headers(1, block([("x-test", "ok")])),
    ],
)

# -- 5: each representation of HPACK --

USER_AGENT = 58  # in the static table


def with_field(encoded, name="user-agent", value="h2spec"):
    """GET with one more field in this representation, which has to arrive as it was meant."""

    def play(peer):
        peer.say(headers(1, peer.block() + encoded))
        peer.expect_answer()
        peer.expect_received(name, value)

    return play


special("generic 5/1", "Sends a indexed header field representation")(
    with_field(indexed(16), "accept-encoding", "gzip, deflate")
)
LITERALS = {
    2: ("with incremental indexing - indexed name", INCREMENTAL, USER_AGENT, False),
    3: (
        "with incremental indexing - indexed name (with Huffman coding)",
        INCREMENTAL,
        USER_AGENT,
        True,
    ),
    4: ("with incremental indexing - new name", INCREMENTAL, "x-h2spec", False),
    5: (
        "with incremental indexing - new name (with Huffman coding)",
        INCREMENTAL,
        "x-h2spec",
        True,
    ),
    6: ("without indexing - indexed name", NOT_INDEXED, USER_AGENT, False),
    7: ("without indexing - indexed name (with Huffman coding)", NOT_INDEXED, USER_AGENT, True),
    8: ("without indexing - new name", NOT_INDEXED, "x-h2spec", False),
    9: ("without indexing - new name (huffman encoded)", NOT_INDEXED, "x-h2spec", True),
    10: ("never indexed - indexed name", NEVER_INDEXED, USER_AGENT, False),
    11: ("never indexed - indexed name (huffman encoded)", NEVER_INDEXED, USER_AGENT, True),
    12: ("never indexed - new name", NEVER_INDEXED, "x-h2spec", False),
    13: ("never indexed - new name (huffman encoded)", NEVER_INDEXED, "x-h2spec", True),
}
for number, (title, form, name, huffman) in LITERALS.items():
    special(f"generic 5/{number}", f"Sends a literal header field {title}")(
        with_field(
            literal(name, "h2spec", form, huffman),
            name if isinstance(name, str) else "user-agent",
        )
    )
case(
    "generic 5/14",
    "Sends a dynamic table size update",
    answered,
    lambda peer: [headers(1, table_size(1) + peer.block())],
)
case(
    "generic 5/15",
    "Sends multiple dynamic table size update",
    answered,
    lambda peer: [headers(1, table_size(1) + table_size(4096) + peer.block())],
)
