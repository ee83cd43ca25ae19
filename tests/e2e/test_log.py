"""SPEC 3.17: one JSON line for each request; what must never be in it."""

import json
import re
import threading

import pytest

from harness.backend import Backend, answer
from harness.gate import Gatehouse, config
from harness.wire import request

SECRET = "s3cr3t-value"


@pytest.fixture(scope="module")
def pair():
    with Backend() as backend:
        settings = config(
            backend, log={"client": "full"}, rate_limits={"few": {"limit": "1/minute", "key": "client"}}
        )
        settings["routes"].insert(
            0, {"path": "/few", "upstream": "api", "access": "public", "rate_limit": "few"}
        )
        with Gatehouse(settings) as gate:
            yield gate, backend


def line_of(gate, response):
    lines = gate.wait_access(1, id=response.get("X-Request-Id"))
    assert len(lines) == 1
    return lines[0]


def test_a_line_has_all_members(pair):
    gate, backend = pair
    response = gate.request("POST", "/path?x=1", body=b"12345", host="example.com:99")
    line = line_of(gate, response)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["time"])
    assert line["client"] == "127.0.0.1"
    assert line["method"] == "POST"
    assert line["host"] == "example.com"
    assert line["path"] == "/path"
    assert line["route"] == "/**"
    assert line["status"] == 200
    assert line["bytes_in"] == 5
    assert line["bytes_out"] == 2
    assert line["duration_us"] >= line["upstream_us"] >= 0
    assert line["upstream"].endswith(str(backend.port))


@pytest.mark.parametrize(
    "target, host, status, stage, reason",
    [
        ("/%00", "localhost", 400, "path", "path_nul"),
        ("/a;b", "localhost", 400, "route", "path_semicolon"),  # its route decides
        ("/", "evil.com", 400, "host", "host_unknown"),
    ],
)
def test_a_refusal_names_its_stage_and_reason(pair, target, host, status, stage, reason):
    gate, _ = pair
    line = line_of(gate, gate.get(target, host=host))
    assert (line["status"], line["stage"], line["reason"]) == (status, stage, reason)


def test_a_limited_request_names_the_rate_stage(pair):
    gate, _ = pair
    gate.get("/few")
    line = line_of(gate, gate.get("/few"))
    assert (line["status"], line["stage"], line["reason"]) == (429, "rate", "rate_limited")


def test_a_head_that_could_not_be_read_has_a_line_too(pair):
    gate, _ = pair
    with gate.connect() as client:
        response = client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n")
    line = line_of(gate, response)
    assert (line["status"], line["stage"]) == (400, "read")


def test_secrets_of_a_request_are_never_logged(pair):
    gate, _ = pair
    fields = [
        ("Cookie", f"session={SECRET}"),
        ("Authorization", f"Bearer {SECRET}"),
        ("X-Api-Key", SECRET),
    ]
    responses = [
        gate.request("POST", f"/a?token={SECRET}", fields, SECRET.encode()),
        gate.request("POST", f"/%00?token={SECRET}", fields, SECRET.encode()),
        gate.request("POST", f"/a?token={SECRET}", fields, SECRET.encode(), host="evil.com"),
    ]
    with gate.connect() as client:
        raw = f"GET /a?token={SECRET} HTTP/1.1\r\nHost: localhost\r\nBad Name: {SECRET}\r\n\r\n"
        responses.append(client.ask(raw.encode()))
    for response in responses:
        line_of(gate, response)
    assert SECRET not in gate.output()


def test_hostile_bytes_stay_inside_their_json_string(pair):
    gate, _ = pair
    response = gate.get('/a%0a%22%7b"status":1')
    line = line_of(gate, response)
    assert "\n" not in json.dumps(line["path"])


def test_a_long_path_is_cut_and_the_line_stays_json(pair):
    gate, _ = pair
    response = gate.get("/" + "a" * 7000)
    assert line_of(gate, response)["status"] == 200


@pytest.mark.parametrize(
    "mode, v4, v6",
    [
        ("full", "192.0.2.77", "2001:db8:1:2:3::4"),
        ("prefix", "192.0.2.0", "2001:db8:1:2::"),
        ("none", None, None),
    ],
)
def test_the_client_is_logged_as_configured(start, backend, mode, v4, v6):
    settings = config(backend, log={"client": mode}, trusted_proxies=["127.0.0.1/32"])
    gate = start(settings)
    for address, expected in (("192.0.2.77", v4), ("2001:db8:1:2:3::4", v6)):
        response = gate.get("/", {"X-Forwarded-For": address})
        assert (line_of(gate, response).get("client") or None) == expected
        if mode != "full":
            assert address not in gate.output()


def test_a_prefix_is_the_default(start, backend):
    gate = start(config(backend))
    assert line_of(gate, gate.get("/"))["client"].startswith("127.0.0.0")


def test_one_line_each_over_many_requests(start):
    with Backend(lambda received, _: answer(200, body=b"x")) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            for number in range(300):
                client.request("GET", f"/n{number}")
        lines = gate.wait_access(300, status=200)
        assert sorted(line["path"] for line in lines) == sorted(f"/n{n}" for n in range(300))


def test_a_client_that_went_away_is_logged(start):
    release = threading.Event()
    with Backend(lambda *_: release.wait(20) and None) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/gone"))
            backend.wait_requests(1)
            client.reset()
        gate.wait_access(1, path="/gone", reason="client_gone")
        release.set()
