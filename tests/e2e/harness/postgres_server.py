"""A PostgreSQL cluster of our own: temporary, on a free port of loopback and a socket beside it."""

import atexit
import contextlib
import functools
import itertools
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import time

from .gate import free_port

START_SECONDS = 30
# Nothing here has to survive a crash of the machine.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "32MB",
}


def programs():
    """The directory of the newest server's programs; None: none is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def other_user():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {}


class Postgres:
    numbers = itertools.count(1)

    def __init__(self, **settings):
        self.folder = tempfile.TemporaryDirectory(prefix="postgres-")
        self.path = pathlib.Path(self.folder.name)
        self.user = other_user()
        if self.user:
            os.chown(self.path, self.user["user"], self.user["group"])
        self.port = free_port()
        self.data = self.path / "data"
        self.settings = {**SETTINGS, **settings, "port": self.port,
                         "unix_socket_directories": str(self.path)}
        self.process = None
        self.command("initdb", "-D", self.data, "-U", "gatehouse", "-A", "trust", "-E", "UTF8",
                     "--locale=C", "--no-sync", "--no-instructions")
        self.start()

    def command(self, program, *arguments):
        environment = {**os.environ, "HOME": str(self.path), "LC_ALL": "C"}
        result = subprocess.run([str(programs() / program), *map(str, arguments)], cwd=self.path,
                                env=environment, capture_output=True, text=True, timeout=60,
                                **self.user)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def start(self):
        options = [part for name, value in self.settings.items()
                   for part in ("-c", f"{name}={value}")]
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(programs() / "postgres"), "-D", str(self.data), *options], cwd=self.path,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.user)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def is_ready(self):
        return subprocess.run(
            [str(programs() / "pg_isready"), "-q", "-h", str(self.path), "-p", str(self.port),
             "-t", "2", "-d", "postgres"], check=False).returncode == 0

    def stop(self, number=2):
        """2 (SIGINT): its clients are thrown out; 3 (SIGQUIT): as in a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)

    def close(self):
        self.stop(3)
        shutil.rmtree(self.path, ignore_errors=True)
        self.folder.cleanup()

    def log(self):
        return (self.path / "log").read_text(errors="replace")[-4000:]

    # -- asking it --

    def query(self, sql, database="postgres"):
        """Rows as lists of texts."""
        text = self.command("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-h",
                            self.path, "-p", self.port, "-U", "gatehouse", "-d", database, "-c", sql)
        return [line.split("\t") for line in text.splitlines()]

    def session(self, database):
        """psql that reads statements from its stdin, and ends with that."""
        return subprocess.Popen(
            [str(programs() / "psql"), "-X", "-q", "-h", str(self.path), "-p", str(self.port), "-U",
             "gatehouse", "-d", database], cwd=self.path, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, **self.user)

    def database(self):
        """A new one, empty; its name."""
        name = f"gatehouse{next(self.numbers)}"
        self.query(f"CREATE DATABASE {name}")
        return name

    def url(self, name, port=None):
        return f"postgresql://gatehouse@127.0.0.1:{port or self.port}/{name}"

    def own(self, path, name):
        """A copy that only the server may read."""
        copy = self.path / name
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
        if self.user:
            os.chown(copy, self.user["user"], self.user["group"])
        return copy

    def restart_with(self, **settings):
        self.stop()
        self.settings.update(settings)
        self.start()

    def disconnect_all(self, name):
        """Ends the backends of a database's clients, in the middle of what they do."""
        self.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   f"WHERE datname = '{name}' AND pid <> pg_backend_pid()")


@functools.cache
def shared():
    """One for all tests of this process; None: PostgreSQL's server is not installed."""
    if not programs():
        return None
    server = Postgres()
    atexit.register(server.close)
    return server


_folders = {}


@functools.cache
def database_of(folder):
    """The URL of a database of its own for each folder, empty at first."""
    url = shared().url(shared().database())
    _folders[url] = folder
    return url


def folder_of(url):
    """What database_of made it for; None: it did not."""
    return _folders.get(url)
