"""SPEC 4: the service's own OpenAPI document, and real answers held against it."""

import re

import jsonschema
import pytest

from harness.gate import IS_RELEASE
from harness.identity import BASE, OTHER_PASSWORD, Deployment, Person, assert_answer, deployed

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

METHODS = {"get", "post", "put", "patch", "delete"}
SPEC_OPERATIONS = """
POST /auth/signup, /auth/login, /auth/2fa, /auth/refresh, /auth/logout, /auth/email/verify
POST /auth/email/resend, /auth/step-up, /auth/setup
GET /auth/session, /account/profile, /account/sessions, /account/activity
PATCH /account/profile
POST /account/password, /account/password/reset-request, /account/password/reset, /account/email
POST /account/2fa/setup, /account/2fa/verify, /account/2fa/disable, /account/2fa/recovery-codes
DELETE /account/sessions, /account/sessions/{id}, /account
POST /compliance/export, /compliance/delete
GET /admin/users, /admin/users/{id}, /admin/audit
PATCH /admin/users/{id}/role
POST /admin/users/{id}/unlock, /admin/users/{id}/reset-2fa, /admin/users/{id}/reset-password
POST /admin/users/{id}/disable, /admin/users/{id}/enable
DELETE /admin/users/{id}, /admin/users/{id}/sessions
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("openapi")) as deployment:
        deployment.admin()
        yield deployment


@pytest.fixture(scope="module")
def document(world):
    response = world.gate.get(BASE + "/openapi.json")
    assert response.status == 200
    assert response.get("Content-Type") == "application/json"
    return response.json()


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield method, path, item[method]


def schemas_in(node):
    """Every schema object below a node."""
    if isinstance(node, dict):
        if "type" in node or "$ref" in node or "enum" in node or "const" in node:
            yield node
        for child in node.values():
            yield from schemas_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from schemas_in(child)


def resolve(document, node):
    while "$ref" in node:
        node_path = node["$ref"].removeprefix("#/").split("/")
        node = document
        for name in node_path:
            node = node[name]
    return node


class Checker:
    """Holds answers against the document."""

    def __init__(self, document):
        self.document = document
        self.seen = set()
        self.templates = [
            (re.compile(re.sub(r"\{[^}]*\}", "[^/]+", self.absolute(path))), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def absolute(self, path):
        servers = self.document.get("servers", [{"url": ""}])
        base = servers[0]["url"]
        if path.startswith(BASE) or path.startswith("/.well-known"):
            return path
        return re.sub(r"^https?://[^/]*", "", base).rstrip("/") + path

    def operation(self, method, target):
        path = target.split("?")[0]
        for pattern, template in self.templates:
            item = self.document["paths"][template]
            if pattern.fullmatch(path) and method.lower() in item:
                return template, item[method.lower()]
        raise AssertionError(f"{method} {target} is not in the document")

    def validate(self, schema, value):
        rooted = {**schema, "components": self.document.get("components", {})}
        checker = jsonschema.FormatChecker()
        jsonschema.Draft202012Validator(rooted, format_checker=checker).validate(value)

    def __call__(self, method, target, body, response):
        template, operation = self.operation(method, target)
        self.seen.add((method, template))
        responses = operation["responses"]
        kind = f"{str(response.status)[0]}XX"
        entry = responses.get(str(response.status)) or responses.get(kind)
        entry = entry or responses.get("default")
        assert entry, f"{method} {template}: {response.status} is not in the document"
        entry = resolve(self.document, entry)
        content_type = response.get("Content-Type")
        assert content_type in entry["content"], (method, template, content_type)
        self.validate(entry["content"][content_type]["schema"], response.json())
        if body and response.status < 300:
            request_body = resolve(self.document, operation["requestBody"])
            self.validate(request_body["content"]["application/json"]["schema"], body)


# -- its shape --


def test_it_is_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] and document["info"]["version"]
    assert set(document) <= {
        "openapi", "info", "servers", "paths", "components", "security", "tags",
        "jsonSchemaDialect", "externalDocs",
    }


def test_it_has_every_endpoint_of_the_specification(document):
    checker = Checker(document)
    for line in SPEC_OPERATIONS.split("\n"):
        if line.strip():
            method, paths = line.split(" ", 1)
            for path in paths.split(", "):
                filled = path.replace("{id}", "00000000-0000-4000-8000-000000000000")
                template, _ = checker.operation(method, BASE + filled)
                assert template.endswith(path), (path, template)


def test_every_operation_is_whole(document):
    ids = []
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        ids.append(operation["operationId"])
        assert operation["summary"], where
        assert operation["responses"], where
        names = set(re.findall(r"\{([^}]*)\}", path))
        parameters = [resolve(document, p) for p in operation.get("parameters", [])]
        parameters += [resolve(document, p) for p in document["paths"][path].get("parameters", [])]
        in_path = {p["name"] for p in parameters if p["in"] == "path"}
        assert in_path == names, where
        assert all(p["required"] is True for p in parameters if p["in"] == "path"), where
        assert all("schema" in p for p in parameters), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        if method == "get":
            assert "requestBody" not in operation, where
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_and_every_schema_is_one(document):
    for schema in schemas_in(document):
        if "$ref" in schema:
            assert resolve(document, schema) is not schema
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def test_every_input_is_bounded(document):
    """What `openapi lint` asks of others (SPEC 8) holds here."""
    for method, path, operation in operations(document):
        if "requestBody" not in operation:
            continue
        body = resolve(document, operation["requestBody"])
        schema = resolve(document, body["content"]["application/json"]["schema"])
        assert schema["additionalProperties"] is False, (method, path)
        for name, member in schema["properties"].items():
            member = resolve(document, member)
            if member.get("type") == "string":
                assert "maxLength" in member, (method, path, name)
                if name in schema.get("required", []):
                    assert member.get("minLength", 0) >= 1, (method, path, name)
            if member.get("type") == "array":
                assert "maxItems" in member, (method, path, name)
            if name == "email":
                assert member.get("format") == "email", (method, path)


def test_operations_name_their_security(document):
    assert document["components"]["securitySchemes"]
    for method, path, operation in operations(document):
        if "/admin/" in path or "/account/profile" in path or "/compliance/" in path:
            needed = operation.get("security", document.get("security"))
            assert needed and {} not in needed, (method, path)


# -- real answers --


class CheckedPerson(Person):
    """Every answer of identity that they get is held against the document."""

    checker = None

    def ask(self, method, path, body=None, **options):
        response = super().ask(method, path, body, **options)
        if path.startswith(BASE) or path.startswith("/.well-known"):
            self.checker(method, path, body, response)
        return response


@pytest.fixture
def checked(world, document):
    """New people whose answers are checked; `.seen` says what was."""

    class Here(CheckedPerson):
        checker = Checker(document)

    return Here


def test_real_answers_are_as_the_document_says(world, checked):
    person = checked(world.gate)
    person.sign_up(name="Ada")
    person.sign_up()
    person.try_login(OTHER_PASSWORD)
    person.login()
    person.session()
    person.api("GET", "/account/profile")
    person.api("PATCH", "/account/profile", {"name": "Ada L.", "locale": "en"})
    person.api("PATCH", "/account/profile", {"nonsense": 1})
    person.refresh()
    person.step_up()
    person.api("GET", "/account/sessions")
    other = checked(world.gate, email=person.email)
    other.login()
    person.api("DELETE", "/account/sessions")
    person.api("DELETE", "/account/sessions/00000000-0000-4000-8000-000000000000")
    person.records()
    person.enrol()
    codes = person.api("POST", "/account/2fa/recovery-codes", {"code": person.next_code()})
    assert codes.status == 200
    person.login()
    person.try_code("000000")
    person.api("POST", "/compliance/export", {})
    body = {"password": person.password, "email": "new." + person.email}
    person.api("POST", "/account/email", body)
    person.api("POST", "/account/password/reset-request", {"email": person.email})
    token = world.link_of(person.email, "Set a new password")
    body = {"token": token, "new_password": OTHER_PASSWORD}
    assert person.api("POST", "/account/password/reset", body).status == 200
    assert person.api("POST", "/account/password/reset", body).status == 400
    person.password = OTHER_PASSWORD
    person.login()
    body = {"current_password": OTHER_PASSWORD, "new_password": "hazel.quiver.ninety.4"}
    assert_answer(person.api("POST", "/account/password", body), 200)
    person.password = body["new_password"]
    body = {"password": person.password, "code": person.next_code()}
    assert_answer(person.api("POST", "/account/2fa/disable", body), 200)
    person.refresh()
    person.api("POST", "/auth/logout", {})
    person.api("GET", "/auth/session")
    person.login()
    person.api("POST", "/auth/email/resend", {"email": person.email})
    person.api("POST", "/auth/email/verify", {"token": "A" * 43})
    assert_answer(person.api("DELETE", "/account", {"password": person.password}), 200)
    another = checked(world.gate)
    another.sign_up()
    another.login()
    assert_answer(another.api("POST", "/compliance/delete", {"password": another.password}), 200)
    assert len(person.checker.seen) >= 24


def test_answers_to_admins_are_too(world, checked, monkeypatch):
    admin = world.admin()
    monkeypatch.setattr(admin, "__class__", checked)
    monkeypatch.setattr(Deployment, "admin", lambda _: admin)
    person = world.person()
    assert_answer(admin.api("GET", "/admin/users?limit=1"), 200)
    assert_answer(admin.api("GET", "/admin/users?limit=x"), 422)
    assert_answer(admin.api("GET", f"/admin/users/{person.id}"), 200)
    assert_answer(admin.api("PATCH", f"/admin/users/{person.id}/role", {"role": "user"}), 200)
    for action in ("unlock", "reset-2fa", "reset-password", "disable", "enable"):
        assert_answer(admin.api("POST", f"/admin/users/{person.id}/{action}", {}), 200)
    assert_answer(admin.api("DELETE", f"/admin/users/{person.id}/sessions"), 200)
    assert_answer(admin.api("DELETE", f"/admin/users/{person.id}"), 200)
    assert_answer(admin.api("GET", f"/admin/users/{person.id}"), 404)
    assert_answer(admin.api("GET", "/admin/audit?limit=50"), 200)
    assert_answer(admin.get(BASE + "/openapi.json"), 200)
    assert_answer(admin.get("/.well-known/jwks.json"), 200)
    assert_answer(person.api("GET", "/admin/users"), 401)


def test_the_key_set_and_the_challenge_have_their_shapes(world, checked):
    person = checked(world.gate)
    person.sign_up()
    person.login()
    person.enrol()
    challenge = person.try_login().json()
    assert set(challenge) == {"two_factor_required", "challenge"}
    assert_answer(person.second_step(challenge["challenge"]), 200)
    assert_answer(person.get("/.well-known/jwks.json"), 200)


def test_answers_under_the_bearer_transport(tmp_path):
    with deployed(tmp_path, {"transport": "bearer"}) as world:

        class Here(CheckedPerson):
            checker = Checker(world.gate.get(BASE + "/openapi.json").json())

        person = Here(world.gate)
        person.sign_up()
        tokens = assert_answer(person.try_login(), 200)
        answer = person.api("POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        assert_answer(answer, 200)


def test_throttled_and_unauthorised_answers_are_in_it(world, checked):
    person = checked(world.gate)
    assert [person.try_login().status for _ in range(7)] == [401] * 6 + [429]
    assert person.api("GET", "/account/profile").status == 401
    assert person.api("POST", "/auth/login", b"not json").status == 415
