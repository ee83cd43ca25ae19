"""A backend that records every byte it gets and answers what it is told to."""

import socket
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
WAIT_SECONDS = 15


def answer(status, fields=(), body=b"", reason="Whatever"):
    """The bytes of an answer with a Content-Length."""
    if isinstance(fields, dict):
        fields = list(fields.items())
    lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in fields]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Received:
    """One request as it arrived."""

    def __init__(self, raw_head, connection):
        self.raw_head = raw_head
        self.connection = connection
        lines = raw_head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.body = b""
        self.complete = False

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times: {values}"
        return values[0] if values else None

    def names(self):
        return {field.lower() for field, _ in self.fields}


class Connection:
    """One accepted connection; a scripted answer may use it as it likes."""

    def __init__(self, sock):
        self.socket = sock
        self.received = b""
        self.buffer = b""
        self.closed_by_peer = False

    def fill(self):
        try:
            block = self.socket.recv(65536)
        except OSError:
            block = b""
        self.received += block
        self.buffer += block
        if not block:
            self.closed_by_peer = True
        return bool(block)

    def take(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                return None
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                return None
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken

    def send(self, data):
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Backend:
    """`answer` is bytes, or a function of (received, connection) that returns bytes, or None when
    it has answered itself; b"" closes. With `answer_early` it is called before the body is read."""

    def __init__(self, answer=OK, tls=None, path=None):
        self.answer = answer
        self.answer_early = False
        self.requests = []
        self.connections = []
        self.changed = threading.Condition()
        self.tls = tls
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.url = f"unix:{path}"
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.listener.listen(1024)
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in list(self.connections):
            connection.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
        connection = Connection(sock)
        with self.changed:
            self.connections.append(connection)
            self.changed.notify_all()
        try:
            while self.serve_one(connection):
                pass
        except OSError:
            pass
        with self.changed:
            self.changed.notify_all()
        connection.close()

    def serve_one(self, connection):
        head = connection.take_until(b"\r\n\r\n")
        if head is None:
            return False
        request = Received(head, connection)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        if not self.answer_early and not self.read_body(request, connection):
            return False
        reply = self.answer(request, connection) if callable(self.answer) else self.answer
        if reply is None:
            return True
        if reply == b"":
            return False
        return connection.send(reply)

    def read_body(self, request, connection):
        if request.get("Transfer-Encoding"):
            assert request.get("Transfer-Encoding") == "chunked"
            while True:
                line = connection.take_until(b"\r\n")
                if line is None:
                    return False
                block = connection.take(int(line, 16) + 2)
                if block is None:
                    return False
                if block == b"\r\n":
                    break
                request.body += block[:-2]
        elif length := request.get("Content-Length"):
            while len(request.body) < int(length):
                block = connection.take(min(65536, int(length) - len(request.body)))
                if block is None:
                    return False
                request.body += block
        with self.changed:
            request.complete = True
            self.changed.notify_all()
        return True

    def wait(self, condition, what="the backend's state", seconds=WAIT_SECONDS):
        """Waits until `condition(backend)` holds."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition(self):
                left = deadline - time.monotonic()
                assert left > 0, f"waited in vain for {what}"
                self.changed.wait(min(left, 0.05))

    def wait_requests(self, count):
        self.wait(lambda backend: len(backend.requests) >= count, f"{count} requests")
        return self.requests

    @property
    def last(self):
        return self.requests[-1]

    def received_nothing(self):
        """No byte of any request came (connections without bytes don't count)."""
        return not any(connection.received for connection in self.connections)
