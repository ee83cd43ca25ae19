"""Requests judged by an OpenAPI document before they go on (SPEC section 8)."""

import json
import time

import pytest
import yaml

from harness import gate as gate_module
from harness import pets
from harness.backend import answer
from harness.wire import chunked, request

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MIB = 1024 * 1024


@pytest.fixture
def judge(start, backend, tmp_path):
    """judge(**members of input) -> a gate in front of the backend."""

    def begin(changes=None, document=pets.DOCUMENT, **members):
        return start(pets.settings(backend, pets.write(tmp_path, document), changes, **members))

    return begin


def errors(response):
    """The violations of a 422 as (location, name, pointer, rule)."""
    problem = response.problem()
    assert response.status == 422 and problem["type"] == "urn:gatehouse:problem:invalid-input"
    assert response.get("Cache-Control") == "no-store"
    return [(e["location"], e.get("name"), e["pointer"], e["rule"]) for e in problem["errors"]]


def pet(client, value, fields=JSON):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return client.request("POST", "/v1/pets", fields, body)


# -- what is declared passes --


def test_declared_requests_reach_the_backend_unchanged(judge, backend):
    gate = judge()
    body = b'{ "name" : "Rex\\u00e9", "age":3 }'
    assert gate.get("/v1/pets?limit=5").status == 200
    assert gate.get("/v1/pets").status == 200
    assert gate.request("HEAD", "/v1/pets/7").status == 200
    assert pet(gate, body).status == 200
    assert backend.last.body == body
    assert backend.last.get("Content-Type") == "application/json"
    assert pet(gate, b"name=Rex&age=3", FORM).status == 200
    assert gate.request("PUT", "/v1/pets/7", {"Content-Type": "image/png"}, b"\x89PNG").status == 200
    assert backend.last.body == b"\x89PNG"


def test_a_long_body_reaches_the_backend_whole(judge, backend):
    gate = judge()
    body = json.dumps({"any": ["x" * 1000] * 700}).encode()
    for fields, sent in ((JSON, body), ({**JSON, "Transfer-Encoding": "chunked"}, chunked(body))):
        assert gate.request("POST", "/v1/search", fields, sent).status == 200
        assert backend.last.body == body


def test_one_path_under_two_names_is_taken_together(judge, backend):
    def item(name, kind):
        return [{"name": name, "in": "path", "required": True, "schema": {"type": kind}}]

    answers = {"responses": {"200": {"description": "ok"}}}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {
        "/v1/items/{id}": {"get": {"operationId": "get", "parameters": item("id", "integer"), **answers}},
        "/v1/items/{item_id}": {
            "delete": {"operationId": "drop", "parameters": item("item_id", "boolean"), **answers}},
    }}
    gate = judge(document=yaml.safe_dump(document))
    assert gate.get("/v1/items/7").status == 200
    assert gate.request("DELETE", "/v1/items/true").status == 200
    assert errors(gate.get("/v1/items/true")) == [("path", "id", "", "type")]
    assert errors(gate.request("DELETE", "/v1/items/7")) == [("path", "item_id", "", "type")]
    refused = gate.request("PUT", "/v1/items/7")
    assert refused.status == 405 and refused.get("Allow") == "GET, HEAD, DELETE"


# -- what is not, is refused before anything goes upstream --


@pytest.mark.parametrize(
    "target, fields, expected",
    [
        ("/v1/pets?limit=0", {}, [("query", "limit", "", "minimum")]),
        ("/v1/pets?limit=101", {}, [("query", "limit", "", "maximum")]),
        ("/v1/pets?limit=x", {}, [("query", "limit", "", "type")]),
        ("/v1/pets?limit=1&limit=2", {}, None),
        ("/v1/pets?offset=1", {}, [("query", "offset", "", "undeclared")]),
        ("/v1/pets", {"X-Trace": "123456789"}, [("header", "X-Trace", "", "maxLength")]),
        ("/v1/pets/0", {}, [("path", "petId", "", "minimum")]),
        ("/v1/pets/rex", {}, [("path", "petId", "", "type")]),
    ],
)
def test_parameters_are_judged(judge, backend, target, fields, expected):
    gate = judge()
    found = errors(gate.get(target, fields))
    assert found == expected if expected else found
    assert backend.received_nothing()


