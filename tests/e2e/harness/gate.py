"""The real binary: started with a configuration, watched, stopped, its exit checked."""

import contextlib
import itertools
import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import yaml

from .wire import Client

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_BINARY = ROOT / "build" / "asan" / "src" / "app" / "gatehouse"
BINARY = Path(os.environ.get("GATEHOUSE_BIN", DEFAULT_BINARY)).resolve()
IS_RELEASE = "release" in str(BINARY)
WAIT_SECONDS = 10
FIRST_PORT = 12000
SANITIZER_WORDS = ("Sanitizer", "runtime error:", "assertion failed")


_given = set()


def candidates():
    """Port numbers to try; 0 is any. Of several pytest processes at once (pytest-xdist) each takes
    its own range first, below what the kernel gives to those who do not ask: neither the others'
    servers nor anybody's connections are there."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            end = int(file.read().split()[0])
        size = max(end - FIRST_PORT, 0) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        first = FIRST_PORT + int(worker.removeprefix("gw")) * size
        start = os.getpid()  # another run on this machine begins elsewhere
        yield from (first + (start + number) % size for number in range(size))
    yield from itertools.repeat(0)


_candidates = candidates()


def free_port():
    """A port that is free now and was not given before: two that are asked for before either is
    bound must differ."""
    for wanted in _candidates:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", wanted))
            port = probe.getsockname()[1]
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("unreachable")


def config(backend, **changes):
    """A small configuration in front of `backend` (or a list of them): development, preset api.
    `changes` replace or add top-level keys; None removes one."""
    backends = backend if isinstance(backend, (list, tuple)) else [backend]
    settings = {
        "version": 1,
        "environment": "development",
        "listen": [{"address": f"127.0.0.1:{free_port()}"}],
        "hosts": ["localhost", "127.0.0.1", "example.com"],
        "upstreams": {"api": {"servers": [getattr(b, "url", b) for b in backends]}},
        "headers": {"preset": "api"},
        "routes": [{"path": "/**", "upstream": "api", "access": "public"}],
    }
    settings.update(changes)
    return {key: value for key, value in settings.items() if value is not None}


def production(backend, **changes):
    """The same in production behind a trusted proxy on loopback (say X-Forwarded-Proto: https)."""
    return config(
        backend,
        **{"environment": "production", "trusted_proxies": ["127.0.0.1/32"], **changes},
    )


class TestClock:
    """An offset in milliseconds that a test build adds to its clock; a release build has none."""

    def __init__(self, path):
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)
        self.offset_ms = 0

    def advance(self, seconds):
        if IS_RELEASE:
            import pytest  # benchmarks use this module without it

            pytest.skip("needs the test clock")
        self.offset_ms += int(seconds * 1000)
        self.memory[0:8] = struct.pack("<q", self.offset_ms)


def run(*arguments, env=None, stdin="", timeout=30):
    """A command that ends by itself; checked for sanitizer reports."""
    environment = {**os.environ, **{k: str(v) for k, v in (env or {}).items()}}
    result = subprocess.run(
        [str(BINARY), *map(str, arguments)],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert_clean(result.stderr)
    return result


def assert_clean(stderr):
    assert not any(word in stderr for word in SANITIZER_WORDS), stderr[-6000:]


class Gatehouse:
    """`settings` is a dict (made into a file), a path, or None with `arguments` for serve.
    `stdout` is a descriptor in place of the pipe that is read for log()."""

    def __init__(self, settings=None, arguments=(), env=None, wait=True, prefix=(), stdout=None):
        self.folder = tempfile.TemporaryDirectory(prefix="gatehouse-")
        self.path = Path(self.folder.name)
        self.lines = []
        self.stderr = ""
        self.changed = threading.Condition()
        self.stopped = False
        self.clock = TestClock(self.path / "clock")
        command = [*prefix, str(BINARY), "serve", *map(str, arguments)]
        self.settings = settings
        if settings is not None:
            self.config_path = self.path / "gatehouse.yaml"
            if isinstance(settings, dict):
                self.write_config(settings)
            else:
                self.config_path = Path(settings)
            command += ["--config", str(self.config_path)]
        if os.geteuid() == 0 and "--user" not in command:
            command += ["--user", "root"]  # the tests' files are root's then
        environment = {**os.environ, **{k: str(v) for k, v in (env or {}).items()}}
        environment.setdefault("GATEHOUSE_TEST_CLOCK", str(self.path / "clock"))
        if folder := self.state_directory():
            environment.setdefault("STATE_DIRECTORY", str(folder))
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self.readers = [
            threading.Thread(target=self.read_stdout, daemon=True),
            threading.Thread(target=self.read_stderr, daemon=True),
        ]
        for reader in self.readers:
            reader.start()
        self.address = self.listen_address(arguments, environment)
        if wait:
            self.wait_ready()

    def write_config(self, settings):
        self.settings = settings
        self.config_path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")

    def state_directory(self):
        """Of a store that is no file: where its file would be."""
        from .postgres_server import folder_of

        store = self.settings.get("store") if isinstance(self.settings, dict) else None
        return folder_of(store["url"] if isinstance(store, dict) else store)

    def listen_address(self, arguments, environment):
        if isinstance(self.settings, dict):
            address = self.settings["listen"][0]["address"]
        elif "--listen" in arguments:
            address = arguments[list(arguments).index("--listen") + 1]
        else:
            address = environment.get("LISTEN", "127.0.0.1:8080")
        if address.startswith("unix:"):
            return address.removeprefix("unix:")
        return int(address.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if not self.stopped:
            self.stop(check=kind is None)
        self.folder.cleanup()

    def read_stdout(self):
        for line in self.process.stdout or ():
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()

    def read_stderr(self):
        for line in self.process.stderr:
            with self.changed:
                self.stderr += line.decode("utf-8", "replace")
                self.changed.notify_all()

    def output(self):
        return "\n".join(self.lines) + "\n" + self.stderr

    def wait_ready(self):
        """Polls until the first listener accepts."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                Client(self.address).close()
                return
            except OSError:
                pass
            if self.process.poll() is not None:
                for reader in self.readers:
                    reader.join(5)
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.output()}")
            assert time.monotonic() < deadline, f"did not listen:\n{self.output()}"
            time.sleep(0.01)

    def wait_exit(self, seconds=WAIT_SECONDS):
        code = self.process.wait(seconds)
        self.stopped = True
        for reader in self.readers:
            reader.join(5)
        assert_clean(self.stderr)
        return code

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, check=True):
        """SIGTERM; expects a clean exit."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait_exit()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.stopped = True
            assert not check, f"did not end on SIGTERM:\n{self.output()[-4000:]}"
            return
        assert not check or code == 0, f"exit status {code}:\n{self.output()[-4000:]}"

    # -- asking it --

    def connect(self, address=None, **options):
        return Client(address or self.address, **options)

    def request(self, method, target, fields=(), body=None, host="localhost", address=None, **options):
        with self.connect(address, **options) as client:
            return client.request(method, target, fields, body, host)

    def get(self, target, fields=(), **options):
        return self.request("GET", target, fields, **options)

    # -- what it said --

    def log(self):
        """All JSON lines so far."""
        with self.changed:
            return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_for(self, condition, what):
        deadline = time.monotonic() + WAIT_SECONDS
        with self.changed:
            while not (found := condition()):
                left = deadline - time.monotonic()
                assert left > 0, f"waited in vain for {what}:\n{self.output()[-4000:]}"
                self.changed.wait(min(left, 0.05))
            return found

    def access_lines(self):
        return [line for line in self.log() if "status" in line]

    def wait_access(self, count=1, **members):
        """The access lines that have these members, once there are `count`."""

        def found():
            lines = [json.loads(line) for line in self.lines if line.startswith("{")]
            lines = [line for line in lines if "status" in line]
            lines = [l for l in lines if all(l.get(k) == v for k, v in members.items())]
            return lines if len(lines) >= count else None

        return self.wait_for(found, f"{count} access lines with {members}")

    def wait_output(self, text):
        """Waits until `text` stands in stdout or stderr, in any case."""
        self.wait_for(lambda: text.lower() in self.output().lower(), f"the output {text!r}")

    def metrics(self):
        """Samples of the admin listener: {'name{labels}': value}."""
        port = int(self.settings["admin_listen"].rsplit(":", 1)[1])
        response = self.get("/metrics", address=port)
        assert response.status == 200
        samples = {}
        for line in response.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples
