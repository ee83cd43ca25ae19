"""SPEC 4: mail through SMTP from an outbox in the store: no answer waits for it, none is lost."""

import time

import pytest

from harness.gate import IS_RELEASE, Gatehouse
from harness.identity import ENV, assert_answer, deployed, link_token
from harness.smtp import Sink

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")


def by_smtp(**more):
    return {
        "email_verification": "required",
        "mail": {"from": "Gäte <no-reply@example.com>", "folder": "", "smtp": "env:SMTP_URL"},
        **more,
    }


def sent(world, sink, count=1):
    return world.gate.wait_for(lambda: len(sink.mails) >= count and sink.mails, f"{count} mails")


def test_a_mail_is_well_formed_and_its_link_works(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        person = world.stranger()
        assert_answer(person.sign_up(), 202)
        message = sent(world, sink)[0]
        assert sink.recipients == [person.email]
        assert message["To"] == person.email
        assert message["From"].addresses[0].addr_spec == "no-reply@example.com"
        assert message["From"].addresses[0].display_name == "Gäte"
        assert message["Subject"] == "Confirm your e-mail address"
        assert message["Date"] and message["Message-ID"].endswith("@localhost>")
        assert message["Auto-Submitted"] == "auto-generated"
        assert message.get_content_type() == "text/plain"
        body = {"token": link_token(message)}
        assert_answer(person.api("POST", "/auth/email/verify", body), 200)
        person.login()


def test_a_server_that_is_away_gets_it_later_and_once(tmp_path):
    sink = Sink()
    with deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        person = world.stranger()
        begin = time.monotonic()
        assert_answer(person.sign_up(), 202)
        assert time.monotonic() - begin < 5, "the answer does not wait for the mail"
        world.gate.wait_output("mail was not taken")
        with sink:
            world.gate.clock.advance(11)
            message = sent(world, sink)[0]
            body = {"token": link_token(message)}
            assert_answer(person.api("POST", "/auth/email/verify", body), 200)
            world.gate.clock.advance(3600)
            other = world.stranger()
            other.sign_up()
            sent(world, sink, 2)
            assert sink.recipients == [person.email, other.email]


def test_a_mail_outlives_a_kill(tmp_path):
    with Sink(refuse="451 later") as sink:
        env = {"SMTP_URL": sink.url()}
        with deployed(tmp_path, by_smtp(), env) as world:
            person = world.stranger()
            person.sign_up()
            world.gate.wait_output("mail was not taken")
            assert not sink.mails
            world.gate.process.kill()
            world.gate.process.wait()
            world.gate.stopped = True
            sink.refuse = None
            with Gatehouse(world.gate.settings, env={**ENV, **env}) as gate:
                world.gate = person.gate = gate
                gate.clock.advance(301)  # that try may have been under way
                message = sent(world, sink)[0]
                body = {"token": link_token(message)}
                assert_answer(person.api("POST", "/auth/email/verify", body), 200)


def test_starttls_is_used_where_it_is_offered(tmp_path, certificates):
    pair = certificates["localhost"]
    with Sink(pair.server_context(), starttls=True) as sink:
        env = {"SMTP_URL": sink.url(), "SSL_CERT_FILE": str(pair.certificate)}
        with deployed(tmp_path, by_smtp(), env) as world:
            world.stranger().sign_up()
            sent(world, sink)
            assert all(secure for verb, secure in sink.commands if verb in ("MAIL", "RCPT", "DATA"))


def test_tls_from_the_start_and_a_login(tmp_path, certificates):
    pair = certificates["localhost"]
    with Sink(pair.server_context()) as sink:
        url = sink.url("mailer:se%40cret")
        env = {"SMTP_URL": url, "SSL_CERT_FILE": str(pair.certificate)}
        with deployed(tmp_path, by_smtp(), env) as world:
            world.stranger().sign_up()
            sent(world, sink)
            assert sink.logins == [(b"\0mailer\0se@cret", True)]
            assert "se@cret" not in world.gate.output() and "se%40" not in world.gate.output()


def test_a_certificate_of_somebody_else_gets_no_mail(tmp_path, certificates):
    with Sink(certificates["other"].server_context()) as sink:
        trusted = certificates["localhost"].certificate
        env = {"SMTP_URL": sink.url(), "SSL_CERT_FILE": str(trusted)}
        with deployed(tmp_path, by_smtp(), env) as world:
            world.stranger().sign_up()
            world.gate.wait_output("mail was not taken")
            assert not sink.mails and not sink.commands


def test_a_refused_recipient_does_not_hold_up_others(tmp_path):
    with Sink(refuse="550 no such mailbox") as sink:
        with deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
            world.stranger().sign_up()
            world.gate.wait_output("mail was not taken")
            sink.refuse = None
            other = world.stranger()
            other.sign_up()
            messages = sent(world, sink)
            assert other.email in [message["To"] for message in messages]


def test_an_address_can_not_add_fields_or_recipients(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        for address in ("a@example.com\r\nBcc: b@example.com", "a@example.com,b@example.com"):
            person = world.stranger()
            person.email = address
            assert person.sign_up().status == 422
        person = world.stranger()
        person.sign_up(name="Evil\u2028Bcc: x@example.com")
        sent(world, sink)
        assert sink.recipients == [person.email]
        assert sink.mails[0]["Bcc"] is None


def test_without_a_server_the_link_is_in_the_log_of_development(tmp_path):
    identity = by_smtp(mail={"from": "no-reply@example.com", "folder": ""})
    with deployed(tmp_path, identity) as world:
        person = world.stranger()
        person.sign_up()
        world.gate.wait_output(f"mail to {person.email} with the link http://localhost/")
