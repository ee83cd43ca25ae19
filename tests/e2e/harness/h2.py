"""A raw HTTP/2 client (RFC 9113): sends the frames it is given, reads answers strictly."""

import re
import select
import struct

import hpack

from .h2_frames import (
    FRAME_BYTES_MIN,
    PREFACE,
    WINDOW_MAX,
    WINDOW_START,
    Code,
    Flag,
    Frame,
    Kind,
    Setting,
    as_bytes,
    data,
    head,
    headers,
    ping,
    settings,
    settings_ack,
    window_update,
)
from .wire import Client, ConnectionEnded, Response, WireError

NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
CONNECTION_SPECIFIC = {
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# What may stand several times; everything else, above all each security header, stands once.
REPEATABLE = {"link", "set-cookie", "vary", "warning", "www-authenticate"}
DEFAULTS = {
    Setting.HEADER_TABLE_SIZE: 4096,
    Setting.ENABLE_PUSH: 0,
    Setting.MAX_CONCURRENT_STREAMS: 2**32 - 1,
    Setting.INITIAL_WINDOW_SIZE: WINDOW_START,
    Setting.MAX_FRAME_SIZE: FRAME_BYTES_MIN,
    Setting.MAX_HEADER_LIST_SIZE: 2**32 - 1,
}


class StreamReset(WireError):
    """The peer ended the stream with RST_STREAM."""

    def __init__(self, stream, code):
        super().__init__(f"RST_STREAM {code!r} on stream {stream}")
        self.code = code


class GoneAway(ConnectionEnded):
    """The peer ended the connection with GOAWAY and an error."""

    def __init__(self, code, debug):
        super().__init__(f"GOAWAY {code!r} {debug!r}")
        self.code = code


class Stream:
    """What is known of one stream of ours."""

    def __init__(self, number, method, receive_window, send_window):
        self.number = number
        self.method = method
        self.receive_window = receive_window
        self.send_window = send_window
        self.interim = []
        self.response = None
        self.ended = False  # by the peer's END_STREAM
        self.sent_end = False  # by ours
        self.reset = None  # the code of the peer's RST_STREAM
        self.given_up = False  # by a RST_STREAM of ours

    def is_over(self):
        return self.ended or self.reset is not None


def code_of(number):
    return Code(number) if number in set(Code) else number


class H2Client(Client):
    """One connection. With a TLS context, which has to offer it, ALPN chooses HTTP/2; without, the
    preface is sent at once. `own` are our settings; `start=False` sends nothing by itself.
    While `pays_back` is False no window is opened again."""

    def __init__(self, address, tls=None, own=None, start=True, **options):
        super().__init__(address, tls=tls, **options)
        assert not tls or self.socket.selected_alpn_protocol() == "h2"
        self.scheme = "https" if tls else "http"
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.own = dict(DEFAULTS)
        self.unacknowledged = []  # settings of ours
        self.peer = dict(DEFAULTS)
        self.has_peer_settings = False
        self.streams = {}
        self.touched = set()  # streams on which we sent anything
        self.next_stream = 1
        self.receive_window = WINDOW_START
        self.send_window = WINDOW_START
        self.fragments = None  # (stream, flags, bytes) of a header block without its end
        self.pings = []
        self.ping_acks = []
        self.goaway = None  # (last stream, code, debug data)
        self.seen = []
        self.pays_back = True
        self.was_reset = False
        if start:
            self.start(own or {})

    # -- sending --

    def start(self, own=()):
        """The preface and our settings, in one piece."""
        self.send_frames(settings(own), before=PREFACE)

    def note(self, frame):
        """What the peer may do changes with what we said."""
        if frame.kind == Kind.SETTINGS and not frame.has(Flag.ACK) and len(frame.payload) % 6 == 0:
            self.unacknowledged.append(list(struct.iter_unpack(">HI", frame.payload)))
        elif frame.kind == Kind.PING and not frame.has(Flag.ACK):
            self.pings.append(frame.payload)
        elif frame.kind == Kind.WINDOW_UPDATE and len(frame.payload) == 4:
            self.note_window(frame.stream, struct.unpack(">I", frame.payload)[0])
        elif frame.kind == Kind.HEADERS and frame.stream not in self.streams:
            self.open(frame.stream, "GET")
        elif frame.kind == Kind.RST_STREAM and frame.stream in self.streams:
            self.streams[frame.stream].given_up = True
        elif frame.kind == Kind.DATA:
            self.send_window -= len(frame.payload)
            if frame.stream in self.streams:
                self.streams[frame.stream].send_window -= len(frame.payload)
        whole_head = frame.kind == Kind.HEADERS and frame.has(Flag.END_HEADERS)
        whole = frame.kind == Kind.DATA or whole_head
        if whole and frame.has(Flag.END_STREAM) and frame.stream in self.streams:
            self.streams[frame.stream].sent_end = True
        self.touched.add(frame.stream)

    def note_window(self, stream, increment):
        if stream == 0:
            self.receive_window += increment
        elif stream in self.streams:
            self.streams[stream].receive_window += increment

    def open(self, number, method):
        stream = Stream(
            number,
            method,
            self.own[Setting.INITIAL_WINDOW_SIZE],
            self.peer[Setting.INITIAL_WINDOW_SIZE],
        )
        self.streams[number] = stream
        self.next_stream = max(self.next_stream, number + 2)
        return stream

    def send_frames(self, *frames, before=b""):
        """These frames in one piece, whatever they are."""
        for frame in frames:
            self.note(frame)
        self.send(before + b"".join(frame.encoded() for frame in frames))

    def try_send_frames(self, *frames):
        """The same; False when the peer takes no more."""
        for frame in frames:
            self.note(frame)
        return self.try_send(b"".join(frame.encoded() for frame in frames))

    def begin(self, method, target, fields=(), end=True, host="localhost"):
        """Sends a request's head, with HPACK's tables in use; its stream."""
        pairs = head(method, target, fields, host, self.scheme)
        stream = self.open(self.next_stream, method)
        encoded = self.encoder.encode([(as_bytes(n.lower()), as_bytes(v)) for n, v in pairs])
        self.send_frames(headers(stream.number, encoded, end=end))
        return stream

    def send_body(self, stream, body, end=True):
        """In frames and windows that the peer takes; waits for both."""
        size = self.peer[Setting.MAX_FRAME_SIZE]
        while body:
            room = min(size, self.send_window, stream.send_window)
            if room <= 0:
                self.wait(lambda: min(self.send_window, stream.send_window) > 0, "a window")
                continue
            piece, body = body[:room], body[room:]
            self.send_frames(data(stream.number, piece, end=end and not body))
            if end and not body:
                return
        if end:
            self.send_frames(data(stream.number, end=True))

    def request(self, method, target, fields=(), body=None, host="localhost"):
        """The answer to a request, whole."""
        stream = self.begin(method, target, fields, end=body is None, host=host)
        if body is not None:
            self.send_body(stream, body)
        return self.finish(stream)

    # -- waiting --

    def wait(self, condition, what):
        """Reads until `condition()` holds."""
        while not condition():
            if self.read_frame() is None:
                if self.goaway and self.goaway[1] != Code.NO_ERROR:
                    raise GoneAway(*self.goaway[1:])
                raise ConnectionEnded(f"waited for {what}; last: {self.seen[-5:]}")

    def finish(self, stream):
        """The answer on a stream, whole."""
        if isinstance(stream, int):
            stream = self.streams[stream]
        self.wait(stream.is_over, f"the end of stream {stream.number}")
        if stream.reset is not None:
            raise StreamReset(stream.number, stream.reset)
        return stream.response

    def answer_head(self, stream):
        """The head of the answer on a stream."""
        if isinstance(stream, int):
            stream = self.streams[stream]
        self.wait(lambda: stream.response or stream.is_over(), f"a head on {stream.number}")
        if not stream.response:
            raise StreamReset(stream.number, stream.reset)
        return stream.response

    def settle(self):
        """Both sides' settings are acknowledged."""
        self.wait(lambda: self.has_peer_settings and not self.unacknowledged, "SETTINGS")

    def sync(self):
        """A PING and its answer: everything sent before has been read."""
        payload = struct.pack(">Q", len(self.seen) << 16 | len(self.ping_acks))
        self.send_frames(ping(payload))
        self.wait(lambda: payload in self.ping_acks, "the answer to PING")

    def read_ready(self):
        """What has come so far; False at the end of the connection."""
        while self.has_frame() or select.select([self.socket], [], [], 0)[0]:
            if self.read_frame() is None:
                return False
        return True

    def has_frame(self):
        return len(self.buffer) >= 9 + int.from_bytes(self.buffer[:3], "big")

    def drain(self):
        """Everything up to the end of the connection."""
        while self.read_frame() is not None:
            pass

    # -- reading --

    def fill(self):
        try:
            block = self.socket.recv(262144)
        except TimeoutError as error:
            raise WireError(f"nothing came for too long; last: {self.seen[-5:]}") from error
        except OSError:
            self.was_reset = True
            return False
        self.buffer += block
        return bool(block)

    def take_frame(self):
        while len(self.buffer) < 9:
            if not self.fill():
                if self.buffer and not self.was_reset:
                    raise WireError(f"the end within a frame's head: {self.buffer!r}")
                return None
        size = int.from_bytes(self.buffer[:3], "big")
        if size > self.own[Setting.MAX_FRAME_SIZE]:
            raise WireError(f"a frame of {size} bytes, or no frame: {self.buffer[:60]!r}")
        while len(self.buffer) < 9 + size:
            if not self.fill():
                if not self.was_reset:
                    raise WireError("the end within a frame")
                return None
        stream = int.from_bytes(self.buffer[5:9], "big")
        if stream >> 31:
            raise WireError("the reserved bit is set")
        frame = Frame(self.buffer[3], self.buffer[4], stream, self.buffer[9 : 9 + size])
        self.buffer = self.buffer[9 + size :]
        return frame

    def read_frame(self):
        """The next frame, checked and counted; None at the end of the connection."""
        frame = self.take_frame()
        if frame is None:
            return None
        self.seen.append(frame)
        if not self.has_peer_settings and (frame.kind != Kind.SETTINGS or frame.has(Flag.ACK)):
            raise WireError(f"the first frame is not SETTINGS: {frame}")
        if self.fragments and (frame.kind, frame.stream) != (Kind.CONTINUATION, self.fragments[0]):
            raise WireError(f"{frame} within a header block")
        readers = {
            Kind.DATA: self.on_data,
            Kind.HEADERS: self.on_headers,
            Kind.RST_STREAM: self.on_rst_stream,
            Kind.SETTINGS: self.on_settings,
            Kind.PING: self.on_ping,
            Kind.GOAWAY: self.on_goaway,
            Kind.WINDOW_UPDATE: self.on_window_update,
            Kind.CONTINUATION: self.on_continuation,
        }
        if frame.kind not in readers:
            raise WireError(f"a server does not send {frame}")
        readers[frame.kind](frame)
        return frame

    def of_connection(self, frame, sizes):
        if frame.stream != 0 or len(frame.payload) not in sizes:
            raise WireError(f"not well-formed: {frame}")

    def of_stream(self, frame):
        """The stream of a frame that only an open one may get; None when we gave it up."""
        stream = self.streams.get(frame.stream)
        if stream is None:
            raise WireError(f"{frame} on a stream that is not open")
        if stream.is_over():
            raise WireError(f"{frame} after the end of its stream")
        return None if stream.given_up else stream

    def unpadded(self, frame):
        if not frame.has(Flag.PADDED):
            return frame.payload
        padding = frame.payload[0]
        if padding >= len(frame.payload):
            raise WireError(f"more padding than frame: {frame}")
        if any(frame.payload[len(frame.payload) - padding :]):
            raise WireError(f"padding that says something: {frame}")
        return frame.payload[1 : len(frame.payload) - padding]

    def on_settings(self, frame):
        self.of_connection(frame, {0} if frame.has(Flag.ACK) else range(0, 600, 6))
        if frame.has(Flag.ACK):
            if not self.unacknowledged:
                raise WireError("an acknowledgement of settings that nobody sent")
            self.apply_own(self.unacknowledged.pop(0))
            return
        self.has_peer_settings = True
        for key, value in struct.iter_unpack(">HI", frame.payload):
            self.apply_peer(key, value)
        self.try_send_frames(settings_ack())

    def apply_own(self, pairs):
        for key, value in pairs:
            if key == Setting.INITIAL_WINDOW_SIZE:
                for stream in self.streams.values():
                    stream.receive_window += value - self.own[key]
            if key == Setting.HEADER_TABLE_SIZE:
                self.decoder.max_allowed_table_size = value
            self.own[key] = value

    def apply_peer(self, key, value):
        if key == Setting.ENABLE_PUSH and value != 0:
            raise WireError("a server can't allow push")
        if key == Setting.MAX_FRAME_SIZE and not FRAME_BYTES_MIN <= value < 2**24:
            raise WireError(f"SETTINGS_MAX_FRAME_SIZE {value}")
        if key == Setting.INITIAL_WINDOW_SIZE:
            if value > WINDOW_MAX:
                raise WireError(f"SETTINGS_INITIAL_WINDOW_SIZE {value}")
            for stream in self.streams.values():
                stream.send_window += value - self.peer[key]
        if key == Setting.HEADER_TABLE_SIZE:
            self.encoder.header_table_size = min(value, 4096)
        self.peer[key] = value

    def on_ping(self, frame):
        self.of_connection(frame, {8})
        if not frame.has(Flag.ACK):
            self.try_send_frames(ping(frame.payload, ack=True))
        elif frame.payload not in self.pings:
            raise WireError(f"an answer to a PING that nobody sent: {frame}")
        else:
            self.pings.remove(frame.payload)
            self.ping_acks.append(frame.payload)

    def on_goaway(self, frame):
        if len(frame.payload) < 8:
            raise WireError(f"too short: {frame}")
        self.of_connection(frame, {len(frame.payload)})
        last, code = struct.unpack(">II", frame.payload[:8])
        if self.goaway and last > self.goaway[0]:
            raise WireError(f"the last stream of GOAWAY grew from {self.goaway[0]} to {last}")
        self.goaway = last, code_of(code), frame.payload[8:]

    def on_window_update(self, frame):
        if len(frame.payload) != 4:
            raise WireError(f"not well-formed: {frame}")
        increment = int.from_bytes(frame.payload, "big")
        if not 0 < increment <= WINDOW_MAX:
            raise WireError(f"WINDOW_UPDATE of {increment}")
        if frame.stream == 0:
            self.send_window += increment
            window = self.send_window
        elif frame.stream in self.streams:
            self.streams[frame.stream].send_window += increment
            window = self.streams[frame.stream].send_window
        else:
            raise WireError(f"{frame} on a stream that is not open")
        if window > WINDOW_MAX:
            raise WireError(f"a window of {window}")

    def on_rst_stream(self, frame):
        if len(frame.payload) != 4 or frame.stream not in self.touched or frame.stream == 0:
            raise WireError(f"not well-formed, or on an idle stream: {frame}")
        if frame.stream not in self.streams:
            self.open(frame.stream, None)
        stream = self.streams[frame.stream]
        if stream.reset is not None:
            raise WireError(f"reset twice: {frame}")
        stream.reset = code_of(int.from_bytes(frame.payload, "big"))
        if stream.ended and stream.sent_end and stream.reset == Code.NO_ERROR:
            raise WireError(f"reset for nothing when both sides had ended: {frame}")

    def on_headers(self, frame):
        payload = self.unpadded(frame)
        if frame.has(Flag.PRIORITY):
            payload = payload[5:]
        self.fragments = frame.stream, frame.flags, payload
        if frame.has(Flag.END_HEADERS):
            self.end_block(frame)

    def on_continuation(self, frame):
        if not self.fragments:
            raise WireError("CONTINUATION without HEADERS")
        stream, flags, payload = self.fragments
        self.fragments = stream, flags, payload + frame.payload
        if frame.has(Flag.END_HEADERS):
            self.end_block(frame)

    def end_block(self, frame):
        _, flags, payload = self.fragments
        self.fragments = None
        try:
            fields = self.decoder.decode(payload, raw=True)
        except hpack.HPACKError as error:
            raise WireError(f"HPACK: {error}") from error
        stream = self.of_stream(frame)
        if not stream:
            return
        if stream.response:
            raise WireError("a trailer came")
        response = check_head([(bytes(n), bytes(v)) for n, v in fields])
        if response.status < 200:
            if flags & Flag.END_STREAM or response.status == 101:
                raise WireError(f"no interim answer: {response}")
            stream.interim.append(response)
            return
        stream.response = response
        if flags & Flag.END_STREAM:
            self.end_stream(stream)

    def on_data(self, frame):
        self.receive_window -= len(frame.payload)
        if self.receive_window < 0:
            raise WireError(f"more than the connection's window: {frame}")
        stream = self.of_stream(frame)
        if stream:
            stream.receive_window -= len(frame.payload)
            if stream.receive_window < 0 and frame.payload:
                raise WireError(f"more than the stream's window: {frame}")
            if not stream.response:
                raise WireError("DATA before a head")
            stream.response.body += self.unpadded(frame)
            if frame.has(Flag.END_STREAM):
                self.end_stream(stream)
        if self.pays_back and frame.payload:
            self.pay_back(stream, len(frame.payload))

    def pay_back(self, stream, count):
        updates = [window_update(0, count)]
        if stream and not stream.is_over():
            updates.append(window_update(stream.number, count))
        self.try_send_frames(*updates)

    def end_stream(self, stream):
        response = stream.response
        length = response.get("content-length")
        has_body = stream.method != "HEAD" and response.status not in (204, 304)
        if length is not None and not re.fullmatch(r"\d+", length):
            raise WireError(f"content-length {length!r}")
        if has_body and length is not None and int(length) != len(response.body):
            raise WireError(f"{len(response.body)} bytes with content-length {length}")
        if not has_body and response.body:
            raise WireError(f"a body in the answer to {stream.method}: {response}")
        stream.ended = response.complete = True


def check_head(fields):
    """The answer that these fields begin; section 8."""
    if not fields or fields[0][0] != b":status" or not re.fullmatch(rb"[1-9]\d\d", fields[0][1]):
        raise WireError(f"the first field is no status: {fields[:3]}")
    names = set()
    for name, value in fields[1:]:
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise WireError(f"bad field {name!r}: {value!r}")
        text = name.decode()
        if text in CONNECTION_SPECIFIC:
            raise WireError(f"{text} has no place in HTTP/2")
        if text in names and text not in REPEATABLE:
            raise WireError(f"{text} stands twice")
        names.add(text)
    return Response(
        int(fields[0][1]), [(n.decode(), v.decode("latin-1")) for n, v in fields[1:]]
    )