@pytest.mark.parametrize(
    "body, fields, expected",
    [
        ({}, JSON, [("body", None, "/name", "required")]),
        ({"name": ""}, JSON, [("body", None, "/name", "minLength")]),
        ({"name": "x", "age": 1.5}, JSON, [("body", None, "/age", "type")]),
        ({"name": "x", "tags": ["a", 1]}, JSON, [("body", None, "/tags/1", "type")]),
        ({"name": "x", "tags": ["a"] * 4}, JSON, [("body", None, "/tags", "maxItems")]),
        ({"name": "x", "extra/~": 1}, JSON, [("body", None, "/extra~1~0", "additionalProperties")]),
        (b'{"name": "x"', JSON, [("body", None, "", "syntax")]),
        (b"name=", FORM, [("body", None, "/name", "minLength")]),
        (b"name=x&age=old", FORM, [("body", None, "/age", "type")]),
    ],
)
def test_bodies_are_judged(judge, backend, body, fields, expected):
    gate = judge()
    assert errors(pet(gate, body, fields)) == expected
    assert backend.received_nothing()


def test_all_violations_are_told_at_once_up_to_the_limit(judge):
    gate = judge(violations=3)
    body = json.dumps({"name": "", "age": -1, "a": 1, "b": 2}).encode()
    response = gate.request("POST", "/v1/pets?wrong=1", JSON, body)
    assert len(errors(response)) == 3
    assert "3 violations or more" in response.problem()["detail"]
    both = errors(judge().request("POST", "/v1/pets?wrong=1", JSON, b'{"name": ""}'))
    assert both == [("query", "wrong", "", "undeclared"), ("body", None, "/name", "minLength")]


def test_values_are_never_repeated(judge):
    gate = judge()
    secret = "correct-horse-battery"
    for response in (
        pet(gate, {"name": secret * 2, "age": secret, "tags": secret}),
        gate.get(f"/v1/pets?limit={secret}"),
        gate.get(f"/v1/pets/{secret}"),
        pet(gate, b'{"name": "' + secret.encode()),
    ):
        assert response.status == 422 and secret.encode() not in response.body
    assert secret not in json.dumps([l for l in gate.log() if l.get("path") != f"/v1/pets/{secret}"])


def test_undeclared_paths_methods_and_types(judge, backend):
    gate = judge()
    assert gate.get("/v1/other").status == 404
    assert gate.get("/v1/pets/1/2").status == 404
    refused = gate.request("DELETE", "/v1/pets")
    assert refused.status == 405 and refused.get("Allow") == "GET, HEAD, POST"
    refused = pet(gate, b"<a/>", {"Content-Type": "application/xml"})
    assert refused.status == 415
    assert refused.list("Accept") == ["application/json", "application/x-www-form-urlencoded"]
    assert pet(gate, b"{}", {}).status == 415
    assert pet(gate, b"{}", {**JSON, "Content-Encoding": "gzip"}).status == 415
    assert gate.request("GET", "/v1/pets", JSON, b"{}").status in (415, 422)
    assert gate.request("POST", "/v1/pets", JSON).status == 422
    assert backend.received_nothing()


