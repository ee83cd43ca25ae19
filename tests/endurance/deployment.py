"""The process under test: started, killed, started again over the same store; what it wrote is kept."""

import signal
import time

import yaml

from harness.backend import Backend
from harness.gate import IS_RELEASE, Gatehouse, TestClock, free_port, run
from harness.identity import CHEAP, OWN_LIMITS
from harness.smtp import Sink
from harness.wire import Client

COMMAND_SECONDS = 120


def settings_of(folder, backend, listen):
    """Edge and identity on, in production (development prints the links of mails), behind a proxy
    that speaks https."""
    return {
        "version": 1,
        "environment": "production",
        "public_url": "https://localhost",
        "listen": [{"address": listen}],
        "hosts": ["localhost"],
        "trusted_proxies": ["127.0.0.1/32"],
        "upstreams": {"api": {"servers": [backend.url]}},
        "headers": {"preset": "api"},
        "csp": {"mode": "report_only"},
        "store": f"sqlite:{folder}/store/gatehouse.db",
        "secrets": {
            "root": f"file:{folder}/keys/root",
            "previous": [f"file:{folder}/keys/previous"],
        },
        "identity": {
            "enabled": True,
            "passwords": dict(CHEAP),
            "email_verification": "off",
            "roles": ["user", "admin", "editor"],
            "mail": {
                "from": "Gatehouse <no-reply@gatehouse.test>",
                "smtp": "env:SMTP_URL",
            },
        },
        "rate_limits": {
            "narrow": {"limit": "3/minute", "key": "client"},
            **{name: {"limit": "1000/second"} for name in OWN_LIMITS},
        },
        "routes": [
            {"path": "/public/**", "upstream": "api", "access": "public"},
            {"path": "/narrow", "upstream": "api", "access": "public", "rate_limit": ["narrow"]},
            {"path": "/users/{user_id}/**", "upstream": "api", "access": {"owner": "user_id"}},
            {"path": "/admin/**", "upstream": "api", "access": {"role": "admin"}},
            {"path": "/fresh", "upstream": "api", "access": {"fresh": True}},
            {"path": "/**", "upstream": "api"},
        ],
        "audit": {
            "checkpoint": {
                "records": 50,
                "interval": "10s",
                "export": f"file:{folder}/elsewhere/checkpoints",
            },
            "export": f"file:{folder}/elsewhere/records.jsonl",
        },
    }


class Deployment:
    """Of the harness's Gatehouse it has what people (harness.identity.Person) need: `request` and
    `clock`, over all restarts."""

    def __init__(self, folder, canaries):
        self.folder, self.canaries = folder, canaries
        for name in ("store", "keys", "elsewhere", "output"):
            (folder / name).mkdir(mode=0o700)
        self.root, self.previous = folder / "keys" / "root", folder / "keys" / "previous"
        self.backend, self.mails = Backend(), Sink()
        self.mails.open()
        self.clock = TestClock(folder / "clock")
        self.env = {
            "GATEHOUSE_TEST_CLOCK": str(folder / "clock"),
            "SMTP_URL": self.mails.url(),
        }
        self.settings = settings_of(folder, self.backend, f"127.0.0.1:{free_port()}")
        self.port = int(self.settings["listen"][0]["address"].rsplit(":", 1)[1])
        self.gate = None
        self.starts = 0
        self.renew_root()

    # -- the process --

    def start(self):
        self.gate = Gatehouse(self.settings, env=self.env)
        self.starts += 1
        self.gate.wait_for((self.folder / "store" / "control.sock").exists, "the control socket")

    def kill(self):
        """-9, in the middle of whatever it does."""
        self.gate.signal(signal.SIGKILL)
        self.gate.process.wait()
        self.gate.stopped = True
        self.end()

    def stop(self):
        self.gate.stop()
        self.end()

    def end(self):
        """Keeps all that the process said."""
        for reader in self.gate.readers:
            reader.join(10)
        for name, text in (("stdout", "\n".join(self.gate.lines)), ("stderr", self.gate.stderr)):
            (self.folder / "output" / f"{self.starts}.{name}").write_text(text, encoding="utf-8")
        self.gate.__exit__(None)
        self.gate = None

    def close(self):
        if self.gate:
            self.gate.stop(check=False)
            self.end()
        self.mails.close()
        self.backend.close()

    # -- what is asked of it --

    def request(self, method, target, fields=(), body=None, host="localhost"):
        fields = [*fields, ("X-Forwarded-Proto", "https")]
        with Client(self.port) as client:
            return client.request(method, target, fields, body, host)

    def raw(self, data):
        with Client(self.port) as client:
            return client.ask(data)

    def command(self, *words):
        """A command of the operator's, carried out by the server where there is one. What it prints
        is kept."""
        path = self.folder / "gatehouse.yaml"
        path.write_text(yaml.safe_dump(self.settings, sort_keys=False), encoding="utf-8")
        result = run(*words, "--config", path, env=self.env, timeout=COMMAND_SECONDS)
        self.keep(result)
        return result

    def alone(self, *words):
        """A command that needs no configuration."""
        result = run(*words, timeout=COMMAND_SECONDS)
        self.keep(result)
        return result

    def keep(self, result):
        text = result.stdout + result.stderr
        name = f"command.{time.monotonic_ns()}"
        (self.folder / "output" / name).write_text(text, encoding="utf-8")

    def reload(self, settings, outcome):
        """SIGHUP with these settings; waits until the log says that word of it."""
        before = self.gate.output().count(outcome)
        self.gate.write_config(settings)
        self.gate.signal(signal.SIGHUP)
        self.gate.wait_for(lambda: self.gate.output().count(outcome) > before, outcome)

    # -- keys --

    def renew_root(self):
        """A new root key in its place, that of before in the other (docs/secrets-rotation.md)."""
        key = run("secrets", "generate", "--raw").stdout.strip()
        self.canaries.add("root key", key)
        if self.root.exists():
            self.previous.write_text(self.root.read_text())
        else:
            self.previous.write_text("")
        self.root.write_text(key + "\n")

    # -- time --

    def pass_time(self, seconds):
        """With the test clock at once; a release build lives in real time."""
        if not IS_RELEASE:
            self.clock.advance(seconds)
