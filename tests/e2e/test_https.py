"""SPEC 3.4 and 3.5: TLS listeners, SNI and 421, redirects, what plain HTTP may still do."""

import socket
import ssl

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, config, free_port, production
from harness.wire import Client


def tls_settings(pairs, plain=True, **changes):
    tls = [pair.settings() for pair in pairs]
    listen = [{"address": f"127.0.0.1:{free_port()}", "tls": tls if len(tls) > 1 else tls[0]}]
    if plain:
        listen.append({"address": f"127.0.0.1:{free_port()}"})
    return dict(
        environment="production",
        listen=listen,
        hosts=["example.com", "localhost", "other.test", "*.example.com"],
        **changes,
    )


def port_of(settings, index):
    return int(settings["listen"][index]["address"].rsplit(":", 1)[1])


@pytest.fixture(scope="module")
def gate(certificates):
    pairs = [certificates["example"], certificates["other"]]
    with Backend() as backend:
        with Gatehouse(config(backend, **tls_settings(pairs))) as running:
            running.backend = backend
            running.tls_port = port_of(running.settings, 0)
            running.plain_port = port_of(running.settings, 1)
            yield running


def tls_get(gate, certificates, target="/", host="example.com", sni="example.com", pair="example"):
    context = certificates[pair].client_context()
    with Client(gate.tls_port, tls=context, server_name=sni) as client:
        return client.request("GET", target, host=host)


def test_tls_is_served_with_hsts(gate, certificates):
    response = tls_get(gate, certificates)
    assert response.status == 200
    assert response.get("Strict-Transport-Security") == "max-age=63072000; includeSubDomains"
    assert gate.backend.last.get("X-Forwarded-Proto") == "https"


def test_sni_chooses_the_certificate(gate, certificates):
    assert tls_get(gate, certificates, host="other.test", sni="other.test", pair="other").status == 200


def test_an_unknown_name_gets_the_first_certificate(gate, certificates):
    context = certificates["example"].client_context()
    context.check_hostname = False
    with Client(gate.tls_port, tls=context, server_name="unknown.test") as client:
        assert client.request("GET", "/", host="example.com").status == 200


def test_a_host_of_another_certificate_is_421(gate, certificates):
    response = tls_get(gate, certificates, host="other.test", sni="example.com")
    assert response.status == 421
    response.problem()


def test_a_host_of_the_same_certificate_is_served(gate, certificates):
    assert tls_get(gate, certificates, host="a.example.com", sni="example.com").status == 200


def test_alpn_is_http_1_1(gate, certificates):
    context = certificates["example"].client_context(alpn=("http/1.1",))
    with Client(gate.tls_port, tls=context, server_name="example.com") as client:
        assert client.socket.selected_alpn_protocol() == "http/1.1"


def test_tls_1_2_and_1_3_are_spoken(gate, certificates):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = certificates["example"].client_context()
        context.minimum_version = context.maximum_version = version
        with Client(gate.tls_port, tls=context, server_name="example.com") as client:
            assert client.request("GET", "/", host="example.com").status == 200


def test_tls_1_1_is_refused(gate, certificates):
    context = certificates["example"].client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        Client(gate.tls_port, tls=context, server_name="example.com")


