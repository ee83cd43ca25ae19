"""A real container: the image under crun, with what `podman run --read-only --cap-drop all
--security-opt no-new-privileges` asks of it, and the filter of system calls that podman starts
containers with, or that of systemd's unit. The sandbox and the process with the TLS keys must start in
it all the same."""

import ctypes
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import image
from harness.backend import Backend
from harness.certs import Pair
from harness.gate import BINARY, free_port
from harness.identity import ENV, PASSWORD, identity_config
from harness.wire import Client

UNITS = Path(image.__file__).parents[1] / "systemd"
PROFILE = Path("/usr/share/containers/seccomp.json")
FLAG = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[os.uname().machine]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
HOLDS_PORTS = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 4
WAIT_SECONDS = 20
USER = image.USER
# crun wants one kind of control groups, and takes none where it finds none; the machine's may be mixed.
WITHOUT_CGROUPS = ["unshare", "--mount", "sh", "-c",
                   'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh"]
# Of old runtimes, where nobody asks for more: three pages of keys fill it.
LOCKED_BYTES_MAX = 64 * 1024


def is_for_no_capability(group):
    included, excluded = group.get("includes") or {}, group.get("excludes") or {}
    return (
        not included.get("caps")
        and ARCHITECTURE in included.get("arches", [ARCHITECTURE])
        and ARCHITECTURE not in excluded.get("arches", [])
    )


def filter_of_runtimes():
    """The profile as a runtime is given it, for a container without capabilities."""
    if not PROFILE.exists():
        pytest.skip(f"there is no {PROFILE}: golang-github-containers-common")
    profile = json.loads(PROFILE.read_text())
    groups = []
    for group in filter(is_for_no_capability, profile["syscalls"]):
        made = {"names": group["names"], "action": group["action"]}
        if group.get("args"):
            made["args"] = group["args"]
        if group.get("errnoRet") is not None:
            made["errnoRet"] = group["errnoRet"]
        groups.append(made)
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": [FLAG],
        "syscalls": groups,
    }


