"""SPEC 3.1: server-sent events stream unbuffered."""

import threading

import pytest

from harness.backend import Backend
from harness.gate import config
from harness.wire import request

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def test_each_event_arrives_before_the_next_is_made(start):
    next_event = threading.Semaphore(0)

    def reply(_, connection):
        connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            next_event.acquire(timeout=20)
            data = b"data: %d\n\n" % number
            connection.send(b"%x\r\n%s\r\n" % (len(data), data))
        return b"0\r\n\r\n"

    with Backend(reply) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/events"))
            head = client.read_head()
            assert head.get("Content-Type") == "text/event-stream"
            for number in range(5):
                next_event.release()
                assert client.read_chunk() == b"data: %d\n\n" % number
            assert client.read_chunk() == b""


def test_the_head_arrives_before_the_first_event(start):
    release = threading.Event()

    def reply(_, connection):
        connection.send(HEAD + b"\r\n")
        release.wait(20)
        return b""

    with Backend(reply) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/events"))
            assert client.read_head().status == 200
            release.set()


@pytest.mark.parametrize("goodbye", ["close", "reset"])
def test_a_client_that_goes_ends_the_stream_at_the_backend(start, goodbye):
    """Closed with FIN the client might still listen: the next events tell."""

    def reply(_, connection):
        connection.send(HEAD + b"\r\n")
        connection.socket.settimeout(0.02)
        while not connection.closed_by_peer:
            connection.send(b": still here\n\n")
            try:
                connection.received += (got := connection.socket.recv(100))
                connection.closed_by_peer = not got
            except TimeoutError:
                pass
            except OSError:
                connection.closed_by_peer = True
        return b""

    with Backend(reply) as backend:
        gate = start(config(backend))
        client = gate.connect()
        client.send(request("GET", "/events"))
        client.read_head()
        getattr(client, goodbye)()
        backend.wait(lambda b: b.connections[-1].closed_by_peer, "the end of the stream")


def test_the_fastapi_stream_arrives_whole(start, fastapi):
    response = start(config(fastapi)).get("/api/v1/events?count=4&interval=0.01")
    assert response.body.count(b"data: ") == 4
