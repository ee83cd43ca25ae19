"""SPEC 1 and 2: the commands, their exit status, and what check and explain say."""

import json
import subprocess

import jsonschema
import pytest
import yaml

from harness.backend import Backend
from harness.gate import BINARY, ROOT, Gatehouse, config, free_port, run

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture
def file(tmp_path):
    def write(settings):
        path = tmp_path / "gatehouse.yaml"
        text = settings if isinstance(settings, str) else yaml.safe_dump(settings, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def plain(**changes):
    return config("http://127.0.0.1:8000", **changes)


# -- help and usage --


@pytest.mark.parametrize("command", ["", "serve", "check", "explain"])
def test_help_ends_0_on_stdout(command):
    result = run(*([command] if command else []), "--help")
    assert result.returncode == 0
    assert "usage" in result.stdout.lower() and not result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["--nonsense"],
        ["serve", "--nonsense"],
        ["serve", "--listen"],
        ["serve", "extra"],
        ["serve", "--config", "a.yaml", "--config"],
        ["check", "--nonsense"],
        ["explain"],
        ["explain", "GET"],
        ["explain", "--nonsense", "GET", "http://localhost/"],
    ],
)
def test_wrong_usage_ends_2_on_stderr(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr and not result.stdout


# -- check --


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_passes_check(path):
    result = run("check", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_check_prints_the_effective_policy(file):
    result = run("check", file(plain()))
    assert result.returncode == 0
    for word in ("/**", "public", "api", "localhost"):
        assert word in result.stdout


PROBLEMS = {
    "an unknown key": (plain(hostss=["x"]), ["hostss", "hosts"]),
    "an unknown nested key": (plain(cors={"orgins": ["https://a.test"]}), ["orgins", "origins"]),
    "a wrong environment": (plain(environment="staging"), ["staging"]),
    "an unknown upstream": (
        plain(routes=[{"path": "/**", "upstream": "nope", "access": "public"}]),
        ["nope"],
    ),
    "an unknown rate limit": (
        plain(routes=[{"path": "/**", "upstream": "api", "access": "public", "rate_limit": "x9"}]),
        ["x9"],
    ),
    "a bad duration": (plain(limits={"head_timeout": "10 parsecs"}), ["10 parsecs"]),
    "a bad size": (plain(limits={"request_body": "1MB?"}), ["1MB?"]),
    "a bad rate": (plain(rate_limits={"login": {"limit": "five/minute", "key": "client"}}), ["five"]),
    "a bad listen address": (plain(listen=[{"address": "nowhere"}]), ["nowhere"]),
    "a bad proxy network": (plain(trusted_proxies=["10.0.0.0/99"]), ["10.0.0.0/99"]),
    "the origin * with credentials": (
        plain(cors={"origins": ["*"], "credentials": True}),
        ["*"],
    ),
    "the origin null": (plain(cors={"origins": ["null"]}), ["null"]),
    "an origin with a path": (plain(cors={"origins": ["https://a.test/"]}), ["https://a.test/"]),
    "an origin in upper case": (plain(cors={"origins": ["https://A.test"]}), ["https://A.test"]),
    "an origin with its default port": (
        plain(cors={"origins": ["https://a.test:443"]}),
        ["https://a.test:443"],
    ),
    "two routes alike": (
        plain(routes=[{"path": "/a", "upstream": "api", "access": a} for a in ("public",) * 2]),
        ["/a"],
    ),
    "a route pattern without slash": (
        plain(routes=[{"path": "a", "upstream": "api", "access": "public"}]),
        ["a"],
    ),
    "a csp in headers.set beside csp": (
        plain(
            headers={"preset": "api", "set": {"Content-Security-Policy": "default-src 'self'"}},
            csp={"mode": "enforce"},
        ),
        ["Content-Security-Policy"],
    ),
    "a password in a url": (plain(upstreams={"api": {"servers": ["http://u:hunter2@h:80"]}}), []),
    "a key of a coming version": (plain(consume=[{}]), ["consume"]),
    "redis of another scheme": (plain(redis="http://cache"), ["redis", '"http"']),
    "redis with a password written out": (plain(redis="redis://:hunter2@c"), ["password"]),
    "a header with a line end": (
        plain(headers={"preset": "api", "set": {"X-A": "a\r\nX-B: b"}}),
        ["X-A"],
    ),
    "a missing version": (plain(version=None), ["version"]),
    "another version": (plain(version=2), ["2"]),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_check_names_the_problem_with_its_place(file, case):
    settings, words = PROBLEMS[case]
    path = file(settings)
    result = run("check", path)
    assert result.returncode == 1
    output = result.stdout + result.stderr
    for word in words:
        assert word in output
    assert f"{path}:" in output or f"{path.name}:" in output
    assert "hunter2" not in output


def test_check_names_every_problem_at_once(file):
    result = run("check", file(plain(hostss=["x"], environment="staging", limmits={})))
    output = result.stdout + result.stderr
    assert all(word in output for word in ("hostss", "staging", "limmits"))


def test_check_points_at_line_and_column(file):
    path = file("version: 1\nenvironment: development\nhostss: [a]\n")
    result = run("check", path)
    assert f"{path}:3:1" in result.stdout + result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "a: [",
        "a: &x 1\nb: *x",
        "version: 1\nversion: 1",
        "--- \nversion: 1\n---\nversion: 1",
        "version: !!int 1",
        "\x00",
    ],
)
def test_check_refuses_what_is_no_configuration(file, text):
    assert run("check", file(text)).returncode == 1


def test_check_of_a_missing_file_says_so(tmp_path):
    result = run("check", tmp_path / "absent.yaml")
    assert result.returncode in (1, 2)
    assert "absent.yaml" in result.stdout + result.stderr


def test_the_environment_fills_in(file):
    text = yaml.safe_dump(plain()).replace("localhost", "${GH_TEST_HOST:-fallback.test}")
    assert "fallback.test" in run("check", file(text)).stdout
    assert "given.test" in run("check", file(text), env={"GH_TEST_HOST": "given.test"}).stdout
    unset = run("check", file(text.replace(":-fallback.test", "")))
    assert unset.returncode == 1 and "GH_TEST_HOST" in unset.stdout + unset.stderr


def test_check_as_json(file):
    good = run("check", "--json", file(plain()))
    assert good.returncode == 0
    json.loads(good.stdout)
    bad = run("check", "--json", file(plain(hostss=["x"])))
    assert bad.returncode == 1
    assert "hostss" in json.dumps(json.loads(bad.stdout))


def test_no_colour_without_a_terminal(file):
    assert "\x1b" not in run("check", file(plain())).stdout


# -- serve --


def test_serve_with_a_bad_file_ends_2_and_names_the_problem(file):
    path = file(plain(hostss=["x"]))
    result = run("serve", "--config", path)
    assert result.returncode == 2
    assert "hostss" in result.stdout + result.stderr


def test_serve_without_anything_ends_2(tmp_path):
    result = subprocess.run([str(BINARY), "serve"], cwd=tmp_path, capture_output=True, timeout=20)
    assert result.returncode == 2 and result.stderr


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://u:p@host:1"])
def test_serve_with_a_bad_upstream_ends_2(url):
    result = run("serve", "--upstream", url, "--listen", f"127.0.0.1:{free_port()}")
    assert result.returncode == 2


def test_serve_with_too_few_descriptors_ends_2_and_says_which_limit(file):
    path = file(plain(listen=[f"127.0.0.1:{free_port()}"]))
    few = ["prlimit", "--nofile=24:24", str(BINARY), "serve", "--config", str(path)]
    result = subprocess.run(few, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and "ulimit -n" in result.stderr, result.stderr


def test_serve_with_a_missing_certificate_ends_2(file):
    tls = {"certificate": "/nonexistent.crt", "key": "/nonexistent.key"}
    path = file(plain(listen=[{"address": f"127.0.0.1:{free_port()}", "tls": tls}]))
    result = run("serve", "--config", path)
    assert result.returncode == 2
    assert f"{path}:" in result.stderr and "/nonexistent.crt: no such file" in result.stderr
    place = result.stderr.rpartition(f"{path}:")[2].split(":")
    assert int(place[0]) > 1 and int(place[1]) > 0  # the line and column of the listener's `tls`


# -- explain --


def explain(path, *arguments):
    return run("explain", "--config", path, *arguments)


def test_explain_shows_route_stages_and_headers(file):
    result = explain(file(plain()), "GET", "http://localhost/x/../y?z=1")
    assert result.returncode == 0
    for word in ("/y", "/**", "api", "X-Frame-Options", "DENY"):
        assert word in result.stdout


def test_explain_shows_a_refusal_and_why_and_still_ends_0(file):
    result = explain(file(plain()), "GET", "http://evil.com/")
    assert result.returncode == 0
    assert "400" in result.stdout and "host" in result.stdout.lower()


def test_explain_takes_header_fields_and_an_address(file):
    settings = plain(
        cors={"origins": ["https://a.test"], "methods": ["POST"]}, trusted_proxies=["10.0.0.0/8"]
    )
    path = file(settings)
    allowed = explain(
        path,
        "OPTIONS",
        "http://localhost/",
        *("-H", "Origin: https://a.test", "-H", "Access-Control-Request-Method: POST"),
    )
    assert "204" in allowed.stdout
    client = explain(
        path,
        "GET",
        "http://localhost/",
        *("--from", "10.1.2.3", "-H", "X-Forwarded-For: 192.0.2.55"),
    )
    assert "192.0.2.55" in client.stdout


def test_explain_agrees_with_serve(start, file):
    with Backend() as backend:
        settings = config(backend, rate_limits={"global": {"limit": "1/hour", "key": "client"}})
        gate = start(settings)
        for method, target, host in (
            ("GET", "/", "localhost"),
            ("GET", "/%00", "localhost"),
            ("GET", "/", "evil.com"),
            ("TRACE", "/", "localhost"),
        ):
            told = explain(gate.config_path, method, f"http://{host}{target}").stdout
            status = gate.request(method, target, host=host).status
            assert status == 200 or str(status) in told


def test_explain_as_json(file):
    result = explain(file(plain()), "--json", "GET", "http://localhost/")
    assert result.returncode == 0
    json.loads(result.stdout)


def test_explain_charges_nothing_and_connects_nowhere(file):
    with Backend() as backend:
        explain(file(config(backend)), "GET", "http://localhost/")
        assert not backend.connections


# -- the published schema --


def schema():
    return json.loads(run("config", "schema").stdout)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_schema_takes_every_example(path):
    validator = jsonschema.Draft202012Validator(schema())
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(document)] == []


def test_the_schema_refuses_what_check_refuses():
    validator = jsonschema.Draft202012Validator(schema())
    assert not validator.is_valid(plain(hostss=["x"]))
    assert not validator.is_valid(plain(environment="staging"))
    assert not validator.is_valid(plain(cors={"orgins": []}))


def test_upstream_alone_states_its_defaults(start, backend):
    port = free_port()
    gate = Gatehouse(arguments=["--upstream", backend.url, "--listen", f"127.0.0.1:{port}"])
    with gate:
        assert gate.get("/", host=f"localhost:{port}").status == 200
        body = b"x" * (1048576 + 1)
        assert gate.request("POST", "/", body=body, host=f"localhost:{port}").status == 413
