"""SPEC 3.1 and 14: clients that are slow to read, say too much at once or end their side early."""

import select
import socket
import ssl
import struct
import threading

import pytest

from harness.backend import Backend, answer
from harness.gate import config, free_port
from harness.wire import Client, request
from test_websocket import ROUTES, UPGRADE, switching

# Whatever the kernel holds for a connection, the last bytes of one of these wait in our own queue.
SIZES = range(2_000_000, 5_000_000, 100_000)


class SlowClient(Client):
    """Its kernel takes little while it does not read."""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""


def of_any_size(received, _):
    return answer(200, body=bytes(int(received.target[1:])))


def ended(client):
    """How the connection ends: "end" or "reset"."""
    try:
        while client.socket.recv(65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


@pytest.mark.parametrize("way", ["connection close", "half-close"])
def test_a_client_that_pauses_gets_all_that_is_queued(start, way):
    fields = {"Connection": "close"} if way == "connection close" else {}
    with Backend(of_any_size) as backend:
        gate = start(config(backend))
        clients = {size: SlowClient(gate.address) for size in SIZES}
        for size, client in clients.items():
            client.send(request("GET", f"/{size}", fields))
        gate.wait_access(3)  # these are all in queues
        if way == "half-close":
            for client in clients.values():
                client.shutdown()
        for _ in range(3):
            gate.clock.advance(1)
            gate.get("/0")
        for size, client in clients.items():
            assert len(client.read().body) == size
            client.close()


def test_a_client_that_never_reads_its_answer_is_let_go(start):
    with Backend(of_any_size) as backend:
        gate = start(config(backend, limits={"body_timeout": "5s"}))
        clients = [SlowClient(gate.address) for _ in SIZES]
        for size, client in zip(SIZES, clients):
            client.send(request("GET", f"/{size}", {"Connection": "close"}))
        backend.wait_requests(len(clients))
        for _ in range(12):
            gate.clock.advance(2)
            gate.get("/0")
        gate.stop()  # nothing is left to wait for
        for client in clients:
            client.close()


def send_until_full(client, data):
    """Sends until the peer has taken nothing for a moment; returns what is left."""
    while data and select.select([], [client.socket], [], 0.5)[1]:
        data = data[client.socket.send(data[:65536]) :]
    return data


def test_pipelined_requests_wait_while_their_answers_pile_up(start, backend):
    gate = start(config(backend))
    count = 30000
    with SlowClient(gate.address) as client:
        client.socket.setblocking(False)
        rest = send_until_full(client, request("GET", "/healthz") * count)
        client.socket.settimeout(20)
        sender = threading.Thread(target=client.try_send, args=(rest,), daemon=True)
        sender.start()
        for _ in range(count):
            assert client.read().status == 200
        sender.join(10)


def test_a_pipelining_client_that_resets_is_noticed(start, backend):
    gate = start(config(backend))
    for _ in range(5):
        with SlowClient(gate.address) as client:
            client.send(request("GET", "/healthz") * 20000)
            client.reset()
    gate.stop()  # nothing is left to wait for


def test_answers_to_pipelined_requests_of_a_half_closed_tls_connection(start, backend, certificates):
    pair = certificates["localhost"]
    address = f"127.0.0.1:{free_port()}"
    listen = [{"address": address, "tls": pair.settings()}]
    gate = start(config(backend, listen=listen))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = pair.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Client(gate.address) as raw:
        def exchange():
            raw.send(outgoing.read())
            incoming.write(raw.socket.recv(65536))

        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                exchange()
        tls.write(request("GET", "/first") + request("GET", "/second"))
        try:
            tls.unwrap()  # close_notify in the same segment
        except ssl.SSLWantReadError:
            pass
        raw.send(outgoing.read())
        gate.wait_access(1, path="/first", status=200)
        gate.wait_access(1, path="/second", status=200)


@pytest.mark.parametrize(
    "sent",
    [
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno size\r\n",
    ],
)
def test_a_cut_answer_without_length_ends_with_an_error(start, sent):
    """HTTP/1.0 knows no chunks: a clean end would say that the answer is complete."""
    go_on = threading.Event()

    def cut(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\n" + sent)
        go_on.wait(10)
        return b""

    with Backend(cut) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            go_on.set()
            assert ended(client) == "reset"
        gate.wait_access(1, reason="upstream_cut")


def test_a_whole_answer_without_length_ends_cleanly(start):
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with Backend(whole) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert client.rest().endswith(b"\r\n\r\nabc")
        with gate.connect() as client:
            client.send(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert ended(client) == "end"


def test_a_tunnel_does_not_begin_for_a_client_that_has_left(start):
    asked, left = threading.Event(), threading.Event()

    def late(received, connection):
        asked.set()
        left.wait(10)
        return switching(received, connection)

    with Backend(late) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            assert asked.wait(10)
            client.shutdown()
            gate.get("/healthz")
            left.set()
            assert ended(client) in ("end", "reset")
        gate.wait_access(1, path="/ws", status=101)


def test_an_answer_that_the_backend_resets_is_not_taken_for_whole(start):
    """Data and RST at once, in an answer that only the connection's end ends."""

    def reset(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart")
        linger = struct.pack("ii", 1, 0)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.socket.close()
        return b""

    with Backend(reset) as backend:
        gate = start(config(backend))
        for _ in range(20):
            with gate.connect() as client:
                client.send(request("GET", "/"))
                assert not client.rest().endswith(b"0\r\n\r\n")
        assert all(line["reason"].startswith("upstream_") for line in gate.wait_access(20))
