"""SPEC 3.1: what one client that sends thousands of small requests at once leaves to the others."""

import signal
from pathlib import Path

import pytest

from harness.gate import config
from harness.wire import request

ONE_WORKER = ("--workers", "1")
REFUSED_HERE = request("GET", "/greedy")  # no route: answered at once
BODY_FIRST = request("POST", "/body", {"Content-Length": "1"}) + b"x"
COUNT = 1500


def is_stopped(task):
    return (task / "stat").read_text().rpartition(") ")[2].startswith("T")


def send_while_stopped(gate, *sendings):
    """The gate finds all of it there at the same moment."""
    tasks = Path(f"/proc/{gate.process.pid}/task")
    gate.signal(signal.SIGSTOP)
    gate.wait_for(lambda: all(is_stopped(task) for task in tasks.iterdir()), "its stop")
    for client, data in sendings:
        client.send(data)
    gate.signal(signal.SIGCONT)


@pytest.mark.parametrize("first", [b"", BODY_FIRST], ids=["heads", "a body first"])
def test_pipelined_requests_leave_their_turn_to_other_connections(start, backend, first):
    gate = start(config(backend, routes=[]), arguments=ONE_WORKER)
    with gate.connect() as greedy, gate.connect() as neighbour:
        for client in (greedy, neighbour):
            client.request("GET", "/hello")
        send_while_stopped(
            gate, (greedy, first + REFUSED_HERE * COUNT), (neighbour, request("GET", "/neighbour"))
        )
        assert neighbour.read().status == 404
        for _ in range(COUNT + bool(first)):
            assert greedy.read().status == 404
    gate.stop()
    paths = [line["path"] for line in gate.access_lines()]
    assert paths.count("/greedy") == COUNT
    assert paths.index("/neighbour") < 200