@pytest.mark.parametrize("action, logged", [("report", True), ("ignore", False)])
def test_what_is_undeclared_may_be_reported_or_ignored(judge, backend, action, logged):
    gate = judge(undeclared=action)
    cases = {
        "input_path": ("GET", "/v1/other", {}, None),
        "input_method": ("DELETE", "/v1/pets", {}, None),
        "input_query": ("GET", "/v1/pets?who=1", {}, None),
        "input_content_type": ("POST", "/v1/pets", {"Content-Type": "a/b"}, b"x"),
    }
    for method, target, fields, body in cases.values():
        assert gate.request(method, target, fields, body).status == 200
    lines = gate.wait_access(len(cases))
    found = [word for line in lines for word in line.get("observed", [])]
    assert sorted(found) == (sorted(cases) if logged else [])
    assert gate.get("/v1/pets?who=1&limit=0").status == 422


# -- hostile bodies: refused at once, in little memory --

DEEP = b"[" * 10_000
HOSTILE = {
    "depth": b'{"any":' + DEEP + b"]" * 10_000 + b"}",
    "depth without an end": b'{"any":' + DEEP,
    "a number that no double holds": b'{"count": 1e400}',
    "an exponent that nobody writes out": b'{"count": 1e999999999999}',
    "a repeated name": b'{"any": 1, "any": 2}',
    "a second document": b'{"any": 1} {"any": 2}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a lone surrogate": b'{"any": "\\ud800"}',
    "a lone surrogate in a name": b'{"\\udc00": 1}',
    "UTF-16": '{"any": 1}'.encode("utf-16"),
    "overlong UTF-8": b'{"any": "\xc0\xaf"}',
    "NaN": b'{"any": NaN}',
    "a comment": b'{"any": 1} // x',
    "a single quote": b"{'any': 1}",
    "a trailing comma": b'{"any": 1,}',
    "nothing": b" ",
    "an exploding pattern": b'{"text": "' + b"a" * 5000 + b'!"}',
    "a million values": b'{"any": [' + b"0," * 400_000 + b"0]}",
}


def send_hostile(gate, body, framing):
    fields = dict(JSON)
    if framing == "chunked":
        fields["Transfer-Encoding"] = "chunked"
        body = chunked(body)
    began = time.monotonic()
    response = gate.request("POST", "/v1/search", fields, body)
    return response, time.monotonic() - began


@pytest.mark.alone
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_hostile_json_is_refused_in_a_moment(judge, backend, framing):
    gate = judge()
    slow = 0.15 if gate_module.IS_RELEASE else 1.5
    for what, body in HOSTILE.items():
        response, seconds = send_hostile(gate, body, framing)
        assert errors(response), what
        assert seconds < slow, f"{what} took {seconds:.3f} s"
    assert backend.received_nothing()


def resident(gate):
    status = open(f"/proc/{gate.process.pid}/status", encoding="ascii").read()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_memory_stays_bounded(judge):
    gate = judge()
    for _ in range(3):
        send_hostile(gate, HOSTILE["a million values"], "chunked")
    before = resident(gate)
    for body in HOSTILE.values():
        for _ in range(5):
            send_hostile(gate, body, "chunked")
    assert resident(gate) - before < (16 if gate_module.IS_RELEASE else 200) * MIB


def test_a_huge_body_is_refused_by_its_size_alone(judge, backend):
    gate = judge(changes={"limits": {"request_body": "200MiB"}})
    before = resident(gate)
    with gate.connect() as client:
        fields = {**JSON, "Content-Length": str(100 * MIB), "Expect": "100-continue"}
        client.send(request("POST", "/v1/pets", fields))
        head = client.read_head()
        assert head.status == 413
    with gate.connect() as client:
        client.send(request("POST", "/v1/pets", {**JSON, "Transfer-Encoding": "chunked"}))
        block = b"%x\r\n%s\r\n" % (65536, b" " * 65536)
        sent = 0
        while sent < 1600 and client.try_send(block):
            sent += 1
        assert client.read_head().status == 413
    assert backend.received_nothing()
    assert resident(gate) - before < (16 if gate_module.IS_RELEASE else 100) * MIB


