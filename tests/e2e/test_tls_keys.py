"""SPEC 11: the private TLS keys are in a process of their own, and in no other memory."""

import contextlib
import json
import os
import pwd
import re
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
import yaml

from harness.backend import Backend, answer
from harness.gate import BINARY, config, free_port, run
from harness.memory import find
from harness.wire import Client, request

KINDS = {
    "rsa": ["rsa:2048"],
    "p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["ed25519"],
}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root reads others' memory")


class KeyPair:
    def __init__(self, folder, kind, stem=None):
        self.certificate = folder / f"{stem or kind}.crt"
        self.key = folder / f"{stem or kind}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "30"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            + ["-keyout", str(self.key), "-out", str(self.certificate)],
            check=True,
            capture_output=True,
        )
        self.certificate.chmod(0o644)

    def settings(self):
        return {"certificate": str(self.certificate), "key": str(self.key)}

    def context(self, version=None):
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.set_alpn_protocols(["http/1.1"])
        if version:
            context.minimum_version = context.maximum_version = VERSIONS[version]
        return context

    def numbers(self):
        """The private numbers, as they are written in files."""
        text = subprocess.run(
            ["openssl", "pkey", "-in", str(self.key), "-noout", "-text"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found = {}
        for name in ("privateExponent", "prime1", "prime2", "priv"):
            if match := re.search(rf"^{name}:\s*\n((?:\s+[0-9a-f:]+\n)+)", text, re.MULTILINE):
                found[name] = bytes.fromhex(re.sub(r"[\s:]", "", match[1])).lstrip(b"\0")
        assert found, text
        return found

    def traces(self):
        """What would give the key away: numbers in either order of bytes, and lines of the file."""
        traces = set()
        for number in self.numbers().values():
            traces |= {number, number[::-1]}
        lines = [line for line in self.key.read_text().splitlines() if "-----" not in line]
        return traces | {line.encode() for line in lines if len(line) >= 32}


def tls(backend, *pairs, **changes):
    settings = [pair.settings() for pair in pairs]
    listen = [{"address": f"127.0.0.1:{free_port()}", "tls": settings}]
    return config(backend, **{"listen": listen, "sandbox": "enforce", **changes})


def children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def keeper_of(gate):
    """Once both have given up their rights; the listener is open before."""
    gate.wait_output(" started, ")
    (child,) = children(gate.process.pid)
    return child


def is_there(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_gone(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while is_there(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)


def wait_stopped(pid, seconds=10):
    """A signal stops one thread, and that one the others; until then they sign."""
    deadline = time.monotonic() + seconds
    while any(status_of(task)["State"][0] != "T" for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, f"{pid} runs on"
        time.sleep(0.01)


def status_of(task):
    lines = Path(task, "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def reload(gate, outcome="configuration reloaded", settings=None):
    before = gate.output().count(outcome)
    if settings:
        gate.write_config(settings)
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: gate.output().count(outcome) > before, outcome)
    return [line for line in gate.lines if outcome in line][-1]


def get(gate, pair, **options):
    with Client(gate.address, tls=pair.context(**options)) as client:
        return client.request("GET", "/").status


# -- handshakes --


@pytest.mark.release
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key_signs(start, backend, tmp_path, kind, version):
    pair = KeyPair(tmp_path, kind)
    gate = start(tls(backend, pair))
    assert get(gate, pair, version=version) == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_resumed(start, backend, tmp_path, version):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair))
    context = pair.context(version)

    def connect(session):
        raw = socket.create_connection(("127.0.0.1", gate.address))
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as client:
            client.sendall(request("GET", "/"))
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            return client.session, client.session_reused

    session, resumed = connect(None)
    assert not resumed
    assert connect(session)[1]


@pytest.mark.release
def test_a_thousand_handshakes(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair))
    contexts = [pair.context(version) for version in VERSIONS]
    failures = []

    def many():
        for number in range(250):
            try:
                with socket.create_connection(("127.0.0.1", gate.address), 20) as raw:
                    context = contexts[number % 2]
                    context.wrap_socket(raw, server_hostname="localhost").close()
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert is_there(keeper_of(gate))


# -- where the keys are --


@as_root
@pytest.mark.release
def test_more_connections_stay_open_than_locked_memory_has_room_for(start, backend, tmp_path):
    """OpenSSL keeps the ephemeral key of each, and fails where it should lie in a heap that is full."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair, limits={"connections_per_client": 2000}))
    context = pair.context("1.3")
    context.set_ecdh_curve("secp521r1")  # the longest, of 128 bytes
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            stack.enter_context(Client(gate.address, tls=context))
        assert get(gate, pair) == 200


@pytest.mark.release
@pytest.mark.parametrize("kind", KINDS)
def test_the_key_is_in_the_keepers_memory_and_in_no_other(start, backend, tmp_path, kind):
    pair = KeyPair(tmp_path, kind)
    gate = start(tls(backend, pair))
    for version in VERSIONS:
        assert get(gate, pair, version=version) == 200
    reload(gate)
    assert get(gate, pair) == 200
    traces = pair.traces()
    here = find(gate.process.pid, *traces)
    assert not any(here.values()), {trace.hex(): at for trace, at in here.items() if at}
    there = find(keeper_of(gate), *traces)
    assert any(there.values())
    # And what is no secret is found in both, so that the search itself is known to work.
    name = pair.certificate.name.encode()
    assert find(gate.process.pid, name)[name]


def ticket_name(gate, pair, folder):
    """The first bytes of a ticket of TLS 1.2: the name of the key that it is sealed with."""
    session = folder / "session.pem"
    subprocess.run(
        ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{gate.address}"]
        + ["-CAfile", str(pair.certificate), "-sess_out", str(session)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=20,
    )
    text = subprocess.run(
        ["openssl", "sess_id", "-in", str(session), "-noout", "-text"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    line = re.search(r"TLS session ticket:\n\s+0000 - ((?:[0-9a-f]{2}[ -]){16})", text)[1]
    return bytes.fromhex(line.replace("-", " "))


def flags_at(pid, address):
    """Of the memory there, as smaps has them."""
    here = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            here = int(match[1], 16) <= address < int(match[2], 16)
        elif here and line.startswith("VmFlags:"):
            return set(line.split()[1:])
    return set()


@as_root
@pytest.mark.release
def test_keys_of_tickets_lie_in_locked_pages_and_nowhere_else(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair), arguments=("--workers", "1"))
    pid = gate.process.pid
    name = ticket_name(gate, pair, tmp_path)
    is_sanitized = "libasan" in Path(f"/proc/{pid}/maps").read_text()
    wanted = {"dd", "dc"} if is_sanitized else {"lo", "dd", "dc"}  # sanitizers leave mlock out
    held = [at for at, _ in find(pid, name)[name] if wanted <= flags_at(pid, at)]
    assert len(held) == 1, "the name stands with its keys; alone it may be anywhere"
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(held[0] + len(name))
        cipher, mac = memory.read(32), memory.read(32)
    assert get(gate, pair, version="1.2") == 200
    assert get(gate, pair, version="1.3") == 200
    for key, at in ((cipher, held[0] + 16), (mac, held[0] + 48)):
        assert [place for place, _ in find(pid, key)[key]] == [at]


def test_it_says_what_it_is_and_knows_no_environment(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair), env={"APP_CANARY": "a-secret-of-the-environment"})
    child = keeper_of(gate)
    assert Path(f"/proc/{child}/comm").read_text() == "gatehouse: keys\n"
    assert Path(f"/proc/{child}/cmdline").read_bytes().rstrip(b"\0") == b"gatehouse: keys"
    if os.geteuid() == 0:
        assert b"canary" not in Path(f"/proc/{child}/environ").read_bytes().lower()
    gate.wait_output(f"process {child} keeps the TLS keys")


@as_root
def test_it_is_held(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair))
    child = keeper_of(gate)
    tasks = list(Path(f"/proc/{child}/task").iterdir())
    assert len(tasks) >= 2  # one that reads files, one for each worker
    for task in tasks:
        status = status_of(task)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    links = [os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir()]
    assert all(l.startswith(("socket:", "pipe:")) or l == "/dev/null" for l in links), links
    limits = Path(f"/proc/{child}/limits").read_text()
    assert re.search(r"Max core file size +0 +0", limits)


@pytest.mark.parametrize("mode", ["log", "off"])
def test_it_is_held_as_the_server_is(start, backend, tmp_path, mode):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair, sandbox=mode))
    assert get(gate, pair) == 200
    filters = {"log": "2", "off": "0"}[mode]
    assert status_of(f"/proc/{keeper_of(gate)}")["Seccomp"] == filters


def test_without_tls_there_is_no_such_process(start, backend):
    assert children(start(config(backend)).process.pid) == []


def test_check_says_who_may_read_them(tmp_path, backend):
    pair = KeyPair(tmp_path, "p256")
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(tls(backend, pair)))
    told = run("check", "--json", path)
    rules = json.loads(told.stdout)["policy"]["sandbox"]["rules"]
    assert f"may read {tmp_path} (certificates and keys, for the process that keeps them)" in rules


def test_check_needs_no_such_process_and_says_the_same(tmp_path, backend):
    pair, other = KeyPair(tmp_path, "p256"), KeyPair(tmp_path, "p256", "other")
    pair.key = other.key
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(tls(backend, pair)))
    checked, served = run("check", path), run("serve", "--config", path, "--user", "root")
    message = f"the key {other.key} does not belong to certificate {pair.certificate}"
    assert (checked.returncode, served.returncode) == (1, 2)
    assert message in checked.stdout + checked.stderr
    assert message in served.stderr


# -- rights --


@pytest.fixture
def open_folder():
    """One that other users may look into, which pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-keys-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@as_root
def test_keys_that_root_alone_may_read_are_read_at_the_start(start, backend, open_folder):
    pair = KeyPair(open_folder, "p256")
    pair.key.chmod(0o600)
    gate = start(tls(backend, pair), arguments=("--user", "nobody"))
    gate.path.chmod(0o755)
    for pid in (keeper_of(gate), gate.process.pid):
        assert status_of(f"/proc/{pid}")["Uid"].split()[0] != "0"
    assert get(gate, pair) == 200
    line = reload(gate, "reload refused")
    assert f"{pair.key}: permission denied" in line
    assert get(gate, pair) == 200


@as_root
def test_they_may_be_kept_by_another_user_who_reads_them_again(start, backend, open_folder):
    pair = KeyPair(open_folder, "p256")
    os.chown(pair.key, 1, 1)
    pair.key.chmod(0o600)
    gate = start(tls(backend, pair), arguments=("--user", "nobody", "--keys-user", "daemon"))
    gate.path.chmod(0o755)
    assert status_of(f"/proc/{keeper_of(gate)}")["Uid"].split() == ["1"] * 4
    assert status_of(f"/proc/{gate.process.pid}")["Uid"].split()[0] not in ("0", "1")
    renewed = KeyPair(open_folder, "ed25519", "renewed")
    os.chown(renewed.key, 1, 1)
    os.rename(renewed.key, pair.key)
    os.rename(renewed.certificate, pair.certificate)
    reload(gate)
    assert get(gate, pair) == 200


@as_root
def test_a_start_warns_that_its_user_cannot_read_them_again(start, backend, open_folder):
    pair = KeyPair(open_folder, "p256")
    pair.key.chmod(0o600)
    gate = start(tls(backend, pair), arguments=("--user", "nobody", "--keys-user", "daemon"))
    gate.wait_output(f"user daemon, who keeps the TLS keys, can't read {pair.key} again")
    # In a folder that only root may look into.
    gate.wait_output(f"{gate.config_path} can't be read again")
    gate.wait_output("started")
    assert str(pair.certificate) not in gate.output()
    gate.path.chmod(0o755)
    assert str(pair.key) in reload(gate, "reload refused")


@as_root
def test_an_unknown_user_is_named(tmp_path, backend):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(tls(backend, KeyPair(tmp_path, "p256"))))
    result = run("serve", "--config", path, "--user", "root", "--keys-user", "nobody-there")
    assert result.returncode == 2
    assert "there is no user nobody-there" in result.stderr
    assert "--user" not in result.stderr  # that one is right


@as_root
@pytest.mark.parametrize(
    "user, words",
    [("nobody", "only root can become user nobody"), ("nobody-there", "no user nobody-there")],
)
def test_only_root_becomes_another_user(open_folder, backend, user, words):
    path = open_folder / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(config(backend, listen=[f"127.0.0.1:{free_port()}"])))
    command = [BINARY, "serve", "--config", path, "--user", user]
    result = subprocess.run(command, user="daemon", capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and words in result.stderr, result.stderr


# -- others of the same user --

LOOK = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert os.getuid() == int(sys.argv[1]) != 0
for pid in map(int, sys.argv[2:]):
    seen = []
    for name in ("mem", "maps", "environ", "auxv", "pagemap"):
        try:
            open(f"/proc/{pid}/{name}", "rb").close()
            seen.append(name)
        except PermissionError:
            pass
    try:
        os.listdir(f"/proc/{pid}/fd")
        seen.append("fd")
    except PermissionError:
        pass
    if libc.ptrace(0x4206, pid, 0, 0) == 0:  # PTRACE_SEIZE
        seen.append("ptrace")
    print(",".join(seen) or "nothing")
"""


@as_root
@pytest.mark.release
@pytest.mark.parametrize("how", ["becomes the user", "is started as the user"])
def test_others_of_its_user_can_not_look_into_either_process(start, backend, open_folder, how):
    nobody = pwd.getpwnam("nobody")
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    pair = KeyPair(open_folder, "p256")
    if how == "becomes the user":
        gate = start(tls(backend, pair), arguments=("--user", "nobody"))
    else:
        os.chown(pair.key, nobody.pw_uid, nobody.pw_gid)
        if subprocess.run([str(BINARY), "version"], capture_output=True, **user).returncode:
            pytest.skip("the binary is out of that user's reach")
        settings = tls(backend, pair)
        path = open_folder / "gatehouse.yaml"
        path.write_text(yaml.safe_dump(settings))
        ids = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        environment = {"LISTEN": settings["listen"][0]["address"], "GATEHOUSE_TEST_CLOCK": ""}
        gate = start(path, env=environment, prefix=("setpriv", *ids))
    pids = [gate.process.pid, keeper_of(gate)]
    assert get(gate, pair) == 200
    with subprocess.Popen(["sleep", "60"], **user) as open_to_all:
        assert [status_of(f"/proc/{pid}")["Uid"].split() for pid in pids] == [
            [str(nobody.pw_uid)] * 4
        ] * 2
        told = subprocess.run(
            ["/usr/bin/python3", "-c", LOOK, str(nobody.pw_uid)]
            + [str(pid) for pid in (*pids, open_to_all.pid)],
            capture_output=True,
            text=True,
            timeout=20,
            **user,
        )
        open_to_all.kill()
    assert told.returncode == 0, told.stderr
    server, keeper, other = told.stdout.split()
    assert "mem" in other and "environ" in other, "of a process that does not hide"
    assert (server, keeper) == ("nothing", "nothing")
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0", limits)


# -- reloads --


def test_a_reload_takes_new_keys_and_leaves_old_connections_alone(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "rsa")
    gate = start(tls(backend, pair))
    with Client(gate.address, tls=pair.context()) as old:
        assert old.request("GET", "/").status == 200
        renewed = KeyPair(tmp_path, "p384", "renewed")
        os.rename(renewed.key, pair.key)
        os.rename(renewed.certificate, pair.certificate)
        reload(gate)
        assert get(gate, pair) == 200
        assert old.request("GET", "/").status == 200


def test_a_reload_with_a_key_of_another_certificate_names_both(start, backend, tmp_path):
    pair, other = KeyPair(tmp_path, "p256"), KeyPair(tmp_path, "p256", "other")
    settings = tls(backend, pair)
    gate = start(settings)
    mixed = [{**pair.settings(), "key": str(other.key)}]
    listen = [{**settings["listen"][0], "tls": mixed}]
    line = reload(gate, "reload refused", {**settings, "listen": listen})
    assert f"the key {other.key} does not belong to certificate {pair.certificate}" in line
    assert get(gate, pair) == 200


def test_other_directories_and_the_first_listener_with_tls_need_a_restart(
    start, backend, tmp_path
):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    pair, other = KeyPair(here, "p256"), KeyPair(there, "p256")
    settings = tls(backend, pair)
    gate = start(settings)
    listen = [{**settings["listen"][0], "tls": other.settings()}]
    line = reload(gate, "reload refused", {**settings, "listen": listen})
    assert str(other.certificate) in line and "needs a restart" in line
    assert get(gate, pair) == 200
    plain = config(backend)
    gate = start(plain)
    listen = [{**plain["listen"][0], "tls": pair.settings()}]
    line = reload(gate, "reload refused", {**plain, "listen": listen})
    assert "needs a restart" in line
    assert gate.get("/").status == 200


def test_directories_for_later_can_be_named(start, backend, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    pair, other = KeyPair(here, "p256"), KeyPair(there, "p256")
    settings = tls(backend, pair, sandbox={"mode": "enforce", "certificates": str(there)})
    gate = start(settings)
    listen = [{**settings["listen"][0], "tls": other.settings()}]
    reload(gate, settings={**settings, "listen": listen})
    assert get(gate, other) == 200


def test_a_key_that_the_server_can_read_is_warned_of(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    says = f"{pair.key}: a private key that the server can read"
    gate = start(tls(backend, pair, sandbox={"mode": "enforce", "read": str(tmp_path)}))
    gate.wait_output(says)
    gate = start(tls(backend, pair, sandbox={"mode": "enforce", "certificates": str(tmp_path)}))
    gate.wait_output(" started, ")
    assert says not in gate.output()


# -- ends --


def test_signals_for_the_group_do_not_end_it_first(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(keeper_of(gate), number)
    assert get(gate, pair) == 200
    child = keeper_of(gate)
    gate.stop()
    wait_gone(child)


def test_nothing_is_left_of_a_killed_server(start, backend, tmp_path):
    gate = start(tls(backend, KeyPair(tmp_path, "p256")))
    child = keeper_of(gate)
    gate.process.kill()
    gate.wait_exit()
    wait_gone(child)


def test_nothing_is_left_of_a_start_that_failed(backend, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = tls(backend, KeyPair(tmp_path, "p256"))
        settings["listen"][0]["address"] = "127.0.0.1:%d" % taken.getsockname()[1]
        path = tmp_path / "gatehouse.yaml"
        path.write_text(yaml.safe_dump(settings))
        process = subprocess.Popen(
            [str(BINARY), "serve", "--config", str(path), "--user", "root"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        # The keeper holds the standard error: its end is seen when nobody has it any more.
        assert b"address" in process.stderr.read().lower()
        assert process.wait(10) == 2


def test_without_it_the_server_finishes_and_ends_with_an_error(start, tmp_path):
    release = threading.Event()

    def slow(received, _):
        release.wait(20)
        return answer(200, body=b"late")

    pair = KeyPair(tmp_path, "p256")
    with Backend(slow) as backend:
        gate = start(tls(backend, pair))
        with Client(gate.address, tls=pair.context()) as client:
            client.send(request("GET", "/slow"))
            backend.wait_requests(1)
            os.kill(keeper_of(gate), signal.SIGKILL)
            said = "the process that keeps the TLS keys has ended (signal 9)"
            gate.wait_output(said)
            release.set()
            assert client.read().body == b"late"
        assert gate.wait_exit() == 1
        assert gate.output().count(said) == 1


def test_its_end_is_seen_whatever_signals_are_ignored(start, backend, tmp_path):
    """Who starts us may ignore SIGCHLD; SIGUSR2 means nothing, and takes no other signal with it."""
    gate = start(tls(backend, KeyPair(tmp_path, "p256")),
                 prefix=("env", "--ignore-signal=CHLD,USR2"))
    keeper = keeper_of(gate)
    gate.signal(signal.SIGUSR2)
    os.kill(keeper, signal.SIGKILL)
    gate.wait_output("the process that keeps the TLS keys has ended (signal 9)")
    assert gate.wait_exit() == 1


@pytest.mark.alone
def test_a_keeper_that_hangs_holds_up_nobody_for_long(start, backend, tmp_path):
    pair = KeyPair(tmp_path, "p256")
    gate = start(tls(backend, pair), arguments=("--workers", "1"))
    child = keeper_of(gate)
    with Client(gate.address, tls=pair.context()) as settled:
        assert settled.request("GET", "/").status == 200
        os.kill(child, signal.SIGSTOP)
        try:
            wait_stopped(child)
            for _ in range(3):
                with pytest.raises((ssl.SSLError, OSError)):
                    get(gate, pair)
            began = time.monotonic()
            assert settled.request("GET", "/").status == 200
            assert time.monotonic() - began < 2
        finally:
            os.kill(child, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while True:  # the answer that it owed comes first
            try:
                assert get(gate, pair) == 200
                break
            except OSError:
                assert time.monotonic() < deadline
