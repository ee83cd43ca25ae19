"""SPEC 11 and 14: signals, reload, descriptors, idle and slow connections."""

import os
import resource
import signal
import subprocess
import threading

import pytest

from harness.backend import OK, Backend, answer
from harness.certs import make
from harness.gate import Gatehouse, config, free_port
from harness.wire import Client, ConnectionEnded, request


def slow_backend(release):
    def reply(received, _):
        if received.target == "/slow":
            release.wait(20)
        return OK

    return Backend(reply)


# -- the end --


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(start, backend, number):
    gate = start(config(backend))
    gate.get("/")
    gate.signal(number)
    assert gate.wait_exit() == 0


def test_a_signal_that_means_nothing_changes_nothing(start, backend):
    gate = start(config(backend))
    gate.signal(signal.SIGUSR2)
    assert gate.get("/").status == 200
    gate.signal(signal.SIGTERM)
    assert gate.wait_exit() == 0


def test_an_idle_connection_does_not_delay_the_end(start, backend):
    gate = start(config(backend))
    with gate.connect() as idle, gate.connect() as used:
        used.request("GET", "/")
        gate.signal(signal.SIGTERM)
        assert gate.wait_exit(10) == 0
        assert idle.at_end() and used.at_end()


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_a_request_that_is_on_its_way_when_it_ends_is_answered(start, backend, used):
    gate = start(config(backend))
    with gate.connect() as client:
        if used:
            assert client.request("GET", "/").status == 200
        gate.signal(signal.SIGSTOP)
        with gate.connect() as waiting:  # in the backlog
            for one in (client, waiting):
                one.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            gate.signal(signal.SIGTERM)
            gate.signal(signal.SIGCONT)
            for one in (client, waiting):
                assert one.read().status == 200
                assert one.at_end()
    assert gate.wait_exit() == 0


def test_what_is_in_flight_is_finished(start):
    release = threading.Event()
    with slow_backend(release) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/slow"))
            backend.wait_requests(1)
            gate.signal(signal.SIGTERM)
            gate.wait_output("finishing")
            release.set()
            response = client.read()
            assert response.status == 200
            assert client.at_end()
        assert gate.wait_exit() == 0
        gate.wait_access(1, path="/slow", status=200)


def is_refused(gate):
    try:
        gate.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def test_new_connections_are_refused_while_draining(start):
    release = threading.Event()
    with slow_backend(release) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/slow"))
            backend.wait_requests(1)
            gate.signal(signal.SIGTERM)
            gate.wait_for(lambda: is_refused(gate), "an end of listening")
            with pytest.raises(ConnectionRefusedError):
                gate.get("/late")
            assert "/late" not in [r.target for r in backend.requests]
            release.set()
            assert client.read().status == 200
        assert gate.wait_exit() == 0


def test_draining_ends_after_30_seconds(start):
    release = threading.Event()
    with slow_backend(release) as backend:
        timeouts = {"response": "10m"}
        upstreams = {"api": {"servers": [backend.url], "timeouts": timeouts}}
        gate = start(config(backend, upstreams=upstreams))
        with gate.connect() as client:
            client.send(request("GET", "/slow"))
            backend.wait_requests(1)
            gate.signal(signal.SIGTERM)
            gate.wait_output("finishing")
            gate.clock.advance(29)
            assert gate.process.poll() is None
            gate.clock.advance(2)
            assert gate.wait_exit(10) == 0
            with pytest.raises(ConnectionEnded):
                client.read()
        release.set()


def test_a_second_signal_ends_at_once(start):
    release = threading.Event()
    with slow_backend(release) as backend:
        gate = start(config(backend))
        with gate.connect() as client:
            client.send(request("GET", "/slow"))
            backend.wait_requests(1)
            gate.signal(signal.SIGTERM)
            gate.wait_output("finishing")
            gate.signal(signal.SIGTERM)
            gate.wait_exit(10)
        release.set()


# -- reload --


def reload(gate, settings=None, outcome="reloaded"):
    before = gate.output().lower().count(outcome)
    if settings is not None:
        gate.write_config(settings)
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.output().lower().count(outcome) > before, f"{outcome!r} in the log")


def test_a_reload_changes_the_rules_without_dropping_a_connection(start, backend):
    settings = config(backend)
    gate = start(settings)
    with gate.connect() as client:
        assert client.request("GET", "/").get("X-Frame-Options") == "DENY"
        reload(gate, {**settings, "headers": {"preset": "api", "set": {"X-Team": "new"}}})
        assert client.request("GET", "/").get("X-Team") == "new"


def test_a_request_in_flight_survives_a_reload(start):
    release = threading.Event()
    with slow_backend(release) as backend:
        settings = config(backend)
        gate = start(settings)
        with gate.connect() as client:
            client.send(request("GET", "/slow"))
            backend.wait_requests(1)
            reload(gate, {**settings, "hosts": ["other.test"]})
            release.set()
            assert client.read().status == 200
            assert gate.get("/", host="example.com").status == 400


