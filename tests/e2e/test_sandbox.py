"""SPEC 11: what a serving process has given up, and that it serves all the same."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness.backend import Backend
from harness.gate import Gatehouse, config, free_port, run
from harness.identity import ENV, deployed, identity_config, new_person

# What this kernel's Landlock can: files since 1, TCP ports since 4; below 1 there is none.
LANDLOCK_VERSION = ctypes.CDLL(None).syscall(444, None, 0, 1)
HOLDS_PORTS = LANDLOCK_VERSION >= 4
REQUIRED = {"mode": "enforce", "required": True}
ENFORCE = REQUIRED if HOLDS_PORTS else {"mode": "enforce"}
HELD = "sandbox: files, TCP ports and system calls are held" if HOLDS_PORTS else "are not held"
needs_files = pytest.mark.skipif(LANDLOCK_VERSION < 1, reason="this kernel has no Landlock")
needs_ports = pytest.mark.skipif(not HOLDS_PORTS, reason="this kernel's Landlock holds no ports")


def status_of(task):
    lines = (Path(task) / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def tasks(gate):
    return sorted(Path(f"/proc/{gate.process.pid}/task").iterdir())


def reload(gate, settings, outcome="configuration reloaded"):
    before = gate.output().count(outcome)
    gate.write_config(settings)
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.output().count(outcome) > before, outcome)
    return [line for line in gate.lines if outcome in line][-1]


# -- what is held --


def test_every_thread_is_held(tmp_path):
    with deployed(tmp_path, sandbox=ENFORCE) as deployment:
        deployment.gate.wait_output(HELD)
        seen = [status_of(task) for task in tasks(deployment.gate)]
        assert len(seen) > 8, "loops, lanes, the log's, the keeper's"
        for status in seen:
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status["Name"]
        new_person(deployment.gate)
        for task in tasks(deployment.gate):
            assert status_of(task)["Seccomp"] == "2"


def test_core_dumps_are_off(start, backend):
    gate = start(config(backend, sandbox=ENFORCE))
    limits = Path(f"/proc/{gate.process.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    # What belongs to a process that may be dumped belongs to its user; else to root alone.
    assert os.stat(f"/proc/{gate.process.pid}/environ").st_uid == 0


def test_it_runs_as_another_user(backend, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root becomes another")
    settings = config(backend, sandbox=ENFORCE)
    with Gatehouse(settings, arguments=["--user", "nobody"]) as gate:
        gate.wait_output(HELD)
        assert gate.get("/").status == 200
        for task in tasks(gate):
            status = status_of(task)
            assert status["Uid"].split()[0] != "0"
            assert int(status["CapEff"], 16) == 0
            assert status["Seccomp"] == "2"


def test_log_mode_holds_nothing_and_says_what_would_be(start, backend):
    gate = start(config(backend, sandbox="log"))
    gate.wait_output("sandbox: log: nothing is held")
    gate.wait_output(f"enforce would hold files and ports: may connect to port {backend.port}")
    assert gate.get("/").status == 200
    assert all(status_of(task)["Seccomp"] == "2" for task in tasks(gate))


def test_off_holds_nothing_but_privileges(start, backend):
    gate = start(config(backend, sandbox="off"))
    assert gate.get("/").status == 200
    status = status_of(tasks(gate)[0])
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "0")
    assert "sandbox" not in gate.output()


# -- a kernel that can't: a filter of a container's runtime refuses what the sandbox asks for --

REFUSING = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
numbers = [int(n) for n in sys.argv[1].split(",")]
# Classic BPF: each of these system calls says ENOSYS, as an old kernel does.
code = [(0x20, 0, 0, 0)]
for n in numbers:
    code += [(0x15, 0, 1, n), (0x06, 0, 0, 0x00050000 | 38)]
code.append((0x06, 0, 0, 0x7FFF0000))
program = b"".join(struct.pack("HBBI", *line) for line in code)
memory = ctypes.create_string_buffer(program)
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(memory)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, fprog, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[2], sys.argv[2:])
"""
LANDLOCK = "444,445,446"
SECCOMP = "317"


def without(tmp_path, *calls):
    script = tmp_path / "refusing.py"
    script.write_text(REFUSING)
    return ["/usr/bin/python3", str(script), ",".join(calls)]


@pytest.mark.parametrize(
    "calls, says",
    [
        ([LANDLOCK], "no Landlock: files and TCP ports are not held"),
        pytest.param([SECCOMP], "no seccomp: system calls are not held", marks=needs_ports),
        ([LANDLOCK, SECCOMP], "neither Landlock nor seccomp"),
    ],
)
def test_without_the_kernels_help_it_warns_once_and_serves(backend, tmp_path, calls, says):
    settings = config(backend, sandbox="enforce")
    with Gatehouse(settings, prefix=without(tmp_path, *calls)) as gate:
        gate.wait_output(says)
        assert gate.get("/").status == 200
        assert gate.output().count("this kernel offers") == 1