def test_the_first_wrong_byte_is_answered_while_the_rest_is_outstanding(judge):
    gate = judge()
    with gate.connect() as client:
        client.send(request("POST", "/v1/pets", {**JSON, "Content-Length": "900000"}))
        client.send(b'{"name": tru_' + b" " * 20000)
        assert [e[3] for e in errors(client.read())] == ["syntax"]


# -- connections --


def test_a_connection_serves_on_after_a_refusal(judge, backend):
    gate = judge()
    with gate.connect() as client:
        assert client.request("POST", "/v1/pets", JSON, b'{"name": 1}').status == 422
        assert client.request("POST", "/v1/pets", JSON, b'{"name": "x"}').status == 200
        assert client.request("GET", "/v1/pets?limit=0").status == 422
        assert client.request("GET", "/v1/pets?limit=1").status == 200
    assert len(backend.requests) == 2


def test_pipelined_requests_behind_a_refused_one_are_answered(judge, backend):
    gate = judge()
    good = request("POST", "/v1/pets", JSON, b'{"name": "x"}')
    bad = request("POST", "/v1/pets", JSON, b'{"name": ""}')
    with gate.connect() as client:
        client.send(bad + good + bad + request("GET", "/v1/pets"))
        assert [client.read().status for _ in range(4)] == [422, 200, 422, 200]
    assert len(backend.requests) == 2


def test_a_body_in_single_bytes_is_judged_the_same(judge, backend):
    gate = judge()
    for body, status in ((b'{"name": "x"}', 200), (b'{"name": ""}', 422)):
        for fields, sent in (
            (JSON, body),
            ({**JSON, "Transfer-Encoding": "chunked"}, chunked(*[bytes([b]) for b in body])),
        ):
            with gate.connect() as client:
                for byte in request("POST", "/v1/pets", fields, sent):
                    client.send(bytes([byte]))
                assert client.read().status == status


def test_no_body_is_asked_for_when_the_head_is_refused(judge, backend):
    gate = judge()
    with gate.connect() as client:
        fields = {**JSON, "Content-Length": "13", "Expect": "100-continue"}
        client.send(request("POST", "/v1/pets?wrong=1", fields))
        head = client.read_head()
        assert head.status == 422
    with gate.connect() as client:
        client.send(request("POST", "/v1/pets", fields))
        assert client.read_head().status == 100
        client.send(b'{"name": "x"}')
        assert client.read().status == 200
    with gate.connect() as client:
        client.send(request("POST", "/v1/pets", fields))
        assert client.read_head().status == 100
        client.send(b'{"name": 12 }')
        assert client.read().status == 422
    assert len(backend.requests) == 1


def test_a_client_that_stalls_in_its_body_is_let_go(judge, backend):
    gate = judge(changes={"limits": {"body_timeout": "300ms"}})
    with gate.connect() as client:
        client.send(request("POST", "/v1/pets", {**JSON, "Content-Length": "50"}) + b'{"name"')
        gate.clock.advance(1)
        assert client.read().status == 408
    assert backend.received_nothing()
    assert gate.get("/v1/pets").status == 200


def test_a_client_that_goes_away_in_its_body_leaves_nothing(judge, backend):
    gate = judge()
    for _ in range(20):
        client = gate.connect()
        client.send(request("POST", "/v1/pets", {**JSON, "Content-Length": "50000"}) + b'{"name"')
        client.reset()
    assert pet(gate, {"name": "x"}).status == 200
    assert len(backend.requests) == 1


# -- multipart flows by --

BOUNDARY = "x-7MA4YWxkTrZu0gW"
PARTS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name, data, more=""):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def photo(title=b"Rex", size=1000, end=True):
    file = part("photo", b"\xff" * size, '; filename="a.jpg"\r\nContent-Type: image/jpeg')
    return part("title", title) + file + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [1000, 250_000])
