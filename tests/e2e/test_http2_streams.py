"""HTTP/2: what one stream does is no other's business: timeouts, resets, tunnels, sessions; and the
end of a connection, which loses none."""

import base64
import hashlib
import os
import signal
import socket
import struct
import threading

import pytest

from harness.backend import OK, Backend, answer
from harness.gate import config, free_port
from harness.h2 import H2Client, StreamReset
from harness.h2_frames import (
    PREFACE,
    Code,
    Setting,
    block,
    data,
    head,
    headers,
    rst_stream,
    settings,
    window_update,
)
from harness.identity import deployed
from harness.wire import ConnectionEnded
from test_https import tls_settings
from test_websocket import accept_value, frame, switching

MIB = 1024 * 1024
TIMES = {"head_timeout": "5s", "body_timeout": "5s", "idle_timeout": "20s"}
ROUTES = [
    {"path": "/ws", "upstream": "api", "access": "public", "websocket": True},
    {"path": "/**", "upstream": "api", "access": "public"},
]


def h2c(backend, **changes):
    settings = config(backend, **{"limits": TIMES, "routes": ROUTES, **changes})
    settings["listen"][0]["h2c"] = True
    return settings


def open_gate(start, backend, **changes):
    return start(h2c(backend, **changes))


def connect(gate, **options):
    return H2Client(gate.address, **options)


def still_serves(client):
    assert client.request("GET", "/still").status == 200


def pass_time(gate, condition):
    """Little steps of time, as long as it holds: in each of them others may do what they must."""
    for _ in range(1000):
        if not condition():
            return
        gate.clock.advance(0.05)
        yield
    raise AssertionError("50 seconds have changed nothing")


# -- the pace of one stream --


def test_a_body_that_stops_is_408_and_nobody_elses_matter(start, backend):
    gate = open_gate(start, backend)
    with connect(gate) as client:
        stalled = client.begin("POST", "/stalled", [("content-length", "100")], end=False)
        client.send_body(stalled, b"ten bytes!", end=False)
        other = client.begin("POST", "/other", end=False)
        client.sync()
        sent = b""
        for _ in pass_time(gate, lambda: not stalled.response):
            sent += bytes(1000)
            client.send_body(other, bytes(1000), end=False)
            client.sync()
        assert stalled.response.status == 408
        client.send_body(other, b"end")
        assert client.finish(other).status == 200
        received = {request.target: request.body for request in backend.requests}
        assert received["/other"] == sent + b"end"
        assert client.goaway is None
    gate.wait_access(1, path="/stalled", status=408, reason="body_timeout")


def test_an_answer_that_is_not_taken_ends_alone(start):
    with Backend(answer(200, body=bytes(MIB))) as backend:
        gate = open_gate(start, backend)
        with connect(gate, own={Setting.INITIAL_WINDOW_SIZE: 1000}) as client:
            client.pays_back = False
            stalled = client.begin("GET", "/stalled")
            client.answer_head(stalled)
            taken = client.begin("GET", "/taken")
            client.answer_head(taken)
            for _ in pass_time(gate, lambda: stalled.reset is None):
                client.send_frames(window_update(taken.number, 10))
                client.sync()
            assert stalled.reset is not None
            assert taken.reset is None and not taken.ended


def test_the_head_of_one_that_never_ends_is_the_connections_end(start, backend):
    gate = open_gate(start, backend)
    with connect(gate) as client:
        client.settle()
        half = block([(":method", "GET"), (":scheme", "http")])
        client.send_frames(headers(1, half, end_headers=False))
        with connect(gate) as other:
            still_serves(other)
            for _ in range(7):
                gate.clock.advance(1)
                still_serves(other)
        client.drain()
    assert "/still" in [request.target for request in backend.requests]


def test_a_connection_without_requests_is_told_to_go(start, backend):
    gate = open_gate(start, backend)
    with connect(gate) as client, connect(gate) as unused:
        still_serves(client)
        unused.settle()
        gate.clock.advance(19)
        still_serves(client)
        gate.clock.advance(2)
        unused.drain()
        assert unused.goaway and unused.goaway[1] == Code.NO_ERROR
        still_serves(client)


