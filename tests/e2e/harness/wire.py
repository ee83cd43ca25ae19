"""A raw HTTP/1.1 client: sends the bytes it is given, reads answers strictly."""

import json
import re
import socket
import ssl
import struct

TIMEOUT_SECONDS = 15
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ([\t\x20-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")


class WireError(AssertionError):
    """The answer is not well-formed HTTP/1.1, or did not come."""


class ConnectionEnded(WireError):
    """The peer closed before a complete answer."""


class Response:
    def __init__(self, status, fields):
        self.status = status
        self.fields = fields
        self.body = b""
        self.complete = False

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        """The value of a field that stands at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times: {values}"
        return values[0] if values else None

    def names(self):
        return {field.lower() for field, _ in self.fields}

    def list(self, name):
        """The members of a comma-separated field, over all its lines."""
        return [part.strip() for value in self.all(name) for part in value.split(",")]

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """The body of a refusal, its shape checked."""
        assert self.get("Content-Type") == "application/problem+json"
        document = self.json()
        assert document["status"] == self.status
        for member in ("type", "title", "detail", "request_id"):
            assert isinstance(document[member], str) and document[member], member
        return document

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:300]!r}>"


class Client:
    """One connection. `tls` is an ssl.SSLContext; `server_name` its SNI."""

    def __init__(self, address, tls=None, server_name="localhost", source=None, timeout=None):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout or TIMEOUT_SECONDS)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(
                ("127.0.0.1", address), timeout or TIMEOUT_SECONDS, source_address=source
            )
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def try_send(self, data):
        """Sends what the peer still takes; True when all went out."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def shutdown(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection with RST: unlike FIN no half-closed client that still listens."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def fill(self):
        """Reads once; False at the end of the connection."""
        try:
            block = self.socket.recv(262144)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return False
        self.buffer += block
        return bool(block)

    def take(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise ConnectionEnded(f"{len(self.buffer)} of {count} bytes: {self.buffer[:200]!r}")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise ConnectionEnded(f"no {mark!r} in {self.buffer[:200]!r}")
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken

    def read_head(self):
        lines = self.take_until(b"\r\n\r\n").split(b"\r\n")
        status_line = STATUS_LINE.fullmatch(lines[0])
        if not status_line:
            raise WireError(f"bad status line {lines[0]!r}")
        fields = []
        for line in lines[1:]:
            field = FIELD_LINE.fullmatch(line)
            if not field:
                raise WireError(f"bad field line {line!r}")
            fields.append((field[1].decode(), field[2].decode("latin-1")))
        return Response(int(status_line[1]), fields)

    def read_chunk(self):
        size_line = self.take_until(b"\r\n")
        if not re.fullmatch(rb"[0-9A-Fa-f]+", size_line):
            raise WireError(f"bad chunk size {size_line!r}")
        size = int(size_line, 16)
        if size == 0:
            if self.take_until(b"\r\n"):
                raise WireError("a trailer came")
            return b""
        data = self.take(size)
        if self.take(2) != b"\r\n":
            raise WireError("a chunk has no end")
        return data

    def read_body(self, response, method):
        length = response.get("Content-Length")
        coding = response.get("Transfer-Encoding")
        assert length is None or coding is None, "Content-Length beside Transfer-Encoding"
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            pass
        elif coding is not None:
            assert coding == "chunked"
            while block := self.read_chunk():
                response.body += block
        elif length is not None:
            assert re.fullmatch(r"\d+", length)
            response.body = self.take(int(length))
        else:
            while self.fill():
                pass
            response.body, self.buffer = self.buffer, b""
        response.complete = True

    def read(self, method="GET"):
        """The next final answer."""
        response = self.read_head()
        while response.status < 200 and response.status != 101:
            response = self.read_head()
        if response.status != 101:
            self.read_body(response, method)
        return response

    def ask(self, raw, method="GET"):
        self.send(raw)
        return self.read(method)

    def request(self, method, target, fields=(), body=None, host="localhost"):
        return self.ask(request(method, target, fields, body, host), method)

    def at_end(self):
        """True when the peer has closed and nothing more came; waits for it."""
        try:
            return not self.buffer and not self.fill()
        except TimeoutError:
            return False

    def rest(self):
        """Everything up to the end of the connection."""
        while self.fill():
            pass
        taken, self.buffer = self.buffer, b""
        return taken


def request(method, target, fields=(), body=None, host="localhost"):
    """The bytes of a request; Content-Length is added to a body unless fields frame it."""
    if isinstance(fields, dict):
        fields = list(fields.items())
    lines = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in fields]
    framed = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields)
    if body is not None and not framed:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*blocks):
    """A chunked body of these blocks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(b), b) for b in blocks) + b"0\r\n\r\n"
