"""The generated pages of docs/ are what the program writes today."""

import pytest

from harness.gate import ROOT, run

PAGES = {
    "reference": "docs/configuration-reference.md",
    "schema": "docs/config.schema.json",
}


@pytest.mark.parametrize("what", PAGES)
def test_the_page_is_what_the_program_writes(what):
    page = ROOT / PAGES[what]
    result = run("config", what)
    assert result.returncode == 0
    assert page.read_text(encoding="utf-8") == result.stdout, (
        f"run: gatehouse config {what} > {PAGES[what]}"
    )


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["schema", "extra"]])
def test_wrong_usage_ends_2(arguments):
    result = run("config", *arguments)
    assert result.returncode == 2
    assert "Usage" in result.stderr and not result.stdout