# -- the end of one stream --


def test_a_reset_ends_the_request_at_the_backend(start):
    release = threading.Event()

    def reply(received, connection):
        if received.target == "/long":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
            while not connection.closed_by_peer:
                connection.fill()
            release.set()
            return b""
        return OK

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            long = client.begin("GET", "/long")
            client.answer_head(long)
            client.send_frames(rst_stream(long.number))
            assert release.wait(10)
            still_serves(client)
        gate.wait_access(1, path="/long", reason="client_gone")


def test_a_backend_that_breaks_off_breaks_one_stream(start):
    def reply(received, connection):
        if received.target == "/cut":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
            return b""
        return OK

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            with pytest.raises(StreamReset) as reset:
                client.finish(client.begin("GET", "/cut"))
            assert reset.value.code != Code.NO_ERROR
            still_serves(client)


def test_an_early_answer_is_whole_and_the_connection_goes_on(start):
    with Backend(answer(403, body=b"no")) as backend:
        backend.answer_early = True
        gate = open_gate(start, backend)
        with connect(gate) as client:
            early = client.begin("POST", "/early", end=False)
            client.send_body(early, b"part", end=False)
            client.wait(early.is_over, "the answer")
            assert (early.response.status, early.response.body) == (403, b"no")
            assert early.response.complete
            backend.answer, backend.answer_early = OK, False
            still_serves(client)


# -- memory --


def resident(gate):
    status = open(f"/proc/{gate.process.pid}/status", encoding="ascii").read()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_a_client_that_reads_nothing_costs_bounded_memory(start):
    # What was given back counts as given back.
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1"]))
    with Backend(answer(200, body=bytes(8 * MIB))) as backend:
        gate = start(h2c(backend), env={"ASAN_OPTIONS": options})
        with connect(gate) as client:
            still = client.request("GET", "/one")
            assert len(still.body) == 8 * MIB
            before = resident(gate)
            client.pays_back = False
            streams = [client.begin("GET", f"/{n}") for n in range(90)]
            for stream in streams:
                client.answer_head(stream)
            with connect(gate) as other:
                for _ in range(5):
                    other.request("GET", "/other")
            assert resident(gate) - before < 90 * 384 * 1024  # of 720 MiB
            for stream in streams[1:]:
                client.send_frames(rst_stream(stream.number))
            client.pays_back = True
            taken = 65535 + sum(len(each.response.body) for each in streams)
            client.send_frames(window_update(0, taken), window_update(streams[0].number, taken))
            assert len(client.finish(streams[0]).body) == 8 * MIB


# -- more than its share --


def test_many_requests_at_once_count_like_connections(start):
    release = threading.Event()

    def reply(*_):
        release.wait(20)
        return OK

    with Backend(reply) as backend:
        gate = open_gate(start, backend, limits={**TIMES, "connections_per_client": 10})
        with connect(gate) as client:
            client.settle()
            streams = [client.begin("GET", f"/{n}") for n in range(30)]
            refused = streams[16 + 9 :]  # one of the ten is the connection itself
            for stream in refused:
                response = client.finish(stream)
                assert response.status == 503 and response.problem()["status"] == 503
                assert response.get("retry-after") == "1"
            backend.wait_requests(25)
            assert len(backend.requests) == 25
            release.set()
            for stream in streams[:25]:
                assert client.finish(stream).status == 200
            again = [client.begin("GET", f"/{n}") for n in range(25)]
            assert {client.finish(stream).status for stream in again} == {200}
        with connect(gate) as client:
            still_serves(client)


# -- drain --


