"""A mail server on loopback that keeps what it is sent: aiosmtpd, told when to refuse."""

import email
import email.policy
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from .gate import free_port

HANG_UP = object()  # in place of a reply


class Sink:
    """`tls` is an ssl.SSLContext; with `starttls` it is demanded, else spoken from the start.
    `login` is the (user, password) that is demanded. `refuse` is a reply that each RCPT gets
    ("451 later"), or None. Closed and opened again it keeps its port, and what it got.

    `mails` are those that were taken, `tries` all whose text came, `recipients` all that were
    named, taken or not."""

    def __init__(self, tls=None, starttls=False, refuse=None, login=None):
        self.port = free_port()
        self.tls, self.starttls, self.refuse, self.login = tls, starttls, refuse, login
        self.mails, self.tries, self.recipients = [], [], []
        self.commands, self.logins = [], []
        self.scripted = {"RCPT": [], "DATA": []}
        self.controller = None

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        self.close()

    def url(self, user=None, host="localhost"):
        scheme = "smtps" if self.tls and not self.starttls else "smtp"
        return f"{scheme}://{user + '@' if user else ''}{host}:{self.port}"

    def answer(self, verb, *replies):
        """The next of these commands get these replies: a text, HANG_UP, or None for a yes."""
        self.scripted[verb] += replies

    def open(self):
        implicit = self.tls is not None and not self.starttls
        self.controller = Listener(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=self.tls if implicit else None,
            tls_context=self.tls if self.starttls else None,
            require_starttls=self.starttls,
            authenticator=self.check_login,
            auth_required=self.login is not None,
            auth_require_tls=self.starttls,
        )
        self.controller.start()

    def close(self):
        if self.controller:
            self.controller.stop()
            self.controller = None

    # -- what aiosmtpd asks, in its own thread --

    def check_login(self, server, session, envelope, mechanism, given):
        pair = (given.login.decode(), given.password.decode())
        self.logins.append((pair, is_secure(server)))
        if pair == self.login:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message="535 5.7.8 wrong")

    def reply(self, server, verb, standing):
        self.commands.append((verb, is_secure(server)))
        reply = self.scripted[verb].pop(0) if self.scripted.get(verb) else standing
        if reply is HANG_UP:
            server.transport.abort()
            return "421 gone"
        return reply

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.commands.append(("MAIL", is_secure(server)))
        envelope.mail_from = address
        return "250 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.recipients.append(address)
        reply = self.reply(server, "RCPT", self.refuse)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 fine"

    async def handle_DATA(self, server, session, envelope):
        text = envelope.original_content
        message = email.message_from_bytes(text, policy=email.policy.default)
        message.raw, message.sender, message.recipients = text, envelope.mail_from, envelope.rcpt_tos
        reply = self.reply(server, "DATA", None)
        self.tries.append(message)
        if reply is None:
            self.mails.append(message)
        return reply or "250 taken"


class Listener(Controller):
    """Without the connection of its own by which aiosmtpd makes its server ready (a port that is
    bound takes connections); at the end it cuts those that are open."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.sessions = []

    def factory(self):
        self.sessions.append(super().factory())
        return self.sessions[-1]

    def start(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10), self._thread_exception

    def cancel_tasks(self, stop_loop=True):
        for session in self.sessions:
            if session.transport:
                session.transport.abort()
        super().cancel_tasks(stop_loop)


def is_secure(server):
    return isinstance(server.transport.get_extra_info("ssl_object"), ssl.SSLObject)
