"""People with browsers: a cookie jar each, sign-up, sign-in, a second factor, mails."""

import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import itertools
import json
import os
import re
import struct
import time

from harness.backend import Backend
from harness.gate import Gatehouse, config
from harness.postgres_server import database_of

ROOT_KEY = "pX0h4n1a8vB2mTzq7Lr5WcYk3Jd9SfGe6UiOoPtRy+w="
PASSWORD = "vellum-orbit-lantern-92"
OTHER_PASSWORD = "quarry.maple.drift.57"
ENV = {"APP_SECRET_KEY": ROOT_KEY}
BASE = "/api/v1"

OWN_LIMITS = """login signup two_factor refresh reset reset_token password step_up factor
email export verify resend mail setup audit_verify""".split()

# Hashing turned down, so that tests measure the rest.
CHEAP = {"memory": "8MiB", "passes": 1}


ROUTES = [
    {"path": "/public/**", "upstream": "api", "access": "public"},
    {"path": "/users/{user_id}/**", "upstream": "api", "access": {"owner": "user_id"}},
    {
        "path": "/mixed/{user_id}",
        "upstream": "api",
        "access": {"owner": "user_id", "or_role": "admin"},
    },
    {"path": "/admin/**", "upstream": "api", "access": {"role": "admin", "two_factor": True}},
    {"path": "/fresh", "upstream": "api", "access": {"fresh": True}},
    {"path": "/**", "upstream": "api"},
]


ANOMALY_RULES = (
    "credential_stuffing",
    "password_spraying",
    "brute_force",
    "new_device",
    "refresh_reuse",
    "id_scanning",
    "unusual_volume",
    "export_spree",
)


def store_of(folder):
    """In SQLite; with GATEHOUSE_TEST_STORE=postgresql the same tests run over PostgreSQL."""
    if OVER_POSTGRESQL:
        return database_of(folder)
    return f"sqlite:{folder}/gatehouse.db"


def identity_config(backend, folder, identity=None, **changes):
    """A configuration with identity on, in development, behind a trusted proxy on loopback (say
    X-Forwarded-For); its store and mails are in `folder`."""
    settings = {
        "enabled": True,
        "passwords": dict(CHEAP),
        "email_verification": "off",
        "mail": {"from": "Gatehouse <no-reply@example.com>", "folder": str(folder / "mail")},
    }
    for key, value in (identity or {}).items():
        if isinstance(value, dict) and isinstance(settings.get(key), dict):
            settings[key] = {**settings[key], **value}
        elif value is None:
            settings.pop(key, None)
        else:
            settings[key] = value
    base = {
        "store": store_of(folder),
        # Their records come a moment later than what they are about: tests that want them say so.
        "audit": {"anomaly": {rule: "off" for rule in ANOMALY_RULES}},
        "trusted_proxies": ["127.0.0.1/32"],
        "identity": settings,
        "routes": ROUTES,
        "rate_limits": {
            name: {"limit": "1000/second"}
            for name in OWN_LIMITS
        },
    }
    return config(backend, **{**base, **changes})


def totp(secret, at=None, step=0):
    """The six digits of RFC 6238 for a Base32 secret."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = int((at if at is not None else time.time()) // 30) + step
    digest = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1000000:06d}"


def claims_of(token):
    """Header and claims of a JWT, not verified."""

    def part(text):
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    header, claims, _ = token.split(".")
    return part(header), part(claims)


OVER_POSTGRESQL = os.environ.get("GATEHOUSE_TEST_STORE") == "postgresql"
# Nodes take tokens of clocks so many seconds apart (docs/scaling.md).
CLOCKS_APART = 10 if OVER_POSTGRESQL else 0
UNHEARD_SECONDS = 5


def wait_for_commands(gate, folder):
    """Until the operator's commands reach the server: they ask it where the store is its own."""
    if not OVER_POSTGRESQL:
        gate.wait_for((folder / "control.sock").exists, "the control socket")


def is_unheard(response):
    """Over a store that others write too, who has not heard of it for a second lets nobody in: as
    when a test moves the clock. It is asked again then, as Retry-After says."""
    return (OVER_POSTGRESQL and response.status == 503
            and b"Sessions can't be checked" in response.body)