def test_plain_bytes_on_a_tls_listener_reach_nobody(gate):
    before = len(gate.backend.requests)
    with Client(gate.tls_port) as client:
        client.try_send(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert b"200" not in client.rest()
    assert len(gate.backend.requests) == before


def test_an_abandoned_handshake_harms_nobody(gate, certificates):
    for junk in (b"", b"\x16", b"\x16\x03\x01\x00\x05hello", bytes(100)):
        with socket.create_connection(("127.0.0.1", gate.tls_port)) as raw:
            raw.sendall(junk)
    assert tls_get(gate, certificates).status == 200


def test_large_bodies_cross_tls_both_ways(gate, certificates):
    from harness.backend import answer

    body = bytes(range(256)) * 4000
    gate.backend.answer = lambda received, _: answer(200, body=received.body)
    context = certificates["example"].client_context()
    with Client(gate.tls_port, tls=context, server_name="example.com") as client:
        assert client.request("POST", "/", body=body, host="example.com").body == body
    gate.backend.answer = answer(200, body=b"ok")


# -- plain HTTP in production --


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_plain_get_redirects_to_https_on_the_same_host(gate, method):
    response = gate.request(
        method, "/a/../b?x=1&y=%20", host="example.com", address=gate.plain_port
    )
    assert response.status == 308
    assert response.get("Location") == f"https://example.com:{gate.tls_port}/b?x=1&y=%20"
    assert response.all("Strict-Transport-Security") == []


def test_the_host_is_checked_before_it_is_redirected_to(gate):
    response = gate.get("/", host="evil.com", address=gate.plain_port)
    assert response.status == 400
    assert response.get("Location") is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_on_plain_http(gate, method):
    before = len(gate.backend.requests)
    response = gate.request(method, "/", host="example.com", address=gate.plain_port)
    assert response.status == 403
    response.problem()
    assert len(gate.backend.requests) == before


def test_probes_are_exempt(gate):
    assert gate.get("/healthz", host="127.0.0.1", address=gate.plain_port).status == 200
    assert gate.get("/readyz", host="127.0.0.1", address=gate.plain_port).status == 200


def test_a_trusted_proxy_says_https(start, backend):
    gate = start(production(backend))
    assert gate.get("/", {"X-Forwarded-Proto": "https"}).status == 200
    assert gate.get("/", {"X-Forwarded-Proto": "http"}).status == 308
    assert gate.get("/").status == 308


def test_nobody_else_says_https(start, backend):
    gate = start(production(backend, trusted_proxies=["10.0.0.0/8"]))
    assert gate.get("/", {"X-Forwarded-Proto": "https"}).status == 308
    assert backend.received_nothing()


def test_the_redirect_uses_the_configured_port(start, backend):
    gate = start(production(backend, https={"port": 9443}))
    assert gate.get("/x").get("Location") == "https://localhost:9443/x"


def test_the_default_port_is_left_out(start, backend):
    gate = start(production(backend, https={"port": 443}))
    assert gate.get("/x").get("Location") == "https://localhost/x"


def test_from_https_the_redirect_goes_on_to_the_public_url(start, backend):
    https = {"canonical": True}
    public_url = "https://www.example.com"
    gate = start(production(backend, public_url=public_url, hosts=["*"], https=https))
    first = gate.get("/x?y=1", host="example.com")
    assert first.get("Location") == "https://example.com/x?y=1"
    second = gate.get("/x?y=1", {"X-Forwarded-Proto": "https"}, host="example.com")
    assert second.status == 308
    assert second.get("Location") == "https://www.example.com/x?y=1"
    final = gate.get("/x?y=1", {"X-Forwarded-Proto": "https"}, host="www.example.com")
    assert final.status == 200


def test_https_off_serves_plain(start, backend):
    assert start(production(backend, https={"mode": "off"})).get("/").status == 200


def test_https_observe_serves_plain_and_logs(start, backend):
    gate = start(production(backend, https={"mode": "observe"}))
    response = gate.get("/")
    assert response.status == 200
    line = gate.wait_access(1, id=response.get("X-Request-Id"))[0]
    assert line["observed"] == ["https_redirect"]


def test_development_serves_plain(start, backend):
    assert start(config(backend)).get("/").status == 200


def test_acme_challenges_are_served_over_plain_http(start, backend, tmp_path):
    (tmp_path / "token-1_x").write_text("token-1_x.thumbprint")
    (tmp_path / "secret").write_text("outside?")
    gate = start(production(backend, https={"acme_directory": str(tmp_path)}))
    response = gate.get("/.well-known/acme-challenge/token-1_x")
    assert (response.status, response.body) == (200, b"token-1_x.thumbprint")
    assert gate.get("/.well-known/acme-challenge/absent").status == 404
    for target in ("/.well-known/acme-challenge/..%2fx", "/.well-known/acme-challenge/%00"):
        assert gate.get(target).status in (400, 404)
    assert backend.received_nothing()


# -- https upstreams --


def test_an_https_upstream_is_verified_against_its_ca(start, certificates):
    pair = certificates["localhost"]
    with Backend(tls=pair.server_context()) as backend:
        upstreams = {"api": {"servers": [backend.url], "ca": str(pair.certificate)}}
        assert start(config(backend, upstreams=upstreams)).get("/").body == b"ok"


def test_an_https_upstream_with_another_certificate_is_502(start, certificates):
    with Backend(tls=certificates["other"].server_context()) as backend:
        ca = str(certificates["other"].certificate)
        upstreams = {"api": {"servers": [backend.url], "ca": ca}}
        assert start(config(backend, upstreams=upstreams)).get("/").status == 502
        assert backend.received_nothing()


def test_an_https_upstream_of_an_unknown_ca_is_502(start, certificates):
    with Backend(tls=certificates["localhost"].server_context()) as backend:
        assert start(config(backend)).get("/").status == 502
        assert backend.received_nothing()
