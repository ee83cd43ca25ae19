"""A FastAPI backend as a process of its own: that of examples/backend, or another."""

import os
import subprocess
import sys
import time

from .gate import ROOT, free_port
from .wire import Client


class FastApi:
    def __init__(self, folder, folder_of_app="examples/backend", app="app:app"):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(folder / "fastapi.log", "wb")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LD_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--app-dir", folder_of_app, app]
            + ["--port", str(self.port), "--log-level", "warning"],
            cwd=ROOT,
            env=environment,
            stdout=self.log,
            stderr=self.log,
        )
        self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the example backend did not start"
            try:
                with Client(self.port) as client:
                    if client.request("GET", "/health").status == 200:
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the example backend did not answer")

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
