"""h2spec's second list, sections 3 to 7: frames, streams and errors (RFC 9113)."""

from harness.h2_frames import (
    FRAME_BYTES_MIN,
    WINDOW_MAX,
    Code,
    Flag,
    Frame,
    Kind,
    Setting,
    continuation,
    data,
    goaway,
    headers,
    ping,
    priority,
    rst_stream,
    settings,
    window_update,
)

from . import alive, answered, case, connection_error, special, stream_error
from .generic import SHUT, in_pieces

PROTOCOL = connection_error(Code.PROTOCOL_ERROR)
FRAME_SIZE = connection_error(Code.FRAME_SIZE_ERROR)
FLOW_CONTROL = connection_error(Code.FLOW_CONTROL_ERROR)
CLOSED = stream_error(Code.STREAM_CLOSED)


# -- 3: the preface --


@special("http2 3.5/1", "Sends client connection preface", start=False)
def valid_preface(peer):
    peer.start()
    peer.settle()
    assert peer.request("GET", "/").status == 200


@special("http2 3.5/2", "Sends invalid connection preface", start=False)
def invalid_preface(peer):
    """In clear these bytes may be taken for HTTP/1.1, and refused as such."""
    assert peer.try_send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    while peer.fill():
        pass
    if peer.buffer.startswith(b"HTTP/1.1 "):
        assert peer.scheme == "http" and peer.buffer[9:10] in (b"4", b"5")
    else:
        peer.expect_connection_error(Code.PROTOCOL_ERROR)


# -- 4: frames --


def other_kind(flags=0, stream=0, kind=0xBE):
    return Frame(kind, flags, stream, bytes(8))


case(
    "http2 4.1/1",
    "Sends a frame with unknown type",
    alive,
    lambda peer: [other_kind(), other_kind(0xFF, 1)],
)


@special("http2 4.1/2", "Sends a frame with undefined flag")
def undefined_flags(peer):
    peer.say(Frame(Kind.PING, 0xFE, 0, b"flagged!"))
    peer.wait(lambda: peer.ping_acks, "the answer to PING")


@special("http2 4.1/3", "Sends a frame with reserved field bit")
def reserved_bit(peer):
    peer.say(Frame(Kind.PING, 0, 1 << 31, b"reserved"))
    peer.wait(lambda: peer.ping_acks, "the answer to PING")


case(
    "http2 4.2/1",
    "Sends a DATA frame with 2^14 octets in length",
    answered,
    lambda peer: [peer.post(), data(1, bytes(FRAME_BYTES_MIN), end=True)],
)


@special(
    "http2 4.2/2", "Sends a large size DATA frame that exceeds the SETTINGS_MAX_FRAME_SIZE"
)
def large_data(peer):
    peer.settle()
    size = peer.peer[Setting.MAX_FRAME_SIZE] + 1
    peer.say(peer.post(), data(1, bytes(size), end=True))
    peer.expect_stream_error(1, Code.FRAME_SIZE_ERROR)


@special(
    "http2 4.2/3", "Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE"
)
def large_headers(peer):
    peer.settle()
    size = peer.peer[Setting.MAX_FRAME_SIZE] + 1
    peer.say(headers(1, peer.block(fields=[("x-filler", "a" * size)])[:size]))
    peer.expect_connection_error(Code.FRAME_SIZE_ERROR)


case(
    "http2 4.3/1",
    "Sends invalid header block fragment",
    connection_error(Code.COMPRESSION_ERROR),
    lambda peer: [headers(1, b"\x01")],
)


def open_block(peer, fields=()):
    return headers(1, peer.block(fields=fields), end_headers=False)


case(
    "http2 4.3/2",
    "Sends a PRIORITY frame while sending the header blocks",
    PROTOCOL,
    lambda peer: [open_block(peer), priority(1)],
)
case(
    "http2 4.3/3",
    "Sends a HEADERS frame to another stream while sending the header blocks",
    PROTOCOL,
    lambda peer: [open_block(peer), peer.get(3)],
)

