"""SPEC 7: no secret in anything that the process ever wrote, whatever it is made to do.

A server with recognisable secrets does all that it can, is sent rubbish, fails at its mail server,
and crashes. Then everything that it and its commands wrote is searched for each secret: as it is,
in hexadecimal, and in Base64 of both alphabets at every alignment."""

import base64
import json
import re
import signal
from urllib.parse import quote

import pytest

from harness.certs import Pair
from harness.gate import IS_RELEASE, run
from harness.identity import BASE, Person, assert_answer, deployed
from harness.smtp import Sink

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

ROOT = "canary-Root-7f31c9d04be85a26-Qx8ZpL2vNw0uEbTgK"
OLD_ROOT = "canary-Old-e81d53a7720c9f64-Km5RtY9sHb4nAjXcV"
NEW_ROOT = "canary-New-04fa9b6c18d7e352-Wd3JhG6uTf7oMiDqP"
MAIL_PASSWORD = "canary-Mail-58c2"
PASSWORD = "canary-Password-9d4e-vellum"
OTHER_PASSWORD = "canary-Other-31b7-lantern"
WRONG_PASSWORD = "canary-Wrong-c0a8-quarry"
FERNET = base64.urlsafe_b64encode(b"canary-Fernet-7c1e-of-the-tests!").decode()
TOTP = base64.b32encode(b"canary-Totp-2f9b-xyz").decode()
GARBAGE_TOKEN = "canary-Garbage-token-66e1"


