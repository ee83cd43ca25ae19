"""The generated pages of docs/ are what the program writes today."""

import json

import pytest

from harness.gate import ROOT, run

PAGES = {
    "config reference": "docs/configuration-reference.md",
    "config schema": "docs/config.schema.json",
    "audit events": "docs/audit-events.md",
}


@pytest.mark.parametrize("what", PAGES)
def test_the_page_is_what_the_program_writes(what):
    page = ROOT / PAGES[what]
    result = run(*what.split())
    assert result.returncode == 0
    assert page.read_text(encoding="utf-8") == result.stdout, (
        f"run: gatehouse {what} > {PAGES[what]}"
    )


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["schema", "extra"]])
def test_wrong_usage_ends_2(arguments):
    result = run("config", *arguments)
    assert result.returncode == 2
    assert "Usage" in result.stderr and not result.stdout


def test_the_catalogue_of_events_as_json_says_what_is_personal():
    events = {e["event"]: e for e in json.loads(run("audit", "events", "--json").stdout)}
    page = (ROOT / PAGES["audit events"]).read_text(encoding="utf-8")
    assert len(events) == page.split("## Members")[0].count("\n| `")
    assert events["role_changed"]["privileged"] and not events["login"]["privileged"]
    personal = {
        (name, member["name"])
        for name, event in events.items()
        for member in event["members"]
        if member["personal"]
    }
    assert personal == {
        ("signup", "email"),
        ("login_failed", "email"),
        ("password_reset_request", "email"),
        ("anomaly_detected", "network"),
    }
    assert "not_owner" in events["access_denied"]["reasons"]


def test_the_catalogue_takes_nothing_else():
    assert run("audit", "events", "--yaml").returncode == 2
