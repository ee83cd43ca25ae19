"""SPEC 5: second places of the log do not wait for each other."""

import json
import signal
import socket
import threading
import time

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, free_port
from harness.identity import ENV, Deployment, identity_config

# A webhook is given ten seconds; what waited for it would take as long.
AT_ONCE_SECONDS = 6
pytestmark = pytest.mark.alone


class Silent:
    """Takes connections and never answers."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/log"
        self.connections = []
        self.called = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self):
        while True:
            try:
                self.connections.append(self.listener.accept()[0])
            except OSError:
                return
            self.called.set()

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.connections:
            connection.close()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def settings_of(backend, folder, *places):
    return identity_config(backend, folder, audit={"export": list(places)},
                           admin_listen=f"127.0.0.1:{free_port()}")


def test_a_place_that_stalls_holds_up_no_other(tmp_path):
    path = tmp_path / "audit.jsonl"
    with Backend() as backend, Silent() as silent:
        settings = settings_of(backend, tmp_path, silent.url, f"file:{path}")
        with Gatehouse(settings, env=ENV) as gate:
            world = Deployment(gate, backend, tmp_path)
            world.person()
            assert silent.called.wait(20)
            begun = time.monotonic()
            ann = world.person()
            gate.wait_for(lambda: ann.id in {r["user_id"] for r in lines(path)}, "the file")
            assert time.monotonic() - begun < AT_ONCE_SECONDS
            numbers = [record["seq"] for record in lines(path)]
            assert numbers == list(range(1, len(numbers) + 1))


def test_a_reload_does_not_wait_for_it_either_and_others_go_on(tmp_path):
    path, other = tmp_path / "audit.jsonl", tmp_path / "audit.cef"
    with Backend() as backend, Silent() as silent:
        settings = settings_of(backend, tmp_path, silent.url, f"file:{path}")
        with Gatehouse(settings, env=ENV) as gate:
            world = Deployment(gate, backend, tmp_path)
            world.person()
            assert silent.called.wait(20)
            begun = time.monotonic()
            gate.write_config({**settings, "audit": {**settings["audit"], "export": [
                f"file:{path}", {"to": f"file:{other}", "format": "cef"}]}})
            gate.signal(signal.SIGHUP)
            gate.wait_output("configuration reloaded")
            ann = world.person()
            gate.wait_for(lambda: ann.id in {r["user_id"] for r in lines(path)}, "the file")
            gate.wait_for(lambda: other.exists() and ann.id in other.read_text(), "the new file")
            assert time.monotonic() - begun < AT_ONCE_SECONDS
            numbers = [record["seq"] for record in lines(path)]
            assert numbers == list(range(1, len(numbers) + 1))
            gate.wait_for(lambda: gate.metrics()["gatehouse_audit_export_failing"] == 0, "no failure")