def forms_of(secret):
    """The bytes to look for."""
    data = secret.encode() if isinstance(secret, str) else secret
    yield data
    yield data.hex().encode()
    yield data.hex().upper().encode()
    quoted = quote(data).encode()
    if quoted != data:
        yield quoted
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + data).rstrip(b"=")
            # without the characters that the neighbours have a share in
            yield text[(8 * shift + 5) // 6 : len(text) - 1]


def find(canaries, where, data):
    """["what in where"]"""
    return [
        f"{name} in {where}"
        for name, secret in canaries.items()
        if any(form in data for form in forms_of(secret))
    ]


def test_the_search_finds_what_it_looks_for():
    canaries = {"root": ROOT}
    for text in (ROOT, ROOT.encode().hex(), quote(ROOT)):
        assert find(canaries, "x", b"before " + text.encode() + b" behind")
    for shift in range(3):
        data = b"abc"[:shift] + ROOT.encode() + b"xyz"
        assert find(canaries, "x", base64.b64encode(data))
        assert find(canaries, "x", base64.urlsafe_b64encode(data))
    assert not find(canaries, "x", ROOT[:20].encode())


class Watch:
    """All secrets, and all that was written."""

    def __init__(self):
        self.canaries = {}
        self.written = {}

    def secret(self, name, value):
        assert len(value) >= 12, name
        self.canaries[name] = value
        return value

    def text(self, name, value):
        data = value if isinstance(value, bytes) else value.encode()
        self.written[f"{name} {len(self.written)}"] = data

    def files(self, folder, but=()):
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in but:
                self.text(str(path.relative_to(folder)), path.read_bytes())

    def found(self):
        hits = []
        for name, data in self.written.items():
            hits += find(self.canaries, name, data)
        return hits


@pytest.fixture(scope="module")
def watch():
    return Watch()


def command(watch, world, *words, stdin="", env=None):
    clock = {"GATEHOUSE_TEST_CLOCK": str(world.gate.path / "clock")}
    words_and_file = [*words, "--config", world.gate.config_path]
    result = run(*words_and_file, stdin=stdin, env={**clock, **(env or {})})
    watch.text("gatehouse " + " ".join(map(str, words[:2])), result.stdout + result.stderr)
    return result


def keep_session(watch, person, name):
    for cookie, value in person.cookies.items():
        if len(value) < 12:
            continue
        watch.secret(f"{cookie} of {name}", value)
        if value.count(".") == 2:
            watch.secret(f"signature of {cookie} of {name}", value.split(".")[2])


class Visitor(Person):
    """Who came by https, as the proxy in front says."""

    def fields(self, extra=(), site="same-origin"):
        return super().fields([("X-Forwarded-Proto", "https"), *extra], site)


def work(watch, world, sink):
    """What people do, and what they get wrong."""
    admin_token = watch.secret("setup token", world.setup_token())
    admin = Visitor(world.gate, password=PASSWORD)
    body = {"token": admin_token, "email": admin.email, "password": PASSWORD}
    assert_answer(admin.api("POST", "/auth/setup", body), 201)
    admin.login()
    for number, code in enumerate(admin.enrol()):
        watch.secret(f"recovery code {number}", code)
    watch.secret("second factor", admin.secret)
    padded = admin.secret + "=" * (-len(admin.secret) % 8)
    watch.secret("second factor, raw", base64.b32decode(padded))
    keep_session(watch, admin, "admin")
    person = Visitor(world.gate, password=PASSWORD)
    assert_answer(person.sign_up(), 202)
    token = watch.secret("confirmation", token_of(world, sink, person.email))
    assert person.api("POST", "/auth/email/verify", {"token": token}).status == 200
    person.login()
    keep_session(watch, person, "person")
    person.refresh()
    keep_session(watch, person, "person, refreshed")
    for _ in range(3):
        assert person.try_login(WRONG_PASSWORD).status == 401
    person.api("POST", "/account/password/reset-request", {"email": person.email})
    token = watch.secret("reset", token_of(world, sink, person.email, 2))
    body = {"token": token, "new_password": OTHER_PASSWORD}
    assert person.api("POST", "/account/password/reset", body).status in (200, 204)
    person.password = OTHER_PASSWORD
    world.gate.clock.advance(3600)
    person.login()
    keep_session(watch, person, "person, again")
    return admin, person


def token_of(world, sink, email, count=1):
    def there():
        mails = [m for m in sink.mails if email in m.recipients]
        return mails if len(mails) >= count else None

    text = world.gate.wait_for(there, f"mails to {email}")[-1].get_body().get_content()
    return re.search(r"token=([A-Za-z0-9_-]+)", text).group(1)


def make_errors(watch, world, person):
    """Secrets where they do not belong."""
    access = next(v for v in person.cookies.values() if v.count(".") == 2)
    refused = []
    for target in (f"/public/x?token={GARBAGE_TOKEN}", f"{BASE}/auth/nothing?password={PASSWORD}"):
        refused.append(person.get(target))
    basic = "Basic " + base64.b64encode(f"a:{PASSWORD}".encode()).decode()
    for value in (f"Bearer {access}", f"Bearer {GARBAGE_TOKEN}", basic):
        refused.append(person.get("/users/x/y", extra=[("Authorization", value)]))
    cookie = ("Cookie", f"__Host-gh_access={GARBAGE_TOKEN}")
    refused.append(person.get("/users/x/y", extra=[cookie]))
    bodies = [
        b'{"email": "a@example.com", "password": "' + PASSWORD.encode() + b'"',
        json.dumps({"email": PASSWORD, "password": PASSWORD}).encode(),
        json.dumps({"email": "a@example.com", "password": [PASSWORD]}).encode(),
        json.dumps({"email": "a@example.com", "password": PASSWORD * 60}).encode(),
        json.dumps({"email": "a@example.com", PASSWORD: 1}).encode(),
        b"\xff\xfe" + PASSWORD.encode(),
    ]
    for path in ("/auth/login", "/auth/signup", "/auth/email/verify", "/account/password"):
        for body in bodies:
            refused.append(person.api("POST", path, body))
    refused.append(person.api("POST", "/auth/email/verify", {"token": GARBAGE_TOKEN}))
    refused.append(person.api("POST", "/auth/2fa", {"challenge": GARBAGE_TOKEN, "code": "000000"}))
    for number, response in enumerate(refused):
        watch.text(f"answer {number}", response.body)


def run_commands(watch, world, folder):
    add = ("user", "add", "added@example.com", "--password-stdin")
    assert command(watch, world, *add, stdin=PASSWORD + "\n").returncode == 0
    assert command(watch, world, *add, stdin=PASSWORD + "\n").returncode == 1
    lines = [
        {"email": "imported@example.com", "totp_secret": TOTP},
        {"email": "refused@example.com", "totp_secret": TOTP + "1"},
        {"email": "refused@example.com", "password_hash": PASSWORD},
        {"email": PASSWORD},
    ]
    path = folder / "people.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + f'\n{{"email": "{PASSWORD}')
    result = command(watch, world, "user", "import", path)
    assert "1 imported, 4 refused" in result.stdout
    for name in ("new.key", "weak.key"):
        (folder / name).write_text(NEW_ROOT if name == "new.key" else "changeme" + ROOT)
    rotate = ("secrets", "rotate", "--root-file")
    assert command(watch, world, *rotate, folder / "weak.key").returncode == 2
    assert command(watch, world, *rotate, folder / "new.key").returncode == 0
    command(watch, world, "secrets", "rotate", "--signing")
    command(watch, world, "secrets", "status")
    command(watch, world, "secrets", "status", "--json")
    command(watch, world, "user", "list", "--json")
    command(watch, world, "access", "review")
    command(watch, world, "user", "export", "imported@example.com")
    env = {"APP_SECRET_KEY": ROOT, "FERNET_KEY": FERNET + "x", "APP_SECRET_KEY_PREVIOUS": OLD_ROOT}
    assert command(watch, world, "secrets", "check", env=env).returncode == 1
    env["APP_SECRET_KEY"] = "changeme" + ROOT
    command(watch, world, "secrets", "check", env=env)
    command(watch, world, "check", env=env)


def read_as_admin(watch, world, admin):
    world.gate.clock.advance(60)
    if not admin.is_signed_in():
        admin.login()
    for path in ("/admin/audit?limit=200", "/admin/users", "/account/activity"):
        watch.text(f"answer of {path}", admin.api("GET", path).body)


def test_no_secret_is_in_anything_that_was_written(tmp_path, tmp_path_factory, watch):
    for name in ("ROOT", "OLD_ROOT", "NEW_ROOT", "MAIL_PASSWORD", "PASSWORD", "OTHER_PASSWORD"):
        watch.secret(name, globals()[name])
    for name in ("WRONG_PASSWORD", "FERNET", "TOTP", "GARBAGE_TOKEN"):
        watch.secret(name, globals()[name])
    watch.secret("FERNET, raw", base64.urlsafe_b64decode(FERNET))
    watch.secret("TOTP, raw", base64.b32decode(TOTP))
    pair = Pair(tmp_path_factory.mktemp("tls"), "localhost", ["localhost"])
    with Sink(pair.server_context(), login=("postman", MAIL_PASSWORD)) as sink:
        env = {
            "APP_SECRET_KEY": ROOT,
            "APP_SECRET_KEY_PREVIOUS": OLD_ROOT,
            "FERNET_KEY": FERNET,
            "SMTP_URL": sink.url(f"postman:{MAIL_PASSWORD}"),
            "SSL_CERT_FILE": str(pair.certificate),
        }
        identity = {
            "email_verification": "required",
            "mail": {"from": "no-reply@example.com", "folder": "", "smtp": "env:SMTP_URL"},
        }
        secrets = {"previous": ["env:APP_SECRET_KEY_PREVIOUS"], "fernet": ["env:FERNET_KEY"]}
        # Production: elsewhere the log shows the links of mails, for those who have no mail server.
        settings = {"environment": "production", "public_url": "https://example.com"}
        with deployed(tmp_path, identity, env, secrets=secrets, **settings) as world:
            world.gate.wait_for((tmp_path / "control.sock").exists, "the control socket")
            admin, person = work(watch, world, sink)
            make_errors(watch, world, person)
            sink.answer("RCPT", f"451 later, {GARBAGE_TOKEN}")
            sink.login = ("postman", "another")
            person.api("POST", "/account/password/reset-request", {"email": person.email})
            run_commands(watch, world, tmp_path)
            read_as_admin(watch, world, admin)
            crash(watch, world)
            watch.text("standard output and error", world.gate.output())
            # What we wrote ourselves; and where the setup token is meant to stand.
            watch.files(tmp_path, but={"people.jsonl", "new.key", "weak.key", "setup-token"})
    # There was something to look for, and to look in.
    assert len(watch.canaries) > 30 and len(watch.written) > 50
    assert any("gatehouse.db-wal" in name for name in watch.written)
    assert any(b"audit" in data for data in watch.written.values())
    hits = watch.found()
    assert not hits, "\n".join(hits)


def crash(watch, world):
    """What others of the system can read of it; then an end like a crash."""
    process = f"/proc/{world.gate.process.pid}"
    for name in ("cmdline", "comm", "status"):
        with open(f"{process}/{name}", "rb") as file:
            watch.text(f"/proc/{name}", file.read())
    with open(f"{process}/environ", "rb") as file:
        environ = file.read()
    # The mail server's URL is read again at a reload; no other user can read it here.
    kept = [part for part in environ.split(b"\0") if not part.startswith(b"SMTP_URL=")]
    watch.text("/proc/environ", b"\0".join(kept))
    with open(f"{process}/limits", encoding="ascii") as file:
        [line] = [line for line in file if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]
    world.gate.signal(signal.SIGSEGV)
    assert world.gate.process.wait(20) != 0
    world.gate.stopped = True
    for reader in world.gate.readers:
        reader.join(5)
    assert not list(world.gate.path.glob("core*"))
