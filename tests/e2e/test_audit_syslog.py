"""RFC 5425: the log over TLS to a real server; RFC 5424 with CEF; what check says of clear ways."""

import re
import socket
import ssl
import threading

import pytest

from harness.certs import Pair
from harness.gate import WAIT_SECONDS, Gatehouse, free_port, run
from harness.identity import ENV, identity_config, new_person
from harness.store import audit_rows


class Collector:
    """Takes connections over TLS, one after another, and keeps what each of them brought whole."""

    def __init__(self, pair, port=0, alpn=None):
        self.connections = []
        self.failures = 0
        context = pair.server_context()
        if alpn:
            context.set_alpn_protocols(alpn)
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            peer.settimeout(WAIT_SECONDS)
            try:
                with self.context.wrap_socket(peer, server_side=True) as stream:
                    data = b""
                    while part := stream.recv(65536):
                        data += part
                self.connections.append(data)
            except OSError:
                self.failures += 1
                peer.close()

    def messages(self):
        return [message for data in list(self.connections) for message in split(data)]

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(WAIT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def split(data):
    """MSG-LEN SP SYSLOG-MSG, to the end."""
    messages = []
    while data:
        count, data = data.split(b" ", 1)
        assert re.fullmatch(rb"[1-9][0-9]*", count)
        assert len(data) >= int(count)
        messages.append(data[: int(count)].decode())
        data = data[int(count):]
    return messages


def seqs(messages):
    return [int(re.search(r' seq="(\d+)"', message)[1]) for message in messages]


def settings_of(backend, folder, to, **changes):
    return identity_config(backend, folder, audit={"export": [{"to": to, **changes}]})


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path, "collector", ["127.0.0.1"])


@pytest.fixture
def env(pair):
    return {**ENV, "SSL_CERT_FILE": str(pair.certificate)}


def written(folder):
    return [row["seq"] for row in audit_rows(folder / "gatehouse.db")]


def test_records_arrive_whole_and_in_order(backend, tmp_path, pair, env):
    with Collector(pair) as collector:
        with Gatehouse(settings_of(backend, tmp_path, f"syslog:tls://127.0.0.1:{collector.port}"),
                       env=env) as gate:
            for _ in range(5):
                new_person(gate)
            gate.stop()
        messages = collector.messages()
    assert seqs(messages) == written(tmp_path)
    assert len(messages) >= 5
    assert all(re.match(r"<1\d\d>1 \S+ \S+ gatehouse \d+ \w+ \[gatehouse@32473 ", m)
               for m in messages)
    assert collector.failures == 0


def test_a_server_that_wants_a_protocol_by_alpn_is_asked_for_none(backend, tmp_path, pair, env):
    with Collector(pair, alpn=["h2"]) as collector:
        with Gatehouse(settings_of(backend, tmp_path, f"syslog:tls://127.0.0.1:{collector.port}"),
                       env=env) as gate:
            new_person(gate)
            gate.wait_for(collector.messages, "records")


def test_a_wrong_certificate_gets_nothing_and_is_told_of(backend, tmp_path, pair, env):
    other = Pair(tmp_path, "other", ["127.0.0.1"])
    with Collector(other) as collector:
        with Gatehouse(settings_of(backend, tmp_path, f"syslog:tls://127.0.0.1:{collector.port}"),
                       env=env) as gate:
            new_person(gate)
            gate.wait_output("self-signed certificate")
            gate.wait_for(lambda: collector.failures, "a refused handshake")
        assert collector.connections == []


def test_a_certificate_of_another_name_gets_nothing(backend, tmp_path, env):
    """Known to us, and somebody else's."""
    other = Pair(tmp_path, "other", ["collector.example.com"])
    with Collector(other) as collector:
        with Gatehouse(settings_of(backend, tmp_path, f"syslog:tls://127.0.0.1:{collector.port}"),
                       env={**env, "SSL_CERT_FILE": str(other.certificate)}) as gate:
            new_person(gate)
            gate.wait_output("IP address mismatch")
        assert collector.connections == []


def test_what_a_server_missed_arrives_when_it_is_back(backend, tmp_path, pair, env):
    port = free_port()
    with Gatehouse(settings_of(backend, tmp_path, f"syslog:tls://127.0.0.1:{port}"),
                   env=env) as gate:
        with Collector(pair, port) as first:
            new_person(gate)
            gate.wait_for(first.messages, "records")
        new_person(gate)
        gate.wait_output("do not reach")
        with Collector(pair, port) as second:
            new_person(gate)
            gate.wait_output("takes the log again")
            gate.stop()
            messages = first.messages() + second.messages()
    assert sorted(set(seqs(messages))) == written(tmp_path)


def test_cef_has_a_header_of_syslog_there_and_none_in_a_file(backend, tmp_path, pair, env):
    path = tmp_path / "cef"
    with Collector(pair) as collector:
        settings = identity_config(backend, tmp_path, audit={"export": [
            {"to": f"syslog:tls://127.0.0.1:{collector.port}", "format": "cef"},
            {"to": f"file:{path}", "format": "cef"}]})
        with Gatehouse(settings, env=env) as gate:
            new_person(gate)
            gate.stop()
        messages = collector.messages()
    lines = path.read_text().splitlines()
    assert lines and len(lines) == len(messages)
    for line, message in zip(lines, messages):
        assert line.startswith("CEF:0|gatehouse|gatehouse|")
        assert re.fullmatch(r"<1\d\d>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ gatehouse \d+ \w+ - CEF:0\|.*",
                            message)
        assert message.endswith(f" - {line}")


def test_checkpoints_go_there_too(backend, tmp_path, pair, env):
    with Collector(pair) as collector:
        settings = identity_config(backend, tmp_path, audit={"checkpoint": {
            "records": 1, "export": [f"syslog:tls://127.0.0.1:{collector.port}"]}})
        with Gatehouse(settings, env=env) as gate:
            new_person(gate)
            gate.wait_for(collector.messages, "a checkpoint")
        assert all(" audit_checkpoint " in message for message in collector.messages())


@pytest.mark.parametrize("to, told", [
    ("syslog:udp://192.0.2.1:514", True),
    ("syslog:tcp://logs.example.com:601", True),
    ("syslog:tls://logs.example.com", False),
    ("syslog:tcp://127.0.0.1:601", False),
    ("syslog:udp://[::1]:514", False),
    ("syslog:", False),
])
def test_check_tells_of_a_way_that_others_can_read(backend, tmp_path, to, told):
    path = tmp_path / "gatehouse.yaml"
    with Gatehouse({**settings_of(backend, tmp_path, to)}, env=ENV) as gate:
        path.write_text(gate.config_path.read_text().replace("environment: development",
                                                             "environment: production"))
    done = run("check", "--config", path, env=ENV)
    text = done.stdout + done.stderr
    assert ("goes over the network in clear" in text) == told, text
    assert ("syslog:tls://HOST" in text) == told, text