@pytest.mark.parametrize("calls", [LANDLOCK, pytest.param(SECCOMP, marks=needs_ports)])
def test_without_what_is_required_it_does_not_start(backend, tmp_path, calls):
    settings = config(backend, sandbox=REQUIRED)
    gate = Gatehouse(settings, prefix=without(tmp_path, calls), wait=False)
    assert gate.wait_exit() == 2
    assert "can't start: sandbox: required, and this kernel" in gate.stderr
    gate.folder.cleanup()


# -- files that are replaced --

OWN_ETC = 'mount --bind "$0" /etc && exec "$@"'


@needs_files
def test_a_replaced_resolv_conf_is_told_without_any_other_event(start, backend, tmp_path):
    etc = tmp_path / "etc"
    prefix = ["unshare", "--mount", "sh", "-c", OWN_ETC, str(etc)]
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no mounts here")
    path = etc / "resolv.conf"
    path.unlink()
    path.write_text("nameserver 127.0.0.1\n")
    settings = config(backend, sandbox="enforce", admin_listen=f"127.0.0.1:{free_port()}")
    gate = start(settings, prefix=prefix)
    says = "sandbox: /etc/resolv.conf (names and addresses) was replaced"
    path.write_text("nameserver 127.0.0.2\n")  # in place: nothing to tell
    (etc / "other").write_text("x")
    gate.clock.advance(30)
    assert gate.metrics()["gatehouse_sandbox_replaced_files"] == 0
    (etc / "resolv.conf.new").write_text("nameserver 127.0.0.3\n")
    os.rename(path, etc / "resolv.conf.old")
    os.rename(etc / "resolv.conf.new", path)
    gate.clock.advance(10)
    gate.wait_output(says)
    metrics = gate.metrics()
    assert metrics["gatehouse_sandbox_replaced_files"] == 1
    assert metrics['gatehouse_sandbox_held{what="files"}'] == 1
    os.rename(etc / "resolv.conf.old", path)  # the very file
    gate.clock.advance(10)
    gate.wait_for(lambda: gate.metrics()["gatehouse_sandbox_replaced_files"] == 0, "its return")
    assert gate.output().count("was replaced") == 1


# -- check --


def test_check_says_what_it_means(backend, tmp_path):
    path = tmp_path / "gatehouse.json"
    settings = config(backend, sandbox=REQUIRED)
    path.write_text(json.dumps(settings))
    text = run("check", path).stdout
    assert "or serve does not start" in text
    assert f"may connect to port {backend.port}" in text
    assert f"may read {tmp_path} (the configuration)" in text
    policy = json.loads(run("check", path, "--json").stdout)["policy"]
    assert policy["sandbox"]["mode"] == "enforce" and policy["sandbox"]["required"]
    assert f"may connect to port {backend.port}" in policy["sandbox"]["rules"]


# -- reloads --


def test_a_certificate_elsewhere_needs_a_restart(start, backend, certificates, tmp_path):
    pair, other = certificates["localhost"], certificates["renewed"]
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, source in ((here, pair), (there, other)):
        folder.mkdir()
        (folder / "chain.pem").write_bytes(Path(source.certificate).read_bytes())
        (folder / "key.pem").write_bytes(Path(source.key).read_bytes())

    def listen(folder):
        tls = {"certificate": str(folder / "chain.pem"), "key": str(folder / "key.pem")}
        return [{**settings["listen"][0], "tls": tls}]

    settings = config(backend, sandbox=ENFORCE)
    settings["listen"] = listen(here)
    gate = start(settings)
    line = reload(gate, {**settings, "listen": listen(there)}, "reload refused")
    assert f"{there}/chain.pem" in line and line.rstrip('"}').endswith("needs a restart")
    # In the directory that was named, new files are taken.
    for name in ("chain.pem", "key.pem"):
        (here / f"{name}.new").write_bytes((there / name).read_bytes())
        os.rename(here / f"{name}.new", here / name)
    reload(gate, settings)
    with gate.connect(tls=other.client_context()) as client:
        assert client.request("GET", "/").status == 200


def test_a_document_elsewhere_needs_a_restart(start, backend, tmp_path):
    folder, elsewhere = tmp_path / "one", tmp_path / "two"
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"},
                "paths": {"/": {"get": {"responses": {"200": {"description": "ok"}}}}}}
    for place in (folder, elsewhere):
        place.mkdir()
        (place / "api.json").write_text(json.dumps(document))

    def with_input(path):
        route = {"path": "/**", "upstream": "api", "access": "public", "input": str(path)}
        return config(backend, sandbox=ENFORCE, listen=listen, routes=[route])

    listen = [{"address": f"127.0.0.1:{free_port()}"}]
    gate = start(with_input(folder / "api.json"))
    line = reload(gate, with_input(elsewhere / "api.json"), "reload refused")
    assert f"reading {elsewhere}" in line and "needs a restart" in line
    assert gate.get("/").status == 200


