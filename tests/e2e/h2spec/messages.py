"""h2spec's second list, section 8 (requests), and its third list: HPACK (RFC 7541)."""

from harness.h2_frames import (
    HUFFMAN,
    INCREMENTAL,
    Code,
    Setting,
    block,
    data,
    headers,
    indexed,
    integer,
    literal,
    push_promise,
    string,
    table_size,
)

from . import case, connection_error, special, stream_error

MALFORMED = stream_error(Code.PROTOCOL_ERROR)
COMPRESSION = connection_error(Code.COMPRESSION_ERROR)

case(
    "http2 8.1/1",
    "Sends a second HEADERS frame without the END_STREAM flag",
    MALFORMED,
    lambda peer: [peer.post(), headers(1, block([("x-test", "ok")]), end=False)],
)


def malformed(name, title, block_of):
    """A request whose header block is not as section 8 wants it."""
    case(f"http2 8.1.2{name}", title, MALFORMED, lambda peer: [headers(1, block_of(peer))])


def more(name, value):
    return lambda peer: peer.block() + literal(name, value)


malformed(
    "/1",
    "Sends a HEADERS frame that contains the header field name in uppercase letters",
    more("X-TEST", "test"),
)
malformed(
    ".1/1",
    "Sends a HEADERS frame that contains a unknown pseudo-header field",
    lambda peer: literal(":test", "test") + peer.block(),
)
malformed(
    ".1/2",
    "Sends a HEADERS frame that contains the pseudo-header field defined for response",
    lambda peer: literal(":status", "200") + peer.block(),
)
case(
    "http2 8.1.2.1/3",
    "Sends a HEADERS frame that contains a pseudo-header field as trailers",
    MALFORMED,
    lambda peer: [
        peer.post(fields=[("trailer", "x-test")]),
        data(1, b"test"),
        headers(1, block([(":method", "200"), ("x-test", "ok")])),
    ],
)
malformed(
    ".1/4",
    "Sends a HEADERS frame that contains a pseudo-header field that appears in a header block "
    "after a regular header field",
    lambda peer: block(
        [
            (":method", "GET"),
            (":scheme", peer.scheme),
            (":authority", "localhost"),
            ("x-test", "ok"),
            (":path", "/"),
        ]
    ),
)
malformed(
    ".2/1",
    "Sends a HEADERS frame that contains the connection-specific header field",
    more("connection", "keep-alive"),
)
malformed(
    ".2/2",
    'Sends a HEADERS frame that contains the TE header field with any value other than "trailers"',
    more("te", "trailers, deflate"),
)
malformed(
    ".3/1",
    'Sends a HEADERS frame with empty ":path" pseudo-header field',
    lambda peer: block(
        [(":method", "GET"), (":scheme", peer.scheme), (":authority", "localhost"), (":path", "")]
    ),
)


def without(name):
    """The fields of GET without one of them."""

    def block_of(peer):
        fields = {
            ":method": "GET",
            ":scheme": peer.scheme,
            ":authority": "localhost",
            ":path": "/",
        }
        del fields[name]
        return block(fields.items())

    return block_of


for number, name in ((2, ":method"), (3, ":scheme"), (4, ":path")):
    malformed(
        f".3/{number}",
        f'Sends a HEADERS frame that omits "{name}" pseudo-header field',
        without(name),
    )
for number, name, value in ((5, ":method", "GET"), (6, ":scheme", "http"), (7, ":path", "/")):
    malformed(
        f".3/{number}",
        f'Sends a HEADERS frame with duplicated "{name}" pseudo-header field',
        lambda peer, name=name, value=value: peer.block() + literal(name, value),
    )

case(
    "http2 8.1.2.6/1",
    'Sends a HEADERS frame with the "content-length" header field which does not equal the DATA '
    "frame payload length",
    MALFORMED,
    lambda peer: [peer.post(fields=[("content-length", "1")]), data(1, b"test", end=True)],
)
case(
    "http2 8.1.2.6/2",
    'Sends a HEADERS frame with the "content-length" header field which does not equal the sum of '
    "the multiple DATA frames payload length",
    MALFORMED,
    lambda peer: [
        peer.post(fields=[("content-length", "1")]),
        data(1, b"test"),
        data(1, b"test", end=True),
    ],
)
case(
    "http2 8.2/1",
    "Sends a PUSH_PROMISE frame",
    connection_error(Code.PROTOCOL_ERROR),
    lambda peer: [peer.post(), push_promise(1, 2, peer.block())],
)


def not_hpack(name, title, encoded):
    case(
        f"hpack {name}",
        title,
        COMPRESSION,
        lambda peer: [headers(1, encoded(peer) if callable(encoded) else peer.block() + encoded)],
    )


not_hpack(
    "2.3.3/1",
    "Sends a indexed header field representation with invalid index",
    indexed(70),
)
not_hpack(
    "2.3.3/2",
    "Sends a literal header field representation with invalid index",
    literal(70, "test", INCREMENTAL),
)
not_hpack(
    "4.2/1", "Sends a dynamic table size update at the end of header block", table_size(1)
)


def huffman_value(octets):
    """x-test with a value of these octets, said to be coded."""
    return b"\x00" + string("x-test") + integer(len(octets), 7, 0x80) + octets


TEST = HUFFMAN.encode(b"test")
not_hpack(
    "5.2/1",
    "Sends a Huffman-encoded string literal representation with padding longer than 7 bits",
    huffman_value(TEST + b"\xff"),
)
not_hpack(
    "5.2/2",
    "Sends a Huffman-encoded string literal representation padded by zero",
    huffman_value(bytes([*TEST[:-1], TEST[-1] & 0xFE])),
)
not_hpack(
    "5.2/3",
    "Sends a Huffman-encoded string literal representation containing the EOS symbol",
    huffman_value(b"\xff\xff\xff\xff"),
)
not_hpack("6.1/1", "Sends a indexed header field representation with index 0", indexed(0))


@special(
    "hpack 6.3/1",
    "Sends a dynamic table size update larger than the value of SETTINGS_HEADER_TABLE_SIZE",
)
def a_table_that_is_too_large(peer):
    peer.settle()
    size = peer.peer[Setting.HEADER_TABLE_SIZE] + 1
    peer.say(headers(1, table_size(size) + peer.block()))
    peer.expect_connection_error(Code.COMPRESSION_ERROR)
