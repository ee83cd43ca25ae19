"""`gatehouse consume` as a process: started, killed, read."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

import yaml

from .gate import BINARY, assert_clean

WAIT_SECONDS = 20


class Consumer:
    """`settings` is a dict, written to `path`."""

    def __init__(self, path, settings, *arguments, env=None):
        path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        self.command = [str(BINARY), "consume", "--config", str(path), *map(str, arguments)]
        if os.geteuid() == 0 and "--user" not in arguments:
            self.command += ["--user", "root"]
        self.environment = {**os.environ, **(env or {})}
        self.stderr = ""
        self.process = None
        self.readers = []
        self.start()

    def start(self):
        process = subprocess.Popen(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process, self.lines = process, []
        self.readers = [
            threading.Thread(target=self.read_lines, args=(process, self.lines), daemon=True),
            threading.Thread(target=self.read_stderr, args=(process,), daemon=True)]
        for reader in self.readers:
            reader.start()

    def read_lines(self, process, lines):
        for line in process.stdout:
            lines.append(json.loads(line))

    def read_stderr(self, process):
        for line in process.stderr:
            self.stderr += line.decode()

    def messages(self):
        return [line["message"] for line in self.lines]

    def wait_message(self, text):
        return wait_until(lambda: any(text in message for message in self.messages()), text)

    def kill(self):
        """-9"""
        self.process.kill()
        self.process.wait()

    def stop(self, number=signal.SIGTERM):
        """Its exit status. It has begun to work, and so to listen to signals."""
        wait_until(lambda: self.lines or self.process.poll() is not None, "its first line")
        self.process.send_signal(number)
        return self.end()

    def end(self):
        status = self.process.wait(WAIT_SECONDS)
        for reader in self.readers:
            reader.join(5)
        assert_clean(self.stderr)
        return status

    def close(self):
        if self.process.poll() is None:
            self.kill()
        assert_clean(self.stderr)


def wait_until(condition, what, seconds=WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def scrape(port, path="/metrics"):
    """Status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def values(text):
    """What metrics say: {"gatehouse_consume_lag": {'stream="votes",group="g"': 3}}"""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, rest = line.split("{", 1)
            labels, value = rest.rsplit("} ", 1)
            found.setdefault(name, {})[labels] = int(value)
    return found
