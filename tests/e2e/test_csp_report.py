"""SPEC 3.10 and 9: the endpoint that browsers send violation reports to."""

import json

import pytest

from harness.gate import config, free_port

PATH = "/csp-report"
REPORT = {
    "csp-report": {
        "document-uri": "https://example.com/page?secret=1",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://evil.com/x.js",
        "disposition": "report",
    }
}


@pytest.fixture
def gate(start, backend):
    settings = config(
        backend,
        csp={"mode": "report_only"},
        headers={"preset": "spa"},
        admin_listen=f"127.0.0.1:{free_port()}",
    )
    return start(settings)


def send(gate, body, content_type="application/csp-report"):
    return gate.request("POST", PATH, {"Content-Type": content_type}, body)


def test_reports_in_both_formats_are_taken(gate, backend):
    assert send(gate, json.dumps(REPORT).encode()).status == 204
    modern = [{"type": "csp-violation", "age": 1, "url": "https://example.com/", "body": {}}]
    assert send(gate, json.dumps(modern).encode(), "application/reports+json").status == 204
    assert backend.received_nothing()


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{", b"\x00" * 100, b"[" * 5000])
def test_the_answer_is_204_whatever_comes(gate, body):
    assert send(gate, body).status == 204


def test_reports_are_counted(gate):
    for _ in range(3):
        send(gate, json.dumps(REPORT).encode())
    assert gate.metrics()["gatehouse_csp_reports_total"] >= 3


def test_only_post_is_taken(gate, backend):
    assert gate.get(PATH).status == 405
    assert backend.received_nothing()


def test_a_report_over_64_kib_is_not_read_on(gate):
    response = send(gate, b"x" * (64 * 1024 + 1))
    assert response.status in (204, 413)


def test_the_report_only_header_points_here(gate):
    response = gate.get("/page")
    policy = response.get("Content-Security-Policy-Report-Only")
    assert f"report-uri {PATH}" in policy
    group = policy.split("report-to ")[1].split(";")[0].strip()
    assert f'{group}="{PATH}"' in response.get("Reporting-Endpoints")


def test_query_strings_of_reports_are_not_logged(gate):
    send(gate, json.dumps(REPORT).encode())
    gate.wait_access(1, status=204)
    assert "secret" not in gate.output()
