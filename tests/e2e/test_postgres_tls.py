"""The store over TLS: where the URL asks for it, and to nobody else."""

import json

import pytest

from harness.gate import run
from harness.identity import ENV, new_person
from harness.nodes import node_config, settings_of
from harness.postgres_server import Postgres, programs

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(certificates):
    if not programs():
        pytest.skip("PostgreSQL's server is not installed")
    server = Postgres()
    pair = certificates["localhost"]
    server.restart_with(ssl="on", ssl_cert_file=server.own(pair.certificate, "server.crt"),
                        ssl_key_file=server.own(pair.key, "server.key"))
    yield server
    server.close()


@pytest.fixture
def name(server):
    return server.database()


def url(server, name, host="localhost", **options):
    query = "&".join(f"{key}={value}" for key, value in options.items())
    return f"postgresql://gatehouse@{host}:{server.port}/{name}?{query}"


def refused(settings, tmp_path):
    path = tmp_path / "refused.yaml"
    path.write_text(json.dumps(settings_of(settings)))
    result = run("serve", "--config", path, "--user", "root", env=ENV, timeout=60)
    assert result.returncode == 2
    return result.stderr


def test_a_verified_connection_is_encrypted(start, backend, tmp_path, server, name, certificates):
    store = url(server, name, sslmode="verify-full",
                sslrootcert=certificates["localhost"].certificate)
    gate = start(settings_of(node_config(backend, tmp_path, store)), env=ENV)
    assert new_person(gate).is_signed_in()
    rows = server.query("SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) "
                        f"WHERE a.datname = '{name}' AND a.application_name LIKE 'gatehouse%'")
    assert rows and {row[0] for row in rows} == {"t"}


def test_a_server_of_another_authority_is_refused(backend, tmp_path, server, name, certificates):
    store = url(server, name, sslmode="verify-full", sslrootcert=certificates["other"].certificate)
    said = refused(node_config(backend, tmp_path, store), tmp_path)
    assert "certificate" in said
    assert server.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == [["0"]]


def test_a_server_of_another_name_is_refused(backend, tmp_path, server, name, certificates):
    store = url(server, name, host="ip6-localhost", sslmode="verify-full",
                sslrootcert=certificates["localhost"].certificate, hostaddr="127.0.0.1")
    assert "ip6-localhost" in refused(node_config(backend, tmp_path, store), tmp_path)


def test_a_server_without_tls_is_refused_where_it_is_asked_for(backend, tmp_path, postgres_server):
    store = postgres_server.url(postgres_server.database()) + "?sslmode=require"
    assert "SSL" in refused(node_config(backend, tmp_path, store), tmp_path)