def test_another_port_needs_a_restart_unless_it_was_named(start, backend):
    with Backend() as other, Backend() as third:
        sandbox = {**ENFORCE, "connect": third.port}
        settings = config(backend, sandbox=sandbox)
        gate = start(settings)
        line = reload(gate, {**settings, "upstreams": {"api": {"servers": [other.url]}}},
                      "reload refused")
        assert f"connecting to port {other.port} needs a restart" in line
        assert gate.get("/").status == 200
        assert backend.requests and not other.requests
        reload(gate, {**settings, "upstreams": {"api": {"servers": [third.url]}}})
        assert gate.get("/").status == 200
        assert third.requests


def test_another_listener_needs_a_restart_unless_it_was_named(start, backend):
    privileged, later = 81, free_port()
    settings = config(backend, sandbox={**ENFORCE, "listen": [later]})
    gate = start(settings)
    for port in (privileged, free_port()):
        listen = [*settings["listen"], {"address": f"127.0.0.1:{port}"}]
        line = reload(gate, {**settings, "listen": listen}, "reload refused")
        assert f"listening on port {port} needs a restart" in line
    listen = [*settings["listen"], {"address": f"127.0.0.1:{later}"}]
    reload(gate, {**settings, "listen": listen})
    assert gate.get("/", address=later).status == 200


def test_a_file_that_can_not_be_read_is_told_as_that(start, backend):
    settings = config(backend, sandbox="off")
    gate = start(settings)
    gate.config_path.write_text("version: 1\nlisten: [")
    gate.signal(signal.SIGHUP)
    gate.wait_output("reload refused")
    assert "sandbox" not in gate.output()


def test_a_mode_that_is_none_is_told_as_that(start, backend):
    settings = config(backend, sandbox="off")
    gate = start(settings)
    line = reload(gate, {**settings, "sandbox": "enforced"}, "reload refused")
    assert "needs a restart" not in line
    assert "sandbox: another mode" not in gate.output()


def test_another_mode_needs_a_restart(start, backend):
    settings = config(backend, sandbox=ENFORCE)
    gate = start(settings)
    line = reload(gate, {**settings, "sandbox": "off"}, "reload refused")
    assert "sandbox: another mode needs a restart" in line


# -- serving --


def test_a_first_start_with_an_empty_directory(tmp_path):
    (tmp_path / "new").mkdir()
    with deployed(tmp_path / "new", sandbox=ENFORCE) as deployment:
        admin = deployment.admin()
        assert admin.session()["user"]["roles"]
        names = {path.name for path in (tmp_path / "new").iterdir()}
        assert any(name.endswith("-wal") for name in names), names


def test_challenges_of_acme_are_answered(start, backend, tmp_path):
    folder = tmp_path / "acme"
    folder.mkdir()
    gate = start(config(backend, sandbox=ENFORCE, https={"acme_directory": str(folder)}))
    (folder / "token-1").write_text("token-1.thumb")
    assert gate.get("/.well-known/acme-challenge/token-1").body == b"token-1.thumb"


def test_challenges_are_answered_from_a_directory_that_comes_and_goes(start, backend, tmp_path):
    root = tmp_path / "www"
    folder = root / ".well-known" / "acme-challenge"
    root.mkdir()
    settings = config(backend, sandbox=ENFORCE, https={"acme_directory": str(folder)})
    gate = start(settings)
    for token in ("first", "second"):  # as certbot does it
        folder.mkdir(parents=True)
        (folder / token).write_text(token)
        assert gate.get(f"/.well-known/acme-challenge/{token}").body == token.encode()
        reload(gate, settings)
        (folder / token).unlink()
        folder.rmdir()
        folder.parent.rmdir()


def test_what_is_not_there_at_the_start_is_told(start, backend, tmp_path):
    settings = config(backend, sandbox=ENFORCE, https={"acme_directory": "/srv/gatehouse-none"})
    gate = start(settings)
    gate.wait_output("/srv/gatehouse-none (answers to ACME) is not there")
    reload(gate, settings)  # it is not missed more than before


def test_a_copy_of_the_audit_log_may_be_rotated(tmp_path):
    copy = tmp_path / "copies" / "audit.jsonl"
    copy.parent.mkdir()
    with deployed(tmp_path, sandbox=ENFORCE, audit={"export": [f"file:{copy}"]}) as deployment:
        new_person(deployment.gate)
        deployment.gate.wait_for(lambda: copy.exists() and copy.stat().st_size, "the first copy")
        copy.rename(copy.with_suffix(".1"))
        new_person(deployment.gate)
        deployment.gate.wait_for(lambda: copy.exists() and copy.stat().st_size, "a new copy")


def test_a_store_that_was_killed_is_taken_up_again(tmp_path, backend):
    settings = identity_config(backend, tmp_path, sandbox=ENFORCE)
    with Gatehouse(settings, env=ENV) as gate:
        person = new_person(gate)
        gate.process.kill()
        gate.process.wait()
        gate.stopped = True
    with Gatehouse(settings, env=ENV) as gate:
        person.gate = gate
        person.login()
        assert person.is_signed_in()
