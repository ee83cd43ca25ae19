"""SPEC 11: who may read keys and secrets in files, as `check` tells it."""

import json
import os
import pwd
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.certs import Pair
from harness.gate import BINARY, config, free_port
from harness.identity import ENV, identity_config

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def open_folder():
    """One that other users may look into, which pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-private-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def tls(backend, *pairs):
    settings = [pair.settings() for pair in pairs]
    listen = [{"address": f"127.0.0.1:{free_port()}", "tls": settings}]
    return config(backend, listen=listen, sandbox="enforce")


def problems_of(folder, settings, env=None, **options):
    """What `check` says, without what it says of routes and rates."""
    path = folder / "etc" / "gatehouse.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings))
    path.chmod(0o644)
    command = [str(BINARY), "check", "--json", "--quiet", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30,
                          env={**os.environ, **(env or {})}, **options)
    assert told.returncode == 0, told.stdout + told.stderr
    return [p for p in json.loads(told.stdout)["problems"]
            if "private key" in p["message"] or "secret" in p["message"]]


@as_root
@pytest.mark.parametrize(
    "owner, mode, says",
    [
        (0, 0o600, None),
        (0, 0o640, None),  # certbot's, Debian's ssl-cert
        (0, 0o644, "a private key that every user of this machine may read (its mode is 0644)"),
        (1, 0o600, None),
        (1, 0o640, "a private key that a group may read (its mode is 0640)"),
        (1, 0o604, "a private key that every user of this machine may read (its mode is 0604)"),
    ],
)
def test_check_warns_of_a_key_that_others_may_read(backend, open_folder, owner, mode, says):
    keys = open_folder / "keys"
    keys.mkdir()
    pair = Pair(keys, "apart", ["localhost"])
    os.chown(pair.key, owner, owner)
    pair.key.chmod(mode)
    told = problems_of(open_folder, tls(backend, pair))
    assert [p["message"] for p in told] == ([f"{pair.key}: {says}"] if says else [])
    assert all(p["severity"] == "warning" and p["line"] > 0 for p in told)
    keys.chmod(0o700)  # nobody but root gets there
    told = problems_of(open_folder, tls(backend, pair))
    assert not any("every user" in p["message"] for p in told)


@as_root
def test_check_warns_of_a_key_in_reach_of_the_server_as_the_start_does(
    start, backend, open_folder
):
    nobody = pwd.getpwnam("nobody")
    here, keys = open_folder / "etc", open_folder / "keys"
    here.mkdir(), keys.mkdir()
    pair = Pair(here, "tls", ["localhost"])
    apart = Pair(keys, "apart", ["localhost"])
    for one in (pair, apart):
        os.chown(one.key, nobody.pw_uid, nobody.pw_gid)
    says = f"{pair.key}: a private key that the server can read as well as the process that keeps it"
    settings = tls(backend, pair, apart)
    told = problems_of(open_folder, settings)
    assert [p["message"] for p in told] == [says], "that beside the configuration, not that apart"
    gate = start(str(open_folder / "etc" / "gatehouse.json"), arguments=("--user", "nobody"),
                 env={"LISTEN": settings["listen"][0]["address"]})
    gate.wait_output(" started, ")
    assert gate.output().count("a private key that the server can read") == 1
    gate.wait_output(says)
    # Whom it runs as, unless root: the same.
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    assert [p["message"] for p in problems_of(open_folder, settings, **user)] == [says]
    for one in (pair, apart):
        os.chown(one.key, 0, 0)
    assert problems_of(open_folder, settings) == []
    settings["sandbox"] = "off"  # then nothing holds the server away from anything
    for one in (pair, apart):
        os.chown(one.key, nobody.pw_uid, nobody.pw_gid)
    assert problems_of(open_folder, settings) == []


@as_root
def test_check_warns_of_a_secret_that_others_may_read(backend, open_folder):
    secret = open_folder / "root"
    secret.write_text("k7f3Pz0uVq9sB2xN5mYcE8dR1tLwHa4gJ6oKi-UbQeZ")
    state = open_folder / "state"
    state.mkdir(mode=0o700)
    settings = identity_config(backend, state, secrets={"root": f"file:{secret}"})
    secret.chmod(0o644)
    (told,) = problems_of(open_folder, settings, ENV)
    assert told["message"] == (
        f"{secret}: a secret that every user of this machine may read (its mode is 0644)"
    )
    secret.chmod(0o600)
    assert problems_of(open_folder, settings, ENV) == []
