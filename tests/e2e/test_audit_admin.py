"""SPEC 4 and 5: what admins see of the audit log: its chain, anomalies, reports of browsers."""

import json
import sqlite3
import threading

import pytest

from harness.gate import IS_RELEASE, run
from harness.identity import ENV, assert_answer, deployed

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

WRONG = "certainly-wrong-72"
VERDICT = """intact fault chain seq line records chains absent_chain first_seq last_seq signatures_checked
signed_through unsigned_records checkpoints saved_checkpoints_met retention_checked""".split()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit-admin")
    settings = {"csp": {"mode": "report_only"}, "audit": {"anomaly": {}}}
    with deployed(folder, **settings) as deployment:
        deployment.admin()
        yield deployment


def verify(world):
    return world.admin().api("GET", "/admin/audit/verify")


# -- the chain --


def test_the_chain_is_verified_and_signed(world):
    world.person()

    def is_signed():
        verdict = assert_answer(verify(world), 200, intact=True, fault="none", seq=0)
        return verdict if verdict["signed_through"] else world.gate.clock.advance(3600)

    verdict = world.gate.wait_for(is_signed, "a checkpoint")
    assert sorted(verdict) == sorted(VERDICT)
    assert verdict["first_seq"] == 1
    assert verdict["records"] == verdict["last_seq"] > 3
    assert verdict["signatures_checked"] is True and verdict["checkpoints"] >= 1


def test_the_command_says_the_same(world):
    config = str(world.gate.config_path)
    said = run("audit", "verify", "--json", "--config", config, env=ENV)
    assert said.returncode == 0, said.stderr
    command, api = json.loads(said.stdout), verify(world).json()
    assert list(command) == list(api) == VERDICT
    assert command["intact"] is api["intact"] is True


@pytest.mark.parametrize(
    "change, fault",
    [
        ("UPDATE security_audit_log SET request_id = 'another' WHERE seq = 4", "changed"),
        ("DELETE FROM security_audit_log WHERE seq = 4", "missing"),
    ],
)
def test_what_somebody_did_to_the_file_is_told(tmp_path, change, fault):
    with deployed(tmp_path) as world:
        world.admin()
        world.person()
        assert_answer(verify(world), 200, intact=True)
        with sqlite3.connect(tmp_path / "gatehouse.db", timeout=10) as store:
            triggers = store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in triggers.fetchall():
                store.execute(f"DROP TRIGGER {name}")
            assert store.execute(change).rowcount == 1
        store.close()
        verdict = assert_answer(verify(world), 200, intact=False, fault=fault)
        assert verdict["seq"] == 4 and verdict["records"] <= 4


def test_it_may_not_be_asked_for_all_the_time(tmp_path):
    limits = {"audit_verify": {"limit": "3/hour"}}
    with deployed(tmp_path, rate_limits=limits) as world:
        admin = world.admin()
        for _ in range(3):
            assert_answer(verify(world), 200)
        refused = verify(world)
        assert_answer(refused, 429)
        assert int(refused.get("Retry-After")) > 60
        assert_answer(admin.api("GET", "/admin/audit"), 200)


def test_people_sign_in_while_it_is_checked(world):
    """And of several that ask at once each gets an answer."""
    statuses = []
    admin = world.admin()
    askers = [
        threading.Thread(
            target=lambda: statuses.append(admin.api("GET", "/admin/audit/verify").status)
        )
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    assert world.person().is_signed_in()
    for asker in askers:
        asker.join()
    assert 200 in statuses and set(statuses) <= {200, 409}


# -- anomalies --


def stuff(world, network):
    """Addresses of a leaked list, each tried once, all from one network."""
    for number in range(15):
        address, email = f"{network}.{number + 1}", f"leaked{number}@example.net"
        assert_answer(world.stranger(address=address, email=email).try_login(WRONG), 401)


def test_anomalies_are_paged_with_their_evidence(world):
    stuff(world, "203.0.113")
    stuff(world, "203.0.114")

    def found():
        answer = assert_answer(world.admin().api("GET", "/admin/anomalies?limit=200"), 200)
        networks = {item["network"] for item in answer["anomalies"]}
        return answer if networks >= {"203.0.113.0/24", "203.0.114.0/24"} else None

    everything = world.gate.wait_for(found, "two anomalies")
    assert everything["next"] is None
    for item in everything["anomalies"]:
        assert sorted(item) == "account action evidence network rule seq time".split()
        assert item["rule"] and item["action"] == "log"
        assert item["evidence"] and all(type(v) is int for v in item["evidence"].values())
    page = assert_answer(world.admin().api("GET", "/admin/anomalies?limit=1"), 200)
    rest = world.admin().api("GET", f"/admin/anomalies?limit=200&before={page['next']}").json()
    seqs = [item["seq"] for item in page["anomalies"] + rest["anomalies"]]
    assert len(set(seqs)) == len(seqs) >= 2 and seqs == sorted(seqs, reverse=True)
    assert {item["seq"] for item in everything["anomalies"]} <= set(seqs)
    assert set(seqs) <= {record["seq"] for record in world.audit(event="anomaly_detected")}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "rule=x", "before=-1"])
def test_a_strange_query_is_refused(world, query):
    assert_answer(world.admin().api("GET", f"/admin/anomalies?{query}"), 422)


# -- reports of browsers --


def report(world, directive, address):
    body = {"csp-report": {"effective-directive": directive, "document-uri": "https://a.example/x?s=1"}}
    fields = {"Content-Type": "application/csp-report", "X-Forwarded-For": address}
    response = world.gate.request("POST", "/csp-report", fields, json.dumps(body).encode())
    assert response.status == 204


def test_reports_are_counted_by_directive(world):
    for _ in range(5):
        report(world, "script-src-elem", "203.0.113.7")
    for number in range(3):
        report(world, "img-src", f"203.0.113.{20 + number}")
    report(world, "made-up by somebody", "203.0.113.40")
    world.gate.clock.advance(61)  # what was coalesced is written when its minute is over

    def counted():
        answer = assert_answer(world.admin().api("GET", "/admin/csp/reports"), 200)
        return answer if answer["reports"] == 9 else None

    answer = world.gate.wait_for(counted, "nine reports")
    assert answer["complete"] is True and answer["records"] <= 9
    assert [(d["directive"], d["reports"]) for d in answer["directives"]] == [
        ("script-src-elem", 5), ("img-src", 3), ("other", 1),
    ]
    for directive in answer["directives"]:
        assert answer["since"] < directive["first_at"] <= directive["last_at"]
    world.gate.clock.advance(31 * 24 * 3600)
    answer = assert_answer(world.admin().api("GET", "/admin/csp/reports"), 200)
    assert answer["reports"] == 0 and answer["directives"] == []
