"""SPEC 3.1: what can be read in two ways is refused; nothing of it reaches the backend."""

import json

import pytest

from harness.backend import Backend
from harness.gate import ROOT, Gatehouse, config
from harness.wire import Client, ConnectionEnded, request

HOST = b"Host: localhost\r\n"


def head(*lines, first=b"GET /x HTTP/1.1"):
    return b"\r\n".join([first, HOST[:-2], *lines]) + b"\r\n\r\n"


def post(*lines, body=b""):
    return head(*lines, first=b"POST /x HTTP/1.1") + body


def target(raw):
    return b"GET " + raw + b" HTTP/1.1\r\n" + HOST + b"\r\n"


TE = b"Transfer-Encoding: chunked"

# name: (bytes, status)
HEADS = {
    # lengths
    "content-length beside transfer-encoding": (post(b"Content-Length: 5", TE, body=b"0\r\n\r\n"), 400),
    "transfer-encoding beside content-length": (post(TE, b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
    "content-length twice, different": (post(b"Content-Length: 5", b"Content-Length: 6"), 400),
    "content-length twice, equal": (post(b"Content-Length: 5", b"Content-Length: 5"), 400),
    "content-length as a list": (post(b"Content-Length: 5, 5"), 400),
    "content-length with plus": (post(b"Content-Length: +5"), 400),
    "content-length with minus": (post(b"Content-Length: -5"), 400),
    "content-length minus zero": (post(b"Content-Length: -0"), 400),
    "content-length hexadecimal": (post(b"Content-Length: 0x5"), 400),
    "content-length empty": (post(b"Content-Length: "), 400),
    "content-length zero-padded": (post(b"Content-Length: 05"), 400),
    "content-length 00": (post(b"Content-Length: 00"), 400),
    "content-length with a space inside": (post(b"Content-Length: 1 0"), 400),
    "content-length with an underscore": (post(b"Content-Length: 1_0"), 400),
    "content-length with an exponent": (post(b"Content-Length: 1e1"), 400),
    "content-length with a decimal point": (post(b"Content-Length: 5.0"), 400),
    "content-length of 2^64": (post(b"Content-Length: 18446744073709551616"), 400),
    "content-length of 2^64+5": (post(b"Content-Length: 18446744073709551621"), 400),
    "content-length of 2^63": (post(b"Content-Length: 9223372036854775808"), (400, 413)),
    "content-length with a tab": (post(b"Content-Length:\t5"), 400),
    "content-length in quotes": (post(b'Content-Length: "5"'), 400),
    # codings
    "transfer-encoding twice": (post(TE, TE), 400),
    "transfer-encoding as a list of chunked": (post(b"Transfer-Encoding: chunked, chunked"), 400),
    "transfer-encoding gzip": (post(b"Transfer-Encoding: gzip"), 501),
    "transfer-encoding gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked"), (400, 501)),
    "transfer-encoding chunked, gzip": (post(b"Transfer-Encoding: chunked, gzip"), (400, 501)),
    "transfer-encoding identity": (post(b"Transfer-Encoding: identity"), (400, 501)),
    "transfer-encoding chunked, identity": (post(b"Transfer-Encoding: chunked, identity"), (400, 501)),
    "transfer-encoding xchunked": (post(b"Transfer-Encoding: xchunked"), 501),
    "transfer-encoding empty": (post(b"Transfer-Encoding: "), 400),
    "transfer-encoding leading comma": (post(b"Transfer-Encoding: ,chunked"), 400),
    "transfer-encoding trailing comma": (post(b"Transfer-Encoding: chunked,"), 400),
    "transfer-encoding with a parameter": (post(b"Transfer-Encoding: chunked;q=1"), (400, 501)),
    "transfer-encoding in quotes": (post(b'Transfer-Encoding: "chunked"'), (400, 501)),
    "transfer-encoding with a vertical tab": (post(b"Transfer-Encoding: \x0bchunked"), 400),
    "transfer-encoding with a tab": (post(b"Transfer-Encoding:\tchunked"), 400),
    "transfer-encoding with a tab behind": (post(b"Transfer-Encoding: chunked\t"), 400),
    "transfer-encoding with a form feed": (post(b"Transfer-Encoding: chunked\x0c"), 400),
    "transfer-encoding with 0xA0": (post(b"Transfer-Encoding: \xa0chunked"), (400, 501)),
    "transfer-encoding in HTTP/1.0": (
        b"POST /x HTTP/1.0\r\n" + HOST + TE + b"\r\n\r\n0\r\n\r\n",
        400,
    ),
    # line ends and control bytes
    "bare LF after the request line": (b"GET /x HTTP/1.1\n" + HOST + b"\r\n", 400),
    "bare LF after a field": (b"GET /x HTTP/1.1\r\nHost: localhost\n\r\n", 400),
    "bare LF at the end": (b"GET /x HTTP/1.1\r\n" + HOST + b"\n", 400),
    "bare LF everywhere": (b"GET /x HTTP/1.1\nHost: localhost\n\n", 400),
    "bare CR in a value": (head(b"X: a\rb"), 400),
    "bare CR after the request line": (b"GET /x HTTP/1.1\r" + HOST + b"\r\n", 400),
    "CR CR LF": (b"GET /x HTTP/1.1\r\r\n" + HOST + b"\r\n", 400),
    "obs-fold with a space": (head(b"X: a", b" b"), 400),
    "obs-fold with a tab": (head(b"X: a", b"\tb"), 400),
    "obs-fold right after the request line": (
        b"GET /x HTTP/1.1\r\n Host: localhost\r\n\r\n",
        400,
    ),
    "NUL in a value": (head(b"X: a\x00b"), 400),
    "NUL in a name": (head(b"X\x00: b"), 400),
    "0x01 in a value": (head(b"X: a\x01b"), 400),
    "DEL in a value": (head(b"X: a\x7fb"), 400),
    "escape in a value": (head(b"X: \x1b[31m"), 400),
    "backspace in a value": (head(b"X: a\x08"), 400),
    # field lines
    "space before the colon": (head(b"X : a"), 400),
    "tab before the colon": (head(b"X\t: a"), 400),
    "line without a colon": (head(b"Xnocolon"), 400),
    "empty name": (head(b": a"), 400),
    "name with a bracket": (head(b"X[a]: b"), 400),
    "name with a space": (head(b"X Y: b"), 400),
    "name with 8-bit": (head(b"X\xe9: b"), 400),
    "name with a slash": (head(b"X/Y: b"), 400),
    "name in quotes": (head(b'"X": b'), 400),
    # Host
    "no host": (b"GET /x HTTP/1.1\r\nX: a\r\n\r\n", 400),
    "no host in HTTP/1.0": (b"GET /x HTTP/1.0\r\n\r\n", 400),
    "two equal hosts": (head(b"Host: localhost"), 400),
    "two hosts": (head(b"Host: example.com"), 400),
    "two hosts in two cases": (head(b"hOST: localhost"), 400),
    "empty host": (b"GET /x HTTP/1.1\r\nHost: \r\n\r\n", 400),
    "host as a list": (b"GET /x HTTP/1.1\r\nHost: localhost, localhost\r\n\r\n", 400),
    "host with userinfo": (b"GET /x HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400),
    "host with a path": (b"GET /x HTTP/1.1\r\nHost: localhost/a\r\n\r\n", 400),
    "host with a query": (b"GET /x HTTP/1.1\r\nHost: localhost?a\r\n\r\n", 400),
    "host with a fragment": (b"GET /x HTTP/1.1\r\nHost: localhost#a\r\n\r\n", 400),
    "host with a space": (b"GET /x HTTP/1.1\r\nHost: local host\r\n\r\n", 400),
    "host with a bad port": (b"GET /x HTTP/1.1\r\nHost: localhost:8a\r\n\r\n", 400),
    "host with a huge port": (b"GET /x HTTP/1.1\r\nHost: localhost:65536\r\n\r\n", 400),
    "host with two ports": (b"GET /x HTTP/1.1\r\nHost: localhost:80:80\r\n\r\n", 400),
    "host with a signed port": (b"GET /x HTTP/1.1\r\nHost: localhost:+80\r\n\r\n", 400),
    "host with a scheme": (b"GET /x HTTP/1.1\r\nHost: http://localhost\r\n\r\n", 400),
    "host with an open bracket": (b"GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    "host with text after the bracket": (b"GET /x HTTP/1.1\r\nHost: [::1]localhost\r\n\r\n", 400),
    "host in 8-bit": (b"GET /x HTTP/1.1\r\nHost: localh\xf6st\r\n\r\n", 400),
    "absolute form that differs from host": (target(b"http://example.com/x"), 400),
    "absolute form with userinfo": (target(b"http://a:b@localhost/x"), 400),
    "absolute form without an authority": (target(b"http:///x"), 400),
    # the request line
    "two spaces": (b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces before the version": (b"GET /x  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space at the end": (b"GET /x HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "leading space": (b" GET /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "tabs for spaces": (b"GET\t/x\tHTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space in the target": (target(b"/x y"), 400),
    "tab in the target": (target(b"/x\ty"), 400),
    "8-bit in the target": (target(b"/\xe9"), 400),
    "backslash in the target": (target(b"/a\\b"), 400),
    "fragment in the target": (target(b"/a#b"), 400),
    "bad percent escape": (target(b"/%zz"), 400),
    "short percent escape": (target(b"/a%2"), 400),
    "lone percent": (target(b"/%"), 400),
    "bad percent escape in the query": (target(b"/a?b=%g1"), 400),
    "fragment after the query": (target(b"/a?b#c"), 400),
    "no slash": (target(b"x"), 400),
    "asterisk with GET": (target(b"*"), 400),
    "empty target": (b"GET  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "method in brackets": (head(first=b"G(T /x HTTP/1.1"), 400),
    "empty method": (head(first=b" /x HTTP/1.1"), 400),
    "HTTP/0.9": (b"GET /x\r\n", 400),
    "HTTP/0.9 spelt out": (head(first=b"GET /x HTTP/0.9"), 400),
    "HTTP/2.0": (head(first=b"GET /x HTTP/2.0"), 505),
    "HTTP/3.0": (head(first=b"GET /x HTTP/3.0"), (400, 505)),
    "the HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/1.10": (head(first=b"GET /x HTTP/1.10"), 400),
    "HTTP/01.1": (head(first=b"GET /x HTTP/01.1"), 400),
    "http/1.1 in lower case": (head(first=b"GET /x http/1.1"), 400),
    "HTTP/1 without a minor": (head(first=b"GET /x HTTP/1"), 400),
    "another protocol": (head(first=b"GET /x RTSP/1.0"), 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), 400),
    # limits
    "target over 8 KiB": (target(b"/" + b"a" * 8192), 414),
    "target over 8 KiB that never ends": (b"GET /" + b"a" * 20000, 414),
    "head over 16 KiB": (head(b"X: " + b"a" * 16384), 431),
    "head over 16 KiB that never ends": (b"GET /x HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 17000, 431),
    "over 100 fields": (head(*[b"X-%d: a" % n for n in range(100)]), 431),
    # methods and expectations
    "TRACE": (head(first=b"TRACE /x HTTP/1.1"), 405),
    "CONNECT": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 405),
    "an unknown expectation": (post(b"Content-Length: 2", b"Expect: tea"), 417),
}

CHUNKED = b"POST /x HTTP/1.1\r\n" + HOST + TE + b"\r\n\r\n"
CHUNKS = {
    "hexadecimal prefix": b"0x2\r\nab\r\n0\r\n\r\n",
    "plus sign": b"+2\r\nab\r\n0\r\n\r\n",
    "minus sign": b"-2\r\nab\r\n0\r\n\r\n",
    "leading space": b" 2\r\nab\r\n0\r\n\r\n",
    "trailing space": b"2 \r\nab\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    "empty size": b"\r\nab\r\n0\r\n\r\n",
    "not hexadecimal": b"g\r\nab\r\n0\r\n\r\n",
    "size of 2^64": b"10000000000000000\r\nab\r\n0\r\n\r\n",
    "size of 2^64+2": b"10000000000000002\r\nab\r\n0\r\n\r\n",
    "bare LF after the size": b"2\nab\r\n0\r\n\r\n",
    "bare CR after the size": b"2\rab\r\n0\r\n\r\n",
    "bare LF after the data": b"2\r\nab\n0\r\n\r\n",
    "no line end after the data": b"2\r\nab0\r\n\r\n",
    "data longer than the size": b"2\r\nabc\r\n0\r\n\r\n",
    "other bytes after the data": b"2\r\nabXX0\r\n\r\n",
    "LF in an extension": b"2;a\nb\r\nab\r\n0\r\n\r\n",
    "CR in an extension": b"2;a\rb\r\nab\r\n0\r\n\r\n",
    "NUL in an extension": b"2;a\x00\r\nab\r\n0\r\n\r\n",
    "extension over 256 bytes": b"2;" + b"a" * 300 + b"\r\nab\r\n0\r\n\r\n",
    "bare LF after the last chunk": b"2\r\nab\r\n0\n\n",
    "obs-fold in a trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "malformed trailer": b"0\r\nnocolon\r\n\r\n",
    "bare LF in a trailer": b"0\r\nX: a\n\r\n",
}


@pytest.fixture(scope="module")
def pair():
    with Backend() as backend:
        with Gatehouse(config(backend)) as gate:
            yield gate, backend


def assert_refused(gate, raw, statuses):
    with Client(gate.address) as client:
        client.try_send(raw)
        response = client.read()
        assert response.status in statuses, response
        response.problem()
        assert client.at_end(), "the connection stayed open"


@pytest.mark.parametrize("case", HEADS)
def test_an_ambiguous_head_is_refused(pair, case):
    gate, backend = pair
    raw, status = HEADS[case]
    before = len(backend.requests)
    assert_refused(gate, raw, status if isinstance(status, tuple) else (status,))
    # What follows on another connection is the next thing that the backend sees.
    assert gate.get("/after").status == 200
    assert [r.target for r in backend.requests[before:]] == ["/after"]


@pytest.mark.parametrize("case", HEADS)
def test_it_is_refused_byte_by_byte_too(pair, case):
    gate, backend = pair
    raw, status = HEADS[case]
    if len(raw) > 400:
        pytest.skip("long input, tested whole")
    before = len(backend.requests)
    with Client(gate.address) as client:
        for index in range(len(raw)):
            if not client.try_send(raw[index : index + 1]):
                break
        try:
            answered = client.read().status
        except ConnectionEnded:
            answered = None  # a byte sent after our close may have reset the connection
    statuses = status if isinstance(status, tuple) else (status,)
    assert answered is None or answered in statuses
    assert len(backend.requests) == before


@pytest.mark.parametrize("case", CHUNKS)
def test_a_malformed_chunked_body_is_refused_and_never_completed(pair, case):
    gate, backend = pair
    before = len(backend.requests)
    assert_refused(gate, CHUNKED + CHUNKS[case], (400,))
    assert gate.get("/after").status == 200
    for received in backend.requests[before:]:
        assert received.target == "/after" or not received.complete


def test_nothing_after_a_refused_request_is_read(pair):
    gate, backend = pair
    before = len(backend.requests)
    smuggled = request("GET", "/smuggled")
    assert_refused(gate, post(b"Content-Length: 5", TE, body=b"0\r\n\r\n") + smuggled, (400,))
    assert gate.get("/after").status == 200
    assert "/smuggled" not in [r.target for r in backend.requests[before:]]


def test_valid_forms_that_look_odd_are_taken(pair):
    gate, backend = pair
    odd = [
        head(b"X:"),
        head(b"X:\t a \t"),
        head(b"X: \xe9"),
        head(b"hOST-x: a"),
        head(first=b"FETCH /x HTTP/1.1"),
        target(b"http://localhost/x"),
        target(b"/?"),
        target(b"/?a=[1]&b={|}"),
        b"GET /x HTTP/1.0\r\n" + HOST + b"\r\n",
        b"GET /x HTTP/1.1\r\nHost: LOCALHOST.:80\r\n\r\n",
        post(b"Content-Length: 0"),
        post(b"transfer-encoding:   CHUNKED ", body=b"2;a=b\r\nab\r\n000\r\nX: dropped\r\n\r\n"),
    ]
    for raw in odd:
        with Client(gate.address) as client:
            assert client.ask(raw).status == 200, raw


def test_trailers_and_chunk_extensions_are_not_forwarded(pair):
    gate, backend = pair
    body = b"2;ext=1\r\nab\r\n0;last\r\nX-User: admin\r\n\r\n"
    with Client(gate.address) as client:
        assert client.ask(CHUNKED + body).status == 200
    received = backend.last
    assert received.body == b"ab"
    assert b"ext" not in received.connection.received
    assert b"X-User" not in received.connection.received


@pytest.mark.parametrize("split", range(1, 60, 7))
def test_a_head_split_anywhere_is_read(pair, split):
    gate, _ = pair
    raw = request("GET", "/split", [("X-One", "a"), ("X-Two", "b")])
    with Client(gate.address) as client:
        client.send(raw[:split])
        client.send(raw[split:])
        assert client.read().status == 200


SMUGGLER = ROOT.parent / "shared" / "conformance" / "smuggler" / "te-gadgets.json"


def gadgets():
    if not SMUGGLER.is_file():
        return {}
    found = json.loads(SMUGGLER.read_text(encoding="utf-8"))
    return {name: line for group in found.values() for name, line in group.items()}


@pytest.mark.skipif(not SMUGGLER.is_file(), reason="the conformance data is not here")
def test_no_transfer_encoding_mutation_is_read_differently_by_us_and_a_backend(pair):
    """Each gadget stands beside a Content-Length that hides a second request. Either it is refused,
    or what the backend gets is framed in exactly one way and has no smuggled request."""
    gate, backend = pair
    wrong = []
    for name, line in gadgets().items():
        before = len(backend.requests)
        hidden = b"0\r\n\r\n" + request("GET", "/smuggled")
        raw = b"POST /gadget HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(hidden)
        raw += line.encode("latin-1")
        if not raw.endswith(b"\r\n"):
            raw += b"\r\n"
        with Client(gate.address) as client:
            client.try_send(raw + b"\r\n" + hidden)
            status = client.read().status
        for received in backend.requests[before:]:
            framings = received.all("Content-Length") + received.all("Transfer-Encoding")
            if received.target != "/gadget" or len(framings) != 1 or received.body != hidden:
                wrong.append((name, status, received.raw_head))
            if "transfer-encoding" in received.names() or "chunked" in str(received.fields).lower():
                # A field that merely resembles Transfer-Encoding may pass as what it is.
                if received.all("Transfer-Encoding"):
                    wrong.append((name, status, received.raw_head))
    assert not wrong
