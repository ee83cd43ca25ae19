"""What a document does not allow must not reach the backend by any detour (SPEC section 8)."""

import pytest
import yaml
from harness import gate as gate_module
from harness import pets
from harness.wire import request

JSON = {"Content-Type": "application/json"}
BOUNDARY = "BB"
PARTS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def judge(start, backend, tmp_path):
    """judge(changes, **members of input) -> a gate in front of the backend."""

    def begin(changes=None, document=pets.DOCUMENT, **members):
        return start(pets.settings(backend, pets.write(tmp_path, document), changes, **members))

    return begin


def errors(response):
    assert response.status == 422, response
    return [(e["location"], e.get("name"), e["pointer"], e["rule"]) for e in response.json()["errors"]]


def part(name, data, more=""):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + data + b"\r\n"


PHOTO = part("photo", b"\xff" * 100, '; filename="a.jpg"')
CLOSE = f"--{BOUNDARY}--".encode()

# -- multipart --


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_last_boundary_goes_on_only_when_all_before_it_is_good(judge, backend, framing):
    """A caller that keeps back the bytes behind it must not have an unjudged form acted upon."""
    gate = judge()
    body = part("title", b"x" * 21) + PHOTO + CLOSE
    framed = {"Content-Length": str(len(body) + 2)}
    sent = body
    if framing == "chunked":
        framed, sent = {"Transfer-Encoding": "chunked"}, b"%x\r\n%s\r\n" % (len(body), body)
    with gate.connect() as client:
        client.send(request("PUT", "/v1/pets/1", {**PARTS, **framed}) + sent)
        assert errors(client.read()) == [("body", None, "/title", "maxLength")]
    assert gate.get("/v1/pets").status == 200
    assert not any(CLOSE in connection.received for connection in backend.connections)


@pytest.mark.parametrize("more", ["", '; filename="a"'])
def test_a_text_of_a_form_is_not_judged_as_json_because_its_caller_says_so(judge, backend, more):
    gate = judge()
    for data in (b'"x"', b'"\\u0041\\u0042"'):
        told = part("title", data, f"{more}\r\nContent-Type: application/json")
        answered = gate.request("PUT", "/v1/pets/1", PARTS, told + PHOTO + CLOSE)
        assert [e[:3] for e in errors(answered)] == [("body", None, "/title")]
    assert not any(r.complete for r in backend.requests)


# -- parameters --


@pytest.mark.parametrize("name", ["X_Trace", "x_trace", "X.Trace"])
def test_a_header_is_not_got_round_by_another_spelling(judge, backend, name):
    gate = judge()
    assert errors(gate.get("/v1/pets", {name: "123456789"})) == [("header", "X-Trace", "", "style")]
    assert backend.received_nothing()


@pytest.mark.parametrize("number", ["1e1", "10E-1", "1e400"])
def test_a_whole_number_in_a_url_has_no_exponent(judge, backend, number):
    gate = judge()
    assert errors(gate.get(f"/v1/pets?limit={number}")) == [("query", "limit", "", "type")]
    assert backend.received_nothing()


# -- preflights --

PREFLIGHT = {"Origin": "https://page.test", "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_preflights_that_the_backend_answers_are_for_what_is_declared(judge, backend, mode):
    gate = judge(changes={"route": {"cors": {"mode": mode}}}, responses="observe")
    assert gate.request("OPTIONS", "/v1/other", PREFLIGHT).status == 404
    asks_delete = {**PREFLIGHT, "Access-Control-Request-Method": "DELETE"}
    refused = gate.request("OPTIONS", "/v1/pets", asks_delete)
    assert refused.status == 405 and refused.get("Allow") == "GET, HEAD, POST"
    assert gate.request("OPTIONS", "/v1/pets", PREFLIGHT, b"a body").status == 405
    assert backend.received_nothing()
    assert gate.request("OPTIONS", "/v1/pets", PREFLIGHT).status == 200
    assert [r.method for r in backend.requests] == ["OPTIONS"]


# -- memory --


def test_a_few_slow_bodies_of_one_client_leave_room_for_others(judge):
    gate = judge(changes={"limits": {"body_timeout": "60s"}})
    slow = request("POST", "/v1/search", {**JSON, "Content-Length": "900000"})
    slow += b'{"any":[' + b"0," * 60_000
    held = [gate.connect() for _ in range(20)]
    for client in held:
        client.send(slow)
    body = b'{"any":"' + b"x" * 800_000 + b'"}'
    for _ in range(3):
        assert gate.request("POST", "/v1/search", JSON, body, source=("127.0.0.2", 0)).status == 200
    for client in held:
        client.close()


# -- beside the document --


def test_what_the_gateway_answers_itself_needs_no_declaration(start, backend, tmp_path):
    document = pets.write(tmp_path, pets.DOCUMENT.replace("url: /v1", "url: /"))
    settings = pets.settings(backend, document, {"route": {"path": "/**"}})
    gate = start(settings)
    for target in ("/", "/health"):
        assert gate.get(target).json()["status"] == "ok"
        assert gate.request("POST", target).status == 404
    assert gate.get("/healthz").status == 200
    assert gate.get("/other").status == 404
    assert backend.received_nothing()


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_check_tells_where_a_document_that_is_not_there_is_named(backend, tmp_path, name):
    file = tmp_path / "gatehouse.yaml"
    file.write_text(yaml.safe_dump(pets.settings(backend, name)))
    result = gate_module.run("check", file)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "openapi:" in text)
    assert result.returncode == 1
    assert f"gatehouse.yaml:{line}:" in result.stdout and name in result.stdout
