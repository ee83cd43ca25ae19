"""SPEC 4: mail through SMTP from an outbox in the store: no answer waits for it, none is lost."""

import re
import signal
import socket
import time

import pytest

from harness.certs import Pair
from harness.gate import IS_RELEASE, Gatehouse
from harness.identity import ENV, OTHER_PASSWORD, assert_answer, deployed, link_token
from harness.smtp import HANG_UP, Sink

pytestmark = [
    pytest.mark.skipif(IS_RELEASE, reason="needs the test clock"),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]

RESET = "Set a new password"
CONFIRM = "Confirm your e-mail address"
LOGIN = ("mailer", "se@cret/ :")
LOGIN_IN_URL = "mailer:se%40cret%2F%20%3A"
OVER_HTTPS = [("X-Forwarded-Proto", "https")]
NOT_TAKEN = "mail was not taken"


def by_smtp(**more):
    return {
        "email_verification": "required",
        "mail": {"from": "Gäte <no-reply@example.com>", "folder": "", "smtp": "env:SMTP_URL"},
        **more,
    }


def sent(world, sink, count=1):
    return world.gate.wait_for(lambda: len(sink.mails) >= count and sink.mails, f"{count} mails")


def tried(world, sink, count=1):
    """The texts that came, taken or not."""
    return world.gate.wait_for(lambda: len(sink.tries) >= count and sink.tries, f"{count} tries")


def complaints(world, count=1):
    """The log lines about mails that went wrong, once there are `count`."""

    def found():
        lines = [line for line in world.gate.output().splitlines() if NOT_TAKEN in line]
        return lines if len(lines) >= count else None

    return world.gate.wait_for(found, f"{count} lines {NOT_TAKEN!r}")


def signed_up(world, **options):
    person = world.stranger(**options)
    assert_answer(person.sign_up(), 202)
    return person


def confirm(person, message):
    return person.api("POST", "/auth/email/verify", {"token": link_token(message)})


def ask_reset(person, extra=()):
    path = "/account/password/reset-request"
    assert_answer(person.api("POST", path, {"email": person.email}, extra=extra), 200)


def reset(person, message, password=OTHER_PASSWORD):
    body = {"token": link_token(message), "new_password": password}
    return person.api("POST", "/account/password/reset", body)


def restarted(world, env, how):
    """The gate again, over the same store."""
    if how == "killed":
        world.gate.process.kill()
        world.gate.process.wait()
        world.gate.stopped = True
    else:
        world.gate.stop()
    return Gatehouse(world.gate.settings, env={**ENV, **env})


# -- what arrives --