def test_draining_loses_no_request(start):
    release = threading.Event()

    def reply(received, _):
        if received.target != "/quick":
            release.wait(20)
        return OK

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client, connect(gate) as idle:
            idle.settle()
            streams = [client.begin("GET", f"/{n}") for n in range(20)]
            backend.wait_requests(20)
            gate.signal(signal.SIGTERM)
            client.wait(lambda: client.goaway, "GOAWAY")
            assert client.goaway[:2] == (2**31 - 1, Code.NO_ERROR)
            late = client.begin("GET", "/late")  # it may not have read that yet
            idle.drain()
            assert idle.goaway[1] == Code.NO_ERROR
            gate.clock.advance(2)
            client.wait(lambda: client.goaway[0] < 2**31 - 1, "the second GOAWAY")
            assert client.goaway[0] == late.number
            release.set()
            for stream in [*streams, late]:
                assert client.finish(stream).status == 200
            client.drain()
        assert gate.wait_exit() == 0


def reload(gate):
    count = gate.output().count("configuration reloaded")
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.output().count("configuration reloaded") > count, "the reload")


def test_a_reload_sends_its_clients_away_one_after_the_other(start, backend):
    """Within five seconds, and not all at once: they come again with new handshakes."""
    gate = open_gate(start, backend)
    idle, busy = ([connect(gate) for _ in range(24)] for _ in range(2))
    for client in idle:
        client.settle()
    reload(gate)
    told = []
    for _ in range(12):
        for client in busy:
            if client.read_ready() and not client.goaway:
                still_serves(client)
        told.append(sum(client.goaway is not None for client in busy))
        gate.clock.advance(0.5)
    assert told[0] < 12 and told[-1] == 24 and len(set(told)) > 4, told
    for client in idle:
        client.drain()
        assert client.goaway[1] == Code.NO_ERROR
    for client in busy:
        client.close()


def test_a_client_whose_settings_came_with_its_first_request_is_sent_away_as_well(start):
    """And whose acknowledgement came while that was answered: nothing comes while it is idle."""
    go = threading.Event()

    def waits(*_):
        assert go.wait(20)
        return answer(200, body=b"late")

    with Backend(waits) as backend:
        gate = open_gate(start, backend, limits={"idle_timeout": "10m"})
        with connect(gate, start=False) as client:
            client.pays_back = False
            client.send_frames(settings(), headers(1, block(head())), before=PREFACE)
            stream = client.streams[1]
            client.settle()
            client.sync()  # its acknowledgement has been read
            go.set()
            assert client.finish(stream).body == b"late"
            reload(gate)
            gate.clock.advance(5)
            client.drain()
            assert client.goaway[1] == Code.NO_ERROR


def test_who_ends_for_a_reload_is_told_at_once_when_the_server_ends(start, backend):
    gate = open_gate(start, backend)
    with connect(gate) as client:
        client.settle()
        reload(gate)
        gate.signal(signal.SIGTERM)
        client.drain()
        assert client.goaway[1] == Code.NO_ERROR
    assert gate.wait_exit() == 0


def test_http1_connections_outlive_a_reload(start, backend):
    gate = open_gate(start, backend)
    with gate.connect() as client:
        assert client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200
        reload(gate)
        gate.clock.advance(6)
        assert client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200


def test_a_reload_loses_no_request_either(start):
    release = threading.Event()

    def reply(received, _):
        if received.target != "/still":
            release.wait(20)
        return OK

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client, connect(gate) as idle:
            idle.settle()
            stream = client.begin("GET", "/long")
            backend.wait_requests(1)
            reload(gate)
            gate.clock.advance(5)
            client.wait(lambda: client.goaway, "GOAWAY")
            late = client.begin("GET", "/late")
            for each in pass_time(gate, lambda: client.goaway[0] == 2**31 - 1):
                client.sync()
            idle.drain()
            with connect(gate) as new:
                still_serves(new)
                release.set()
                assert client.finish(stream).status == client.finish(late).status == 200
                client.drain()
                still_serves(new)
                assert new.goaway is None


def test_quick_requests_do_not_keep_a_connection_that_is_to_end(start, backend):
    """Each of them starts the connection's timer anew."""
    gate = open_gate(start, backend)
    with connect(gate) as client:
        still_serves(client)
        reload(gate)
        for _ in pass_time(gate, lambda: not client.goaway):
            still_serves(client)
        try:
            for _ in range(20):
                still_serves(client)
                if client.goaway[0] < 2**31 - 1:
                    break
                gate.clock.advance(0.1)
                gate.get("/healthz")
        except ConnectionEnded:  # it said before that it would not take this one
            pass
        assert client.goaway[0] < 2**31 - 1, "two seconds of requests, and no second GOAWAY"


