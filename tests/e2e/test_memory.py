"""SPEC 11: what stands in the memory of a serving process, and what stands there no more."""

import json
import os
import secrets
import ssl
import subprocess

import pytest

from harness import memory
from harness.identity import identity_config, new_person

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reads another process's memory")


def found(gate, *texts):
    """{text: places}, of those that are found."""
    places = memory.find(gate.process.pid, *(text.encode() for text in texts))
    return {text: where for text, where in places.items() if where}


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "keys" / "root"
    path.parent.mkdir()
    path.write_text(secrets.token_urlsafe(32))
    return path


def settings_of(backend, tmp_path, root, **changes):
    return identity_config(backend, tmp_path, secrets={"root": f"file:{root}"}, **changes)


def test_the_search_finds_what_is_there(start, backend, tmp_path, root):
    """Without this the others would prove nothing."""
    gate = start(settings_of(backend, tmp_path, root))
    gate.wait_output("started")
    here = found(gate, str(tmp_path), "never-in-any-memory")
    assert str(tmp_path).encode() in here
    assert b"never-in-any-memory" not in here


def test_the_root_key_is_gone_once_keys_are_derived(start, backend, tmp_path, root):
    gate = start(settings_of(backend, tmp_path, root))
    gate.wait_output("started")
    assert found(gate, root.read_text()) == {}


def test_passwords_are_gone_when_they_were_judged(start, backend, tmp_path, root):
    gate = start(settings_of(backend, tmp_path, root), arguments=["--workers", "1"])
    first = "quixotic-lampshade-7731-verdigris"
    person = new_person(gate, password=first)
    second = "obsidian-turnstile-4402-marmalade"
    body = {"current_password": first, "new_password": second}
    response = person.api("POST", "/account/password", body)
    assert response.status in (200, 204), response.body
    person.password = second
    person.login()
    wrong = "cartwheel-pistachio-9918-lighthouse"
    assert person.other_browser().try_login(password=wrong).status == 401
    # What a worker read last lies in its buffer until it reads again.
    for _ in range(3):
        assert gate.get("/public/x" + "y" * 400).status == 200
    assert found(gate, first, second, wrong) == {}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_passwords_are_gone_over_tls(start, backend, tmp_path, root, certificates, version):
    """OpenSSL has buffers of its own."""
    pair = certificates["localhost"]
    settings = settings_of(backend, tmp_path, root)
    settings["listen"] = [{**settings["listen"][0], "tls": pair.settings()}]
    gate = start(settings, arguments=["--workers", "1"])
    context = pair.client_context()
    context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
    password = f"marzipan-escalator-{version}-turquoise-obelisk"
    body = json.dumps({"email": "ada@example.com", "password": password}).encode()
    fields = [("Content-Type", "application/json")]
    with gate.connect(tls=context) as idle:
        assert idle.request("POST", "/api/v1/auth/signup", fields, body).status < 300
        # What the worker read last lies in its buffer until it reads again.
        for _ in range(3):
            assert gate.get("/public/x" + "y" * 400, tls=context).status == 200
        assert found(gate, password) == {}
    assert found(gate, password) == {}


def test_passwords_are_gone_over_http2(start, backend, tmp_path, root, certificates):
    pair = certificates["localhost"]
    settings = settings_of(backend, tmp_path, root)
    settings["listen"] = [{**settings["listen"][0], "tls": pair.settings()}]
    gate = start(settings, arguments=["--workers", "1"])
    password = "tamarind-periscope-6120-lighthouse-oxide"
    body = json.dumps({"email": "ada@example.com", "password": password})
    curl = ["curl", "-sS", "--http2", "--cacert", str(pair.certificate), "-o", "/dev/null"]
    curl += ["-w", "%{http_version} %{http_code}\n", "-H", "Content-Type: application/json"]
    url = f"https://localhost:{gate.address}"
    told = subprocess.run([*curl, "--data-binary", "@-", f"{url}/api/v1/auth/signup"], input=body,
                          capture_output=True, text=True, timeout=20)
    assert told.stdout.startswith("2 20"), told
    for _ in range(3):
        told = subprocess.run([*curl, f"{url}/public/x{'y' * 400}"], capture_output=True,
                              text=True, timeout=20)
        assert told.stdout == "2 200\n", told
    assert found(gate, password) == {}


def test_the_mail_servers_password_is_only_where_it_is_needed(start, backend, tmp_path, root):
    password = "windmill-saffron-5573-pelican"
    file = tmp_path / "keys" / "smtp"
    file.write_text(f"smtp://user:{password}@127.0.0.1:1")
    mail = {"smtp": f"file:{file}", "folder": None}
    gate = start(settings_of(backend, tmp_path, root, identity={"mail": mail}))
    gate.wait_output("started")
    places = found(gate, password).get(password.encode(), [])
    assert len(places) == 1, "in the settings that are in use, and nowhere else"


def test_keys_lie_in_locked_pages_that_no_dump_has(start, backend, tmp_path, root):
    gate = start(settings_of(backend, tmp_path, root))
    gate.wait_output("started")
    flags = [line.split(":")[1].split() for line in
             open(f"/proc/{gate.process.pid}/smaps", encoding="utf-8")
             if line.startswith("VmFlags:")]
    maps = open(f"/proc/{gate.process.pid}/maps", encoding="utf-8").read()
    wanted = {"dd", "dc"} if "libasan" in maps or "libtsan" in maps else {"lo", "dd", "dc"}
    guarded = [words for words in flags if wanted <= set(words)]  # sanitizers leave mlock out
    assert len(guarded) >= 3, "the root's wrapping key, a field key, the signing key"
