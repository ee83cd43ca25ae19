"""Built-in paths: probes, security.txt, metrics, and the paths that the upstream answers first."""

import pytest

from harness.backend import Backend, answer
from harness.gate import config, free_port, production

SECURITY_TXT = {"contact": "mailto:security@example.com", "expires": "2027-06-30"}


def test_probes_are_exempt_from_hosts_and_https(start, backend):
    gate = start(production(backend))
    for target in ("/healthz", "/readyz"):
        assert gate.get(target, host="10.9.8.7:8080").status == 200
    assert backend.received_nothing()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_probes_take_get_and_head_only(start, backend, method):
    gate = start(config(backend))
    assert gate.request("HEAD", "/healthz").status == 200
    response = gate.request(method, "/healthz", body=b"")
    assert response.status == 405 and "GET" in response.list("Allow")


def test_health_is_the_upstreams_first(start):
    with Backend(answer(200, body=b"theirs")) as backend:
        assert start(config(backend)).get("/health").body == b"theirs"


@pytest.mark.parametrize("status", [404, 405])
def test_health_is_ours_when_the_upstream_has_none(start, status):
    with Backend(answer(status, body=b"no")) as backend:
        response = start(config(backend)).get("/health")
        assert response.status == 200
        assert response.get("Content-Type").startswith("application/json")


def test_health_is_not_invented_for_a_failing_upstream(start):
    with Backend(answer(500, body=b"no")) as backend:
        assert start(config(backend)).get("/health").status == 500


def test_health_is_ours_when_no_route_takes_it(start, backend):
    routes = [{"path": "/api/**", "upstream": "api", "access": "public"}]
    assert start(config(backend, routes=routes)).get("/health").status == 200


def test_security_txt_is_404_until_configured(start, backend):
    gate = start(config(backend))
    assert gate.get("/.well-known/security.txt").status == 404
    assert backend.received_nothing()


def test_security_txt_follows_rfc_9116(start, backend):
    gate = start(config(backend, security_txt=SECURITY_TXT))
    response = gate.get("/.well-known/security.txt")
    assert response.status == 200
    assert response.get("Content-Type") == "text/plain; charset=utf-8"
    lines = response.body.decode().split("\n")
    assert "Contact: mailto:security@example.com" in [line.rstrip("\r") for line in lines]
    expires = [line for line in lines if line.startswith("Expires: ")]
    assert len(expires) == 1 and expires[0].startswith("Expires: 2027-06-30T")


def test_metrics_are_on_the_admin_listener_only(start, backend):
    gate = start(config(backend, admin_listen=f"127.0.0.1:{free_port()}"))
    gate.get("/x")
    assert gate.get("/metrics").body == b"ok"  # the backend's
    samples = gate.metrics()
    assert samples['gatehouse_requests_total{status="2xx"}'] >= 1


def test_metrics_are_well_formed(start, backend):
    gate = start(config(backend, admin_listen=f"127.0.0.1:{free_port()}"))
    gate.get("/%00")
    port = int(gate.settings["admin_listen"].rsplit(":", 1)[1])
    response = gate.get("/metrics", address=port)
    assert response.get("Content-Type").startswith("text/plain")
    families = set()
    for line in response.body.decode().splitlines():
        if line.startswith("# TYPE "):
            name = line.split(" ")[2]
            assert name not in families, "declared twice"
            families.add(name)
        elif line and not line.startswith("#"):
            float(line.rsplit(" ", 1)[1])
    assert {"gatehouse_requests_total", "gatehouse_refusals_total"} <= families


def test_refusals_are_counted_by_reason(start, backend):
    gate = start(config(backend, admin_listen=f"127.0.0.1:{free_port()}"))
    for _ in range(3):
        gate.get("/%00")

    def refusals():
        samples = gate.metrics().items()
        return [v for n, v in samples if "refusals" in n and "path_nul" in n]

    gate.wait_for(lambda: refusals() == [3.0], "three refusals counted")  # after the answers


def test_labels_never_come_from_requests(start, backend):
    gate = start(config(backend, admin_listen=f"127.0.0.1:{free_port()}"))
    for number in range(20):
        gate.get(f"/unique-{number}", host=f"localhost:{number + 1}")
        gate.request(f"METHOD{number}", "/x")
    text = str(gate.metrics())
    assert "unique-" not in text and "METHOD" not in text


def test_the_admin_listener_serves_nothing_else(start, backend):
    gate = start(config(backend, admin_listen=f"127.0.0.1:{free_port()}"))
    port = int(gate.settings["admin_listen"].rsplit(":", 1)[1])
    assert gate.get("/x", address=port).status == 404
    assert gate.get("/healthz", address=port).status == 200
    assert backend.received_nothing()


def test_without_admin_listen_there_are_no_metrics(start):
    with Backend(answer(404, body=b"")) as backend:
        assert start(config(backend)).get("/metrics").status == 404


def test_builtin_paths_can_be_moved_and_switched_off(start, backend):
    gate = start(config(backend, builtin={"healthz": "/live", "readyz": ""}))
    assert gate.get("/live", host="10.1.1.1").status == 200
    assert gate.get("/healthz").body == b"ok"
    assert gate.get("/readyz").body == b"ok"