# -- 5.1: states of a stream --

case(
    "http2 5.1/1",
    "idle: Sends a DATA frame",
    connection_error(Code.PROTOCOL_ERROR, Code.STREAM_CLOSED),  # sections 5.1 and 6.1
    lambda peer: [data(1, b"test", end=True)],
)
case("http2 5.1/2", "idle: Sends a RST_STREAM frame", PROTOCOL, lambda peer: [rst_stream(1)])
case(
    "http2 5.1/3",
    "idle: Sends a WINDOW_UPDATE frame",
    PROTOCOL,
    lambda peer: [window_update(1, 100)],
)
case(
    "http2 5.1/4",
    "idle: Sends a CONTINUATION frame",
    PROTOCOL,
    lambda peer: [continuation(1, peer.block())],
)
case(
    "http2 5.1/5",
    "half closed (remote): Sends a DATA frame",
    CLOSED,
    lambda peer: [peer.get(), data(1, b"test", end=True)],
    own=SHUT,
)
case(
    "http2 5.1/6",
    "half closed (remote): Sends a HEADERS frame",
    CLOSED,
    lambda peer: [peer.get(), peer.get()],
    own=SHUT,
)
case(
    "http2 5.1/7",
    "half closed (remote): Sends a CONTINUATION frame",
    connection_error(Code.STREAM_CLOSED, Code.PROTOCOL_ERROR),
    lambda peer: [peer.get(), continuation(1, peer.block())],
    own=SHUT,
)
case(
    "http2 5.1/8",
    "closed: Sends a DATA frame after sending RST_STREAM frame",
    CLOSED,
    lambda peer: [peer.post(), rst_stream(1), data(1, b"test", end=True)],
)
case(
    "http2 5.1/9",
    "closed: Sends a HEADERS frame after sending RST_STREAM frame",
    CLOSED,
    lambda peer: [peer.post(), rst_stream(1), peer.get()],
)
case(
    "http2 5.1/10",
    "closed: Sends a CONTINUATION frame after sending RST_STREAM frame",
    connection_error(Code.STREAM_CLOSED, Code.PROTOCOL_ERROR),
    lambda peer: [peer.post(), rst_stream(1), continuation(1, peer.block())],
)


def when_closed(name, title, outcome, frames):
    """Frames on a stream that both sides have ended."""

    @special(name, title)
    def play(peer):
        peer.say(peer.get())
        peer.expect_answer()
        peer.say(*frames(peer))
        outcome(peer)


when_closed(
    "http2 5.1/11",
    "closed: Sends a DATA frame",
    CLOSED,
    lambda peer: [data(1, b"test", end=True)],
)
when_closed(
    "http2 5.1/12",
    "closed: Sends a HEADERS frame",
    connection_error(Code.STREAM_CLOSED),
    lambda peer: [peer.get()],
)
when_closed(
    "http2 5.1/13",
    "closed: Sends a CONTINUATION frame",
    connection_error(Code.STREAM_CLOSED, Code.PROTOCOL_ERROR),
    lambda peer: [continuation(1, peer.block())],
)
case(
    "http2 5.1.1/1",
    "Sends even-numbered stream identifier",
    PROTOCOL,
    lambda peer: [peer.get(2)],
)
case(
    "http2 5.1.1/2",
    "Sends stream identifier that is numerically smaller than previous",
    PROTOCOL,
    lambda peer: [peer.get(5), peer.get(3)],
)


@special(
    "http2 5.1.2/1",
    "Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded",
    own=SHUT,
)
def one_stream_too_many(peer):
    peer.settle()
    count = peer.peer[Setting.MAX_CONCURRENT_STREAMS]
    assert count < 1000
    streams = range(1, 2 * count + 2, 2)
    peer.say(*(peer.get(stream) for stream in streams))
    peer.expect_stream_error(streams[-1], Code.REFUSED_STREAM, Code.PROTOCOL_ERROR)


