"""The part of the demo with accounts: sign-up, sign-in, a foreign id, a second factor, a throttled
login. It borrows how to send and show from demo.py."""

import base64
import hashlib
import hmac
import json
import struct
import time

PASSWORD = "vellum-orbit-lantern"
BASE = "/api/v1"


def totp(secret):
    """The six digits of now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1000000:06d}"


class Browser:
    """Somebody with a cookie jar."""

    def __init__(self, demo, port):
        self.demo = demo
        self.port = port
        self.cookies = {}

    def ask(self, method, path, body=None):
        fields = [("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")]
        if self.cookies:
            fields.append(("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items())))
        raw = json.dumps(body).encode() if body is not None else b""
        answer = self.demo.send(
            self.port, self.demo.request(self.port, method, path, fields, raw)
        )
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                cookie, _, value = value.split(";", 1)[0].partition("=")
                self.cookies[cookie] = value
        return answer

    def post(self, path, body):
        return self.ask("POST", BASE + path, body)


def told(answer):
    line = answer.status_line
    if (answer.get("content-type") or "").startswith("application/problem+json"):
        line += f"  {json.loads(answer.body)['detail']}"
    return line


def show_identity(demo, backend, gate):
    ann, password = Browser(demo, gate), PASSWORD
    account = {"email": "ann@example.com", "password": password}
    print("\nAnn makes an account, and signs in")
    print(f"  POST /auth/signup           {told(ann.post('/auth/signup', account))}")
    login = ann.post("/auth/login", account)
    ann_id = json.loads(login.body)["user"]["id"]
    print(f"  POST /auth/login            {told(login)}")
    print(f"  her browser holds           {', '.join(ann.cookies)} (HttpOnly)")

    own, foreign = f"{BASE}/users/{ann_id}/tasks", f"{BASE}/users/somebody-else/tasks"
    demo.side_by_side(
        "tasks of somebody else, asked for by their id",
        [told(demo.send(backend, demo.request(backend, "GET", foreign)))],
        [f"signed out        {told(demo.send(gate, demo.request(gate, 'GET', foreign)))}",
         f"Ann, her own      {told(ann.ask('GET', own))}",
         f"Ann, a foreign id {told(ann.ask('GET', foreign))}"],
    )

    print("\nAnn switches a second factor on, and signs in with it")
    secret = json.loads(ann.post("/account/2fa/setup", {}).body)["secret"]
    verified = ann.post("/account/2fa/verify", {"code": totp(secret)})
    codes = json.loads(verified.body)["recovery_codes"]
    print(f"  POST /account/2fa/verify    {told(verified)}  {len(codes)} recovery codes")
    again = ann.post("/auth/login", account)
    print(f"  POST /auth/login            {told(again)}  {again.body.decode()[:42]}...")
    challenge = json.loads(again.body)["challenge"]
    second = {"challenge": challenge, "code": totp(secret)}
    print(f"  POST /auth/2fa, same code   {told(ann.post('/auth/2fa', second))}")
    second["code"] = codes[0]
    print(f"  POST /auth/2fa, recovery    {told(ann.post('/auth/2fa', second))}")

    guesses = {
        port: [Browser(demo, port).post("/auth/login", {**account, "password": f"guess{i}"})
               for i in range(6)]
        for port in (backend, gate)
    }
    demo.side_by_side(
        "six guesses at her password",
        [" ".join(a.status_line[:3] for a in guesses[backend])],
        [" ".join(a.status_line[:3] for a in guesses[gate]),
         told(guesses[gate][-1]),
         f"Retry-After: {guesses[gate][-1].get('Retry-After')}"],
    )
