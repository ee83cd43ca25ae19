"""SPEC 3.1: Upgrade goes on only for WebSocket, on routes that say so, from origins that may."""

import base64
import hashlib
import os
import struct

import pytest

from harness.backend import Backend
from harness.gate import config
from harness.wire import request

KEY = base64.b64encode(b"0123456789abcdef").decode()
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
APP = "https://app.example.com"
ROUTES = [
    {"path": "/ws", "upstream": "api", "access": "public", "websocket": True},
    {"path": "/**", "upstream": "api", "access": "public"},
]
UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
]


def accept_value(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def switching(received, connection):
    connection.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: "
        + accept_value(received.get("Sec-WebSocket-Key")).encode()
        + b"\r\n\r\n"
    )
    while True:  # echo whatever comes
        if not connection.buffer and not connection.fill():
            return b""
        data, connection.buffer = connection.buffer, b""
        connection.send(data)


def frame(text):
    mask = os.urandom(4)
    data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
    return b"\x81" + bytes([0x80 | len(text)]) + mask + data


def read_frame(client):
    first, length = client.take(2)
    if length == 126:
        length = struct.unpack(">H", client.take(2))[0]
    return first & 0x0F, client.take(length)


def test_a_websocket_to_the_fastapi_backend(start, fastapi):
    gate = start(config(fastapi, routes=ROUTES))
    with gate.connect() as client:
        client.send(request("GET", "/ws", UPGRADE))
        response = client.read()
        assert response.status == 101
        assert response.get("Sec-WebSocket-Accept") == accept_value(KEY)
        assert response.get("Upgrade").lower() == "websocket"
        for text in (b"hello", b"again"):
            client.send(frame(text))
            assert read_frame(client) == (1, b"echo: " + text)


def test_bytes_pass_both_ways_unchanged(start):
    with Backend(switching) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            assert client.read().status == 101
            for size in (1, 1000, 200000):
                data = os.urandom(size)
                client.send(data)
                assert client.take(size) == data


def test_bytes_sent_right_after_the_upgrade_are_not_lost(start):
    with Backend(switching) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE) + b"early bytes")
            assert client.read().status == 101
            assert client.take(11) == b"early bytes"


def test_the_end_of_one_side_ends_the_other(start):
    with Backend(switching) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            assert client.read().status == 101
            backend.connections[-1].close()
            assert client.at_end()
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            assert client.read().status == 101
        backend.wait(lambda b: b.connections[-1].closed_by_peer, "the end of the tunnel")


def test_other_routes_do_not_upgrade(start):
    with Backend() as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/other", UPGRADE))
            assert client.read().status != 101
        for received in backend.requests:
            assert "upgrade" not in received.names()


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "websocket, h2c", "foo"])
def test_other_protocols_are_not_upgraded_to(start, protocol):
    with Backend() as backend:
        gate = start(config(backend, routes=ROUTES))
        fields = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", protocol)]
        fields.append(("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"))
        with gate.connect() as client:
            client.send(request("GET", "/ws", fields))
            assert client.read().status != 101
        for received in backend.requests:
            assert not {"upgrade", "http2-settings"} & received.names()


@pytest.mark.parametrize("origin", ["https://evil.com", "null"])
def test_a_foreign_origin_is_refused(start, origin):
    with Backend(switching) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", [*UPGRADE, ("Origin", origin)]))
            assert client.read().status == 403
        assert backend.received_nothing()


def test_our_own_and_an_allowed_origin_pass(start):
    with Backend(switching) as backend:
        cors = {"origins": [APP], "methods": ["GET"], "credentials": True}
        gate = start(config(backend, routes=ROUTES, cors=cors))
        host = f"localhost:{gate.address}"
        for origin in (APP, f"http://{host}"):
            with gate.connect() as client:
                client.send(request("GET", "/ws", [*UPGRADE, ("Origin", origin)], host=host))
                assert client.read().status == 101


def test_a_refusal_of_the_backend_is_passed_on(start):
    with Backend(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno") as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            response = client.read()
            assert (response.status, response.body) == (403, b"no")


@pytest.mark.parametrize("fields", [b"", b"Upgrade: h2c\r\nConnection: Upgrade\r\n"])
def test_a_switch_to_another_protocol_is_502(start, fields):
    raw = b"HTTP/1.1 101 Switching\r\n" + fields + b"\r\n"
    with Backend(raw) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            assert client.read().status == 502


def test_the_tunnel_is_logged_once_when_it_ends(start):
    with Backend(switching) as backend:
        gate = start(config(backend, routes=ROUTES))
        with gate.connect() as client:
            client.send(request("GET", "/ws", UPGRADE))
            assert client.read().status == 101
            client.send(b"0123456789")
            assert client.take(10) == b"0123456789"
        lines = gate.wait_access(1, path="/ws")
        assert len(lines) == 1 and lines[0]["status"] == 101


@pytest.mark.parametrize("idle, seconds", [(None, 600), ("30s", 30)])
def test_a_tunnel_through_which_nothing_goes_is_ended(start, idle, seconds):
    routes = [{**ROUTES[0], **({"timeouts": {"idle": idle}} if idle else {})}, ROUTES[1]]
    with Backend(switching) as backend:
        # One worker: when it has served the busy one, it is through with the quiet one's beginning.
        gate = start(config(backend, routes=routes), arguments=("--workers", "1"))
        with gate.connect() as quiet, gate.connect() as busy:
            for client in (quiet, busy):
                client.send(request("GET", "/ws", UPGRADE))
                assert client.read().status == 101
            busy.send(b"0123456789")
            assert busy.take(10) == b"0123456789"
            gate.clock.advance(seconds + 1)
            assert quiet.at_end()
            busy.send(b"0123456789")
            assert busy.take(10) == b"0123456789"
