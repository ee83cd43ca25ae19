"""Keys of several nodes over one PostgreSQL: replaced once, known to all before they are used."""

import json

import pytest

from harness.gate import run
from harness.identity import ENV, ROOT_KEY, new_person
from harness.nodes import at, node_config, settings_of

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def name(postgres_server):
    return postgres_server.database()


@pytest.fixture
def new_key():
    return run("secrets", "generate", "--raw").stdout.strip()


def secrets(tmp_path, settings, *words, env=ENV):
    """A command, which opens the store itself."""
    path = tmp_path / "command.yaml"
    path.write_text(json.dumps(settings))
    return run("secrets", *words, "--config", path, env=env, timeout=60)


def assert_one_system(person, *nodes):
    """Whoever signs in on one node goes on with the others, and what one has sealed all open."""
    for gate in nodes:
        assert at(person, gate).get("/anything").status == 200
        assert person.refresh().status == 200, gate
        assert person.api("GET", "/account/profile").json()["email"] == person.email
    for gate in nodes:
        newcomer = new_person(gate)
        for other in nodes:
            assert at(newcomer, other).refresh().status == 200
            assert newcomer.api("GET", "/account/sessions").status == 200


def field_keys(postgres_server, name):
    """(in use, retired)"""
    rows = postgres_server.query("SELECT retired_us > 0 FROM keys WHERE purpose = 0", name)
    return sum(row == ["f"] for row in rows), sum(row == ["t"] for row in rows)


def test_a_new_root_in_its_file_needs_no_restart(start, backend, tmp_path, postgres_server, name,
                                                 new_key):
    root, previous = tmp_path / "root", tmp_path / "root.previous"
    root.write_text(ROOT_KEY)
    previous.write_text(ROOT_KEY)
    settings = node_config(backend, tmp_path, postgres_server.url(name),
                           secrets={"root": f"file:{root}", "previous": [f"file:{previous}"]})
    first, second = (start(settings_of(settings)) for _ in range(2))
    person = new_person(first)
    assert_one_system(person, first, second)
    root.write_text(new_key)
    result = secrets(tmp_path, settings, "rotate", env={})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "root key: replaced" in result.stdout
    assert field_keys(postgres_server, name) == (1, 1)
    assert_one_system(person, first, second)
    previous.write_text(new_key)  # the old one opens nothing any more
    first.stop()
    third = start(settings_of(settings))
    assert_one_system(person, second, third)


def test_a_root_that_a_node_does_not_know_is_refused(start, backend, tmp_path, postgres_server,
                                                     name, new_key):
    settings = node_config(backend, tmp_path, postgres_server.url(name))
    first, second = (start(settings_of(settings), env=ENV) for _ in range(2))
    person = new_person(first)
    file = tmp_path / "new"
    file.write_text(new_key)
    result = secrets(tmp_path, settings, "rotate", "--root-file", file)
    assert result.returncode == 2, result.stdout
    assert "does not know the new root key" in result.stderr
    assert field_keys(postgres_server, name) == (1, 0)
    assert_one_system(person, first, second)
    first.stop()
    third = start(settings_of(settings), env=ENV)
    assert_one_system(person, second, third)


def test_a_new_root_comes_with_a_rolling_restart(start, backend, tmp_path, postgres_server, name,
                                                 new_key):
    settings = node_config(backend, tmp_path, postgres_server.url(name))
    first, second = (start(settings_of(settings), env=ENV) for _ in range(2))
    person = new_person(first)
    renewed = {**settings, "secrets": {"root": "env:NEW_KEY", "previous": ["env:APP_SECRET_KEY"]}}
    both = {**ENV, "NEW_KEY": new_key}
    first.stop()
    third = start(settings_of(renewed), env=both)
    assert_one_system(person, second, third)  # which does not know the new root
    result = secrets(tmp_path, renewed, "rotate", env=both)
    assert result.returncode == 2, result.stdout
    assert_one_system(person, second, third)
    second.stop()
    fourth = start(settings_of(renewed), env=both)
    result = secrets(tmp_path, renewed, "rotate", env=both)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "root key: replaced" in result.stdout
    assert_one_system(person, third, fourth)
    status = secrets(tmp_path, renewed, "status", env=both)
    assert status.returncode == 0, status.stdout


def test_two_rotations_at_once_make_one_key(start, backend, tmp_path, postgres_server, name):
    from test_identity_races import in_parallel

    settings = node_config(backend, tmp_path, postgres_server.url(name))
    gate = start(settings_of(settings), env=ENV)
    person = new_person(gate)
    path = tmp_path / "command.yaml"
    path.write_text(json.dumps(settings))
    results = in_parallel(
        2, lambda _: run("secrets", "rotate", "--config", path, env=ENV, timeout=60))
    assert [result.returncode for result in results] == [0, 0], [r.stderr for r in results]
    assert field_keys(postgres_server, name) == (1, 1)
    assert_one_system(person, gate)