# -- the order of answers --


def overtake(client, gate):
    """How much of two downloads came before an answer of 20,000 bytes that was asked for last, and
    was said to be urgent."""
    client.pays_back = False
    bulk = [client.begin("GET", "/bulk", {"priority": "u=5"}) for _ in range(2)]
    for stream in bulk:
        client.answer_head(stream)
    client.wait(lambda: client.receive_window == 0, "the connection's window to be used up")
    urgent = client.begin("GET", "/urgent", {"priority": "u=0"})
    client.answer_head(urgent)
    before = sum(len(stream.response.body) for stream in bulk)
    while not urgent.is_over():
        client.send_frames(window_update(0, 10_000))
        client.wait(lambda: client.receive_window == 0, "what the window lets out")
    return sum(len(stream.response.body) for stream in bulk) - before


@pytest.mark.parametrize("proxies, most", [([], 0), (["127.0.0.1/32"], None)])
def test_an_urgent_answer_overtakes_a_bulk_one(start, proxies, most):
    """But not where a proxy brings the requests of many clients."""
    sizes = {"/bulk": MIB, "/urgent": 20_000}
    with Backend(lambda received, _: answer(200, body=bytes(sizes[received.target]))) as backend:
        gate = open_gate(start, backend, trusted_proxies=proxies)
        with connect(gate, own={Setting.INITIAL_WINDOW_SIZE: MIB}) as client:
            came_before = overtake(client, gate)
    assert came_before == most if most is not None else came_before > 20_000


def test_who_comes_by_a_unix_socket_is_taken_for_a_proxy(start, tmp_path):
    """Nobody's address is known there, and many may share the connection."""
    sizes = {"/bulk": MIB, "/urgent": 20_000}
    with Backend(lambda received, _: answer(200, body=bytes(sizes[received.target]))) as backend:
        listeners = [{"address": f"unix:{tmp_path}/gate", "h2c": True}]
        gate = open_gate(start, backend, listen=listeners)
        with connect(gate, own={Setting.INITIAL_WINDOW_SIZE: MIB}) as client:
            assert overtake(client, gate) > 20_000


# -- hosts, redirects --


def test_a_host_of_another_certificate_is_421_by_the_stream(start, certificates):
    pairs = [certificates["example"], certificates["other"]]
    with Backend() as backend:
        gate = start(config(backend, **tls_settings(pairs, plain=False)))
        context = certificates["example"].client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with H2Client(gate.address, tls=context, server_name="example.com") as client:
            assert client.request("GET", "/", host="example.com").status == 200
            response = client.request("GET", "/", host="other.test")
            assert response.status == 421 and response.problem()["status"] == 421
            response = client.request("GET", "/", host="www.example.com")
            assert response.status == 200
            assert response.get("strict-transport-security")


def test_plain_requests_are_redirected(start, backend):
    settings = h2c(backend, environment="production", hosts=["example.com"], public_url=None)
    gate = start(settings)
    with connect(gate) as client:
        response = client.request("GET", "/a?b=c", host="example.com")
        assert response.status == 308
        assert response.get("location") == "https://example.com/a?b=c"
        response = client.request("POST", "/a", body=b"x", host="example.com")
        assert response.status == 403 and response.problem()["status"] == 403
        assert client.request("GET", "/healthz", host="example.com").status == 200
    assert backend.received_nothing()


# -- WebSocket by extended CONNECT --


def begin_websocket(client, target="/ws", fields=()):
    stream = client.open(client.next_stream, "CONNECT")
    pairs = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", target),
        (":authority", "localhost"),
        ("sec-websocket-version", "13"),
    ]
    client.settle()
    client.send_frames(headers(stream.number, block([*pairs, *fields]), end=False))
    return stream


def ask_websocket(client, target="/ws", fields=()):
    stream = begin_websocket(client, target, fields)
    return stream, client.answer_head(stream)