def test_multipart_passes_as_it_comes(judge, backend, framing, size):
    gate = judge()
    body = photo(size=size)
    fields, sent = dict(PARTS), body
    if framing == "chunked":
        fields["Transfer-Encoding"], sent = "chunked", chunked(body[:100], body[100:])
    assert gate.request("PUT", "/v1/pets/1", fields, sent).status == 200
    assert backend.last.body == body


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(
    "body, rule",
    [
        (photo(title=b"x" * 21), "maxLength"),
        (photo(size=400_000), "maxLength"),
        (part("title", b"x") + f"--{BOUNDARY}--\r\n".encode(), "required"),
        (part("more", b"x") + photo(), "additionalProperties"),
        (photo(end=False), "syntax"),
    ],
    ids=["a long title", "a long file", "a part that is missing", "a part too many", "no end"],
)
def test_a_multipart_body_that_is_refused_never_completes_upstream(
    judge, backend, body, rule, framing
):
    gate = judge()
    fields, sent = dict(PARTS), body
    if framing == "chunked":
        fields["Transfer-Encoding"], sent = "chunked", chunked(body[:100], body[100:])
    assert rule in [e[3] for e in errors(gate.request("PUT", "/v1/pets/1", fields, sent))]
    assert gate.get("/v1/pets").status == 200
    assert not any(r.complete for r in backend.requests if r.method == "PUT")


# -- modes, log, metrics --


def test_observe_lets_all_pass_and_counts(judge, backend):
    gate = judge(changes={"admin_listen": f"127.0.0.1:{gate_module.free_port()}"}, mode="observe")
    cases = [
        ("GET", "/v1/pets?limit=0", {}, None, "input_invalid"),
        ("GET", "/v1/other", {}, None, "input_path"),
        ("DELETE", "/v1/pets", {}, None, "input_method"),
        ("POST", "/v1/pets", JSON, b'{"name": ""}', "input_invalid"),
        ("POST", "/v1/pets", JSON, b'{"name":', "input_invalid"),
        ("POST", "/v1/pets", JSON, b'{"name": "' + b"x" * 50_000 + b'"}', "input_invalid"),
        ("POST", "/v1/pets", {"Content-Type": "a/b"}, b"x", "input_content_type"),
        ("PUT", "/v1/pets/1", PARTS, photo(size=400_000), "input_invalid"),
        ("PUT", "/v1/pets/1", PARTS, photo(end=False), "input_invalid"),
    ]
    for method, target, fields, body, _ in cases:
        assert gate.request(method, target, fields, body).status == 200
        assert backend.last.body == (body or b"")
    lines = gate.wait_access(len(cases))
    found = sorted((line["path"], line["observed"]) for line in lines)  # of several workers
    assert found == sorted((case[1].split("?")[0], [case[4]]) for case in cases)
    assert pet(gate, {"name": "x"}).status == 200
    gate.wait_access(len(cases) + 1)
    samples = gate.metrics()
    assert samples['gatehouse_observed_total{reason="input_invalid"}'] == 6
    assert samples['gatehouse_input_checked_total{operation="addPet"}'] == 5
    assert samples['gatehouse_input_violations_total{operation="addPet"}'] == 4


def test_observe_lets_a_body_pass_that_is_too_long_to_be_judged(judge, backend):
    gate = judge(mode="observe", body="1KiB")
    body = json.dumps({"any": "x" * 200_000}).encode()
    for fields, sent in ((JSON, body), ({**JSON, "Transfer-Encoding": "chunked"}, chunked(body))):
        assert gate.request("POST", "/v1/search", fields, sent).status == 200
        assert backend.last.body == body
    lines = gate.wait_access(2)
    assert [line["observed"] for line in lines] == [["body_too_large"]] * 2


def test_off_reads_no_document_at_all(start, backend, tmp_path):
    gate = start(pets.settings(backend, tmp_path / "missing.yaml", mode="off"))
    assert pet(gate, b"{").status == 200


