"""SPEC 5: anomalies are found, told with their evidence, and acted upon where the settings say so."""

import pytest

from harness.gate import IS_RELEASE
from harness.identity import assert_answer, deployed

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

WRONG = "certainly-wrong-72"
ACTIONS = {
    "credential_stuffing": "block",
    "brute_force": {"action": "slow", "failures": 6},
    "password_spraying": "off",
    "refresh_reuse": "second_factor",
    "id_scanning": "block",
    "export_spree": {"action": "second_factor", "exports": 3},
    "pace": "1h",
}



@pytest.fixture(scope="module")
def logging(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("anomaly-log"), audit={"anomaly": {}}) as deployment:
        deployment.admin()
        yield deployment


@pytest.fixture(scope="module")
def acting(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("anomaly-act"), audit={"anomaly": ACTIONS}) as deployment:
        deployment.admin()
        yield deployment


@pytest.fixture(scope="module")
def cautious(tmp_path_factory):
    """Networks must show a second factor."""
    anomaly = {"credential_stuffing": "second_factor"}
    with deployed(tmp_path_factory.mktemp("anomaly-2fa"), audit={"anomaly": anomaly}) as deployment:
        deployment.admin()
        yield deployment


def findings(world, rule):
    return [record for record in world.audit(event="anomaly_detected")
            if record["metadata"]["rule"] == rule]


def wait_for_finding(world, rule, **metadata):
    """The findings of that rule whose metadata say so, once there is one."""
    def found():
        return [record for record in findings(world, rule)
                if metadata.items() <= record["metadata"].items()]

    return world.gate.wait_for(found, f"{rule} {metadata}")


def wait_for_stuffing(world, network):
    return wait_for_finding(world, "credential_stuffing", network=f"{network}.0/24")


def stuff(world, network, accounts=15):
    """Addresses of a leaked list, each tried once, all from one network."""
    for number in range(accounts):
        somebody = world.stranger(address=f"{network}.{number + 1}",
                                  email=f"leaked{number}@example.net")
        assert_answer(somebody.try_login(WRONG), 401)


def scan(person, count=30):
    for number in range(count):
        assert person.get(f"/users/{number}/files").status == 403


# -- telling --


def test_stuffing_is_told_once_with_its_evidence(logging):
    stuff(logging, "203.0.113", 20)
    record = wait_for_stuffing(logging, "203.0.113")[0]
    evidence = record["metadata"]["evidence"]
    assert evidence["accounts_failed"] == evidence["threshold_accounts"] == 15
    assert evidence["failures_of_unknown"] == 15
    assert evidence["share_percent"] == 100
    assert record["metadata"]["network"] == "203.0.113.0/24"
    assert record["metadata"]["action"] == "log"
    assert record["user_id"] is None
    stuff(logging, "203.0.114", 15)  # a marker: what came before has been looked at
    wait_for_stuffing(logging, "203.0.114")
    assert len(wait_for_stuffing(logging, "203.0.113")) == 1


def test_logging_hinders_nobody(logging):
    stuff(logging, "203.0.115")
    wait_for_stuffing(logging, "203.0.115")
    person = logging.person(address="203.0.115.99")
    assert person.is_signed_in()


def test_asking_for_what_is_anothers_is_told(logging):
    person = logging.person()
    scan(person)
    logging.gate.clock.advance(61)  # what was coalesced is written when its minute is over
    record = wait_for_finding(logging, "id_scanning", account=person.id)[0]
    assert record["user_id"] == person.id
    assert record["metadata"]["evidence"]["refused"] >= 30


def test_a_new_device_is_told_and_the_first_is_none(logging):
    person = logging.person()
    person.other_browser().login()
    assert len(wait_for_finding(logging, "new_device", account=person.id)) == 1


def test_a_reused_refresh_token_is_told(logging):
    person = logging.person()
    old = dict(person.cookies)
    assert person.refresh().status == 200
    logging.gate.clock.advance(120)  # past the grace for two tabs
    assert person.refresh().status == 200
    person.cookies = old
    assert person.refresh().status == 401
    wait_for_finding(logging, "refresh_reuse", account=person.id)


def test_nothing_personal_is_in_the_evidence(logging):
    stuff(logging, "203.0.116")
    for record in wait_for_stuffing(logging, "203.0.116"):
        assert all(isinstance(value, int) for value in record["metadata"]["evidence"].values())


# -- acting --


