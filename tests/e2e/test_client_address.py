"""SPEC 3.3: who is calling, and what nobody may claim."""

import time

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, config

TRUSTED = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48"]


def made_gate(backend, **changes):
    return Gatehouse(config(backend, log={"client": "full"}, **changes))


@pytest.fixture(scope="module")
def behind_proxy():
    with Backend() as backend, made_gate(backend, trusted_proxies=TRUSTED) as gate:
        yield gate, backend


@pytest.fixture(scope="module")
def forwarded():
    trusted = {"allow": TRUSTED, "header": "Forwarded"}
    with Backend() as backend, made_gate(backend, trusted_proxies=trusted) as gate:
        yield gate, backend


@pytest.fixture(scope="module")
def direct():
    with Backend() as backend, made_gate(backend) as gate:
        yield gate, backend


def client_of(gate, fields):
    response = gate.get("/", fields)
    assert response.status == 200
    return gate.wait_access(1, id=response.get("X-Request-Id"))[0]["client"]


def xff(*lines):
    return [("X-Forwarded-For", line) for line in lines]


WALKS = {
    "one": (xff("192.0.2.1"), "192.0.2.1"),
    "the right-most that is not trusted": (xff("192.0.2.9, 192.0.2.1, 10.0.0.5"), "192.0.2.1"),
    "trusted ones are skipped": (xff("192.0.2.1, 10.1.1.1, 10.2.2.2"), "192.0.2.1"),
    "all lines count": (xff("192.0.2.7", "192.0.2.1", "10.0.0.5"), "192.0.2.1"),
    "all trusted": (xff("10.0.0.1, 10.0.0.2"), "10.0.0.1"),
    "absent": ([], "127.0.0.1"),
    "empty": (xff(""), "127.0.0.1"),
    "garbage stops at the last trusted hop": (xff("192.0.2.1, garbage, 10.0.0.5"), "10.0.0.5"),
    "garbage nearest stops at the socket": (xff("192.0.2.1, nonsense"), "127.0.0.1"),
    "unknown stops": (xff("192.0.2.1, unknown, 10.0.0.5"), "10.0.0.5"),
    "obfuscated stops": (xff("192.0.2.1, _hidden, 10.0.0.5"), "10.0.0.5"),
    "mapped addresses are folded": (xff("::ffff:192.0.2.1"), "192.0.2.1"),
    "mapped trusted hops are trusted": (xff("192.0.2.1, ::ffff:10.0.0.5"), "192.0.2.1"),
    "port on IPv4": (xff("192.0.2.1:4711"), "192.0.2.1"),
    "port on IPv6": (xff("[2001:db8::7]:4711"), "2001:db8::7"),
    "brackets without port": (xff("[2001:db8::7]"), "2001:db8::7"),
    "plain IPv6": (xff("2001:db8::7"), "2001:db8::7"),
    "zone": (xff("fe80::1%eth0"), "fe80::1"),
    "trusted IPv6": (xff("192.0.2.1, 2001:db8:1::9"), "192.0.2.1"),
    "octal is garbage": (xff("192.0.2.1, 0177.0.0.1, 10.0.0.5"), "10.0.0.5"),
    "spaces and tabs": (xff(" 192.0.2.1 ,\t10.0.0.5 "), "192.0.2.1"),
}


@pytest.mark.parametrize("case", WALKS)
def test_the_walk_from_the_right(behind_proxy, case):
    gate, _ = behind_proxy
    fields, expected = WALKS[case]
    assert client_of(gate, fields) == expected


def test_at_most_32_entries_are_walked(behind_proxy):
    gate, _ = behind_proxy
    hops = ["192.0.2.1"] + [f"10.0.0.{n}" for n in range(1, 40)]
    assert client_of(gate, xff(", ".join(hops))) != "192.0.2.1"


