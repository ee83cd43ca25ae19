"""One look at each part; these also run against the release build."""

import threading

import pytest

from harness.backend import Backend, answer
from harness.gate import config, free_port, run
from harness.wire import chunked, request

pytestmark = pytest.mark.release


def test_a_request_reaches_the_backend_and_its_answer_comes_back(start, backend):
    gate = start(config(backend))
    response = gate.get("/hello?x=1")
    assert (response.status, response.body) == (200, b"ok")
    assert backend.last.target == "/hello?x=1"


def test_upstream_alone_needs_no_file(start, backend):
    port = free_port()
    gate = start(arguments=["--upstream", backend.url, "--listen", f"127.0.0.1:{port}"])
    response = gate.get("/", host=f"127.0.0.1:{port}")
    assert response.status == 200
    assert response.get("X-Content-Type-Options") == "nosniff"
    assert gate.get("/", host="evil.com").status == 400
    gate.wait_output(backend.url.removeprefix("http://"))


def test_start_without_a_file_prints_its_defaults(start, backend):
    port = free_port()
    gate = start(arguments=["--upstream", backend.url, "--listen", f"127.0.0.1:{port}"])
    for default in ("development", "localhost", "1 MiB", "100", "200"):
        gate.wait_output(default)


def test_one_connection_serves_many_requests(start, backend):
    gate = start(config(backend))
    with gate.connect() as client:
        for number in range(20):
            assert client.request("GET", f"/{number}").status == 200
    assert [r.target for r in backend.requests] == [f"/{n}" for n in range(20)]
    assert len(backend.connections) <= 2


def test_pipelined_requests_are_answered_in_order(start):
    with Backend(lambda received, _: answer(200, body=received.target.encode())) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(b"".join(request("GET", f"/{n}") for n in range(10)))
            assert [client.read().body for _ in range(10)] == [b"/%d" % n for n in range(10)]


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 1048576])
def test_bodies_of_any_allowed_size_arrive_whole(start, backend, size):
    gate = start(config(backend))
    body = bytes(range(256)) * (size // 256 + 1)
    response = gate.request("POST", "/upload", body=body[:size])
    assert response.status == 200
    assert backend.last.body == body[:size]


def test_a_chunked_body_arrives_whole(start, backend):
    gate = start(config(backend))
    with gate.connect() as client:
        body = chunked(b"hello ", b"world", b"x" * 70000)
        response = client.request("POST", "/", [("Transfer-Encoding", "chunked")], body)
    assert response.status == 200
    assert backend.last.body == b"hello world" + b"x" * 70000


def test_a_large_answer_arrives_whole(start):
    body = bytes(range(256)) * 40000
    with Backend(answer(200, body=body)) as backend:
        gate = start(config(backend))
        assert gate.get("/").body == body


def test_head_has_no_body_and_keeps_the_connection(start):
    with Backend(lambda r, _: answer(200, body=b"hello").split(b"hello")[0]) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            response = client.request("HEAD", "/")
            assert (response.status, response.body) == (200, b"")
            assert response.get("Content-Length") == "5"
            backend.answer = answer(200, body=b"next")
            assert client.request("GET", "/").body == b"next"


def test_a_unix_socket_listens_and_serves(start, backend, tmp_path):
    path = tmp_path / "gate.sock"
    gate = start(config(backend, listen=[{"address": f"unix:{path}"}]))
    assert gate.get("/").status == 200


def test_a_backend_behind_a_unix_socket(start, tmp_path):
    with Backend(path=str(tmp_path / "backend.sock")) as backend:
        gate = start(config(backend))
        assert gate.get("/").body == b"ok"


def test_the_fastapi_backend_is_served(start, fastapi):
    gate = start(config(fastapi))
    assert gate.get("/health").json() == {"status": "ok"}
    created = gate.request(
        "POST", "/api/v1/items", {"Content-Type": "application/json"}, b'{"name":"x","price":1}'
    )
    assert created.status == 201 and created.json()["name"] == "x"


def test_version_and_help_work():
    assert run("--help").returncode == 0
    assert "gatehouse" in run("--version").stdout


def test_connection_close_is_honoured_however_the_answer_arrives(start):
    """The end of the answer comes in a read of its own: closing is due then, too."""
    go_on = threading.Event()

    def reply(_, connection):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        go_on.wait(20)
        connection.send(b"llo")

    with Backend(reply) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/", {"Connection": "close"}))
            assert client.read_head().get("Connection") == "close"
            go_on.set()
            assert client.take(5) == b"hello"
            assert client.at_end()
