"""No command, log or message shows the password of a store, whatever form its URL has."""

import itertools

import pytest
import yaml

from harness.gate import free_port, run
from harness.identity import ENV
from harness.nodes import node_config, settings_of
from harness.postgres_server import Postgres, programs

pytestmark = pytest.mark.timeout(120)

SECRET, DIGITS = "hunter2", "47114711"
PASSFILE = "PASSFILE"

# What a server refuses, or libpq, or we do.
FORMS = {
    "of the user": "postgresql://gate:hunter2@{server}/postgres",
    "percent-encoded": "postgresql://gate:%68unter2%40%2F@{server}/postgres",
    "a parameter": "postgresql://gate@{server}/postgres?password=hunter2",
    "a parameter, encoded": "postgresql://gate@{server}/postgres?p%61ssword=hunter%32",
    "twice": "postgresql://gate:hunter2@{server}/postgres?password=hunter2",
    "of a key": "postgresql://gate@{server}/postgres?sslpassword=hunter2",
    "in a file": "postgresql://gate@{server}/postgres?passfile=PASSFILE",
    "misspelt": "postgresql://gate@{server}/postgres?pasword=hunter2",
    "an encoded colon": "postgresql://gate%3Ahunter2@{server}/postgres",
    "an encoded @": "postgresql://gate:hunter2%40{server}/postgres",
    "of a host": "postgresql://hunter2%40{server}/postgres",
    "with an @": "postgresql://gate:p@hunter2@{server}/postgres",
    "with a slash": "postgresql://gate:47114711/hunter2@{server}/postgres",
    "with a question mark": "postgresql://gate:47114711?hunter2@{server}/postgres",
    "a parameter of digits": "postgresql://gate:47114711?hunter2=1@{server}/postgres",
    "a parameter that is known": "postgresql://gate:47114711?dbname=hunter2@{server}/postgres",
    "no URL": "host={server} password=hunter2",
    "an unknown scheme": "mysql://gate:hunter2@{server}/postgres",
}


@pytest.fixture(scope="module")
def server():
    """Asks for passwords, and has other ones."""
    if not programs():
        pytest.skip("PostgreSQL's server is not installed")
    server = Postgres()
    server.query("CREATE ROLE gate LOGIN PASSWORD 'another'")
    hba = "local all all trust\nhost all gatehouse all trust\nhost all all all scram-sha-256\n"
    (server.data / "pg_hba.conf").write_text(hba)
    server.query("SELECT pg_reload_conf()")
    yield server
    server.close()


def environment(form, place, tmp_path):
    passfile = tmp_path / "passfile"
    passfile.write_text(f"*:*:*:*:{SECRET}\n")
    passfile.chmod(0o600)
    return {**ENV, "STORE": form.replace("{server}", place).replace(PASSFILE, str(passfile))}


def everything(settings, path, env):
    """All that is said by what reads the setting and by what opens the store."""
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    sqlite = f"sqlite:{path.parent}/none.db"
    for words in (["check", path], ["check", path, "--connect"], ["check", path, "--connect", "--json"],
                  ["serve", "--config", path, "--user", "root"],
                  ["user", "list", "--config", path],
                  ["store", "migrate", "--from", sqlite, "--to", "env:STORE"],
                  ["store", "migrate", "--from", "env:STORE", "--to", "env:STORE"]):
        result = run(*words, env=env, timeout=60)
        yield words, result.returncode, result.stdout + result.stderr


def assert_silent(settings, path, env):
    for words, status, said in everything(settings, path, env):
        assert SECRET not in said and DIGITS not in said, (words, said)
        assert status != 0 or words[0] == "check", (words, said)
        assert said.strip(), words


@pytest.mark.parametrize("form", FORMS)
def test_a_server_that_refuses_the_password(backend, tmp_path, server, form):
    env = environment(FORMS[form], f"127.0.0.1:{server.port}", tmp_path)
    settings = settings_of(node_config(backend, tmp_path, "env:STORE"))
    assert_silent(settings, tmp_path / "gatehouse.yaml", env)


@pytest.mark.parametrize("form", FORMS)
def test_a_server_that_is_not_there(backend, tmp_path, form):
    env = environment(FORMS[form], "127.0.0.1:1", tmp_path)
    settings = settings_of(node_config(backend, tmp_path, {"url": "env:STORE", "connections": 4}))
    assert_silent(settings, tmp_path / "gatehouse.yaml", env)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL"])
def test_a_url_of_the_environment(backend, tmp_path, form, variable):
    env = environment(FORMS[form], "127.0.0.1:1", tmp_path)
    settings = settings_of(node_config(backend, tmp_path, "memory:", redis="${REDIS_URL:-}"))
    assert_silent_check(settings, tmp_path, {**env, variable: env["STORE"]})


REDIS = ["redis://:hunter2@127.0.0.1:1", "redis://gate:hunter%32@127.0.0.1:1/x",
         "redis://127.0.0.1:1/?password=hunter2", "redis://:47114711?hunter2=1@127.0.0.1:1",
         "redis://:47114711/hunter2@127.0.0.1:1", "redis://gate%3Ahunter2@127.0.0.1:1",
         "rediss://:hunter2%zz@127.0.0.1:1", "redis+unix://:hunter2@/run/x?db=y",
         "unix:/run/x?password=hunter2", "amqp://:hunter2@127.0.0.1"]


@pytest.mark.parametrize("url", REDIS, ids=itertools.count())
def test_a_redis(backend, tmp_path, url):
    settings = settings_of(node_config(backend, tmp_path, "memory:", redis="env:STORE"))
    assert_silent_check(settings, tmp_path, {**ENV, "STORE": url})


def assert_silent_check(settings, tmp_path, env):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    result = run("check", path, "--connect", "--quiet", env=env, timeout=60)
    said = result.stdout + result.stderr
    assert SECRET not in said and DIGITS not in said


@pytest.mark.parametrize("url", [*FORMS.values(), *REDIS], ids=itertools.count())
@pytest.mark.parametrize("key", ["store", "redis"])
def test_a_url_that_stands_in_the_file(backend, tmp_path, url, key):
    settings = settings_of(node_config(backend, tmp_path, "memory:"))
    settings[key] = url.replace("{server}", f"127.0.0.1:{free_port()}")
    assert_silent_check(settings, tmp_path, ENV)
    settings[key] = [settings[key]]
    assert_silent_check(settings, tmp_path, ENV)
    settings[key] = {"url": "memory:", "connections": settings[key][0], "timeout": settings[key][0]}
    assert_silent_check(settings, tmp_path, ENV)