def expect_bytes(client, stream, count):
    client.wait(lambda: len(stream.response.body) >= count, f"{count} bytes")
    taken, stream.response.body = stream.response.body[:count], stream.response.body[count:]
    return taken


def test_a_websocket_to_the_fastapi_backend(start, fastapi):
    gate = open_gate(start, fastapi)
    with connect(gate) as client:
        stream, head = ask_websocket(client)
        assert head.status == 200
        assert not {"sec-websocket-accept", "upgrade", "connection"} & head.names()
        for text in (b"hello", b"again"):
            client.send_body(stream, frame(text), end=False)
            echoed = b"echo: " + text
            assert expect_bytes(client, stream, 2 + len(echoed))[2:] == echoed


def test_the_backend_is_asked_in_http1(start):
    def reply(received, connection):
        return switching(received, connection) if received.target == "/ws" else OK

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            stream, head = ask_websocket(client, fields=[("sec-websocket-key", "mine")])
            assert head.status == 200
            received = backend.requests[-1]
            assert (received.method, received.target) == ("GET", "/ws")
            assert received.get("Upgrade") == "websocket"
            assert len(base64.b64decode(received.get("Sec-WebSocket-Key"))) == 16
            for size in (1, 1000, 300000):
                sent = os.urandom(size)
                client.send_body(stream, sent, end=False)
                assert expect_bytes(client, stream, size) == sent
            client.send_frames(data(stream.number, end=True))
            client.wait(stream.is_over, "the end of the tunnel")
            assert stream.ended
            still_serves(client)
        gate.wait_access(1, path="/ws", status=200, protocol="HTTP/2.0")


SMUGGLED = b"POST /admin HTTP/1.1\r\nHost: localhost\r\nX-User-Id: admin\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("status", [101, 426])
def test_bytes_that_do_not_wait_for_the_tunnel_are_no_second_request(start, status):
    """The backend has the request, and has not said whether it makes a tunnel of it."""
    decides = threading.Event()

    def reply(received, connection):
        if received.target != "/ws":
            return OK
        assert decides.wait(10)
        return switching(received, connection) if status == 101 else answer(status, body=b"no")

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            stream = begin_websocket(client)
            backend.wait_requests(1)
            client.send_body(stream, SMUGGLED, end=False)
            client.sync()
            only_head = backend.connections[-1].received
            decides.set()
            assert client.answer_head(stream).status == (200 if status == 101 else status)
            assert only_head.endswith(b"\r\n\r\n") and b"/admin" not in only_head
            if status == 101:
                assert expect_bytes(client, stream, len(SMUGGLED)) == SMUGGLED
            else:
                client.send_body(stream, SMUGGLED, end=False)
                client.sync()
                assert b"/admin" not in backend.connections[-1].received
            still_serves(client)
        assert [request.target for request in backend.requests] == ["/ws", "/still"]


def test_a_tunnel_whose_backend_ends_is_over_and_others_are_not(start):
    with Backend(switching) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            first, _ = ask_websocket(client)
            second, _ = ask_websocket(client)
            backend.requests[0].connection.close()
            client.wait(first.is_over, "the end of the tunnel")
            client.send_body(second, b"on", end=False)
            assert expect_bytes(client, second, 2) == b"on"
            client.send_frames(rst_stream(second.number))
            backend.wait(lambda b: b.connections[-1].closed_by_peer, "the other's end")


def test_a_tunnel_that_the_backend_breaks_off_does_not_look_ended(start):
    """RFC 8441 section 5: what is RST over TCP is CANCEL on a stream."""

    def breaking(received, connection):
        connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: "
            + accept_value(received.get("Sec-WebSocket-Key")).encode()
            + b"\r\n\r\n"
        )
        connection.fill()
        linger = struct.pack("ii", 1, 0)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.socket.close()
        return b""

    with Backend(breaking) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            stream, _ = ask_websocket(client)
            client.send_body(stream, b"break", end=False)
            client.wait(stream.is_over, "the end of the tunnel")
            assert stream.reset == Code.CANCEL and not stream.ended
            assert client.goaway is None
        gate.wait_access(1, path="/ws", reason="upstream_cut")