class Mailbox:
    """The folder that mails are written into."""

    def __init__(self, gate, folder):
        self.gate = gate
        self.folder = folder / "mail"

    def all(self, to=None):
        """Oldest first."""
        found = []
        for path in sorted(self.folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if to is None or message["To"] == to:
                found.append(message)
        return found

    def wait(self, to, count=1, subject=""):
        def enough():
            mails = [m for m in self.all(to) if subject.lower() in m["Subject"].lower()]
            return mails if len(mails) >= count else None

        return self.gate.wait_for(enough, f"{count} mails to {to}")


def link_token(message):
    """The token of the link in a mail."""
    text = message.get_body().get_content()
    found = re.search(r"token=([A-Za-z0-9_-]+)", text)
    assert found, text
    return found.group(1)


class Person:
    """A browser of somebody: keeps cookies, says where its requests come from."""

    numbers = itertools.count(1)

    def __init__(self, gate, address=None, email=None, password=PASSWORD):
        self.gate = gate
        number = next(self.numbers)
        self.address = address or f"198.18.{number // 250}.{number % 250 + 1}"
        self.email = email or f"person{number}@example.com"
        self.password = password
        self.cookies = {}
        self.secret = None
        self.used_step = None
        self.user = None

    def fields(self, extra=(), site="same-origin"):
        fields = [("X-Forwarded-For", self.address)]
        if site:
            fields.append(("Sec-Fetch-Site", site))
        if self.cookies:
            fields.append(("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items())))
        return fields + list(extra)

    def ask(self, method, path, body=None, extra=(), site="same-origin"):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            extra = [("Content-Type", "application/json"), *extra]
        response = self.gate.request(method, path, self.fields(extra, site), body)
        deadline = time.monotonic() + UNHEARD_SECONDS
        while is_unheard(response) and time.monotonic() < deadline:
            time.sleep(0.02)
            response = self.gate.request(method, path, self.fields(extra, site), body)
        self.keep_cookies(response)
        return response

    def keep_cookies(self, response):
        for line in response.all("Set-Cookie"):
            name, _, value = line.split(";", 1)[0].partition("=")
            if value and "max-age=0" not in line.lower().replace(" ", ""):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.ask("POST", path, {} if body is None else body, **options)

    def api(self, method, path, body=None, **options):
        return self.ask(method, BASE + path, body, **options)

    # -- what people do --

    def sign_up(self, **extra):
        body = {"email": self.email, "password": self.password, **extra}
        return self.api("POST", "/auth/signup", body)

    def try_login(self, password=None, **extra):
        body = {"email": self.email, "password": password or self.password, **extra}
        return self.api("POST", "/auth/login", body)

    def login(self, **extra):
        response = self.try_login(**extra)
        assert response.status == 200, response.body
        answer = json.loads(response.body)
        if answer.get("two_factor_required"):
            response = self.second_step(answer["challenge"])
            assert response.status == 200, response.body
            answer = json.loads(response.body)
        self.user = answer["user"]
        return answer

    def second_step(self, challenge, code=None):
        body = {"challenge": challenge, "code": code or self.next_code()}
        return self.api("POST", "/auth/2fa", body)

    def next_code(self):
        """A code that was not used yet: a step ahead if the current one is used up."""
        now = time.time() + self.gate.clock.offset_ms / 1000
        step = int(now // 30)
        if self.used_step is not None and step <= self.used_step:
            self.gate.clock.advance((self.used_step + 1) * 30 - now + 1)
            now = time.time() + self.gate.clock.offset_ms / 1000
            step = int(now // 30)
        self.used_step = step
        return totp(self.secret, now)

    def try_code(self, code):
        """Signs in up to the second step, with this code."""
        return self.second_step(self.try_login().json()["challenge"], code)

    def step_up(self, password=None, code=None):
        body = {"code": code} if code else {"password": password or self.password}
        return self.api("POST", "/auth/step-up", body)

    def session(self):
        response = self.api("GET", "/auth/session")
        assert response.status == 200, response
        return response.json()

    def is_signed_in(self):
        status = self.api("GET", "/auth/session").status
        assert status in (200, 401), status
        return status == 200

    def events(self, limit=200):
        """The names of one's own audit records, oldest first."""
        return [record["event_type"] for record in self.records(limit)]

    def records(self, limit=200):
        response = self.api("GET", f"/account/activity?limit={limit}")
        assert response.status == 200, response
        return response.json()["records"][::-1]

    def other_browser(self):
        """The same person elsewhere: other cookies, another address, the same app for codes."""
        other = Person(self.gate, email=self.email, password=self.password)
        other.secret, other.used_step, other.user = self.secret, self.used_step, self.user
        return other

    def enrol(self):
        """Switches the second factor on; returns the recovery codes."""
        response = self.api("POST", "/account/2fa/setup", {})
        assert response.status == 200, response.body
        self.secret = json.loads(response.body)["secret"]
        response = self.api("POST", "/account/2fa/verify", {"code": self.next_code()})
        assert response.status == 200, response.body
        return json.loads(response.body)["recovery_codes"]

    def refresh(self):
        return self.api("POST", "/auth/refresh", {})

    @property
    def id(self):
        return self.user["id"]


def new_person(gate, **options):
    """Signed up and signed in."""
    person = Person(gate, **options)
    response = person.sign_up()
    assert response.status in (201, 202), response.body
    person.login()
    return person


def assert_answer(response, status, **members):
    """The status, and members of the JSON body (a text: it stands in there, in any case)."""
    assert response.status == status, response
    body = response.problem() if status >= 400 else response.json()
    for name, value in members.items():
        if isinstance(value, str):
            assert value.lower() in body[name].lower(), body
        else:
            assert body[name] == value, body
    return body


class Deployment:
    """A running gate with identity, the scripted backend behind it, and its folder."""

    def __init__(self, gate, backend, folder):
        self.gate = gate
        self.backend = backend
        self.folder = folder
        self.mail = Mailbox(gate, folder)
        self.first_admin = None

    def stranger(self, **options):
        return Person(self.gate, **options)

    def person(self, **options):
        return new_person(self.gate, **options)

    def setup_token(self):
        path = self.folder / "setup-token"

        def written():
            text = path.read_text() if path.exists() else ""
            return text.endswith("\n") and text.strip()

        return self.gate.wait_for(written, f"{path}")

    def admin(self):
        """The first admin, made when first asked for; signed in freshly."""
        if self.first_admin is None:
            admin = self.first_admin = Person(self.gate)
            body = {"token": self.setup_token(), "email": admin.email, "password": admin.password}
            assert_answer(admin.api("POST", "/auth/setup", body), 201)
            admin.login()
            admin.enrol()
        elif not self.first_admin.is_signed_in() or not self.first_admin.session()["fresh"]:
            self.first_admin.login()
        return self.first_admin

    def set_roles(self, person, *roles):
        body = {"roles": list(roles)}
        return self.admin().api("PATCH", f"/admin/users/{person.id}/role", body)

    def new_admin(self):
        """Another one, enrolled and fresh."""
        person = self.person()
        assert_answer(self.set_roles(person, "user", "admin"), 200)
        person.login()
        person.enrol()
        return person

    def audit(self, **query):
        """Records that the admin sees, oldest first."""
        text = "&".join(f"{name}={value}" for name, value in {"limit": 200, **query}.items())
        return assert_answer(self.admin().api("GET", f"/admin/audit?{text}"), 200)["records"][::-1]

    def link_of(self, email, subject):
        """The token of the newest such mail."""
        return link_token(self.mail.wait(email, subject=subject)[-1])


@contextlib.contextmanager
def deployed(folder, identity=None, env=None, backend=None, **changes):
    """A deployment for the tests of a module."""
    with Backend() as own:
        backend = backend or own
        settings = identity_config(backend, folder, identity, **changes)
        with Gatehouse(settings, env={**ENV, **(env or {})}) as gate:
            yield Deployment(gate, backend, folder)