# -- 5.3 to 5.5 --

case(
    "http2 5.3.1/1",
    "Sends HEADERS frame that depends on itself",
    stream_error(Code.PROTOCOL_ERROR),
    lambda peer: [peer.get(depends=(1, 16, False))],
)
case(
    "http2 5.3.1/2",
    "Sends PRIORITY frame that depend on itself",
    stream_error(Code.PROTOCOL_ERROR),
    lambda peer: [priority(1, depends=1)],
)


@special("http2 5.4.1/1", "Sends an invalid PING frame for connection close")
def the_end_follows_an_error(peer):
    peer.say(ping(stream=3))
    peer.drain()


case(
    "http2 5.5/1", "Sends an unknown extension frame", alive, lambda peer: [other_kind(kind=0x16)]
)
case(
    "http2 5.5/2",
    "Sends an unknown extension frame in the middle of a header block",
    PROTOCOL,
    lambda peer: [open_block(peer), other_kind(stream=1), continuation(1, b"")],
)

# -- 6: each kind of frame --

case(
    "http2 6.1/1",
    "Sends a DATA frame with 0x0 stream identifier",
    PROTOCOL,
    lambda peer: [data(0, b"test", end=True)],
)
case(
    "http2 6.1/2",
    'Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
    CLOSED,
    lambda peer: [peer.get(), data(1, b"test")],
    own=SHUT,
)


def overlong_padding(frame):
    """The pad length says one more than follows it."""
    payload = bytes([len(frame.payload) + 1]) + frame.payload
    return frame._replace(flags=frame.flags | Flag.PADDED, payload=payload)


case(
    "http2 6.1/3",
    "Sends a DATA frame with invalid pad length",
    PROTOCOL,
    lambda peer: [peer.post(), overlong_padding(data(1, b"test", end=True))],
)
case(
    "http2 6.2/1",
    "Sends a HEADERS frame without the END_HEADERS flag, and a PRIORITY frame",
    PROTOCOL,
    lambda peer: [open_block(peer), priority(1)],
)
case(
    "http2 6.2/2",
    "Sends a HEADERS frame to another stream while sending a HEADERS frame",
    PROTOCOL,
    lambda peer: [open_block(peer), peer.get(3)],
)
case(
    "http2 6.2/3",
    "Sends a HEADERS frame with 0x0 stream identifier",
    PROTOCOL,
    lambda peer: [peer.get(0)],
)
case(
    "http2 6.2/4",
    "Sends a HEADERS frame with invalid pad length",
    PROTOCOL,
    lambda peer: [overlong_padding(peer.get())],
)
case(
    "http2 6.3/1",
    "Sends a PRIORITY frame with 0x0 stream identifier",
    PROTOCOL,
    lambda peer: [priority(0)],
)
case(
    "http2 6.3/2",
    "Sends a PRIORITY frame with a length other than 5 octets",
    stream_error(Code.FRAME_SIZE_ERROR),
    lambda peer: [peer.post(), Frame(Kind.PRIORITY, 0, 1, bytes(4))],
)
case(
    "http2 6.4/1",
    "Sends a RST_STREAM frame with 0x0 stream identifier",
    PROTOCOL,
    lambda peer: [rst_stream(0)],
)
case(
    "http2 6.4/2",
    "Sends a RST_STREAM frame on a idle stream",
    PROTOCOL,
    lambda peer: [rst_stream(1)],
)
case(
    "http2 6.4/3",
    "Sends a RST_STREAM frame with a length other than 4 octets",
    FRAME_SIZE,
    lambda peer: [peer.post(), Frame(Kind.RST_STREAM, 0, 1, bytes(3))],
)
case(
    "http2 6.5/1",
    "Sends a SETTINGS frame with ACK flag and payload",
    FRAME_SIZE,
    lambda peer: [Frame(Kind.SETTINGS, Flag.ACK, 0, bytes(1))],
)
case(
    "http2 6.5/2",
    "Sends a SETTINGS frame with a stream identifier other than 0x0",
    PROTOCOL,
    lambda peer: [settings({Setting.MAX_CONCURRENT_STREAMS: 10}, stream=1)],
)
case(
    "http2 6.5/3",
    "Sends a SETTINGS frame with a length other than a multiple of 6 octets",
    FRAME_SIZE,
    lambda peer: [Frame(Kind.SETTINGS, 0, 0, bytes(3))],
)
case(
    "http2 6.5.2/1",
    "SETTINGS_ENABLE_PUSH (0x2): Sends the value other than 0 or 1",
    PROTOCOL,
    lambda peer: [settings({Setting.ENABLE_PUSH: 2})],
)
case(
    "http2 6.5.2/2",
    "SETTINGS_INITIAL_WINDOW_SIZE (0x4): Sends the value above the maximum flow control window "
    "size",
    FLOW_CONTROL,
    lambda peer: [settings({Setting.INITIAL_WINDOW_SIZE: WINDOW_MAX + 1})],
)
case(
    "http2 6.5.2/3",
    "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value below the initial value",
    PROTOCOL,
    lambda peer: [settings({Setting.MAX_FRAME_SIZE: FRAME_BYTES_MIN - 1})],
)
case(
    "http2 6.5.2/4",
    "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value above the maximum allowed frame size",
    PROTOCOL,
    lambda peer: [settings({Setting.MAX_FRAME_SIZE: 2**24})],
)


