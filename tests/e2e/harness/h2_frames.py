"""The bytes of HTTP/2 (RFC 9113) and HPACK (RFC 7541), well-formed or not, as a test wants them."""

import enum
import struct
from collections import namedtuple

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_BYTES_MIN = 16384  # what everybody takes, section 4.2
WINDOW_MAX = 2**31 - 1
WINDOW_START = 65535


class Kind(enum.IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Code(enum.IntEnum):
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(enum.IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6
    ENABLE_CONNECT_PROTOCOL = 8


class Flag(enum.IntFlag):
    NONE = 0
    ACK = 1
    END_STREAM = 1
    END_HEADERS = 4
    PADDED = 8
    PRIORITY = 32


class Frame(namedtuple("Frame", "kind flags stream payload")):
    def encoded(self):
        head = struct.pack(">I", len(self.payload))[1:] + bytes([self.kind, self.flags])
        return head + struct.pack(">I", self.stream) + self.payload

    def has(self, flag):
        return bool(self.flags & flag)

    def __repr__(self):
        kind = Kind(self.kind).name if self.kind in set(Kind) else f"type {self.kind}"
        return f"<{kind} flags={self.flags:#x} stream={self.stream} {self.payload[:40]!r}>"


# -- frames --


def padded(payload, padding):
    """`padding` is a count of bytes, or None."""
    return payload if padding is None else bytes([padding]) + payload + bytes(padding)


def dependency(depends, weight, exclusive):
    return struct.pack(">IB", depends | (exclusive << 31), weight - 1)


def data(stream, payload=b"", end=False, padding=None):
    flags = (Flag.END_STREAM if end else 0) | (Flag.PADDED if padding is not None else 0)
    return Frame(Kind.DATA, flags, stream, padded(payload, padding))


def headers(stream, block, end=True, end_headers=True, padding=None, depends=None):
    """`depends` is (stream, weight, exclusive)."""
    flags = (Flag.END_STREAM if end else 0) | (Flag.END_HEADERS if end_headers else 0)
    if depends is not None:
        block = dependency(*depends) + block
        flags |= Flag.PRIORITY
    if padding is not None:
        flags |= Flag.PADDED
    return Frame(Kind.HEADERS, flags, stream, padded(block, padding))


def continuation(stream, block, end_headers=True):
    return Frame(Kind.CONTINUATION, Flag.END_HEADERS if end_headers else 0, stream, block)


def priority(stream, depends=0, weight=16, exclusive=False):
    return Frame(Kind.PRIORITY, 0, stream, dependency(depends, weight, exclusive))


def rst_stream(stream, code=Code.CANCEL):
    return Frame(Kind.RST_STREAM, 0, stream, struct.pack(">I", code))


def settings(values=(), stream=0):
    """`values` is a dict, or pairs where one stands twice."""
    pairs = values.items() if isinstance(values, dict) else values
    return Frame(Kind.SETTINGS, 0, stream, b"".join(struct.pack(">HI", k, v) for k, v in pairs))


def settings_ack():
    return Frame(Kind.SETTINGS, Flag.ACK, 0, b"")


def ping(payload=b"gatehous", ack=False, stream=0):
    return Frame(Kind.PING, Flag.ACK if ack else 0, stream, payload)


def goaway(last=0, code=Code.NO_ERROR, debug=b"", stream=0):
    return Frame(Kind.GOAWAY, 0, stream, struct.pack(">II", last, code) + debug)


def window_update(stream, increment):
    return Frame(Kind.WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def push_promise(stream, promised, block):
    return Frame(Kind.PUSH_PROMISE, Flag.END_HEADERS, stream, struct.pack(">I", promised) + block)


# -- HPACK: representations that leave the peer's table alone unless a test asks for it --

INDEXED, INCREMENTAL, TABLE_SIZE, NEVER_INDEXED, NOT_INDEXED = 0x80, 0x40, 0x20, 0x10, 0x00
PREFIX_BITS = {INDEXED: 7, INCREMENTAL: 6, TABLE_SIZE: 5, NEVER_INDEXED: 4, NOT_INDEXED: 4}
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def as_bytes(text):
    return text.encode("latin-1") if isinstance(text, str) else text


def integer(value, prefix_bits, first=0):
    """RFC 7541, section 5.1."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    out.append(value)
    return bytes(out)


def string(text, huffman=False):
    text = as_bytes(text)
    if huffman:
        text = HUFFMAN.encode(text)
    return integer(len(text), 7, 0x80 if huffman else 0) + text


def indexed(index):
    return integer(index, 7, INDEXED)


def literal(name, value, form=NOT_INDEXED, huffman=False):
    """`name` is a name, or an index of the table."""
    if isinstance(name, int):
        return integer(name, PREFIX_BITS[form], form) + string(value, huffman)
    return bytes([form]) + string(name, huffman) + string(value, huffman)


def table_size(octets):
    return integer(octets, PREFIX_BITS[TABLE_SIZE], TABLE_SIZE)


def block(fields):
    """A header block of `fields` in their order, names and values as they are."""
    return b"".join(literal(name, value) for name, value in fields)


def head(method="GET", target="/", fields=(), host="localhost", scheme="http"):
    """The fields of a request; what is None is left out."""
    if isinstance(fields, dict):
        fields = list(fields.items())
    pseudo = [(":method", method), (":scheme", scheme), (":authority", host), (":path", target)]
    return [(name, value) for name, value in pseudo if value is not None] + list(fields)
