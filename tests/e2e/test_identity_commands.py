"""SPEC 1: `gatehouse user` and `gatehouse access review`, beside a running server and alone."""

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from harness.gate import BINARY, IS_RELEASE, Gatehouse, run
from harness.identity import ENV, OTHER_PASSWORD, PASSWORD, ROOT_KEY, Person
from harness.identity import assert_answer, deployed, identity_config
from harness.store import audit_rows, columns_with

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

# Of PASSWORD, by the C library.
HASH = "$2b$10$XpCj.N0tHY5Huq8EVrftcuBSDgeW8.G.jArojL3k/B8lQlDWSaxTO"
LINK = re.compile(r"^\s+(https?://\S*token=\S+)$", re.M)


class Shell:
    """Runs commands over one configuration file."""

    def __init__(self, config_path):
        self.config_path = config_path

    def __call__(self, *words, stdin="", env=None):
        command = [*words, "--config", self.config_path]
        return run(*command, env={**ENV, **(env or {})}, stdin=stdin)

    def good(self, *words, stdin=""):
        result = self(*words, stdin=stdin)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def users(self, *words):
        lines = self.good("user", "list", "--json", *words).splitlines()
        return {user["email"]: user for user in map(json.loads, lines)}


def shell_of(world):
    """Once the server listens to commands."""
    socket = world.folder / "control.sock"
    world.gate.wait_for(socket.exists, "the control socket")
    return Shell(world.gate.config_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A running server, asked through its control socket."""
    with deployed(tmp_path_factory.mktemp("served")) as world:
        world.shell = shell_of(world)
        yield world


@pytest.fixture
def alone(tmp_path, backend):
    """No server: the command opens the store itself."""
    path = tmp_path / "gatehouse.yaml"
    settings = identity_config(backend, tmp_path)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    shell = Shell(path)
    shell.settings, shell.folder = settings, tmp_path
    return shell


@pytest.fixture(params=["served", "alone"])
def shell(request):
    """Both ways; the commands must not differ."""
    if request.param == "served":
        return request.getfixturevalue("served").shell
    return request.getfixturevalue("alone")


def address():
    return f"shell{next(Person.numbers)}@example.com"


def add(shell, email, *options, password=PASSWORD):
    words = ("user", "add", email, "--password-stdin", *options)
    return shell.good(*words, stdin=password + "\n")


# -- both ways --


def test_add_makes_a_confirmed_account(shell):
    email = address()
    assert email in add(shell, email)
    user = shell.users()[email]
    assert user["email_verified"] is True and user["disabled"] is False
    assert user["roles"] == "user"


def test_add_prints_a_link_where_no_password_is_given(shell):
    email = address()
    text = shell.good("user", "add", email)
    assert LINK.search(text), text


def test_add_admin_and_role(shell):
    admin, editor = address(), address()
    add(shell, admin, "--admin")
    assert "admin" in shell.users()[admin]["roles"]
    result = shell("user", "add", editor, "--role", "emperor")
    assert result.returncode == 2 and "emperor" in result.stderr
    assert editor not in shell.users()
    assert shell("user", "add", editor, "--admin", "--role", "user").returncode == 2


@pytest.mark.parametrize(
    "email, password, why",
    [("no-address", PASSWORD, ""), ("a@example.com", "short", "least 12")]
    + [("a@example.com", "password1234", "guess"), ("a@example.com", "x" * 129, "most 128")],
)
def test_add_refuses_what_sign_up_refuses(shell, email, password, why):
    words = ("user", "add", email, "--password-stdin")
    result = shell(*words, stdin=password + "\n")
    assert result.returncode == 1, result
    assert why in result.stderr and "gatehouse:" in result.stderr
    assert email not in shell.users()


def test_add_without_the_password_it_was_promised_is_2(shell):
    email = address()
    assert shell("user", "add", email, "--password-stdin").returncode == 2
    assert email not in shell.users()


def test_add_twice_is_refused(shell):
    email = address()
    add(shell, email)
    result = shell("user", "add", email.upper(), "--password-stdin", stdin=PASSWORD + "\n")
    assert result.returncode == 1
    assert "already" in result.stderr


def test_role_disable_enable_unlock_reset_delete(shell):
    email = address()
    add(shell, address(), "--admin")
    add(shell, email)
    shell.good("user", "role", email, "user,admin")
    assert shell.users()[email]["roles"] == "user,admin"
    assert email in shell.users("--role", "admin")
    shell.good("user", "role", email, "user")
    assert email not in shell.users("--role", "admin")
    shell.good("user", "disable", email)
    assert shell.users()[email]["disabled"] is True
    shell.good("user", "enable", email)
    assert shell.users()[email]["disabled"] is False
    shell.good("user", "unlock", email)
    shell.good("user", "reset-2fa", email)
    identifier = shell.users()[email]["id"]
    shell.good("user", "delete", identifier)
    assert email not in shell.users()


@pytest.mark.parametrize("verb", ["disable", "enable", "unlock", "reset-2fa", "delete", "export"])
def test_who_is_not_there(shell, verb):
    result = shell("user", verb, "nobody@example.com")
    assert result.returncode == 1
    assert "no such account" in result.stderr


@pytest.mark.parametrize(
    "words",
    [("user",), ("user", "promote", "x"), ("user", "add"), ("user", "role", "x"), ("access",)]
    + [("user", "list", "--wrong"), ("user", "delete", "a", "b"), ("access", "grant")],
)
def test_wrong_usage_is_2(alone, words):
    result = alone(*words)
    assert result.returncode == 2
    assert result.stderr


def test_export_prints_everything(shell):
    email = address()
    add(shell, email)
    document = json.loads(shell.good("user", "export", email))
    assert document["account"]["email"] == email
    assert PASSWORD not in json.dumps(document)


def test_help_needs_no_deployment():
    for words in (("user", "--help"), ("access", "--help")):
        result = run(*words)
        assert result.returncode == 0 and "Usage: gatehouse" in result.stdout


def test_no_configuration_or_no_identity_is_2(tmp_path, backend):
    assert run("user", "list").returncode == 2
    path = tmp_path / "off.yaml"
    path.write_text(yaml.safe_dump(identity_config(backend, tmp_path, {"enabled": False})))
    result = Shell(path)("user", "list")
    assert result.returncode == 2


def test_a_missing_root_key_is_2(alone):
    result = run("user", "list", "--config", alone.config_path, env={"APP_SECRET_KEY": ""})
    assert result.returncode == 2
    assert "APP_SECRET_KEY" in result.stderr


def test_another_root_key_reads_nothing(alone):
    add(alone, address())
    other = ROOT_KEY.replace("pX0h", "qY1i")
    result = alone("user", "list", "--json", env={"APP_SECRET_KEY": other})
    assert result.returncode != 0
    assert "@example.com" not in result.stdout


# -- beside a server --


def test_the_first_admin_from_the_shell_signs_in(served):
    admin = served.stranger()
    add(served.shell, admin.email, "--admin")
    admin.login()
    assert_answer(admin.api("GET", "/admin/users"), 403, detail="factor")
    admin.enrol()
    assert_answer(admin.api("GET", "/admin/users"), 200)


def test_a_set_up_link_works_for_a_day(served):
    person = served.stranger()
    link = LINK.search(served.shell.good("user", "add", person.email)).group(1)
    token = link.split("token=")[1]
    served.gate.clock.advance(23 * 3600)
    body = {"token": token, "new_password": PASSWORD}
    assert_answer(person.api("POST", "/account/password/reset", body), 200)
    person.login()
    assert_answer(person.api("POST", "/account/password/reset", body), 400)


def test_what_the_shell_does_counts_at_once(served):
    person = served.person()
    served.shell.good("user", "disable", person.email)
    assert person.get("/tasks").status == 401
    assert person.try_login().status == 401
    served.shell.good("user", "enable", person.email)
    person.login()
    served.shell.good("user", "role", person.email, "user,admin")
    assert person.get("/tasks").status == 401
    served.shell.good("user", "role", person.email, "user")
    person.login()
    served.shell.good("user", "delete", person.email)
    assert person.get("/tasks").status == 401
    assert person.try_login().status == 401


def test_the_shell_unlocks_and_resets(served):
    person = served.person()
    person.enrol()
    attacker = served.stranger(email=person.email)
    for _ in range(8):
        attacker.try_login(OTHER_PASSWORD)
    owner = served.stranger(email=person.email)
    assert owner.try_login().status == 429
    served.shell.good("user", "unlock", person.email)
    assert owner.try_login().json()["two_factor_required"] is True
    served.shell.good("user", "reset-2fa", person.email)
    owner.login()


def test_what_the_shell_does_is_audited(served):
    person = served.person()
    served.shell.good("user", "role", person.email, "admin")
    rows = audit_rows(served.folder / "gatehouse.db")
    row = [r for r in rows if r["event_type"] == "role_changed"][-1]
    assert row["user_id"] == person.id
    assert row["metadata"]["changed_by"] == "command"


def test_the_control_socket_is_for_its_owner(served):
    mode = (served.folder / "control.sock").stat().st_mode
    assert mode & 0o077 == 0


def test_what_is_no_command_leaves_nothing_open(served):
    path = str(served.folder / "control.sock")
    folder = f"/proc/{served.gate.process.pid}/fd"
    before = len(os.listdir(folder))
    for _ in range(30):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
            caller.connect(path)
            socket.send_fds(caller, [b"nonsense"], [0, 1, 2, 0, 1, 2])
            assert caller.recv(1) == b""
    assert len(os.listdir(folder)) < before + 20


def test_a_second_server_on_the_store_is_refused(served):
    settings = {**served.gate.settings, "listen": [{"address": "127.0.0.1:0"}]}
    path = served.folder / "second.yaml"
    path.write_text(yaml.safe_dump(settings))
    words = ("serve", "--config", path, "--user", "root")
    result = run(*words, env=ENV)
    assert result.returncode == 2
    assert served.person().get("/tasks").status == 200


def begin(world, *words):
    """A command that is asked of the running server and waits for what stands on its input."""
    return subprocess.Popen(
        [str(BINARY), *words, "--config", str(world.gate.config_path)],
        env={**os.environ, **ENV},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_the_server_ends_while_a_command_waits_for_its_input(tmp_path):
    with deployed(tmp_path) as world:
        shell_of(world)
        with begin(world, "user", "import", "-") as command:
            world.gate.wait_output("operator's command: user import")
            world.gate.stop()
            out, err = command.communicate(timeout=10)
            assert command.returncode == 1
            assert b"could not be read to its end" not in out and b"imported" not in out


def test_a_command_that_was_killed_does_not_keep_others_waiting(served):
    with begin(served, "user", "add", "slow@example.com", "--password-stdin") as command:
        served.gate.wait_output("operator's command: user add")
        command.kill()
        command.wait(10)
        assert "slow@example.com" not in served.shell.users()  # with the pipe still open
        command.stdin.close()


# -- without one --


def test_what_was_done_alone_is_there_when_it_serves(alone):
    email = address()
    add(alone, email, "--admin")
    with Gatehouse(alone.settings, env=ENV) as gate:
        token = alone.folder / "setup-token"
        gate.wait_for(lambda: not token.exists(), "the end of the setup token")
        person = Person(gate, email=email)
        person.login()
        person.enrol()
        assert_answer(person.api("GET", "/admin/users"), 200)


def test_a_control_socket_that_nobody_serves_is_no_obstacle(tmp_path):
    with deployed(tmp_path) as world:
        path = tmp_path / "gatehouse.yaml"
        shutil.copy(world.gate.config_path, path)
        world.gate.process.kill()
        world.gate.process.wait()
        world.gate.stopped = True
        shell = Shell(path)
        add(shell, "after@example.com")
        assert "after@example.com" in shell.users()


def test_commands_wait_for_a_server_that_starts_or_ends(alone):
    """It has the store's lock, and no socket: a moment later it is there, or the store is free."""
    lock = next(alone.folder.glob("*.lock"), None)
    if not lock:
        add(alone, address())
        lock = next(alone.folder.glob("*.lock"))
    email = address()
    with open(lock, "r+b") as file, ThreadPoolExecutor() as pool:
        fcntl.lockf(file, fcntl.LOCK_EX)
        running = pool.submit(add, alone, email)
        with pytest.raises(TimeoutError):
            running.result(timeout=0.5)
        fcntl.lockf(file, fcntl.LOCK_UN)
        running.result()
    assert email in alone.users()


# -- import --


def lines(*users):
    return "".join(json.dumps(user) + "\n" for user in users)


def test_people_of_an_existing_system_sign_in_with_what_they_know(served, tmp_path):
    plain, enrolled = served.stranger(), served.stranger()
    enrolled.secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    path = tmp_path / "users.jsonl"
    path.write_text(
        lines(
            {
                "email": plain.email,
                "password_hash": HASH,
                "name": "Old Hand",
                "email_verified": True,
            },
            {
                "email": enrolled.email,
                "password_hash": HASH,
                "totp_secret": enrolled.secret,
                "roles": ["user", "admin"],
            },
        )
    )
    assert "2 imported, 0 refused" in served.shell.good("user", "import", path)
    store = served.folder / "gatehouse.db"
    assert columns_with(store, HASH) == {"accounts.password_hash"}
    assert plain.login()["user"]["name"] == "Old Hand"
    assert plain.try_login(OTHER_PASSWORD).status == 401
    assert "two_factor_required" in enrolled.try_login().json()
    enrolled.login()
    assert_answer(enrolled.api("GET", "/admin/users"), 200)
    assert not columns_with(store, HASH), "the hashes were upgraded by the logins"
    plain.login()


def test_bad_lines_are_told_and_good_ones_taken(shell, tmp_path):
    good, taken = address(), address()
    add(shell, taken)
    expensive = "$2b$31$" + "a" * 53
    text = lines(
        {"email": good, "password_hash": ""},
        {"email": taken},
        {"email": "nobody"},
        {"email": address(), "password_hash": "plain text"},
        {"email": address(), "password_hash": expensive},
        {"email": address(), "totp_secret": "not base32!"},
        {"email": address(), "roles": ["emperor"]},
        {"email": address(), "unknown": 1},
    )
    text += "no json\n" + "\n"
    path = tmp_path / "users.jsonl"
    path.write_text(text)
    result = shell("user", "import", path)
    assert result.returncode == 1
    assert "1 imported, 8 refused" in result.stdout
    for number in range(2, 10):
        assert f"line {number}:" in result.stderr, result.stderr
    assert good in shell.users()


def test_import_from_standard_input(shell):
    email = address()
    shell.good("user", "import", "-", stdin=lines({"email": email}))
    assert email in shell.users()


def test_a_line_without_an_end_is_passed_over(served):
    good = json.dumps({"email": "behind@example.com", "password_hash": HASH})
    result = served.shell("user", "import", "-", stdin="x" * 3_000_000 + "\n" + good)
    assert result.returncode == 1
    assert "line 1: it is no line of JSON" in result.stderr
    assert "1 imported, 1 refused" in result.stdout


def test_import_of_a_file_that_is_not_there(alone, tmp_path):
    assert alone("user", "import", tmp_path / "missing.jsonl").returncode == 2


# -- access review --


def test_the_review_says_who_since_when_and_by_whom(tmp_path):
    with deployed(tmp_path) as world:
        shell = shell_of(world)
        admin = world.admin()
        granted = world.person()
        world.set_roles(granted, "user", "admin")
        ordinary = world.person()
        result = shell("access", "review")
        assert result.returncode == 1, "an admin without a second factor is marked"
        rows = [line for line in result.stdout.splitlines() if line.startswith("| admin")]
        assert len(rows) == 2
        row = next(line for line in rows if granted.email in line)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", cells[2])
        assert cells[3] == admin.id
        assert "no second factor" in cells[5]
        assert ordinary.email not in result.stdout
        granted.login()
        granted.enrol()
        assert shell("access", "review").returncode == 0
        world.gate.clock.advance(91 * 24 * 3600)
        result = shell("access", "review")
        assert result.returncode == 1
        assert result.stdout.count("unused for 90 days") == 2


def test_the_review_without_a_server(alone):
    add(alone, address(), "--admin")
    result = alone("access", "review")
    assert result.returncode == 1
    assert "no second factor" in result.stdout


def test_the_review_of_nobody_is_clean(alone):
    assert "0 grants, 0 marked" in alone.good("access", "review")
