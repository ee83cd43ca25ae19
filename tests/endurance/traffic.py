"""People who sign up, sign in, make mistakes and attack; each request is told to the ledger."""

import base64
import json
import random
import time

from harness.identity import Person, link_token, totp
from harness.wire import WireError

# What the gateway says of a refusal, and the word that the log has for it.
WORDS = {
    "Sign in, then try again.": ("access_denied", "not_signed_in"),
    "The access token is not valid. Sign in again.": ("access_denied", "credential_refused"),
    "The access token has expired. Refresh it, or sign in again.": (
        "access_denied", "credential_expired"),
    "Your account does not have the role for this.": ("access_denied", "role_missing"),
    "You can do this with what is your own only.": ("access_denied", "not_owner"),
    "Confirm that it is you: give the password or a code again, then repeat this.": (
        "access_denied", "fresh_needed"),
    "Set up a second factor first: nothing else is allowed until then.": (
        "access_denied", "enrol_first"),
    "Invalid host header": ("host_rejected", "host_unknown"),
    "This request may not come from another site.": ("origin_rejected", "cross_site"),
    "This origin may not make this request.": ("origin_rejected", "preflight_refused"),
    "Rate limit exceeded: 3 requests per minute": ("rate_limited", "rate_limited"),
    "The request is not well-formed HTTP.": ("request_rejected", "malformed"),
    "The length of the request body is ambiguous or malformed.": ("request_rejected", "framing"),
    "The request target is not well-formed.": ("request_rejected", "target_malformed"),
    "This transfer coding is not supported.": ("request_rejected", "unknown_coding"),
    "This HTTP version is not supported here.": ("request_rejected", "version"),
    "This method is never allowed here.": ("request_rejected", "method_refused"),
    "The request path leaves the root.": ("request_rejected", "path_above_root"),
    "The request path is not valid UTF-8.": ("request_rejected", "path_bad_utf8"),
    "Send the body as application/json, not encoded.": ("request_rejected", "content_type"),
}
# The session's end is told in the same words by the gateway and by refresh, which is no refusal.
SESSION_ENDED = ("access_denied", "credential_revoked")
ACCESS, REFRESH = "__Host-gh_access", "__Secure-gh_refresh"
HOST = b"Host: localhost\r\nX-Forwarded-Proto: https\r\n"
MALFORMED = [
    b"GET /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /x HTTP/1.1\r\n" + HOST + b"Bad Name: x\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /public/%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n",
    b"TRACE /public/x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/3.7\r\n" + HOST + b"\r\n",
]
# One client does this all the time: all but the first of a minute is one record with a count.
FLOOD = b"POST /x HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: %s\r\nTransfer-Encoding: gzip\r\n\r\n"
REPORT = {
    "csp-report": {
        "document-uri": "https://localhost/page",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://elsewhere.test/x.js",
        "disposition": "report",
    }
}
NEW_PASSWORDS = ("vellum", "orbit", "lantern", "quarry", "maple", "drift", "copper", "anvil",
                 "thicket", "marble", "saffron", "ember")


class Killed(Exception):
    """The process went away in the middle."""