def test_the_other_header_is_not_believed(behind_proxy):
    gate, backend = behind_proxy
    assert client_of(gate, [("Forwarded", "for=192.0.2.66")]) == "127.0.0.1"
    assert "192.0.2.66" not in str(backend.last.fields)


FORWARDED = {
    "plain": ([("Forwarded", "for=192.0.2.1")], "192.0.2.1"),
    "any case": ([("forwarded", "For=192.0.2.1;PROTO=https")], "192.0.2.1"),
    "quoted with port": ([("Forwarded", 'for="192.0.2.1:80"')], "192.0.2.1"),
    "IPv6": ([("Forwarded", 'for="[2001:db8::7]:80";by=_x')], "2001:db8::7"),
    "over lines": ([("Forwarded", "for=192.0.2.1"), ("Forwarded", "for=10.0.0.1")], "192.0.2.1"),
    "unknown stops": ([("Forwarded", "for=192.0.2.1, for=unknown, for=10.0.0.1")], "10.0.0.1"),
    "obfuscated stops": ([("Forwarded", "for=192.0.2.1, for=_a, for=10.0.0.1")], "10.0.0.1"),
    "quoted comma": ([("Forwarded", 'for=192.0.2.1;host="a,b", for=10.0.0.1')], "192.0.2.1"),
    "malformed stops": ([("Forwarded", 'for=192.0.2.1, for="oops')], "127.0.0.1"),
}


@pytest.mark.parametrize("case", FORWARDED)
def test_the_walk_over_forwarded(forwarded, case):
    gate, _ = forwarded
    fields, expected = FORWARDED[case]
    assert client_of(gate, fields) == expected


FORGED = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Anything",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
]
NEVER = [
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "Proxy",
]


def spellings(name):
    return [name, name.lower(), name.upper(), name.replace("-", "_"), name.replace("-", ".")]


@pytest.mark.parametrize("name", FORGED)
def test_nobody_untrusted_claims_an_address(direct, name):
    gate, backend = direct
    for spelling in spellings(name):
        assert client_of(gate, [(spelling, "for=6.6.6.6")]) == "127.0.0.1"
        assert "6.6.6.6" not in str(backend.last.fields), spelling


@pytest.mark.parametrize("name", NEVER)
def test_overrides_are_deleted_from_everyone(direct, behind_proxy, name):
    for gate, backend in (direct, behind_proxy):
        for spelling in spellings(name):
            assert gate.get("/", [(spelling, "evil-value")]).status == 200
            assert "evil-value" not in str(backend.last.fields), spelling


def test_connection_can_not_remove_what_the_gateway_sets(direct):
    gate, backend = direct
    names = "X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded, X-Request-Id, Host"
    assert gate.get("/", [("Connection", names)]).status == 200
    for name in names.split(", "):
        assert backend.last.get(name), name


def test_what_the_backend_is_told(direct):
    gate, backend = direct
    gate.get("/", host="example.com")
    received = backend.last
    assert received.get("X-Forwarded-For") == "127.0.0.1"
    assert received.get("X-Forwarded-Proto") == "http"
    assert received.get("X-Forwarded-Host") == "example.com"
    assert "for=127.0.0.1" in received.get("Forwarded").replace('"', "")


def test_what_the_backend_is_told_behind_a_proxy(behind_proxy):
    gate, backend = behind_proxy
    gate.get("/", [*xff("192.0.2.1"), ("X-Forwarded-Proto", "https")])
    received = backend.last
    assert received.get("X-Forwarded-For").split(",")[0].strip() == "192.0.2.1"
    assert received.get("X-Forwarded-Proto") == "https"


