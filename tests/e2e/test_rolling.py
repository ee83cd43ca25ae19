"""Nodes behind a balancer, renewed one after another: no request is dropped."""

import subprocess
import threading
import time

import pytest

from harness.gate import Gatehouse, free_port
from harness.identity import ENV, new_person
from harness.nodes import node_config, settings_of
from harness.wire import Client, ConnectionEnded

pytestmark = [pytest.mark.alone, pytest.mark.timeout(180)]

# What connected and was not answered is sent again when it can be repeated; what could not connect
# goes to the other node, whatever it is.
BALANCER = """
defaults
    mode http
    timeout connect 1s
    timeout client 20s
    timeout server 20s
    timeout check 1s
    option redispatch
    retries 5
    retry-on conn-failure empty-response
frontend front
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance roundrobin
    http-reuse never
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost
    http-request disable-l7-retry unless METH_GET
    default-server inter 100ms fall 1 rise 1
    server a 127.0.0.1:{a} check
    server b 127.0.0.1:{b} check
"""


@pytest.fixture
def balanced(backend, tmp_path, postgres_server):
    settings = node_config(backend, tmp_path, postgres_server.url(postgres_server.database()))
    world = Balanced(tmp_path, settings)
    yield world
    world.close()


class Balanced:
    def __init__(self, folder, settings):
        self.settings = [settings_of(settings) for _ in range(2)]
        self.nodes = [Gatehouse(own, env=ENV) for own in self.settings]
        self.port = free_port()
        path = folder / "haproxy.cfg"
        path.write_text(BALANCER.format(port=self.port, a=self.nodes[0].address,
                                        b=self.nodes[1].address))
        self.balancer = subprocess.Popen(["haproxy", "-db", "-f", str(path)],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.done, self.failed = [], []
        self.ended = threading.Event()
        self.threads = []
        self.nodes[0].wait_for(lambda: self.status() == 200, "the balancer")

    def status(self, method="GET", body=None, fields=()):
        try:
            with Client(self.port) as client:
                return client.request(method, "/public/x", fields, body, "localhost").status
        except (OSError, ConnectionEnded) as error:
            return repr(error)

    def load(self, method, body=None):
        while not self.ended.is_set():
            status = self.status(method, body)
            (self.done if status == 200 else self.failed).append((time.monotonic(), status))

    def begin_load(self):
        for index in range(6):
            work = ("POST", b"x" * 100) if index % 2 else ("GET", None)
            self.threads.append(threading.Thread(target=self.load, args=work, daemon=True))
        for thread in self.threads:
            thread.start()
        self.wait_for_more()

    def wait_for_more(self, count=50):
        wanted = len(self.done) + count
        deadline = time.monotonic() + 30
        while len(self.done) < wanted:
            assert time.monotonic() < deadline and not self.failed, self.failed[:3]
            time.sleep(0.01)

    def end_load(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(30)
        assert self.failed == []

    def wait_served(self, index):
        """By this node through the balancer."""
        gate = self.nodes[index]
        seen = len(gate.access_lines())
        gate.wait_for(lambda: any(line.get("path") == "/public/x"
                                  for line in gate.access_lines()[seen:]), "requests on this node")

    def close(self):
        self.ended.set()
        self.balancer.kill()
        self.balancer.wait()
        for gate in self.nodes:
            gate.__exit__(None)


def test_a_rolling_restart_drops_no_request(balanced):
    balanced.begin_load()
    for _ in range(2):
        for index, settings in enumerate(balanced.settings):
            balanced.nodes[index].stop()
            balanced.nodes[index] = Gatehouse(settings, env=ENV)
            balanced.wait_served(index)
    balanced.end_load()


def test_a_rolling_change_of_the_configuration_drops_no_request(balanced):
    balanced.begin_load()
    for index, gate in enumerate(balanced.nodes):
        balanced.settings[index]["headers"] = {"preset": "api", "set": {"X-Version": "2"}}
        gate.write_config(balanced.settings[index])
        gate.signal(1)
        gate.wait_for(lambda g=gate: g.get("/public/y").get("X-Version") == "2", "the new rules")
        balanced.wait_for_more()
    balanced.end_load()


def test_people_stay_signed_in_over_a_rolling_restart(balanced):
    person = new_person(balanced.nodes[0])
    for index, settings in enumerate(balanced.settings):
        balanced.nodes[index].stop()
        balanced.nodes[index] = Gatehouse(settings, env=ENV)
        person.gate = balanced.nodes[index]
        assert person.is_signed_in()
        assert person.refresh().status == 200