class Somebody(Person):
    """A person whose secrets are canaries, and who writes down what the log must say of them."""

    def __init__(self, crowd, email=None, address=None, agent=None):
        self.crowd, self.ledger, self.canaries = crowd, crowd.ledger, crowd.canaries
        self.agent = agent or f"Marked-Agent-{crowd.text(8)}/1.0"
        password = crowd.password()
        super().__init__(crowd.gate, address or crowd.address(),
                         email or f"{crowd.text(10)}@people.test", password)
        self.recovery, self.account, self.old_refresh = [], None, None
        self.refresh_at = 0
        self.lost = False  # a kill left in doubt what this person knows
        self.unsure = False  # or whether the last refresh token is still the newest
        self.canaries.add("password", password)
        self.canaries.add("person", self.email, self.agent)
        self.canaries.add("address", self.address)

    def fields(self, extra=(), site="same-origin"):
        return [("User-Agent", self.agent), *super().fields(extra, site)]

    def keep_cookies(self, response):
        before = self.cookies.get(REFRESH)
        super().keep_cookies(response)
        for name, value in self.cookies.items():
            self.canaries.add("cookie " + name, value)
            if value.count(".") == 2:
                self.canaries.add("signature of a token", value.rsplit(".", 1)[1])
        if before and before != self.cookies.get(REFRESH):
            self.old_refresh, self.refresh_at = before, self.now()

    def now(self):
        return time.time() + self.gate.clock.offset_ms / 1000

    # -- one request, and what the log must say of it --

    def act(self, name, send, told):
        """`told`: {status: events}; an event is its name, with "!" where it is a failure. A refusal
        by the gateway is known by its text."""
        try:
            response = send()
        except (WireError, OSError) as problem:
            for events in told.values():
                self.ledger.events([self.event(e) for e in events], sure=False)
            self.unsure = True
            raise Killed(repr(problem)) from None
        self.ledger.note(name, response.status)
        if response.status in told:
            self.ledger.events([self.event(e) for e in told[response.status]])
        elif not self.note_refusal(response):
            self.ledger.surprise(name, response)
        return response

    def event(self, text):
        name, _, account = text.partition(" ")
        outcome = "failure" if name.endswith("!") else "success"
        return name.rstrip("!"), outcome, None if account == "nobody" else account or self.account

    def note_refusal(self, response):
        if response.get("Content-Type") != "application/problem+json":
            return False
        word = WORDS.get(response.json()["detail"])
        if response.json()["detail"] == "The session has ended. Sign in again.":
            word = SESSION_ENDED
        if word:
            self.ledger.refused(*word)
        return word is not None

    def refused(self, name, send, status, *word):
        """A request that must be refused so."""
        try:
            response = send()
        except (WireError, OSError) as problem:
            self.ledger.refused_perhaps(*word)
            self.unsure = True
            raise Killed(repr(problem)) from None
        self.ledger.note(name, response.status)
        if response.status != status:
            self.ledger.surprise(name, response)
            return
        said = WORDS.get(response.json()["detail"]) if response.body else None
        if said != word:
            self.ledger.surprise(name, response)
        self.ledger.refused(*word)

    def flood(self, count):
        data = FLOOD % self.address.encode()
        for _ in range(count):
            self.refused("flood", lambda: self.gate.raw(data), 501, "request_rejected",
                         "unknown_coding")

    # -- accounts --

    def sign_up_for_good(self):
        response = self.act("sign-up", self.sign_up, {201: []})
        if response.status == 201:
            self.user = response.json()["user"]
            self.account = self.user["id"]
            self.ledger.events([("signup", "success", self.account)])
        return response.status == 201

    def sign_in(self):
        """With the second factor where it is on; False: not now."""
        if self.secret and not self.has_code():
            return False
        self.cookies.pop(ACCESS, None)
        self.cookies.pop(REFRESH, None)
        self.old_refresh = None
        ok = [] if self.secret else ["login"]
        response = self.act("login", self.try_login, {200: ok, 429: []})
        if response.status != 200:
            return False
        if self.secret:
            challenge = response.json()["challenge"]
            self.canaries.add("challenge", challenge)
            code = self.take_code()
            told = {200: ["login"], 401: ["2fa_verify_failed!"], 429: []}
            response = self.act("second step", lambda: self.second_step(challenge, code), told)
        return response.status == 200

    def signed_in(self):
        """A session that works, by refresh or sign-in."""
        return self.refreshed() or self.sign_in()

    def refreshed(self):
        if not self.cookies.get(REFRESH):
            return False
        unsure, self.unsure = self.unsure, False
        response = self.act("refresh", self.refresh, {200: [], 401: []})
        if response.status == 401 and unsure:  # its successor got lost: that is reuse
            self.ledger.events([self.event("session_revoked!")], sure=False)
        return response.status == 200

    def has_code(self):
        return self.used_step is None or int(self.now() // 30) > self.used_step

    def take_code(self):
        self.used_step = int(self.now() // 30)
        code = totp(self.secret, self.now())
        self.canaries.add("code", code)
        return code

    def switch_on_second_factor(self):
        """True: it is on, and ten codes are known."""
        response = self.act("2fa setup", lambda: self.api("POST", "/account/2fa/setup", {}),
                            {200: [], 409: []})
        if response.status != 200:
            return False
        self.secret, self.used_step = response.json()["secret"], None
        padded = self.secret + "=" * (-len(self.secret) % 8)
        self.canaries.add("TOTP secret", self.secret, base64.b32decode(padded).hex())
        code = self.take_code()
        enable = self.act(
            "2fa enable", lambda: self.api("POST", "/account/2fa/verify", {"code": code}),
            {200: ["2fa_enabled"]})
        if enable.status != 200:
            self.lost = True
            return False
        self.recovery = enable.json()["recovery_codes"]
        self.canaries.add("recovery code", *self.recovery)
        return True


class Crowd:
    """Those whom one thread plays, its own dice, and the operations that it deals out."""

    def __init__(self, number, seed, gate, ledger, canaries, admin=None):
        self.number, self.gate, self.ledger, self.canaries = number, gate, ledger, canaries
        self.dice = random.Random(f"{seed} {number}")
        self.people, self.deck, self.admin = [], [], admin
        self.enrolled = None
        self.addresses = 0

    # -- texts that stand nowhere else --

    def text(self, length):
        return "".join(self.dice.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(length))

    def password(self):
        return "-".join(self.dice.sample(NEW_PASSWORDS, 2)) + "-" + self.text(8)

    def address(self):
        """Another network each time: throttles of networks are not what is played here."""
        self.addresses += 1
        return f"10.{100 + self.number}.{self.addresses % 250}.{self.dice.randrange(100, 250)}"

    def stranger(self, **known):
        return Somebody(self, **known)

    def somebody(self):
        return self.dice.choice(self.people)

    def newcomer(self):
        person = self.stranger()
        try:
            made = person.sign_up_for_good()
        except Killed:
            self.ledger.events([("signup", "success", None)], sure=False)
            raise
        if made:
            self.people.append(person)
        return person if made else None

    # -- rounds --

    def play(self, operations):
        """False: the process was killed meanwhile."""
        try:
            for _ in range(operations):
                if not self.people or len(self.people) < 3:
                    self.newcomer()
                    continue
                self.deal()(self)
            return True
        except Killed:
            self.people = [person for person in self.people if not person.lost]
            return False

    def deal(self):
        if not self.deck:
            self.deck = list(OPERATIONS)
            self.dice.shuffle(self.deck)
        return self.deck.pop()

    # -- operations --

    def op_sign_up(self):
        self.newcomer()

    def op_sign_up_again(self):
        person = self.somebody()
        person.act("sign-up taken", person.sign_up, {409: ["signup!"]})

    def op_login(self):
        self.somebody().sign_in()

    def op_login_wrong(self):
        person = self.somebody()
        other = self.stranger(email=person.email)
        other.account = person.account
        wrong = self.password()
        self.canaries.add("password", wrong)
        other.act("login wrong", lambda: other.try_login(wrong), {401: ["login_failed!"], 429: []})

    def op_login_unknown(self):
        nobody = self.stranger()
        nobody.act("login unknown", nobody.try_login, {401: ["login_failed! nobody"], 429: []})

    def op_refresh(self):
        self.somebody().refreshed()

    def op_refresh_stolen(self):
        """A refresh token that was used long ago comes again: its family ends."""
        person = self.somebody()
        if not person.old_refresh or person.now() - person.refresh_at < 20:
            return
        thief = self.stranger(email=person.email)
        thief.account = person.account
        thief.cookies = {REFRESH: person.old_refresh}
        if self.still_lives(person):
            thief.act("refresh reused", thief.refresh, {401: ["session_revoked!"]})
            person.cookies.pop(REFRESH, None)
            person.cookies.pop(ACCESS, None)
        person.old_refresh = None

    def still_lives(self, person):
        """Only a session that does can be ended by that."""
        old = person.old_refresh
        lives = person.refreshed()
        person.old_refresh = old
        return lives

    def op_logout(self):
        person = self.somebody()
        if person.signed_in():
            person.act("logout", lambda: person.api("POST", "/auth/logout", {}), {200: ["logout"]})

    def op_profile(self):
        person = self.somebody()
        if person.signed_in():
            body = {"name": f"Name {self.text(6)}"}
            person.act("profile", lambda: person.api("PATCH", "/account/profile", body),
                       {200: ["profile_updated"]})

    def op_own_data(self):
        person = self.somebody()
        if person.signed_in():
            person.act("own data", lambda: person.get(f"/users/{person.account}/x"), {200: []})

    def op_foreign_data(self):
        person, other = self.somebody(), self.somebody()
        if person is not other and person.signed_in():
            person.refused("foreign id", lambda: person.get(f"/users/{other.account}/x"), 403,
                           "access_denied", "not_owner")

    def op_admin_pages(self):
        person = self.somebody()
        if person.signed_in():
            person.refused("role missing", lambda: person.get("/admin/x"), 403,
                           "access_denied", "role_missing")

    def op_nobody(self):
        nobody = self.stranger()
        nobody.refused("not signed in", lambda: nobody.get("/users/x/y"), 401,
                       "access_denied", "not_signed_in")

    def op_bad_token(self):
        nobody = self.stranger()
        nobody.cookies = {ACCESS: "eyJhbGciOiJIUzI1NiJ9.e30." + self.text(43)}
        nobody.refused("bad token", lambda: nobody.get("/users/x/y"), 401,
                       "access_denied", "credential_refused")

    def op_foreign_host(self):
        nobody = self.stranger()
        nobody.refused(
            "foreign host",
            lambda: self.gate.request("GET", "/public/x", nobody.fields(), host="evil.test"), 400,
            "host_rejected", "host_unknown")

    def op_cross_site(self):
        person = self.somebody()
        if person.signed_in():
            person.refused(
                "cross site",
                lambda: person.ask("POST", f"/users/{person.account}/x", {}, site="cross-site"),
                403, "origin_rejected", "cross_site")

    def op_malformed(self):
        nobody = self.stranger()
        data = self.dice.choice(MALFORMED)
        nobody.address = "127.0.0.1"  # no proxy says anything else
        nobody.act("malformed", lambda: self.gate.raw(data), {})

    def op_rate_limited(self):
        nobody = self.stranger()
        for _ in range(5):
            nobody.act("rate limited", lambda: nobody.get("/narrow"), {200: []})

    def op_report(self):
        nobody = self.stranger()
        fields = nobody.fields([("Content-Type", "application/csp-report")])
        body = json.dumps(REPORT).encode()
        try:
            response = self.gate.request("POST", "/csp-report", fields, body)
        except (WireError, OSError) as problem:
            self.ledger.refused_perhaps("csp_violation", None)
            raise Killed(repr(problem)) from None
        self.ledger.note("CSP report", response.status)
        self.ledger.refused("csp_violation", None)

    def op_second_factor(self):
        """One of the crowd has it: enrolled once, then signing in with it."""
        if self.enrolled is None or self.enrolled.lost:
            person = self.newcomer()
            if person and person.sign_in():
                person.lost = True
                if person.switch_on_second_factor():
                    person.lost = False
                    self.enrolled = person
            if person in self.people:
                self.people.remove(person)
            return
        self.enrolled.sign_in()

    def op_wrong_code(self):
        person = self.enrolled
        if person is None or person.lost:
            return
        response = person.act("login", person.try_login, {200: [], 429: []})
        if response.status == 200:
            challenge = response.json()["challenge"]
            right = {totp(person.secret, person.now(), step) for step in (-1, 0, 1, 2)}
            wrong = next(c for c in (f"{self.dice.randrange(10**6):06d}" for _ in range(9))
                         if c not in right)
            person.act("second step wrong", lambda: person.second_step(challenge, wrong),
                       {401: ["2fa_verify_failed!"], 429: []})

    def op_recovery_code(self):
        person = self.enrolled
        if person is None or person.lost or not person.recovery:
            return
        response = person.act("login", person.try_login, {200: [], 429: []})
        if response.status == 200:
            challenge, code = response.json()["challenge"], person.recovery.pop()
            person.act("recovery code", lambda: person.second_step(challenge, code),
                       {200: ["login"], 429: []})

    def op_step_up(self):
        person = self.somebody()
        if person.signed_in():
            if self.dice.random() < 0.5:
                person.act("step-up", person.step_up, {200: ["login"], 429: []})
            else:
                wrong = self.password()
                self.canaries.add("password", wrong)
                person.act("step-up wrong", lambda: person.step_up(wrong),
                           {403: ["login_failed!"], 429: []})

    def op_export(self):
        person = self.somebody()
        if person.signed_in():
            step = person.act("step-up", person.step_up, {200: ["login"], 429: []})
            if step.status == 200:
                person.act("export", lambda: person.api("POST", "/compliance/export", {}),
                           {200: ["data_export"]})

    def op_password(self):
        """Of somebody with this one session: no other one is ended by it."""
        person = self.newcomer()
        if not person or not person.sign_in():
            return
        person.lost = True
        new = self.password()
        self.canaries.add("password", new)
        body = {"current_password": person.password, "new_password": new}
        response = person.act(
            "password", lambda: person.api("POST", "/account/password", body),
            {200: ["password_change"]})
        if response.status == 200:
            person.password = new
        person.lost = False

    def op_reset(self):
        """By the link of a mail; of somebody without a session."""
        person = self.newcomer()
        if not person:
            return
        person.lost = True
        asked = person.act(
            "reset request",
            lambda: person.api("POST", "/account/password/reset-request", {"email": person.email}),
            {200: ["password_reset_request"]})
        mail = self.mail_to(person) if asked.status == 200 else None
        if mail:
            token, new = link_token(mail), self.password()
            self.canaries.add("reset token", token)
            self.canaries.add("password", new)
            body = {"token": token, "new_password": new}
            response = person.act(
                "reset", lambda: person.api("POST", "/account/password/reset", body),
                {200: ["password_change"]})
            if response.status == 200:
                person.password = new
        person.lost = False

    def op_reset_unknown(self):
        nobody = self.stranger()
        nobody.act(
            "reset unknown",
            lambda: nobody.api("POST", "/account/password/reset-request", {"email": nobody.email}),
            {200: ["password_reset_request nobody"]})

    def mail_to(self, person, seconds=3):
        """Or None: a kill comes in between, the mail comes later then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for mail in list(self.gate.mails.mails):
                if mail["To"] == person.email and "token=" in mail.get_body().get_content():
                    return mail
            time.sleep(0.02)
        return None

    def op_other_sessions(self):
        """Two browsers; one ends the other."""
        person = self.newcomer()
        if not person or not person.sign_in() or not person.sign_in():
            return
        person.act("end other sessions", lambda: person.api("DELETE", "/account/sessions"),
                   {200: ["session_revoked"]})

    def op_leave(self):
        """Deletes the account without more words."""
        person = self.newcomer()
        if not person or not person.sign_in():
            return
        self.people.remove(person)
        person.act("delete account",
                   lambda: person.api("DELETE", "/account", {"password": person.password}),
                   {200: ["account_deleted", "session_revoked"]})

    def op_admin(self):
        """What the admin of this crowd does to somebody."""
        admin = self.admin
        if admin is None:
            return
        person = self.newcomer()
        if not person or not admin.is_ready():
            return
        where = f"/admin/users/{person.account}"
        for name, method, path, body, told in (
                ("role", "PATCH", "/role", {"roles": ["user", "editor"]}, "role_changed"),
                ("disable", "POST", "/disable", {}, "account_locked"),
                ("enable", "POST", "/enable", {}, "account_unlocked"),
        ):
            admin.act(f"admin {name}", lambda m=method, p=path, b=body: admin.api(m, where + p, b),
                      {200: [f"{told} {person.account}"]})


class Admin(Somebody):
    """The first admin: made by the token of the setup, with a second factor."""

    def set_up(self, token):
        self.canaries.add("setup token", token)
        body = {"token": token, "email": self.email, "password": self.password}
        response = self.api("POST", "/auth/setup", body)
        assert response.status == 201, response
        self.user = response.json()["user"]
        self.account = self.user["id"]
        self.ledger.events([("signup", "success", self.account),
                            ("role_changed", "success", self.account)])
        assert self.sign_in() and self.switch_on_second_factor()

    def is_ready(self):
        """Signed in, and that not long ago."""
        if self.cookies.get(REFRESH):
            response = self.act("admin session", lambda: self.api("GET", "/auth/session"), {200: []})
            if response.status == 200 and response.json()["fresh"]:
                return True
        return self.sign_in()


OPERATIONS = [
    Crowd.op_sign_up, Crowd.op_sign_up_again, Crowd.op_login, Crowd.op_login, Crowd.op_login_wrong,
    Crowd.op_login_unknown, Crowd.op_refresh, Crowd.op_refresh, Crowd.op_refresh_stolen,
    Crowd.op_logout, Crowd.op_profile, Crowd.op_own_data, Crowd.op_own_data, Crowd.op_foreign_data,
    Crowd.op_foreign_data, Crowd.op_admin_pages, Crowd.op_nobody, Crowd.op_nobody,
    Crowd.op_bad_token, Crowd.op_foreign_host, Crowd.op_foreign_host, Crowd.op_cross_site,
    Crowd.op_malformed, Crowd.op_malformed, Crowd.op_rate_limited, Crowd.op_report,
    Crowd.op_second_factor, Crowd.op_second_factor, Crowd.op_wrong_code, Crowd.op_recovery_code,
    Crowd.op_step_up, Crowd.op_export, Crowd.op_password, Crowd.op_reset, Crowd.op_reset_unknown,
    Crowd.op_other_sessions, Crowd.op_leave, Crowd.op_admin,
]