def test_a_stuffed_network_is_blocked_and_colleagues_go_on(acting):
    colleague = acting.person(address="198.51.100.200")
    stuff(acting, "198.51.100", 15)
    wait_for_stuffing(acting, "198.51.100")
    stranger = acting.stranger(address="198.51.100.77")
    refused = stranger.try_login()
    assert_answer(refused, 403)
    assert 0 < int(refused.get("Retry-After")) <= 900
    assert stranger.get("/public/x").status == 403
    assert colleague.get("/x").status == 200
    assert colleague.refresh().status == 200
    elsewhere = acting.stranger(address="198.51.101.77", email=colleague.email)
    elsewhere.login()


def test_a_block_ends(acting):
    stuff(acting, "198.51.102", 15)
    wait_for_stuffing(acting, "198.51.102")
    person = acting.person(address="198.51.103.1")
    person.address = "198.51.102.99"
    assert person.try_login().status == 403
    acting.gate.clock.advance(15 * 60 + 1)
    person.login()


def test_brute_force_slows_the_network_and_never_the_owner(acting):
    owner = acting.person()
    thief = acting.stranger(address="198.51.104.1", email=owner.email)
    for _ in range(6):
        thief.try_login(WRONG)
        acting.gate.clock.advance(60)  # the throttle of the account
    record = wait_for_finding(acting, "brute_force", account=owner.id)[0]
    assert record["metadata"]["action"] == "slow"
    thief.try_login(WRONG)
    assert thief.try_login(WRONG).status == 429
    assert owner.get("/x").status == 200
    owner.login()


def test_a_scanning_account_is_blocked_everywhere(acting):
    person = acting.person()
    scan(person)
    acting.gate.clock.advance(61)
    wait_for_finding(acting, "id_scanning", account=person.id)
    assert_answer(person.get("/x"), 403)
    assert person.get("/x").problem()["type"].endswith("blocked-for-a-time")
    person.address = "198.18.99.99"
    assert person.get("/x").status == 403


def test_a_spree_of_exports_asks_for_a_second_factor(acting):
    person = acting.person()
    person.enrol()
    person.login()
    acting.gate.clock.advance(2)
    for _ in range(3):
        assert person.api("POST", "/compliance/export", {}).status == 200
    wait_for_finding(acting, "export_spree", account=person.id)
    assert_answer(person.get("/x"), 403)
    assert person.get("/x").problem()["type"].endswith("second-factor-needed")
    assert person.api("POST", "/compliance/export", {}).status == 403
    assert_answer(person.step_up(code=person.next_code()), 200)
    assert person.get("/x").status == 200


def test_a_reuse_asks_other_sessions_for_a_second_factor(acting):
    person = acting.person()
    other = person.other_browser()
    other.login()
    old = dict(person.cookies)
    assert person.refresh().status == 200
    acting.gate.clock.advance(120)
    assert person.refresh().status == 200
    person.cookies = old
    assert person.refresh().status == 401
    wait_for_finding(acting, "refresh_reuse", account=person.id)
    assert_answer(other.get("/x"), 403)
    assert other.get("/x").problem()["type"].endswith("second-factor-needed")
    other.step_up()
    other.enrol()
    other.step_up(code=other.next_code())
    assert other.get("/x").status == 200


def test_sign_ins_of_a_network_need_a_second_factor(cautious):
    plain, careful = cautious.person(), cautious.person()
    careful.enrol()
    stuff(cautious, "198.51.100", 15)
    wait_for_stuffing(cautious, "198.51.100")
    for person in (plain, careful):
        person.address = "198.51.100.99"
    refused, wrong = plain.try_login(), careful.try_login(WRONG)
    assert refused.status == wrong.status == 401
    assert refused.problem()["detail"] == wrong.problem()["detail"]
    careful.login()
    plain.address = "198.51.101.99"
    plain.login()


def test_a_restart_keeps_counts_and_blocks(tmp_path):
    settings = {"audit": {"anomaly": ACTIONS}}
    with deployed(tmp_path, **settings) as world:
        admin = world.admin()
        stuff(world, "198.51.100", 15)
        wait_for_stuffing(world, "198.51.100")
        stuff(world, "198.51.101", 14)
    with deployed(tmp_path, **settings) as world:
        admin.gate, world.first_admin = world.gate, admin
        blocked = world.stranger(address="198.51.100.99")
        world.gate.wait_for(lambda: blocked.try_login().status == 403, "the block")
        somebody = world.stranger(address="198.51.101.99", email="last@example.net")
        assert somebody.try_login(WRONG).status == 401
        wait_for_stuffing(world, "198.51.101")
        assert len(findings(world, "credential_stuffing")) == 2, "the first is not told again"