def test_log_and_metrics_name_operation_and_rule(judge):
    gate = judge(changes={"admin_listen": f"127.0.0.1:{gate_module.free_port()}"})
    pet(gate, {"name": "", "age": 101})
    gate.get("/v1/pets/1")
    (line,) = gate.wait_access(status=422)
    assert line["operation"] == "addPet" and line["stage"] == "input"
    assert line["reason"] == "input_invalid" and line["rule"] == "minLength"
    assert line["location"] == "body" and line["violations"] == 2
    (line,) = gate.wait_access(status=200)
    assert line["operation"] == "getPet" and "rule" not in line
    samples = gate.metrics()
    assert samples['gatehouse_input_checked_total{operation="addPet"}'] == 1
    assert samples['gatehouse_input_violations_total{operation="addPet"}'] == 1
    assert samples['gatehouse_input_checked_total{operation="getPet"}'] == 1
    assert samples['gatehouse_input_violations_total{operation="getPet"}'] == 0
    assert samples['gatehouse_input_rules_total{rule="minLength"}'] == 1
    assert samples['gatehouse_refusals_total{reason="input_invalid"}'] == 1


def test_answers_are_observed_and_never_changed(judge, backend):
    gate = judge(
        changes={"admin_listen": f"127.0.0.1:{gate_module.free_port()}"}, responses="observe"
    )
    bodies = [b'[{"name": "x"}]', b'[{"name": 1}]', b"[{]", b'[{"name": "' + b"x" * 300_000 + b'"}]']
    for body in bodies:
        backend.answer = answer(200, {"Content-Type": "application/json"}, body)
        assert gate.get("/v1/pets").body == body
    backend.answer = answer(500, {"Content-Type": "application/json"}, b"{}")
    assert gate.get("/v1/pets").body == b"{}"
    backend.answer = answer(
        200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"not read"
    )
    assert gate.get("/v1/pets").body == b"not read"
    gate.wait_access(6)
    samples = gate.metrics()
    assert samples['gatehouse_input_answers_checked_total{operation="listPets"}'] == 4
    assert samples['gatehouse_input_answers_violations_total{operation="listPets"}'] == 3
    gate.wait_output('"status":500,"violations"')
    told = [line for line in gate.log() if line.get("message") == "an answer is not as declared"]
    assert sorted(line["status"] for line in told) == [200, 200, 500]
    assert [{"pointer": "/0/name", "rule": "type"}] in [line["violations"] for line in told]


# -- loading --


def test_a_reload_with_a_broken_document_keeps_the_old_one(judge, tmp_path):
    gate = judge()
    good = pets.DOCUMENT
    pets.write(tmp_path, good.replace("maxLength: 20}\n        age", "maxLength: [}\n        age"))
    gate.signal(1)
    gate.wait_output("reload refused")
    assert f"{tmp_path}/pets.yaml:" in gate.output()
    assert pet(gate, {"name": "x" * 20}).status == 200
    assert pet(gate, {"name": "x" * 21}).status == 422
    pets.write(tmp_path, good.replace("maxLength: 20}\n        age", "maxLength: 5}\n        age"))
    gate.signal(1)
    gate.wait_output("configuration reloaded")
    assert pet(gate, {"name": "x" * 6}).status == 422
    assert pet(gate, {"name": "x" * 5}).status == 200


def check(path):
    return gate_module.run("check", path)


def test_check_tells_the_documents_problems_at_their_places(backend, tmp_path):
    document = pets.write(tmp_path, pets.DOCUMENT.replace("minimum: 1, maximum", "minimum: x, maximum"))
    file = tmp_path / "gatehouse.yaml"
    file.write_text(yaml.safe_dump(pets.settings(backend, "pets.yaml")))
    result = check(file)
    assert result.returncode == 1
    line = next(n for n, text in enumerate(document.read_text().splitlines(), 1) if "minimum: x" in text)
    assert f"{tmp_path}/pets.yaml:{line}:" in result.stdout
    file.write_text(yaml.safe_dump(pets.settings(backend, "none.yaml")))
    result = check(file)
    assert result.returncode == 1 and "none.yaml" in result.stdout