def calls_of(words):
    """What words of SystemCallFilter= stand for."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    calls = set()
    for word in words:
        if not word.startswith("@"):
            calls.add(word)
            continue
        told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word],
                              check=True, capture_output=True, text=True, timeout=20).stdout
        inner = [line.strip() for line in told.splitlines()[1:]]
        calls |= calls_of([line for line in inner if line and not line.startswith("#")])
    return calls


def filter_of_the_unit():
    """As systemd makes it of gatehouse.service; @default is always in it."""
    unit = (UNITS / "gatehouse.service").read_text()
    words = re.search(r"^SystemCallFilter=(.*)$", unit, re.M)[1].split()
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "architectures": [FLAG],
        "syscalls": [{"names": sorted(calls_of(["@default", *words])),
                      "action": "SCMP_ACT_ALLOW"}],
    }


FILTERS = {"podman": filter_of_runtimes, "systemd": filter_of_the_unit}


def bundle_of(arguments, env, volume, calls):
    """As runtimes get it; on the network of this machine, so that tests reach it."""
    empty = {name: [] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")}
    proc = {"destination": "/proc", "type": "proc", "source": "proc"}
    dev = {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
           "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}
    state = {"destination": str(volume), "type": "bind", "source": str(volume),
             "options": ["bind", "rw", "nosuid", "nodev", "noexec"]}
    return {
        "ociVersion": "1.0.0",
        "process": {
            "user": {"uid": USER, "gid": USER},
            "args": arguments,
            "env": ["PATH=/usr/bin", *(f"{name}={value}" for name, value in env.items())],
            "cwd": "/" + image.STATE_FOLDER["gatehouse"],
            "capabilities": empty,
            "noNewPrivileges": True,
            "rlimits": [
                {"type": "RLIMIT_MEMLOCK", "hard": LOCKED_BYTES_MAX, "soft": LOCKED_BYTES_MAX},
                {"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 1024},
            ],
        },
        "root": {"path": "root", "readonly": True},
        "mounts": [proc, dev, state],
        "linux": {
            "namespaces": [{"type": name} for name in ("pid", "mount", "ipc", "uts")],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
            "seccomp": FILTERS[calls](),
        },
    }


class Container:
    def __init__(self, folder, arguments, env, volume, calls):
        self.bundle = folder / "bundle"
        self.bundle.mkdir()
        subprocess.run(
            ["/usr/bin/python3", image.__file__, "files", "gatehouse", str(BINARY)]
            + [str(self.bundle / "root")],
            check=True, capture_output=True, timeout=60,
        )
        (self.bundle / "root" / str(volume).lstrip("/")).mkdir(parents=True)
        settings = bundle_of(arguments, env, volume, calls)
        (self.bundle / "config.json").write_text(json.dumps(settings))
        self.name = f"gatehouse-test-{os.getpid()}"
        self.out = folder / "out"
        self.crun = [*WITHOUT_CGROUPS, "crun", "--root", str(folder / "crun")]
        self.crun.append("--cgroup-manager=disabled")
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                [*self.crun, "run", "--bundle", str(self.bundle), self.name],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )

    def output(self):
        return self.out.read_text()

    def wait_output(self, text):
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def pid(self):
        told = subprocess.run([*self.crun, "state", self.name], check=True, capture_output=True)
        return json.loads(told.stdout)["pid"]

    def end(self):
        """By its first process's own means, as runtimes end it."""
        subprocess.run([*self.crun, "kill", self.name, "TERM"], check=True, timeout=10)
        return self.process.wait(WAIT_SECONDS)

    def close(self):
        if self.process.poll() is None:
            subprocess.run([*self.crun, "delete", "--force", self.name], capture_output=True)
            self.process.wait(WAIT_SECONDS)


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def children_of(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def backend():
    with Backend() as backend:
        yield backend


@pytest.fixture
def volume(tmp_path):
    """A folder of the container's user, with configuration, keys and state: a volume."""
    folder = tmp_path / "volume"
    for name in ("etc", "keys", "state"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def container(tmp_path, volume):
    if not shutil.which("crun") or os.geteuid() != 0:
        pytest.skip("needs crun, and root")
    if "asan" in subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout:
        pytest.skip("images are made of release builds")
    started = []

    def begin(settings, calls="podman", **env):
        (volume / "etc" / "gatehouse.yaml").write_text(json.dumps(settings))
        for path in (volume, *volume.rglob("*")):
            os.chown(path, USER, USER)
        arguments = ["/usr/bin/gatehouse", "serve", "--config", f"{volume}/etc/gatehouse.yaml"]
        started.append(Container(tmp_path, arguments, env, volume, calls))
        return started[-1]

    yield begin
    for one in started:
        one.close()


def https(backend, volume, sandbox):
    pair = Pair(volume / "keys", "tls", ["localhost"])
    settings = identity_config(backend, volume / "state", sandbox=sandbox)
    port = free_port()
    settings["listen"] = [{"address": f"127.0.0.1:{port}", "tls": pair.settings()}]
    return settings, pair, port


def ask(pair, port, *what, **options):
    with Client(port, tls=pair.client_context()) as client:
        return client.request(*what, **options)


@pytest.mark.parametrize("calls", FILTERS)
def test_the_sandbox_and_the_keys_process_start_without_any_right(
    container, backend, volume, calls
):
    sandbox = {"mode": "enforce", "required": True} if HOLDS_PORTS else "enforce"
    settings, pair, port = https(backend, volume, sandbox)
    gate = container(settings, calls, **ENV)
    gate.wait_output(" started, ")
    if HOLDS_PORTS:
        assert "sandbox: files, TCP ports and system calls are held" in gate.output()
    server = gate.pid()
    (keeper,) = children_of(server)
    assert Path(f"/proc/{keeper}/comm").read_text() == "gatehouse: keys\n"
    for pid in (server, keeper):
        status = status_of(pid)
        assert status["Uid"].split() == [str(USER)] * 4
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0, kind
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        # The runtime's own, and ours on top of it.
        assert int(status["Seccomp_filters"]) == 2, pid
    assert status_of(server)["NSpid"].split()[-1] == "1"
    for version in range(2):
        assert ask(pair, port, "GET", f"/public/{version}").status == 200
    signed_up = ask(pair, port, "POST", "/api/v1/auth/signup",
                    [("Content-Type", "application/json")],
                    json.dumps({"email": "ada@example.com", "password": PASSWORD}).encode())
    assert signed_up.status in (200, 201, 202), signed_up.body
    assert (volume / "state" / "gatehouse.db").exists()
    assert gate.end() == 0, gate.output()


def test_a_reload_and_the_end_of_the_keys_process(container, backend, volume):
    settings, pair, port = https(backend, volume, "enforce")
    gate = container(settings, **ENV)
    gate.wait_output(" started, ")
    server = gate.pid()
    renewed = Pair(volume / "keys", "renewed", ["localhost"])
    os.chown(renewed.key, USER, USER)
    os.rename(renewed.key, pair.key)
    os.rename(renewed.certificate, pair.certificate)
    os.kill(server, signal.SIGHUP)
    gate.wait_output("configuration reloaded")
    assert ask(pair, port, "GET", "/public/x").status == 200
    (keeper,) = children_of(server)
    os.kill(keeper, signal.SIGKILL)
    gate.wait_output("the process that keeps the TLS keys has ended (signal 9)")
    assert gate.process.wait(WAIT_SECONDS) == 1, "a runtime would start it again"


def test_its_root_is_read_only(container, backend, volume):
    settings, pair, port = https(backend, volume, "enforce")
    gate = container(settings, **ENV)
    gate.wait_output(" started, ")
    mounts = [line.split() for line in Path(f"/proc/{gate.pid()}/mountinfo").read_text().splitlines()]
    (root,) = [mount for mount in mounts if mount[4] == "/"]
    assert "ro" in root[5].split(",")
    assert ask(pair, port, "GET", "/public/").status == 200


# -- systemd's units --


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.[st]*[er]")), ids=lambda path: path.name)
def test_systemd_takes_the_unit(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    for path in UNITS.iterdir():
        text = path.read_text().replace("/usr/local/bin/gatehouse", str(BINARY))
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / unit.name)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_the_unit_leaves_little_open():
    """What systemd counts: 0 is nothing, 10 everything. Most of the rest is that it has a network."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20"]
    told = subprocess.run([*command, str(UNITS / "gatehouse.service")], capture_output=True,
                          text=True, timeout=30)
    assert told.returncode == 0, told.stdout