def requests_refused(gate):
    return gate.metrics()['gatehouse_requests_total{status="4xx"}']


def test_counters_survive_a_reload(start, backend):
    settings = config(
        backend,
        admin_listen=f"127.0.0.1:{free_port()}",
        rate_limits={"global": {"limit": "3/hour", "key": "client"}},
    )
    gate = start(settings)
    for _ in range(3):
        assert gate.get("/").status == 200
    # A request is counted when its answer has gone out, which the client may see sooner. Questions
    # for metrics count among those that succeed; none is refused before the reload.
    assert gate.get("/").status == 429
    gate.wait_for(lambda: requests_refused(gate) == 1, "the one that was refused")
    reload(gate, {**settings, "headers": {"preset": "spa"}})
    assert gate.get("/").status == 429
    gate.wait_for(lambda: requests_refused(gate) == 2, "a second one")


def test_a_bad_file_keeps_the_old_one_and_says_why(start, backend):
    settings = config(backend)
    gate = start(settings)
    reload(gate, {**settings, "hostss": ["x"]}, outcome="reload refused")
    gate.wait_output("hostss")
    assert gate.get("/").status == 200
    gate.config_path.write_text(": not yaml [")
    reload(gate, outcome="reload refused")
    assert gate.get("/").status == 200
    reload(gate, settings)


def test_a_vanished_file_keeps_the_old_one(start, backend):
    gate = start(config(backend))
    gate.config_path.unlink()
    reload(gate, outcome="reload refused")
    assert gate.get("/").status == 200


def test_new_upstreams_are_used_after_a_reload(start):
    with Backend(answer(200, body=b"one")) as one, Backend(answer(200, body=b"two")) as two:
        settings = config(one, sandbox={"connect": two.port})
        gate = start(settings)
        with gate.connect() as client:
            assert client.request("GET", "/").body == b"one"
            reload(gate, {**settings, "upstreams": {"api": {"servers": [two.url]}}})
            assert client.request("GET", "/").body == b"two"


