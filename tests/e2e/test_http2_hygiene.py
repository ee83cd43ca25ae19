"""SPEC 3.1 over HTTP/2: what is not well-formed ends its stream, alone, and reaches no backend."""

import re
import threading

import pytest

from harness.backend import Backend, answer
from harness.gate import Gatehouse, config
from harness.h2 import H2Client, StreamReset
from harness.h2_frames import Code, block, continuation, data, head, headers
from harness.wire import chunked

BODY_MAX = 1000
WEBSOCKET = (":protocol", "websocket")
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Pair:
    def __init__(self, gate, backend):
        self.gate, self.backend = gate, backend

    def connect(self, **options):
        return H2Client(self.gate.address, **options)


@pytest.fixture(scope="module")
def pair():
    with Backend() as backend:
        listen = config(backend)["listen"]
        listen[0]["h2c"] = True
        settings = config(backend, listen=listen, limits={"request_body": BODY_MAX})
        with Gatehouse(settings) as gate:
            yield Pair(gate, backend)


@pytest.fixture(autouse=True)
def plain_answers(pair):
    pair.backend.answer = answer(200, {"Content-Type": "text/plain"}, b"ok")


class Neighbours:
    """Two streams of a client's connection that go on whatever happens on others: one that is open
    meanwhile, one that comes afterwards. Nothing but them may reach the backend."""

    def __init__(self, pair):
        self.pair = pair

    def __enter__(self):
        self.before = len(self.pair.backend.requests)
        self.client = self.pair.connect()
        self.client.settle()
        self.open = self.client.begin("POST", "/open", end=False)
        return self.client

    def __exit__(self, kind, *_):
        if kind is None:
            self.client.send_body(self.open, b"still here")
            assert self.client.finish(self.open).status == 200
            assert self.client.request("GET", "/after").status == 200
            assert self.client.goaway is None
            requests = self.pair.backend.requests[self.before :]
            whole = [request for request in requests if request.complete]
            assert sorted(request.target for request in whole) == ["/after", "/open"]
            received = b"".join(request.raw_head for request in requests)
            assert b"smuggled" not in received
        self.client.close()


def expect_refused(client, stream, codes=(Code.PROTOCOL_ERROR,)):
    """RST_STREAM, before which an answer may stand that refuses."""
    stream = client.streams[stream]
    client.wait(lambda: stream.reset is not None, f"the reset of stream {stream.number}")
    assert stream.reset in codes
    if stream.response:
        assert stream.response.status in (400, 501)
        assert not stream.response.body or stream.response.problem()


def ask(client, fields, *rest, stream=3, end=True):
    """A request of these fields as they are, in one piece with the frames behind it."""
    method = next((value for name, value in fields if name == ":method"), None)
    client.open(stream, method)
    client.send_frames(*in_frames(stream, block(fields), end), *rest)


def in_frames(stream, encoded, end):
    pieces = [encoded[at : at + 16000] for at in range(0, len(encoded), 16000)]
    last = len(pieces) - 1
    return [
        continuation(stream, piece, end_headers=index == last)
        if index
        else headers(stream, piece, end=end, end_headers=index == last)
        for index, piece in enumerate(pieces)
    ]


def changed(method="GET", target="/bad", fields=(), host="localhost", scheme="http"):
    return head(method, target, fields, host, scheme)


def more(*fields):
    return changed(fields=fields)


def moved(name, place):
    """GET with one pseudo-field in another place."""
    fields = more(("x-a", "b"))
    fields.insert(place, fields.pop([n for n, _ in fields].index(name)))
    return fields