def test_check_names_the_document_and_what_is_unreachable(backend, tmp_path):
    pets.write(tmp_path)
    settings = pets.settings(backend, "pets.yaml")
    file = tmp_path / "gatehouse.yaml"
    file.write_text(yaml.safe_dump(settings))
    result = check(file)
    assert result.returncode == 0
    assert "input pets.yaml: 5 operations under /v1/, enforced" in result.stdout
    settings["routes"].append({"path": "/v1/search", "upstream": "api", "access": "public"})
    settings["routes"][0]["path"] = "/v1/pets"
    settings["routes"][0]["input"].update({"body": "2MiB", "mode": "observe"})
    settings["environment"] = "production"
    file.write_text(yaml.safe_dump(settings))
    out = check(file).stdout
    assert "1 operation of pets.yaml are taken by a route that does not check them: POST /search" in out
    assert "2 operations of pets.yaml can't be reached through any route" in out
    assert "is only observed in production" in out and "over the route's request_body" in out


def test_explain_judges_a_body(backend, tmp_path):
    pets.write(tmp_path)
    file, body = tmp_path / "gatehouse.yaml", tmp_path / "body.json"
    file.write_text(yaml.safe_dump(pets.settings(backend, "pets.yaml")))
    body.write_text('{"name": ""}')
    result = gate_module.run("explain", "POST", "/v1/pets", "--body", body, "--config", file)
    assert result.returncode == 0
    assert "body /name (minLength)" in result.stdout and "422" in result.stdout
    body.write_text("name=x")
    result = gate_module.run(
        "explain", "POST", "/v1/pets", "--body", body, "--config", file, "--content-type",
        "application/x-www-form-urlencoded",
    )  # fmt: skip
    assert "the body is as declared for application/x-www-form-urlencoded" in result.stdout


def test_a_limit_that_counts_by_the_body_and_the_document_see_the_same_body(judge, backend):
    changes = {
        "rate_limits": {"pets": {"limit": "2/minute", "key": "body:name"}},
        "route": {"rate_limit": "pets"},
    }
    gate = judge(changes=changes)
    assert [pet(gate, {"name": "x"}).status for _ in range(3)] == [200, 200, 429]
    assert pet(gate, {"name": "y", "age": -1}).status == 422
    assert pet(gate, {"name": "y"}).status == 200
    assert backend.last.body == b'{"name": "y"}'


def test_bodies_that_are_only_promised_hold_no_room(judge, backend):
    gate = judge()
    waiting = []
    for _ in range(200):  # of a mebibyte each: three times what all may hold together
        client = gate.connect()
        client.send(request("POST", "/v1/pets", {**JSON, "Content-Length": str(MIB)}) + b'{"name"')
        waiting.append(client)
    assert pet(gate, {"name": "x"}).status == 200
    for client in waiting:
        client.reset()


def test_references_to_uris_are_read_from_files(start, backend, tmp_path):
    uri = "https://example.com/schemas/name.json"
    (tmp_path / "name.json").write_text('{"type": "string", "maxLength": 3}', encoding="utf-8")
    text = pets.DOCUMENT.replace("name: {type: string, minLength: 1, maxLength: 20}", f'name: {{$ref: "{uri}"}}')
    document = pets.write(tmp_path, text)
    schemas = {uri: str(tmp_path / "name.json")}
    gate = start(pets.settings(backend, document, schemas=schemas))
    assert pet(gate, {"name": "abc"}).status == 200
    assert errors(pet(gate, {"name": "abcd"})) == [("body", None, "/name", "maxLength")]
    file = tmp_path / "gatehouse.yaml"
    file.write_text(yaml.safe_dump(pets.settings(backend, document)), encoding="utf-8")
    result = check(file)
    assert result.returncode == 1 and uri in result.stdout