def test_new_certificates_are_used_after_a_reload(start, backend, certificates, tmp_path):
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    make(certificate, key, ["localhost"])
    address = f"127.0.0.1:{free_port()}"
    listen = [{"address": address, "tls": {"certificate": str(certificate), "key": str(key)}}]
    gate = start(config(backend, listen=listen))

    def served():
        return subprocess.run(
            f"openssl s_client -connect {address} -servername localhost </dev/null 2>/dev/null "
            "| openssl x509 -noout -fingerprint -sha256",
            shell=True,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    before = served()
    make(certificate, key, ["localhost"])
    reload(gate)
    assert served() != before
    certificate.write_text("broken")
    after = served()
    reload(gate, outcome="reload refused")
    assert served() == after


def test_a_connection_under_the_old_certificate_goes_on(start, backend, certificates, tmp_path):
    pair = certificates["localhost"]
    listen = [{"address": f"127.0.0.1:{free_port()}", "tls": pair.settings()}]
    settings = config(backend, listen=listen)
    gate = start(settings)
    with Client(gate.address, tls=pair.client_context()) as client:
        assert client.request("GET", "/").status == 200
        listen = [{**listen[0], "tls": certificates["example"].settings()}]
        reload(gate, {**settings, "listen": listen})
        assert client.request("GET", "/").status == 200


def test_twenty_reloads_under_load_lose_nothing(start, backend):
    settings = config(backend)
    gate = start(settings)
    failures, stop = [], threading.Event()

    def load():
        with gate.connect() as client:
            while not stop.is_set():
                try:
                    if client.request("GET", "/").status != 200:
                        failures.append("status")
                except Exception as error:  # noqa: BLE001 - whatever it was, it is a failure
                    failures.append(error)
                    return

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        reload(gate, {**settings, "headers": {"preset": "api", "set": {"X-N": str(number)}}})
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not failures


# -- slow and idle clients --


def test_a_slow_head_is_408(start, backend):
    gate = start(config(backend, limits={"head_timeout": "10s"}))
    with gate.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: loc")
        gate.get("/")
        gate.clock.advance(11)
        gate.get("/")
        assert client.read().status == 408
        assert client.at_end()


def test_dripping_bytes_does_not_extend_the_head_deadline(start, backend):
    gate = start(config(backend, limits={"head_timeout": "10s"}))
    with gate.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(6):
            if not client.try_send(b"X-%d: a\r\n" % number):
                break
            gate.clock.advance(2)
            gate.get("/")
        assert client.read().status == 408


def test_a_body_without_progress_is_408(start, backend):
    gate = start(config(backend, limits={"body_timeout": "30s"}))
    with gate.connect() as client:
        client.send(request("POST", "/", {"Content-Length": "10"}) + b"12345")
        backend.wait_requests(1)
        gate.clock.advance(31)
        gate.get("/")
        assert client.read().status == 408
        assert client.at_end()
    assert not backend.requests[0].complete


def test_a_body_that_drips_is_408_in_the_end(start, backend):
    """A byte now and then is progress, but not a minimum rate."""
    gate = start(config(backend, limits={"body_timeout": "30s", "request_body": "1MiB"}))
    answered = None
    with gate.connect() as client:
        client.send(request("POST", "/", {"Content-Length": "100000"}))
        backend.wait_requests(1)
        for _ in range(40):
            if not client.try_send(b"x"):
                break
            gate.get("/")
            gate.clock.advance(20)
            gate.get("/")
            client.socket.settimeout(0.05)
            try:
                if not client.fill() or client.buffer:
                    break
            except TimeoutError:
                pass
        client.socket.settimeout(10)
        answered = client.read().status
    assert answered == 408


def test_an_idle_connection_is_closed_in_the_end(start, backend):
    gate = start(config(backend, limits={"idle_timeout": "60s"}))
    with gate.connect() as client:
        assert client.request("GET", "/").status == 200
        gate.wait_access(1)  # by then it counts as idle
        gate.clock.advance(59)
        assert client.request("GET", "/").status == 200
        gate.wait_access(2)
        gate.clock.advance(61)
        assert client.at_end()


def test_a_thousand_idle_connections_do_not_disturb(start, backend):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        limits = {"connections_per_client": 2000}
        gate = start(config(backend, limits=limits))
        clients = [gate.connect() for _ in range(1000)]
        assert gate.get("/").status == 200
        for client in clients[::50]:
            assert client.request("GET", "/").status == 200
        for client in clients:
            client.close()
        assert gate.get("/").status == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def served_client(gate):
    """A client that has been answered; the places of closed connections come free a little later."""

    def ask():
        client = gate.connect()
        try:
            assert client.request("GET", "/").status == 200
            return client
        except (ConnectionEnded, OSError):
            client.close()
            return None

    return gate.wait_for(ask, "a place for a connection")


def test_connections_per_client_are_bounded(start, backend):
    gate = start(config(backend, limits={"connections_per_client": 10}))
    clients = [served_client(gate) for _ in range(10)]
    with gate.connect() as extra:
        extra.try_send(request("GET", "/extra"))
        reply = extra.rest()
        assert not reply.startswith(b"HTTP/1.1 200")
    clients.pop().close()
    clients.append(served_client(gate))
    for client in clients:
        client.close()


def test_out_of_descriptors_it_recovers(start, backend):
    """With few descriptors and many connections it refuses or waits, and goes on afterwards."""
    gate = start(
        config(backend, limits={"connections_per_client": 2000}),
        prefix=["prlimit", "--nofile=200:200"],
    )
    clients = []
    for _ in range(300):
        try:
            clients.append(gate.connect(timeout=2))
        except OSError:
            break
    for client in clients:
        client.close()
    for _ in range(100):
        try:
            if gate.get("/").status == 200:
                break
        except (ConnectionEnded, OSError):
            pass
    else:
        raise AssertionError("it did not recover")


# -- the process --


def test_it_gives_up_root(start, backend):
    if os.geteuid() != 0:
        pytest.skip("not root")
    gate = start(config(backend), arguments=["--user", "nobody"])
    assert gate.get("/").status == 200
    with open(f"/proc/{gate.process.pid}/status", encoding="ascii") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    assert "0" not in fields["Uid"].split("\t")
    assert "0" not in fields["Gid"].split("\t")
    assert fields["NoNewPrivs"] == "1"


def test_a_taken_port_is_said_and_ends_with_2(backend):
    settings = config(backend)
    with Gatehouse(settings):
        second = Gatehouse({**settings, "admin_listen": f"127.0.0.1:{free_port()}"}, wait=False)
        # SO_REUSEPORT lets workers share a port; a foreign process must not join in.
        try:
            assert second.wait_exit(10) == 2
            assert "in use" in second.output().lower()
        except subprocess.TimeoutExpired:
            second.process.kill()
            raise AssertionError("two gateways share one port") from None
        finally:
            second.stopped = True
            second.process.wait()


def test_a_closed_stdout_does_not_stop_it(start, backend):
    read_end, write_end = os.pipe()
    gate = start(config(backend), stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    for _ in range(50):
        assert gate.get("/").status == 200


def test_a_reader_of_the_log_that_stops_reading_stops_nobody(start, backend):
    read_end, write_end = os.pipe()
    gate = start(config(backend), stdout=write_end)
    os.close(write_end)
    with gate.connect() as client:
        for number in range(2000):  # far more than a pipe holds
            assert client.request("GET", f"/{number}").status == 200
    os.close(read_end)