# name: the fields of a whole request without a body
MALFORMED = {
    # values
    "CR in a value": more(("x-a", "a\rb")),
    "LF in a value": more(("x-a", "a\nb")),
    "CRLF in a value": more(("x-a", "a\r\nb")),
    "NUL in a value": more(("x-a", "a\0b")),
    "CR at the end of a value": more(("x-a", "a\r")),
    "LF at the start of a value": more(("x-a", "\na")),
    "only CR": more(("x-a", "\r")),
    "0x01 in a value": more(("x-a", "a\x01b")),
    "DEL in a value": more(("x-a", "a\x7fb")),
    "escape in a value": more(("x-a", "\x1b[31m")),
    "space before a value": more(("x-a", " a")),
    "space behind a value": more(("x-a", "a ")),
    "tab before a value": more(("x-a", "\ta")),
    "tab behind a value": more(("x-a", "a\t")),
    "a length smuggled in a value": more(("x-a", "x\r\ncontent-length: 0")),
    "a coding smuggled in a value": more(("x-a", "x\r\ntransfer-encoding: chunked")),
    "a request smuggled in a value": more(("x-a", f"x\r\n\r\n{SMUGGLED}")),
    "a request smuggled with bare LF": more(("x-a", f"x\n\n{SMUGGLED}")),
    "a host smuggled in a cookie": more(("cookie", "a=b\r\nhost: smuggled")),
    # names
    "upper-case name": more(("X-Test", "a")),
    "one upper-case letter": more(("x-tesT", "a")),
    "upper-case Host": more(("Host", "localhost")),
    "upper-case Transfer-Encoding": more(("Transfer-Encoding", "chunked")),
    "empty name": more(("", "a")),
    "only a colon": more((":", "a")),
    "space in a name": more(("x a", "b")),
    "space behind a name": more(("x-a ", "b")),
    "tab in a name": more(("x\ta", "b")),
    "colon in a name": more(("x:a", "b")),
    "colon behind a name": more(("transfer-encoding:", "chunked")),
    "CR in a name": more(("x\ra", "b")),
    "LF in a name": more(("x\na", "b")),
    "NUL in a name": more(("x\0a", "b")),
    "DEL in a name": more(("x\x7fa", "b")),
    "8-bit name": more((b"x\xe9a", "b")),
    "name in quotes": more(('"x"', "b")),
    "bracket in a name": more(("x[a]", "b")),
    "slash in a name": more(("x/a", "b")),
    "a field smuggled in a name": more(("x-a: b\r\ntransfer-encoding", "chunked")),
    "a request smuggled in a name": more((f"x-a: b\r\n\r\n{SMUGGLED}x", "b")),
    # connection-specific fields, section 8.2.2
    "connection: close": more(("connection", "close")),
    "connection: te": more(("connection", "te")),
    "connection, empty": more(("connection", "")),
    "keep-alive": more(("keep-alive", "timeout=5")),
    "proxy-connection": more(("proxy-connection", "keep-alive")),
    "upgrade: websocket": more(("upgrade", "websocket")),
    "upgrade: h2c": more(("upgrade", "h2c")),
    "transfer-encoding: chunked": more(("transfer-encoding", "chunked")),
    "transfer-encoding: identity": more(("transfer-encoding", "identity")),
    "transfer-encoding, empty": more(("transfer-encoding", "")),
    "te: gzip": more(("te", "gzip")),
    "te: trailers, gzip": more(("te", "trailers, gzip")),
    "te, empty": more(("te", "")),
    "te with a quality": more(("te", "trailers;q=0.5")),
    "te twice": more(("te", "trailers"), ("te", "gzip")),
    # Host and :authority
    "host unlike :authority": more(("host", "example.com")),
    "host with another port": more(("host", "localhost:81")),
    "two hosts": changed(host=None, fields=[("host", "localhost"), ("host", "localhost")]),
    "two hosts, different": changed(host=None, fields=[("host", "localhost"), ("host", "a.test")]),
    "two hosts beside :authority": more(("host", "localhost"), ("host", "localhost")),
    "neither host nor :authority": changed(host=None),
    "empty :authority": changed(host=""),
    "empty host beside :authority": more(("host", "")),
    "authority with userinfo": changed(host="a@localhost"),
    "authority with a password": changed(host="a:b@localhost"),
    "authority with a path": changed(host="localhost/smuggled"),
    "authority with a query": changed(host="localhost?a"),
    "authority with a fragment": changed(host="localhost#a"),
    "authority as a list": changed(host="localhost, example.com"),
    "authority with a space": changed(host="local host"),
    "authority with a scheme": changed(host="http://localhost"),
    "authority in 8-bit": changed(host=b"localh\xf6st"),
    "a field smuggled in the authority": changed(host="localhost\r\nx-a: smuggled"),
    # pseudo-fields
    "no :method": changed(method=None),
    "no :scheme": changed(scheme=None),
    "no :path": changed(target=None),
    "only an authority": [(":authority", "localhost")],
    "no pseudo-fields": [("host", "localhost"), ("x-a", "b")],
    ":method twice": more((":method", "GET")),
    ":scheme twice": more((":scheme", "http")),
    ":authority twice": more((":authority", "localhost")),
    ":path twice": more((":path", "/smuggled")),
    ":method late": moved(":method", 4),
    ":scheme late": moved(":scheme", 4),
    ":authority late": moved(":authority", 4),
    ":path late": moved(":path", 4),
    "unknown pseudo-field": [(":version", "HTTP/1.1"), *more()],
    ":status": [(":status", "200"), *more()],
    ":protocol without CONNECT": [(":protocol", "websocket"), *more()],
    ":Method": [(":Method", "GET"), *more()],
    # the method
    "empty method": changed(method=""),
    "method with a space": changed(method="GET /smuggled HTTP/1.1\r\nX: "),
    "method with a target": changed(method="GET /smuggled"),
    "method with CRLF": changed(method=SMUGGLED + "GET"),
    "method with a tab": changed(method="GET\t"),
    "method with NUL": changed(method="GE\0T"),
    "method with a slash": changed(method="GET/"),
    "method in 8-bit": changed(method=b"G\xc9T"),
    "method in quotes": changed(method='"GET"'),
    # CONNECT, RFC 9113 section 8.5 and RFC 8441 section 4
    "connect with a path": [*changed("CONNECT", scheme=None)],
    "connect with a scheme": [*changed("CONNECT", target=None)],
    "connect without an authority": [(":method", "CONNECT")],
    "extended connect without a path": [*changed("CONNECT", target=None), WEBSOCKET],
    "extended connect without a scheme": [*changed("CONNECT", scheme=None), WEBSOCKET],
    "extended connect without an authority": [*changed("CONNECT", host=None), WEBSOCKET],
    "extended connect with two protocols": [*changed("CONNECT"), WEBSOCKET, WEBSOCKET],
    "extended connect with CRLF": [*changed("CONNECT"), (":protocol", "websocket\r\nx-a: b")],
    # the path
    "empty path": changed(target=""),
    "path without a slash": changed(target="bad"),
    "path with a space": changed(target="/a b"),
    "path with a version": changed(target="/smuggled HTTP/1.1\r\nX: "),
    "path with CRLF": changed(target="/a\r\nx-a: smuggled"),
    "path with LF": changed(target="/a\nb"),
    "path with NUL": changed(target="/a\0b"),
    "path with a tab": changed(target="/a\tb"),
    "path in 8-bit": changed(target=b"/\xe9"),
    "path with a backslash": changed(target="/a\\b"),
    "path with a fragment": changed(target="/a#b"),
    "path with a bad escape": changed(target="/%zz"),
    "path with a cut escape": changed(target="/%2"),
    "absolute form": changed(target="http://localhost/bad"),
    "absolute form elsewhere": changed(target="http://example.com/bad"),
    "authority form": changed(target="localhost:80"),
    "asterisk with GET": changed(target="*"),
    # the scheme
    "empty scheme": changed(scheme=""),
    "scheme with a path": changed(scheme="http://localhost/smuggled?"),
    "scheme with CRLF": changed(scheme="http\r\nx-a: smuggled"),
    "scheme with a space": changed(scheme="ht tp"),
    "scheme with a digit first": changed(scheme="1http"),
    # lengths that a request without a body contradicts
    "content-length on GET": more(("content-length", "5")),
    "content-length on HEAD": changed("HEAD", fields=[("content-length", "5")]),
    "content-length on DELETE": changed("DELETE", fields=[("content-length", "1")]),
    "content-length on a POST without DATA": changed("POST", fields=[("content-length", "5")]),
}
# Content-Length fields that are wrong whatever the body is
LENGTHS = {
    "twice, equal": ["4", "4"],
    "twice, different": ["4", "5"],
    "as a list": ["4, 4"],
    "with plus": ["+4"],
    "with minus": ["-4"],
    "minus zero": ["-0"],
    "hexadecimal": ["0x4"],
    "empty": [""],
    "zero-padded": ["04"],
    "with a space inside": ["4 0"],
    "with an underscore": ["4_0"],
    "with an exponent": ["4e0"],
    "with a decimal point": ["4.0"],
    "of 2^64+4": ["18446744073709551620"],
    "in quotes": ['"4"'],
    "with CRLF": ["4\r\ntransfer-encoding: chunked"],
}
MALFORMED |= {
    f"content-length {name}": changed("POST", fields=[("content-length", v) for v in values])
    for name, values in LENGTHS.items()
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_ends_its_stream_alone(pair, name):
    with Neighbours(pair) as client:
        ask(client, MALFORMED[name])
        expect_refused(client, 3)


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_is_wrong_by_itself_is_refused_before_its_body(pair, name):
    fields = changed("POST", fields=[("content-length", value) for value in LENGTHS[name]])
    with Neighbours(pair) as client:
        ask(client, fields, end=False)
        expect_refused(client, 3)


def test_the_same_head_in_pieces_is_refused_too(pair):
    whole = block(MALFORMED["a request smuggled in a value"])
    with Neighbours(pair) as client:
        client.send_frames(
            headers(3, whole[:20], end_headers=False), continuation(3, whole[20:])
        )
        expect_refused(client, 3)


def test_the_same_over_tls(start, backend, certificates):
    pair = certificates["localhost"]
    settings = config(backend)
    settings["listen"][0]["tls"] = pair.settings()
    gate = start(settings)
    context = pair.client_context(["h2"])
    for name in ("CRLF in a value", "upper-case name", "connection: close", "two hosts"):
        with H2Client(gate.address, tls=context) as client:
            fields = [(n, "https" if n == ":scheme" else v) for n, v in MALFORMED[name]]
            ask(client, fields, stream=1)
            expect_refused(client, 1)
            assert client.request("GET", "/after").status == 200
    assert {request.target for request in backend.requests} == {"/after"}


def test_a_connection_is_for_the_hosts_of_its_certificate(start, backend, certificates):
    """Clients may use a connection for other hosts (RFC 9113 section 9.1.1), but here each host is
    what its certificate was chosen for: 421, and the connection goes on."""
    hosts = {"localhost": certificates["localhost"], "other.test": certificates["other"]}
    tls = [pair.settings() for pair in hosts.values()]
    settings = config(backend, hosts=list(hosts))
    settings["listen"][0]["tls"] = tls
    gate = start(settings)
    for name, pair in hosts.items():
        elsewhere = next(host for host in hosts if host != name)
        context = pair.client_context(["h2"])
        with H2Client(gate.address, tls=context, server_name=name) as client:
            assert client.request("GET", "/", host=elsewhere).status == 421
            assert client.request("GET", "/", host=name).status == 200
    assert {request.get("Host") for request in backend.requests} == set(hosts)
    assert len(backend.requests) == len(hosts)


# -- lengths and DATA --

# name: (Content-Length, the DATA frames)
CONTRADICTIONS = {
    "too short": (10, [b"four"]),
    "too short by one": (5, [b"four"]),
    "too short in two frames": (10, [b"four", b"four"]),
    "nothing at all": (4, [b""]),
    "too long": (1, [b"four"]),
    "too long by one": (3, [b"four"]),
    "too long in two frames": (4, [b"four", b"more"]),
    "a request behind the body": (4, [b"four" + SMUGGLED.encode()]),
    "a body where none was said": (0, [SMUGGLED.encode()]),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
def test_data_that_contradicts_the_length_ends_its_stream_alone(pair, name, method):
    length, pieces = CONTRADICTIONS[name]
    with Neighbours(pair) as client:
        fields = changed(method, fields=[("content-length", str(length))])
        last = len(pieces) - 1
        frames = [data(3, piece, end=index == last) for index, piece in enumerate(pieces)]
        ask(client, fields, *frames, end=False)
        expect_refused(client, 3)


def test_what_the_backend_got_of_such_a_body_is_no_request(pair):
    """The head went on before the contradiction was there: the upstream connection ends then."""
    before = len(pair.backend.requests)
    with Neighbours(pair) as client:
        fields = changed("POST", "/short", [("content-length", "10")])
        ask(client, fields, data(3, b"four"), end=False)
        pair.backend.wait(lambda b: any(r.target == "/short" for r in b.requests[before:]))
        client.send_frames(data(3, b"five", end=True))
        expect_refused(client, 3)
    received = next(r for r in pair.backend.requests[before:] if r.target == "/short")
    pair.backend.wait(lambda _: received.connection.closed_by_peer, "the end of the connection")
    assert not received.complete


def test_padding_is_no_body(pair):
    with pair.connect() as client:
        fields = changed("POST", "/padded", [("content-length", "4")])
        client.open(1, "POST")
        client.send_frames(
            headers(1, block(fields), end=False, padding=9),
            data(1, b"fo", padding=255),
            data(1, b"", padding=0),
            data(1, b"ur", end=True, padding=1),
        )
        assert client.finish(1).status == 200
    assert pair.backend.last.body == b"four"


# -- trailers --


@pytest.mark.parametrize("fields", [[], [("x-checksum", "abc")], [("x-a", "b")] * 5])
def test_trailers_are_dropped(pair, fields):
    with pair.connect() as client:
        rest = [data(1, b"four"), headers(1, block(fields))]
        ask(client, changed("POST", "/trailers"), *rest, stream=1, end=False)
        assert client.finish(1).status == 200
        assert client.request("GET", "/after").status == 200
    received = [r for r in pair.backend.requests if r.target == "/trailers"][-1]
    assert received.body == b"four"
    connection = received.connection.received
    assert b"x-checksum" not in connection and b"x-a:" not in connection


BAD_TRAILERS = {
    ":path": [(":path", "/smuggled")],
    ":method": [(":method", "GET")],
    ":status": [(":status", "200")],
    ":authority": [("x-a", "b"), (":authority", "localhost")],
    "upper case": [("X-A", "b")],
    "CRLF": [("x-a", f"b\r\n\r\n{SMUGGLED}")],
    "NUL": [("x-a", "a\0b")],
    "empty name": [("", "b")],
    "connection": [("connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
}


@pytest.mark.parametrize("name", BAD_TRAILERS)
def test_malformed_trailers_end_their_stream_alone(pair, name):
    with Neighbours(pair) as client:
        fields = changed("POST", fields=[("content-length", "10")])
        ask(client, fields, data(3, b"four"), headers(3, block(BAD_TRAILERS[name])), end=False)
        expect_refused(client, 3)


def test_trailers_do_not_make_up_for_a_body_that_is_too_short(pair):
    with Neighbours(pair) as client:
        fields = changed("POST", fields=[("content-length", "10")])
        ask(client, fields, data(3, b"four"), headers(3, block([("x-a", "b")])), end=False)
        expect_refused(client, 3)


# -- limits: these are answers --


def expect_answer(client, stream, status):
    response = client.finish(stream)
    assert response.status == status
    response.problem()


# name: (fields, status)
LIMITS = {
    "a long path": (changed(target="/" + "a" * 9000), 414),
    "a long query": (changed(target="/?" + "a" * 9000), 414),
    "one large value": (more(("x-a", "a" * 17000)), 431),
    "one large name": (more(("a" * 17000, "b")), 431),
    "many values": (more(*[(f"x-{i}", "a" * 900) for i in range(20)]), 431),
    "101 fields": (more(*[("x-a", "b")] * 101), 431),
    "1000 fields": (more(*[("x-a", "b")] * 1000), 431),
    "many crumbs": (more(*[("cookie", "a=b")] * 1000), 431),
    "trace": (changed("TRACE"), 405),
    "connect": ([(":method", "CONNECT"), (":authority", "localhost:443")], 405),
    "extended connect with an empty protocol": ([*changed("CONNECT"), (":protocol", "")], 405),
    "extended connect for UDP": ([*changed("CONNECT"), (":protocol", "connect-udp")], 405),
    "extended connect without a WebSocket here": ([*changed("CONNECT"), WEBSOCKET], 405),
    "an unknown host": (changed(host="elsewhere.test"), 400),
    "authority with a bad port": (changed(host="localhost:8a"), 400),
    "authority with a huge port": (changed(host="localhost:65536"), 400),
    "authority with two ports": (changed(host="localhost:80:80"), 400),
    "authority with an open bracket": (changed(host="[::1"), 400),
    "an expectation": (changed("POST", fields=[("expect", "200-ok")]), 417),
    "a path above the root": (changed(target="/../bad"), 400),
    "content-length over the limit": (None, 413),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_too_much_is_answered(pair, name):
    fields, status = LIMITS[name]
    end = fields is not None
    if not end:
        fields = changed("POST", fields=[("content-length", str(BODY_MAX + 1))])
    with Neighbours(pair) as client:
        ask(client, fields, end=end)
        expect_answer(client, 3, status)


def test_a_body_that_grows_over_the_limit_is_413(pair):
    with Neighbours(pair) as client:
        frames = [data(3, bytes(100)) for _ in range(BODY_MAX // 100 + 1)]
        ask(client, changed("POST"), *frames, end=False)
        client.answer_head(3)
        assert client.streams[3].response.status == 413


def test_the_rest_of_a_refused_body_does_not_use_the_connection_up(pair):
    """What is discarded is paid back: a window that stays shut would stop the other streams."""
    with Neighbours(pair) as client:
        for stream in range(3, 43, 2):
            fields = changed("POST", fields=[("content-length", "60000")])
            ask(client, fields, stream=stream, end=False)
            try:
                client.send_body(client.streams[stream], bytes(60000))
            except StreamReset:
                pass
            assert client.answer_head(stream).status == 413


# -- what is well-formed goes on as over HTTP/1.1 --


def test_host_instead_of_authority(pair):
    with pair.connect() as client:
        ask(client, changed(host=None, fields=[("host", "localhost")]), stream=1)
        assert client.finish(1).status == 200
    assert pair.backend.last.get("Host")


def test_host_beside_authority(pair):
    with pair.connect() as client:
        ask(client, more(("host", "localhost")), stream=1)
        assert client.finish(1).status == 200
    assert len(pair.backend.last.all("Host")) == 1


def test_te_trailers_is_taken_and_not_forwarded(pair):
    with pair.connect() as client:
        ask(client, more(("te", "trailers")), stream=1)
        assert client.finish(1).status == 200
    assert "te" not in pair.backend.last.names()


def test_http2_settings_is_not_forwarded(pair):
    with pair.connect() as client:
        assert client.request("GET", "/", {"http2-settings": "AAMAAABk"}).status == 200
    assert "http2-settings" not in pair.backend.last.names()


def test_cookie_crumbs_are_joined(pair):
    with pair.connect() as client:
        crumbs = [("cookie", "a=1"), ("x-a", "b"), ("cookie", "b=2"), ("cookie", "c=3; d=4")]
        assert client.request("GET", "/", crumbs).status == 200
    assert pair.backend.last.get("Cookie") == "a=1; b=2; c=3; d=4"


def test_a_content_length_of_zero_needs_no_body(pair):
    for method in ("GET", "POST"):
        with pair.connect() as client:
            assert client.request(method, "/", {"content-length": "0"}).status == 200


def test_asterisk_with_options(pair):
    with pair.connect() as client, pair.gate.connect() as old:
        assert client.request("OPTIONS", "*").status == old.request("OPTIONS", "*").status


REQUESTS = {
    "get": ("GET", "/a/../b%2dc//d?x=1&y=%20", {}, None),
    "many fields": ("GET", "/", [("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("x-c", "")], None),
    "cookie": ("GET", "/", {"cookie": "a=1; b=2"}, None),
    "head": ("HEAD", "/", {}, None),
    "post": ("POST", "/", {"content-type": "text/plain", "content-length": "4"}, b"four"),
    "put": ("PUT", "/x", {"content-type": "text/plain", "content-length": "0"}, b""),
    "delete": ("DELETE", "/x", {}, None),
    "options": ("OPTIONS", "/x", {}, None),
    "te": ("GET", "/", {"te": "trailers"}, None),
    "claims": ("GET", "/", {"x-forwarded-for": "1.2.3.4", "forwarded": "for=1.2.3.4"}, None),
    "8-bit": ("GET", "/", {"x-a": "gr\xfc\xdfe"}, None),
}
RANDOM = {"x-request-id", "traceparent"}


def settled(fields):
    """Fields with the values that differ from request to request left out."""
    return [(name, None if name.lower() in RANDOM else value) for name, value in fields]


@pytest.mark.parametrize("name", REQUESTS)
def test_both_versions_reach_the_backend_with_the_same_head(pair, name):
    method, target, fields, body = REQUESTS[name]
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    old = [("connection", "te"), *pairs] if name == "te" else pairs
    assert pair.gate.request(method, target, old, body).status == 200
    first = pair.backend.last
    with pair.connect() as client:
        assert client.request(method, target, pairs, body).status == 200
    second = pair.backend.last
    assert first is not second
    assert (second.method, second.target, second.body) == (first.method, first.target, first.body)
    assert settled(second.fields) == settled(first.fields)


def test_a_body_of_unknown_length_is_chunked_for_the_backend(pair):
    with pair.connect() as client:
        stream = client.begin("POST", "/", end=False)
        client.sync()  # the head was read, and nothing of the body was there
        client.send_body(stream, b"four")
        assert client.finish(stream).status == 200
    assert pair.backend.last.get("Transfer-Encoding") == "chunked"
    assert pair.backend.last.get("Content-Length") is None
    assert pair.backend.last.body == b"four"


def test_a_body_of_unknown_length_that_is_empty(pair):
    with pair.connect() as client:
        assert client.request("POST", "/", body=b"").status == 200
    assert pair.backend.last.body == b""


# -- answers --

ANSWERS = {
    "length": answer(200, {"Content-Type": "text/plain"}, b"hello"),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"he", b"llo"),
    "until the end": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
    "204": answer(204),
    "304": answer(304, {"ETag": '"a"'}),
    "404": answer(404, body=b"not here"),
    "redirect": answer(302, {"Location": "/elsewhere"}),
    "hop by hop": answer(
        200,
        [
            ("Connection", "X-Hop, keep-alive"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("Proxy-Connection", "keep-alive"),
            ("Trailer", "X-T"),
            ("Upgrade", "h2c"),
            ("X-End", "2"),
        ],
        b"hello",
    ),
    "upper case": answer(200, {"X-UPPER-Case": "Kept"}, b"hello"),
    "cookies": answer(200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"hello"),
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\nX-T: a\r\n\r\n",
    "500": answer(500, body=b"Traceback"),
}
FRAMING = {"connection", "content-length", "transfer-encoding", "keep-alive"}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_versions_answer_alike(pair, name, method):
    reply = ANSWERS[name]
    if method == "HEAD":
        reply = reply.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    def once(_, connection):
        connection.send(reply)
        return b"" if b"Connection: close" in reply else None

    pair.backend.answer = once
    old = pair.gate.request(method, "/x")
    with pair.connect() as client:
        new = client.request(method, "/x")
    assert (new.status, new.body if new.status != 500 else b"") == (
        old.status,
        old.body if old.status != 500 else b"",
    )
    assert comparable(new) == comparable(old)


def comparable(response):
    left_out = FRAMING | RANDOM | {"date"}
    return sorted(
        (name.lower(), value)
        for name, value in response.fields
        if name.lower() not in left_out
    )


def test_names_of_answers_are_lower_case(pair):
    pair.backend.answer = ANSWERS["upper case"]
    with pair.connect() as client:
        response = client.request("GET", "/")
    assert response.get("x-upper-case") == "Kept"
    assert all(name == name.lower() for name, _ in response.fields)


def test_content_length_of_an_answer_is_kept(pair):
    with pair.connect() as client:
        assert client.request("GET", "/").get("content-length") == "2"
        pair.backend.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        assert client.request("HEAD", "/").get("content-length") == "5"


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
    ],
)
def test_a_cut_answer_does_not_look_whole(pair, cut):
    def once(_, connection):
        connection.send(cut)
        return b""

    pair.backend.answer = once
    with pair.connect() as client:
        stream = client.begin("GET", "/")
        with pytest.raises(StreamReset):
            client.finish(stream)
        pair.backend.answer = answer(200, body=b"ok")
        assert client.request("GET", "/after").status == 200


def test_100_continue_comes_before_the_body_is_sent(pair):
    with pair.connect() as client:
        fields = {"expect": "100-continue", "content-length": "4"}
        stream = client.begin("POST", "/", fields, end=False)
        client.wait(lambda: stream.interim or stream.is_over(), "100 Continue")
        assert [interim.status for interim in stream.interim] == [100]
        client.send_body(stream, b"four")
        assert client.finish(stream).status == 200
    assert "expect" not in pair.backend.last.names()


def test_answers_come_in_any_order(pair):
    """A stream that waits holds no other one up."""
    go_on = threading.Event()

    def by_target(received, _):
        if received.target == "/slow":
            go_on.wait(10)
        return answer(200, body=received.target.encode())

    pair.backend.answer = by_target
    with pair.connect() as client:
        slow = client.begin("GET", "/slow")
        quick = [client.begin("GET", f"/quick{i}") for i in range(20)]
        for number, stream in enumerate(quick):
            assert client.finish(stream).body == f"/quick{number}".encode()
        assert not slow.is_over()
        go_on.set()
        assert client.finish(slow).body == b"/slow"


def test_problems_say_what_they_say_over_http_1(pair):
    def shown(response):
        problem = response.problem()
        del problem["request_id"]
        return response.status, problem

    with pair.connect() as client:
        bad = (("/", "elsewhere.test"), ("/%00", "localhost"), ("/../x", "localhost"))
        for target, host in bad:
            new = client.request("GET", target, host=host)
            assert shown(new) == shown(pair.gate.get(target, host=host))
            assert re.fullmatch(r"[0-9A-Za-z_-]+", new.get("x-request-id"))