def test_a_tunnel_waits_for_a_slow_client(start):
    much = os.urandom(4 * MIB)

    def reply(received, connection):
        key = received.get("Sec-WebSocket-Key").encode()
        proof = base64.b64encode(
            hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        )
        connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n" + much
        )
        connection.fill()
        return b""

    with Backend(reply) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            client.pays_back = False
            stream, _ = ask_websocket(client)
            client.wait(lambda: client.receive_window == 0, "a full window")
            client.sync()
            client.pays_back = True
            client.send_frames(window_update(0, 65535), window_update(stream.number, 65535))
            assert expect_bytes(client, stream, len(much)) == much


@pytest.mark.parametrize("idle, seconds", [(None, 600), ("30s", 30)])
def test_a_tunnel_through_which_nothing_goes_is_ended(start, idle, seconds):
    routes = [{**ROUTES[0], **({"timeouts": {"idle": idle}} if idle else {})}, ROUTES[1]]
    with Backend(switching) as backend:
        gate = open_gate(start, backend, routes=routes)
        with connect(gate) as client:
            quiet, _ = ask_websocket(client)
            busy, _ = ask_websocket(client)
            for _ in range(2):
                client.send_body(busy, b"0123456789", end=False)
                assert expect_bytes(client, busy, 10) == b"0123456789"
                gate.clock.advance(seconds + 1)
            client.wait(quiet.is_over, "the end of the quiet one")
            assert not busy.is_over()


@pytest.mark.parametrize(
    "raw, status",
    [
        (b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 403),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 502),
        (
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            502,
        ),
    ],
)
def test_what_is_no_tunnel_is_not_told_as_one(start, raw, status):
    with Backend(raw) as backend:
        gate = open_gate(start, backend)
        with connect(gate) as client:
            stream, head = ask_websocket(client)
            assert head.status == status
            client.wait(stream.is_over, "its end")


def test_elsewhere_it_is_a_connect_that_is_refused(start, backend):
    gate = open_gate(start, backend)
    with connect(gate) as client:
        for target in ("/other", "/healthz"):
            assert ask_websocket(client, target)[1].status == 405
        assert ask_websocket(client, fields=[("origin", "https://evil.com")])[1].status == 403
        still_serves(client)
    assert [request.target for request in backend.requests] == ["/still"]


# -- sessions --


@pytest.fixture
def world(tmp_path):
    listen = [{"address": f"127.0.0.1:{free_port()}", "h2c": True}]
    routes = [
        {"path": "/public/**", "upstream": "api", "access": "public"},
        {"path": "/ws", "upstream": "api", "websocket": True},
        {"path": "/**", "upstream": "api"},
    ]

    def reply(received, connection):
        if received.target == "/ws":
            return switching(received, connection)
        if received.target.endswith("/events"):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            while not connection.closed_by_peer:
                connection.fill()
            return b""
        return OK

    with Backend(reply) as backend:
        with deployed(tmp_path, backend=backend, listen=listen, routes=routes) as deployment:
            yield deployment


def test_the_end_of_a_session_ends_its_streams_and_no_others(world):
    person = world.person()
    person.login()
    fields = [(name.lower(), value) for name, value in person.fields()]
    with connect(world.gate) as client:
        assert client.request("GET", "/mine").status == 401
        assert client.request("GET", "/mine", fields).status == 200
        events = client.begin("GET", "/events", fields)
        public = client.begin("GET", "/public/events", fields[:1])
        for stream in (events, public):
            assert client.answer_head(stream).status == 200
        origin = ("origin", "http://localhost")
        tunnel, head = ask_websocket(client, fields=[*fields, origin])
        assert head.status == 200
        assert client.request("POST", "/api/v1/auth/logout", fields).status in (200, 204)
        client.wait(lambda: events.is_over() and tunnel.is_over(), "the end of both")
        assert events.reset and tunnel.reset
        assert not public.is_over()
        assert client.request("GET", "/public/x").status == 200
        assert client.request("GET", "/mine", fields).status == 401