@special("http2 6.5.2/5", "Sends a SETTINGS frame with unknown identifier")
def unknown_setting(peer):
    peer.say(settings({0xFF: 1}))
    peer.settle()
    peer.sync()


@special("http2 6.5.3/1", "Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE")
def the_last_value_counts(peer):
    peer.pays_back = False
    pairs = [(Setting.INITIAL_WINDOW_SIZE, 100), (Setting.INITIAL_WINDOW_SIZE, 1)]
    peer.say(settings(pairs), peer.get())
    peer.settle()
    peer.expect_body(1, 1)


@special("http2 6.5.3/2", "Sends a SETTINGS frame without ACK flag")
def each_settings_frame_is_acknowledged(peer):
    peer.say(settings(), settings())
    peer.settle()


@special("http2 6.7/1", "Sends a PING frame")
def ping_is_answered(peer):
    peer.say(ping(b"h2spec\x00\xff"))
    peer.wait(lambda: b"h2spec\x00\xff" in peer.ping_acks, "the answer to PING")


@special("http2 6.7/2", "Sends a PING frame with ACK")
def an_answer_is_not_answered(peer):
    peer.say(ping(b"invalid!", ack=True))
    peer.sync()  # an answer to the other one would be refused by the client
    assert len(peer.ping_acks) == 1


case(
    "http2 6.7/3",
    "Sends a PING frame with a stream identifier field value other than 0x0",
    PROTOCOL,
    lambda peer: [ping(stream=1)],
)
case(
    "http2 6.7/4",
    "Sends a PING frame with a length field value other than 8",
    FRAME_SIZE,
    lambda peer: [ping(bytes(6))],
)
case(
    "http2 6.8/1",
    "Sends a GOAWAY frame with a stream identifier other than 0x0",
    PROTOCOL,
    lambda peer: [goaway(stream=1)],
)

# -- 6.9: windows --

case(
    "http2 6.9/1",
    "Sends a WINDOW_UPDATE frame with a flow control window increment of 0",
    PROTOCOL,
    lambda peer: [window_update(0, 0)],
)
case(
    "http2 6.9/2",
    "Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream",
    stream_error(Code.PROTOCOL_ERROR),
    lambda peer: [peer.post(), window_update(1, 0)],
)
case(
    "http2 6.9/3",
    "Sends a WINDOW_UPDATE frame with a length other than 4 octets",
    FRAME_SIZE,
    lambda peer: [Frame(Kind.WINDOW_UPDATE, 0, 0, bytes(3))],
)