def test_a_mail_is_well_formed_and_its_link_works(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        person = signed_up(world)
        message = sent(world, sink)[0]
        assert sink.recipients == [person.email] == message.recipients
        assert message.sender == "no-reply@example.com"
        assert message["To"] == person.email
        assert message["From"].addresses[0].addr_spec == "no-reply@example.com"
        assert message["From"].addresses[0].display_name == "Gäte"
        assert message["Subject"] == CONFIRM
        assert message["Date"] and message["Message-ID"].endswith("@localhost>")
        assert message["Auto-Submitted"] == "auto-generated"
        assert message.get_content_type() == "text/plain"
        assert not re.search(rb"[^\r]\n|\r[^\n]", message.raw), "lines end with CR LF"
        assert max(map(len, message.raw.split(b"\r\n"))) <= 998
        assert_answer(confirm(person, message), 200)
        person.login()


def test_a_reset_by_mail_sets_a_new_password_once(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        person = signed_up(world)
        assert_answer(confirm(person, sent(world, sink)[0]), 200)
        stranger = world.stranger()
        ask_reset(stranger)  # nobody's address: the same answer, and no mail
        ask_reset(person)
        message = sent(world, sink, 2)[1]
        assert message["Subject"] == RESET and message["To"] == person.email
        assert_answer(reset(person, message), 200)
        assert reset(person, message).status == 400, "a link is good once"
        assert_answer(person.try_login(), 401)
        person.password = OTHER_PASSWORD
        person.login()
        notice = sent(world, sink, 3)[2]
        assert notice["Subject"] == "Your password was changed"
        assert len({message["Message-ID"] for message in sink.mails}) == 3
        assert stranger.email not in sink.recipients


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


# -- servers that say no, or nothing --


def test_a_server_that_is_away_gets_it_later_and_once(tmp_path):
    sink = Sink()
    with deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        begin = time.monotonic()
        person = signed_up(world)
        assert time.monotonic() - begin < 5, "the answer does not wait for the mail"
        complaints(world)
        with sink:
            world.gate.clock.advance(11)
            assert_answer(confirm(person, sent(world, sink)[0]), 200)
            world.gate.clock.advance(3600)
            other = signed_up(world)
            sent(world, sink, 2)
            assert sink.recipients == [person.email, other.email]


def test_a_second_try_is_the_same_mail(tmp_path):
    """Whoever gets both can tell, and the link of either is good."""
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        sink.answer("DATA", "451 4.3.0 later", "452 4.3.1 no room")
        person = signed_up(world)
        tried(world, sink, 1)
        complaints(world, 1)
        world.gate.clock.advance(11)
        tried(world, sink, 2)
        complaints(world, 2)
        world.gate.clock.advance(31)
        sent(world, sink)
        assert len(sink.tries) == 3 and len(sink.mails) == 1
        assert len({message["Message-ID"] for message in sink.tries}) == 1
        assert len({link_token(message) for message in sink.tries}) == 1
        assert_answer(confirm(person, sink.mails[0]), 200)


def test_pauses_between_tries_grow(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        sink.answer("RCPT", "451 later", "451 later", "450 greylisted")
        person = signed_up(world)
        for count, seconds in ((1, 11), (2, 31), (3, 60)):
            complaints(world, count)
            world.gate.clock.advance(seconds)
        other = signed_up(world)  # the pause is two minutes now: others go first
        sent(world, sink)
        assert sink.recipients == [person.email] * 3 + [other.email]
        world.gate.clock.advance(61)
        sent(world, sink, 2)
        assert sink.recipients[4:] == [person.email]


def test_a_mail_that_nobody_takes_for_a_day_is_given_up(tmp_path):
    with Sink(refuse="451 later") as sink:
        with deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
            signed_up(world)
            complaints(world)
            world.gate.clock.advance(25 * 3600)
            sink.refuse = None
            other = signed_up(world)
            sent(world, sink)
            assert sink.mails[0].recipients == [other.email]
            assert len(sink.recipients) == 2


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_a_refusal_for_good_is_logged_and_not_tried_again(tmp_path, verb):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        sink.answer(verb, "550 5.1.1 no such mailbox")
        signed_up(world)
        assert "550 5.1.1 no such mailbox" in complaints(world)[0]
        world.gate.clock.advance(3600)
        other = signed_up(world)
        sent(world, sink)
        assert len(sink.recipients) == 2 and sink.recipients[1] == other.email
        assert len(complaints(world)) == 1


def test_a_refused_recipient_does_not_hold_up_others(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        sink.answer("RCPT", "550 no", "451 later", "553 no", "450 later")
        people = [signed_up(world) for _ in range(6)]
        complaints(world, 4)
        world.gate.clock.advance(11)
        messages = sent(world, sink, 4)
        arrived = {message["To"] for message in messages}
        assert len(arrived) == 4 and arrived <= {person.email for person in people}


def test_a_mail_whose_fate_is_unknown_comes_again(tmp_path):
    """The server has it, but died before it said so."""
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        sink.answer("DATA", HANG_UP)
        person = signed_up(world)
        complaints(world)
        world.gate.clock.advance(11)
        sent(world, sink)
        assert len(sink.tries) == 2
        assert sink.tries[0]["Message-ID"] == sink.tries[1]["Message-ID"]
        assert_answer(confirm(person, sink.tries[0]), 200)


def test_a_server_that_dies_in_between_gets_the_rest_when_it_is_back(tmp_path):
    with Sink() as sink, deployed(tmp_path, by_smtp(), {"SMTP_URL": sink.url()}) as world:
        first = signed_up(world)
        sent(world, sink)
        sink.close()
        second = signed_up(world)
        complaints(world)
        sink.open()
        world.gate.clock.advance(11)
        sent(world, sink, 2)
        assert [message["To"] for message in sink.mails] == [first.email, second.email]
        for person, message in zip((first, second), sink.mails):
            assert_answer(confirm(person, message), 200)


def test_a_server_that_says_nothing_holds_up_no_answers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {"SMTP_URL": f"smtp://127.0.0.1:{silent.getsockname()[1]}"}
        with deployed(tmp_path, by_smtp(), env) as world:
            signed_up(world)
            connection, _ = silent.accept()
            with connection:
                begin = time.monotonic()
                signed_up(world)
                assert world.stranger().get("/public/x").status == 200
                assert time.monotonic() - begin < 5
                world.gate.signal(signal.SIGTERM)
                assert world.gate.wait_exit() == 0
                assert time.monotonic() - begin < 10  # a transfer may take 30 s


# -- over a restart --


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_what_was_queued_is_sent_by_the_next_process(tmp_path, how):
    with Sink(refuse="451 later") as sink:
        env = {"SMTP_URL": sink.url()}
        with deployed(tmp_path, by_smtp(), env) as world:
            person = signed_up(world)
            complaints(world)
            assert not sink.mails
            sink.refuse = None
            with restarted(world, env, how) as gate:
                world.gate = person.gate = gate
                gate.clock.advance(301)  # that try may have been under way
                assert_answer(confirm(person, sent(world, sink)[0]), 200)
                person.login()


def test_the_link_of_an_earlier_process_is_good_in_the_next(tmp_path):
    with Sink() as sink:
        env = {"SMTP_URL": sink.url()}
        with deployed(tmp_path, by_smtp(), env) as world:
            person = signed_up(world)
            message = sent(world, sink)[0]
            with restarted(world, env, "stopped") as gate:
                world.gate = person.gate = gate
                assert_answer(confirm(person, message), 200)
                ask_reset(person)
                assert_answer(reset(person, sent(world, sink, 2)[1]), 200)


# -- TLS and the login --


def test_starttls_is_used_where_it_is_offered(tmp_path, certificates):
    pair = certificates["localhost"]
    with Sink(pair.server_context(), starttls=True, login=LOGIN) as sink:
        env = {"SMTP_URL": sink.url(LOGIN_IN_URL), "SSL_CERT_FILE": str(pair.certificate)}
        with deployed(tmp_path, by_smtp(), env) as world:
            signed_up(world)
            sent(world, sink)
            assert sink.commands and all(secure for _, secure in sink.commands)
            assert sink.logins == [(LOGIN, True)]


def test_tls_from_the_start_and_a_login(tmp_path, certificates):
    pair = certificates["localhost"]
    with Sink(pair.server_context(), login=LOGIN) as sink:
        env = {"SMTP_URL": sink.url(LOGIN_IN_URL), "SSL_CERT_FILE": str(pair.certificate)}
        with deployed(tmp_path, by_smtp(), env) as world:
            signed_up(world)
            sent(world, sink)
            assert sink.logins == [(LOGIN, True)]
            assert "se@cret" not in world.gate.output() and "se%40" not in world.gate.output()


@pytest.mark.parametrize("starttls", [False, True], ids=["smtps", "starttls"])
def test_a_certificate_of_somebody_else_gets_no_mail(tmp_path, certificates, starttls):
    with Sink(certificates["other"].server_context(), starttls, login=LOGIN) as sink:
        trusted = certificates["localhost"].certificate
        env = {"SMTP_URL": sink.url(LOGIN_IN_URL), "SSL_CERT_FILE": str(trusted)}
        with deployed(tmp_path, by_smtp(), env) as world:
            signed_up(world)
            complaints(world)
            assert not sink.mails and not sink.commands and not sink.logins


def test_no_login_and_no_mail_in_clear_to_another_machine(tmp_path):
    """A name that is no loopback to us, though it leads there."""
    with Sink(login=LOGIN) as sink:
        env = {"SMTP_URL": sink.url(LOGIN_IN_URL, host="mail.localhost")}
        with deployed(tmp_path, by_smtp(), env) as world:
            signed_up(world)
            complaints(world)
            assert not sink.commands and not sink.logins


def test_another_machine_gets_it_after_starttls(tmp_path):
    pair = Pair(tmp_path, "mail", ["mail.localhost"])
    with Sink(pair.server_context(), starttls=True, login=LOGIN) as sink:
        url = sink.url(LOGIN_IN_URL, host="mail.localhost")
        with deployed(
            tmp_path, by_smtp(), {"SMTP_URL": url, "SSL_CERT_FILE": str(pair.certificate)}
        ) as world:
            signed_up(world)
            sent(world, sink)
            assert sink.logins == [(LOGIN, True)]


def test_a_wrong_login_loses_no_mail(tmp_path):
    """The fault is ours, not the mail's: once it is mended the mail goes."""
    with Sink(login=("mailer", "another")) as sink:
        env = {"SMTP_URL": sink.url(LOGIN_IN_URL)}
        with deployed(tmp_path, by_smtp(), env) as world:
            person = signed_up(world)
            line = complaints(world)[0]
            assert "se@cret" not in line and "se%40cret" not in line
            assert not sink.commands
            sink.login = LOGIN
            world.gate.clock.advance(11)
            assert_answer(confirm(person, sent(world, sink)[0]), 200)


# -- what the log may know --


def test_production_logs_no_secret_and_no_address(tmp_path):
    identity = by_smtp(email_verification="off")
    settings = {"environment": "production", "public_url": "https://example.com"}
    with Sink(login=LOGIN) as sink:
        env = {"SMTP_URL": sink.url(LOGIN_IN_URL)}
        with deployed(tmp_path, identity, env, **settings) as world:
            person = world.stranger()
            body = {"email": person.email, "password": person.password}
            assert_answer(person.api("POST", "/auth/signup", body, extra=OVER_HTTPS), 201)
            sink.answer("RCPT", f"451 4.2.1 <{person.email}> is busy\x07 for {person.email}")
            ask_reset(person, OVER_HTTPS)
            assert "451 4.2.1" in complaints(world)[0]
            world.gate.clock.advance(11)
            message = sent(world, sink)[0]
            assert message["Message-ID"].endswith("@example.com>")
            assert "https://example.com/account/reset-password#token=" in message.get_content()
            sink.answer("DATA", "451 later")
            ask_reset(person, OVER_HTTPS)
            complaints(world, 2)
            world.gate.stop()
            said = world.gate.output()
            tokens = [link_token(each) for each in sink.tries]
            secrets = [*tokens, person.password, "se@cret", "se%40cret", ENV["APP_SECRET_KEY"]]
            for secret in [*secrets, person.email]:
                assert secret not in said, secret
            stored = b"".join(p.read_bytes() for p in tmp_path.glob("gatehouse.db*"))
            assert stored and not [secret for secret in secrets if secret.encode() in stored]
