"""A mail server on loopback that keeps what it is sent (RFC 5321, as far as one sender needs)."""

import base64
import email
import email.policy
import socket
import threading

from .gate import free_port


class Sink:
    """`refuse` is a reply that RCPT gets ("451 later"), or None. `tls` is an ssl.SSLContext; with
    `starttls` it is offered, else spoken from the start. Closed and opened again it keeps its
    port."""

    def __init__(self, tls=None, starttls=False, refuse=None):
        self.port = free_port()
        self.tls, self.starttls, self.refuse = tls, starttls, refuse
        self.mails, self.recipients, self.commands, self.logins = [], [], [], []
        self.listener = None

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        self.close()

    def url(self, user=None):
        scheme = "smtps" if self.tls and not self.starttls else "smtp"
        return f"{scheme}://{user + '@' if user else ''}localhost:{self.port}"

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(16)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def close(self):
        if self.listener:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(sock,), daemon=True).start()

    def talk(self, sock):
        try:
            if self.tls and not self.starttls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self.session(sock)
        except OSError:
            pass
        finally:
            sock.close()

    def session(self, sock):
        stream = sock.makefile("rwb")
        secure = self.tls is not None and not self.starttls

        def say(text):
            stream.write(text.encode() + b"\r\n")
            stream.flush()

        say("220 localhost ESMTP")
        while line := stream.readline():
            word = line.decode("latin-1").strip()
            verb = word.split(" ")[0].upper()
            self.commands.append((verb, secure))
            if verb == "EHLO":
                offers = ["STARTTLS"] if self.starttls and not secure else ["AUTH PLAIN LOGIN"]
                say("\r\n".join(["250-localhost"] + [f"250-{o}" for o in offers] + ["250 8BITMIME"]))
            elif verb == "STARTTLS":
                say("220 go on")
                sock = self.tls.wrap_socket(sock, server_side=True)
                stream, secure = sock.makefile("rwb"), True
            elif verb == "AUTH":
                parts = word.split(" ")
                if len(parts) < 3:
                    say("334 ")
                    parts.append(stream.readline().decode().strip())
                self.logins.append((base64.b64decode(parts[2]), secure))
                say("235 welcome")
            elif verb == "RCPT":
                self.recipients.append(word.split("<")[1].split(">")[0])
                say(self.refuse or "250 fine")
            elif verb == "DATA":
                say("354 go on")
                self.keep(stream)
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")

    def keep(self, stream):
        lines = []
        while (line := stream.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        text = b"".join(lines)
        assert b"\n" not in text.replace(b"\r\n", b""), "lines end with CR LF"
        self.mails.append(email.message_from_bytes(text, policy=email.policy.default))