@special(
    "http2 6.9.1/1",
    "Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame",
)
def a_window_of_one(peer):
    peer.pays_back = False
    peer.say(settings({Setting.INITIAL_WINDOW_SIZE: 1}), peer.get())
    peer.settle()
    peer.expect_body(1, 1)


case(
    "http2 6.9.1/2",
    "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1",
    FLOW_CONTROL,
    lambda peer: [window_update(0, WINDOW_MAX), window_update(0, WINDOW_MAX)],
)
case(
    "http2 6.9.1/3",
    "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a "
    "stream",
    stream_error(Code.FLOW_CONTROL_ERROR),
    lambda peer: [peer.post(), window_update(1, WINDOW_MAX), window_update(1, WINDOW_MAX)],
)


@special("http2 6.9.2/1", "Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame", SHUT)
def a_window_that_opens(peer):
    peer.pays_back = False
    peer.say(peer.get())
    peer.expect_body(1, 0)
    peer.say(settings({Setting.INITIAL_WINDOW_SIZE: 1}))
    peer.settle()
    peer.expect_body(1, 1)


@special(
    "http2 6.9.2/2",
    "Sends a SETTINGS frame for window size to be negative",
    {Setting.INITIAL_WINDOW_SIZE: 3},
)
def a_negative_window(peer):
    peer.pays_back = False
    peer.say(peer.get())
    peer.expect_body(1, 3)
    peer.say(settings({Setting.INITIAL_WINDOW_SIZE: 2}))
    peer.settle()
    peer.say(window_update(1, 1))
    peer.expect_body(1, 3)
    peer.say(window_update(1, 1))
    peer.expect_body(1, 4)


case(
    "http2 6.9.2/3",
    "Sends a SETTINGS_INITIAL_WINDOW_SIZE settings with an exceeded maximum window size value",
    FLOW_CONTROL,
    lambda peer: [settings({Setting.INITIAL_WINDOW_SIZE: 2**31})],
)

# -- 6.10: header blocks in pieces --

case(
    "http2 6.10/1",
    "Sends multiple CONTINUATION frames preceded by a HEADERS frame",
    answered,
    lambda peer: in_pieces(peer, 2),
)
case(
    "http2 6.10/2",
    "Sends a CONTINUATION frame followed by any frame other than CONTINUATION",
    PROTOCOL,
    lambda peer: [open_block(peer), continuation(1, b"", end_headers=False), data(1, b"test")],
)
case(
    "http2 6.10/3",
    "Sends a CONTINUATION frame with 0x0 stream identifier",
    PROTOCOL,
    lambda peer: [open_block(peer), continuation(0, b"")],
)
case(
    "http2 6.10/4",
    "Sends a CONTINUATION frame preceded by a HEADERS frame with END_HEADERS flag",
    PROTOCOL,
    lambda peer: [peer.post(), continuation(1, b"")],
)
case(
    "http2 6.10/5",
    "Sends a CONTINUATION frame preceded by a CONTINUATION frame with END_HEADERS flag",
    PROTOCOL,
    lambda peer: [open_block(peer), continuation(1, b""), continuation(1, b"")],
)
case(
    "http2 6.10/6",
    "Sends a CONTINUATION frame preceded by a DATA frame",
    PROTOCOL,
    lambda peer: [peer.post(), data(1, b"test"), continuation(1, b"")],
)

# -- 7: codes that nobody knows --


@special("http2 7/1", "Sends a GOAWAY frame with unknown error code")
def unknown_goaway(peer):
    peer.say(goaway(code=0xFF), ping())
    while not peer.ping_acks and peer.read_frame() is not None:
        pass
    assert not peer.has_error()


case(
    "http2 7/2",
    "Sends a RST_STREAM frame with unknown error code",
    alive,
    lambda peer: [peer.get(), rst_stream(1, 0xFF)],
)