def test_hop_by_hop_fields_go(direct):
    gate, backend = direct
    fields = [
        ("Connection", "close, X-Private"),
        ("X-Private", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "Basic x"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    ]
    assert gate.get("/", fields).status == 200
    gone = {name.lower() for name, _ in fields} - {"connection"}
    assert not gone & backend.last.names()
    assert "close" not in (backend.last.get("Connection") or "")


def test_end_to_end_fields_pass_unchanged(direct):
    gate, backend = direct
    fields = [("Authorization", "Bearer abc"), ("Cookie", "a=b"), ("X-Custom", "v"), ("Accept", "*/*")]
    gate.get("/", fields)
    for name, value in fields:
        assert backend.last.get(name) == value


# -- request id and trace --


def test_a_request_id_is_made_sent_on_and_answered(direct):
    gate, backend = direct
    first = gate.get("/").get("X-Request-Id")
    assert first and backend.last.get("X-Request-Id") == first
    assert gate.get("/").get("X-Request-Id") != first


def test_a_request_id_is_kept_from_a_trusted_proxy_only(direct, behind_proxy):
    gate, backend = behind_proxy
    assert gate.get("/", {"X-Request-Id": "abc-123"}).get("X-Request-Id") == "abc-123"
    assert backend.last.get("X-Request-Id") == "abc-123"
    gate, backend = direct
    assert gate.get("/", {"X-Request-Id": "abc-123"}).get("X-Request-Id") != "abc-123"
    assert backend.last.get("X-Request-Id") != "abc-123"


def test_traceparent_travels_on(direct):
    gate, backend = direct
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    gate.get("/", {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert backend.last.get("traceparent").split("-")[1] == trace
    gate.get("/", {"traceparent": "nonsense"})
    version, made, span, flags = backend.last.get("traceparent").split("-")
    assert (version, len(made), len(span), len(flags)) == ("00", 32, 16, 2)


# -- PROXY protocol --


@pytest.fixture(scope="module")
def proxied():
    from harness.gate import free_port

    listen = [{"address": f"127.0.0.1:{free_port()}", "proxy_protocol": True}]
    with Backend() as backend:
        settings = config(backend, log={"client": "full"}, listen=listen)
        with Gatehouse(settings) as gate:
            yield gate, backend


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def test_proxy_protocol_v1_names_the_client(proxied):
    gate, _ = proxied
    with gate.connect() as client:
        response = client.ask(b"PROXY TCP4 192.0.2.77 198.51.100.1 5000 443\r\n" + REQUEST)
    assert response.status == 200
    line = gate.wait_access(1, id=response.get("X-Request-Id"))[0]
    assert line["client"] == "192.0.2.77"


def test_proxy_protocol_v2_names_the_client(proxied):
    gate, _ = proxied
    addresses = bytes([192, 0, 2, 78, 198, 51, 100, 1]) + (5000).to_bytes(2, "big") + b"\x01\xbb"
    with gate.connect() as client:
        response = client.ask(V2 + b"\x21\x11\x00\x0c" + addresses + REQUEST)
    line = gate.wait_access(1, id=response.get("X-Request-Id"))[0]
    assert line["client"] == "192.0.2.78"


def test_much_that_comes_with_the_proxy_header_is_served(proxied):
    """More than a header can have, and the header itself in two pieces."""
    gate, _ = proxied
    count = 200
    with gate.connect() as client:
        client.send(b"PROXY TCP4 192.0.2.79 198.51.1")
        time.sleep(0.05)  # most likely read by then; right in any case
        client.send(b"00.1 5000 443\r\n" + REQUEST * count)
        for _ in range(count):
            response = client.read()
            assert response.status == 200
    line = gate.wait_access(1, id=response.get("X-Request-Id"))[0]
    assert line["client"] == "192.0.2.79"


@pytest.mark.parametrize(
    "start",
    [b"", b"PROXY TCP4 nonsense\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n", V2 + b"\x31\x11\x00\x00"],
)
def test_a_missing_or_malformed_proxy_header_ends_the_connection(proxied, start):
    gate, backend = proxied
    before = len(backend.requests)
    with gate.connect() as client:
        client.try_send(start + REQUEST)
        assert b"200" not in client.rest()
    assert len(backend.requests) == before
