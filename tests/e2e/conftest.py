import os

import pytest

from harness import gate as gate_module
from harness.backend import Backend
from harness.certs import Pair
from harness.fastapi_app import FastApi
from harness.postgres_server import Postgres
from harness.postgres_server import programs as postgres_programs
from harness.postgres_server import shared as shared_postgres


def pytest_addoption(parser):
    parser.addoption("--alone", choices=("without", "only"),
                     help="leave out the tests that are marked alone, or all others")


def pytest_configure(config):
    config.addinivalue_line("markers", "release: also run against the release build")
    config.addinivalue_line("markers", "alone: measures time or load; not beside other tests")


def select(config, items):
    wanted = config.getoption("--alone")
    if wanted:
        chosen, left = [], []
        for item in items:
            is_alone = item.get_closest_marker("alone") is not None
            (chosen if is_alone == (wanted == "only") else left).append(item)
        items[:] = chosen
        config.hook.pytest_deselected(items=left)


def pytest_collection_modifyitems(config, items):
    select(config, items)
    if not gate_module.BINARY.is_file():
        raise pytest.UsageError(f"there is no {gate_module.BINARY}: set GATEHOUSE_BIN")
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(int(os.environ.get("E2E_TIMEOUT", "60"))))


@pytest.fixture
def backend():
    """A scripted backend that answers 200 "ok"."""
    with Backend() as scripted:
        yield scripted


@pytest.fixture
def start():
    """start(settings, ...) -> a running gatehouse, stopped (and its exit checked) at the end."""
    running = []

    def begin(*arguments, **options):
        gate = gate_module.Gatehouse(*arguments, **options)
        running.append(gate)
        return gate

    yield begin
    for gate in reversed(running):
        gate.__exit__(None)


@pytest.fixture(scope="session")
def fastapi(tmp_path_factory):
    """The example backend."""
    app = FastApi(tmp_path_factory.mktemp("fastapi"))
    yield app
    app.close()


@pytest.fixture(scope="session")
def postgres_server():
    return shared_postgres() or pytest.skip("PostgreSQL's server is not installed")


@pytest.fixture
def own_postgres():
    """A cluster that the test may stop."""
    if not postgres_programs():
        pytest.skip("PostgreSQL's server is not installed")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def database(postgres_server):
    """The URL of an empty database."""
    return postgres_server.url(postgres_server.database())


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Pairs for localhost, example.com and other.test, and a second one for example.com."""
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "localhost": Pair(folder, "localhost", ["localhost", "127.0.0.1"]),
        "example": Pair(folder, "example", ["example.com", "*.example.com", "localhost"]),
        "other": Pair(folder, "other", ["other.test"]),
        "renewed": Pair(folder, "renewed", ["example.com", "*.example.com", "localhost"]),
    }
