"""SPEC 1 and 2: `check` and `explain` where identity is on."""

import re

import pytest
import yaml

from harness.gate import run
from harness.identity import ENV, identity_config


def route(path, access):
    return {"path": path, "upstream": "api", "access": access}


def settings_of(folder, backend, identity=None, **changes):
    return identity_config(backend, folder, identity, **changes)


def check(folder, settings):
    path = folder / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return run("check", path, env=ENV)


PRODUCTION = {"environment": "production", "public_url": "https://app.example.com"}


@pytest.mark.parametrize(
    "identity, changes, words",
    [
        ({"roles": ["admin", "user"]}, {}, ["identity.roles"]),
        ({"two_factor": {"required_for": ["emperor"]}}, {}, ["emperor"]),
        ({"passwords": {"min_length": 20, "max_length": 10}}, {}, ["length"]),
        ({"tokens": {"algorithm": "none"}}, {}, ["algorithm"]),
        ({"tokens": {"algoritm": "EdDSA"}}, {}, ["algoritm", "algorithm"]),
        ({"transport": "cookies"}, {}, ["cookie"]),
        ({"login_url": "https://evil.example/login"}, {}, ["login_url"]),
        ({"base_path": "/api/../v1"}, {}, ["base_path"]),
        ({"hooks": {"export": "ftp://127.0.0.1/x"}}, {}, ["http"]),
        ({"mail": {"from": "nobody"}}, {}, ["sender", "nobody"]),
        ({"mail": {"from": "a@example.com", "smtp": "smtp://user:pass@host"}}, {}, ["smtp"]),
        ({"issuers": [{"issuer": "https://a.example"}]}, {}, ["jwks"]),
        ({}, {"store": "mysql://x"}, ["store"]),
        ({}, {"store": "memory:", **PRODUCTION}, ["memory"]),
        ({}, {"routes": [route("/x/{id}", {"owner": "user"})]}, ["user"]),
        ({}, {"routes": [route("/x", {"role": "emperor"})]}, ["emperor"]),
        ({}, {"routes": [route("/x", "singed_in")]}, ["signed_in"]),
        (
            {},
            {"cors": {"origins": ["https://other.example"], "credentials": True}, **PRODUCTION},
            ["https://other.example", "same_site"],
        ),
        (
            {},
            {"routes": [route("/**", {"role": "admin", "mode": "observe"})], **PRODUCTION},
            ["unsafe_observe_access"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, backend, identity, changes, words):
    result = check(tmp_path, settings_of(tmp_path, backend, identity, **changes))
    assert result.returncode == 1, result.stdout + result.stderr
    text = result.stdout + result.stderr
    lines = [line for line in text.splitlines() if "error:" in line]
    assert lines and "gatehouse.yaml:" in lines[0], text
    for word in words:
        assert word in text, text


def test_a_public_route_to_a_hook_is_an_error(tmp_path, backend):
    hooks = {"hooks": {"export": f"{backend.url}/internal/export"}}
    result = check(tmp_path, settings_of(tmp_path, backend, hooks, routes=[route("/**", "public")]))
    assert result.returncode == 1
    assert "/internal/export" in result.stdout + result.stderr


def test_the_policy_names_access_for_every_route_and_what_is_shadowed(tmp_path, backend):
    routes = [
        {"path": "/api/v1/auth/login", "methods": ["POST"], "upstream": "api", "access": "public"},
        {"path": "/users/{id}", "upstream": "api", "access": {"owner": "id", "or_role": "admin"}},
        {"path": "/**", "upstream": "api"},
    ]
    result = check(tmp_path, settings_of(tmp_path, backend, routes=routes))
    assert result.returncode == 0, result.stdout + result.stderr
    text = result.stdout + result.stderr
    assert "signed_in" in text and "owner" in text
    assert "never sees POST /api/v1/auth/login" in text


@pytest.mark.parametrize(
    "url, good",
    [
        ("http://user:s3cret-of-mail@mail.example.com", False),
        ("s3cret-of-mail", False),
        ("smtp://user:s3cret-of-mail@mail.example.com/path", False),
        ("smtp://user:s3cret-of-mail@mail.example.com:587", True),
        ("smtps://mail.example.com", True),
        (None, True),  # it may be known where it runs only
    ],
)
def test_what_a_reference_to_the_mail_server_holds_is_checked(tmp_path, backend, url, good):
    path = tmp_path / "gatehouse.yaml"
    settings = settings_of(tmp_path, backend, {"mail": {"smtp": "env:SMTP_URL", "folder": ""}})
    path.write_text(yaml.safe_dump(settings))
    result = run("check", "--config", path, env={**ENV, **({"SMTP_URL": url} if url else {})})
    text = result.stdout + result.stderr
    assert result.returncode == (0 if good else 1), text
    assert good or "env:SMTP_URL" in text
    assert "s3cret-of-mail" not in text


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize("url", ["smpt://mail.example.com", "s3cret-of-mail", "smtp://a b"])
def test_nothing_starts_with_a_mail_server_that_is_none(tmp_path, backend, command, url):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(
        settings_of(tmp_path, backend, {"mail": {"smtp": "env:SMTP_URL", "folder": ""}})))
    result = run(command, "--config", path, env={**ENV, "SMTP_URL": url})
    assert result.returncode == (1 if command == "check" else 2)
    text = result.stdout + result.stderr
    errors = [line for line in text.splitlines() if ": error: " in line]
    assert len(errors) == 1 and re.match(rf"{re.escape(str(path))}:\d+:\d+: error: ", errors[0]), text
    assert "s3cret-of-mail" not in text


ISSUERS = {"issuers": [{"issuer": "https://sso.example.org", "audience": "app",
                        "jwks": "https://sso.example.org/jwks", "algorithms": ["RS256"]}]}


@pytest.mark.parametrize("issuer, words", [
    ("https://sso.example.org", None),
    ("https://sso.exmaple.org", ["did you mean", "https://sso.example.org"]),
    ("https://sso.example.org/", ["did you mean"]),
    ("urn:nobody", ["identity.issuers"]),
    ("http://localhost", ["leave it out"]),
])
def test_the_issuer_of_an_owner_is_one_of_the_issuers(tmp_path, backend, issuer, words):
    access = {"owner": "id", "owner_issuer": issuer}
    result = check(tmp_path, settings_of(tmp_path, backend, ISSUERS, public_url="http://localhost",
                                         routes=[route("/users/{id}", access)]))
    text = result.stdout + result.stderr
    assert result.returncode == (1 if words else 0), text
    for word in words or []:
        assert word in text
    assert not words or f'identity.issuers has no "{issuer}"' in text


def test_a_good_configuration_is_good(tmp_path, backend):
    result = check(tmp_path, settings_of(tmp_path, backend))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["GET", "http://localhost/users/7/x"], ["401", "/users/{user_id}/**"]),
        (["POST", "http://localhost/api/v1/auth/login"], ["/api/v1/auth/login"]),
        (["GET", "http://localhost/public/x"], ["public"]),
    ],
)
def test_explain_knows_accounts(tmp_path, backend, arguments, words):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(yaml.safe_dump(settings_of(tmp_path, backend)))
    result = run("explain", *arguments, "--config", path, env=ENV)
    assert result.returncode == 0, result.stderr
    for word in words:
        assert word in result.stdout, result.stdout
