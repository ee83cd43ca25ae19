"""`gatehouse openapi lint`: its outputs, its exit status, and the constrained copy."""

import json
import re
import subprocess

import pytest
import yaml

from harness.gate import BINARY, ROOT, run

SAMPLES = ROOT / "tests" / "openapi" / "lint"
SHOP = SAMPLES / "shop.yaml"
FLAT = SAMPLES / "flat.json"
PETSTORES = ROOT / ".." / "shared" / "conformance" / "openapi"


def lint(*arguments):
    return run("openapi", "lint", *arguments)


def findings(document, *arguments):
    result = lint(document, "--format", "json", *arguments)
    return json.loads(result.stdout)["findings"]


def rules_of(found):
    return {one["rule"] for one in found}


def fixable_rules():
    """Of the table that the page of the manual has too."""
    rows = [line.split(" | ") for line in run("openapi", "rules").stdout.splitlines()[2:]]
    return {row[0].strip("| `") for row in rows if row[3] == "yes"}


# ---- The page and the table ----


def test_the_page_holds_the_table_of_rules():
    page = (ROOT / "docs" / "openapi-lint.md").read_text(encoding="utf-8")
    table = run("openapi", "rules").stdout
    assert table.count("\n") > 30
    assert table in page, "put what `gatehouse openapi rules` writes into docs/openapi-lint.md"


def test_every_rule_names_the_standards_it_comes_from():
    for row in run("openapi", "rules").stdout.splitlines()[2:]:
        assert re.search(r"\| API\d+:2023 \| \d+\.\d+\.\d+ \| CWE-\d+ \|$", row), row


# ---- Findings ----


def test_findings_have_file_line_and_column():
    result = lint(SHOP)
    assert result.returncode == 1
    assert f"{SHOP}:18:13: error: GET /orders, query limit: the number has neither" in result.stdout
    assert "filter.yaml:8:7: error: GET /orders, query filter /text: the string has no" in (
        result.stdout
    )
    assert re.search(r"\nPOST|  POST /orders +\d+ +\d+ +\d+\n", result.stdout)
    score = r"Score \d+ of 100: security \d+ of 30, data validation \d+ of 70"
    assert re.search(score, result.stdout)


def test_all_of_the_sample_is_found():
    assert rules_of(findings(SHOP)) == {
        "string-no-max-length",
        "pattern-no-max-length",
        "string-no-min-length",
        "string-unrestricted",
        "email-no-format",
        "phone-no-pattern",
        "pattern-explodes",
        "number-no-bounds",
        "integer-no-format",
        "array-no-max-items",
        "object-open",
        "map-no-max-properties",
        "write-public",
        "server-http",
        "api-key-in-url",
        "credentials-in-url",
        "numeric-id",
        "response-401-missing",
        "response-422-missing",
        "response-429-missing",
    }


def test_the_json_tells_where_each_finding_is():
    document = yaml.safe_load(SHOP.read_text(encoding="utf-8"))
    for one in findings(SHOP):
        if not one["file"].endswith("shop.yaml"):
            continue
        value = document
        for token in one["pointer"].split("/")[1:]:
            token = token.replace("~1", "/").replace("~0", "~")
            value = value[int(token) if isinstance(value, list) else token]
        assert value is not None and one["line"] > 0 and one["column"] > 0


def test_ignored_rules_are_left_out_and_the_record_says_so(tmp_path):
    report = tmp_path / "audit.md"
    assert "server-http" not in rules_of(findings(SHOP, "--ignore", "server-http"))
    lint(SHOP, "--ignore=server-http", "--report", report)
    assert "| `server-http` | API8:2023 | 9.1.1 | CWE-319 | not applied |" in report.read_text()


def test_warnings_count_unless_errors_alone_are_asked_for(tmp_path):
    document = tmp_path / "a.yaml"
    document.write_text(
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {/a: {get: {operationId: a, "
        "security: [], responses: {'200': {description: ok}}}}}\n"
    )
    result = lint(document)
    assert result.returncode == 1 and "response-429-missing" in result.stdout
    result = lint(document, "--severity", "error")
    assert result.returncode == 0 and "response-429-missing" not in result.stdout
    assert lint(document, "--ignore", "response-429-missing").returncode == 0


def test_answers_are_judged_when_asked(tmp_path):
    document = tmp_path / "a.yaml"
    document.write_text(
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {/a: {get: {operationId: a, "
        "responses: {'200': {description: ok, content: {application/json: {schema: "
        "{type: string}}}}}}}}\n"
    )
    assert "string-no-max-length" not in rules_of(findings(document))
    assert "string-no-max-length" in rules_of(findings(document, "--responses"))


def test_documents_that_are_named_by_uri_come_from_files(tmp_path):
    (tmp_path / "words.json").write_text('{"Word": {"type": "string"}}')
    document = tmp_path / "a.yaml"
    document.write_text(
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {/a: {get: {operationId: a, "
        "parameters: [{name: word, in: query, schema: {$ref: 'https://example.com/w.json#/Word'}}],"
        " responses: {'200': {description: ok}}}}}\n"
    )
    assert lint(document).returncode == 2
    mapping = f"https://example.com/w.json={tmp_path / 'words.json'}"
    found = findings(document, "--schemas", mapping)
    places = {one["file"] for one in found if one["rule"] == "string-no-max-length"}
    assert places == {str(tmp_path / "words.json")}
    (tmp_path / "below").mkdir()
    document = document.rename(tmp_path / "below" / "a.yaml")
    result = lint(document, "--schemas", mapping, "--fix", tmp_path / "copy")
    assert "words.json is not below" in result.stderr and "0 constraints" in result.stderr
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["a.yaml"]


# ---- SARIF and the record ----


def test_sarif_has_the_structure_of_2_1_0():
    result = lint(SHOP, "--format", "sarif")
    assert result.returncode == 1
    log = json.loads(result.stdout)
    assert log["version"] == "2.1.0" and len(log["runs"]) == 1
    driver, results = log["runs"][0]["tool"]["driver"], log["runs"][0]["results"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids)) and len(results) == len(findings(SHOP))
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"] and rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    for one in results:
        assert ids[one["ruleIndex"]] == one["ruleId"]
        assert one["level"] in ("error", "warning") and one["message"]["text"]
        place = one["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].endswith(("shop.yaml", "parts/filter.yaml"))
        assert place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1


def test_the_record_says_what_was_checked_found_and_fixed(tmp_path):
    report = tmp_path / "audit.md"
    result = lint(FLAT, "--date", "2026-01-31", "--report", report, "--fix", tmp_path / "f.json")
    assert result.returncode == 1
    page = report.read_text(encoding="utf-8")
    assert "| date | 2026-01-31 |" in page and re.search(r"\| SHA-256 \| `[0-9a-f]{64}` \|", page)
    row = re.search(r"\| `POST /notes` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", page)
    checked, found, fixed, still = map(int, row.groups())
    assert checked > found > fixed > 0 and still == found - fixed
    assert "| `string-no-max-length` | error | fixed |" in page
    assert "| `write-public` | error | open |" in page
    assert "OWASP API Security Top 10 (2023)" in page and "| CWE-770 |" in page
    again = tmp_path / "again.md"
    lint(FLAT, "--date", "2026-01-31", "--report", again, "--fix", tmp_path / "f.json")
    assert again.read_text(encoding="utf-8") == page


# ---- The constrained copy ----


def assert_only_added(before, after):
    """All that was in the document is in the copy, in the same order."""
    if isinstance(before, dict):
        assert [key for key in after if key in before] == list(before)
        for key in before:
            assert_only_added(before[key], after[key])
        added = set(after) - set(before)
        assert added <= {
            "maxLength", "minLength", "minimum", "maximum", "format", "pattern", "maxItems",
            "maxProperties", "additionalProperties", "unevaluatedProperties",
        }
    elif isinstance(before, list):
        assert len(before) == len(after)
        for old, new in zip(before, after):
            assert_only_added(old, new)
    else:
        assert before == after


def documents():
    real = [PETSTORES / name for name in ("petstore.yaml", "petstore-expanded.yaml",
                                          "realworld-conduit.yml")]
    return [FLAT, ROOT / "tests" / "openapi" / "fastapi.json", *real]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_the_copy_is_the_document_with_bounds(document, tmp_path):
    if not document.exists():
        pytest.skip("no conformance data")
    copy = tmp_path / document.name
    lint(document, "--fix", copy)
    before = document.read_text(encoding="utf-8")
    after = copy.read_text(encoding="utf-8")
    assert_only_added(yaml.safe_load(before), yaml.safe_load(after))
    if document.suffix == ".json":
        assert_only_added(json.loads(before), json.loads(after))
    left = {one["rule"] for one in findings(copy)} & fixable_rules()
    assert left == set()
    kept = [line for line in after.splitlines() if line in before.splitlines()]
    assert len(kept) >= 0.8 * len(before.splitlines())
    again = tmp_path / ("again" + document.suffix)
    lint(copy, "--fix", again)
    assert again.read_text(encoding="utf-8") == after


def test_a_document_of_several_files_goes_into_a_directory(tmp_path):
    result = lint(SHOP, "--fix", tmp_path / "copy")
    assert result.returncode == 1 and "constraints were put into" in result.stderr
    shop = (tmp_path / "copy" / "shop.yaml").read_text(encoding="utf-8")
    assert "type: string # where the bill goes\n              maxLength: 254\n" in shop
    note = "# may be empty\n        note:\n          type: string\n          maxLength: 16384"
    assert note in shop
    assert "unevaluatedProperties: false" in shop
    part = (tmp_path / "copy" / "parts" / "filter.yaml").read_text(encoding="utf-8")
    assert "additionalProperties: false" in part and "maxLength: 16384" in part
    left = rules_of(findings(tmp_path / "copy" / "shop.yaml")) & fixable_rules()
    assert left == {"string-no-min-length"}  # its example has an empty note


def test_the_copy_takes_the_examples_of_the_document(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    lint(SHOP, "--fix", tmp_path / "copy")
    copy = yaml.safe_load((tmp_path / "copy" / "shop.yaml").read_text(encoding="utf-8"))
    media = copy["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]
    schema = {"$ref": "#/components/schemas/Order", "components": copy["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    example = media["examples"]["small"]["value"]
    validator.validate(example)
    for bad in (
        {**example, "other": 1},
        {**example, "note": "x" * 16385},
        {**example, "customer": {"email": "a@example.com", "phone": "none"}},
        {**example, "lines": [{"sku": "A-1", "gift": True, "price": 1}]},
        {**example, "labels": {str(i): "x" for i in range(257)}},
    ):
        assert not validator.is_valid(bad)


def test_evidence_takes_the_place_of_defaults(tmp_path):
    lint(SHOP, "--fix", tmp_path / "copy", "--evidence", SAMPLES / "shop.evidence.jsonl")
    copy = yaml.safe_load((tmp_path / "copy" / "shop.yaml").read_text(encoding="utf-8"))
    limit = copy["paths"]["/orders"]["get"]["parameters"][0]["schema"]
    assert limit == {"type": "integer", "minimum": 0, "maximum": 100, "format": "int32"}
    order = copy["components"]["schemas"]["Order"]["properties"]
    assert order["customer"]["properties"]["email"]["maxLength"] == 64
    assert order["lines"]["maxItems"] == 16
    assert order["labels"]["additionalProperties"]["maxLength"] == 4096  # few, so only wider
    assert order["note"]["maxLength"] == 16384


def test_nothing_is_written_when_the_copy_can_not_be(tmp_path):
    result = lint(FLAT, "--fix", tmp_path / "missing" / "f.json")
    assert result.returncode == 2 and "can't write" in result.stderr


# ---- Bad input ----


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [FLAT, FLAT],
        [FLAT, "--format", "xml"],
        [FLAT, "--format"],
        [FLAT, "--ignore", "no-such-rule"],
        [FLAT, "--severity", "info"],
        [FLAT, "--date", "today"],
        [FLAT, "--date", "2026-1-1"],
        [FLAT, "--schemas", "file"],
        [FLAT, "--frobnicate"],
        [FLAT, "--evidence", "/nowhere"],
        ["/nowhere"],
    ],
)
def test_wrong_usage_ends_2(arguments):
    result = lint(*arguments)
    assert result.returncode == 2 and result.stderr and not result.stdout


def test_bad_evidence_is_told_with_its_line(tmp_path):
    evidence = tmp_path / "e.jsonl"
    evidence.write_text('\n{"operation":"addNote"}\n')
    result = lint(FLAT, "--evidence", evidence)
    assert result.returncode == 2 and f"{evidence}:2: error: its location" in result.stderr


HOSTILE = {
    "empty": b"",
    "no document": b"[]",
    "nul": b"openapi: 3.1.0\0",
    "not UTF-8": b"openapi: \xff\xfe",
    "deep": b"[" * 100000,
    "deep schema": b'{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"post":'
    b'{"responses":{"200":{"description":"k"}},"requestBody":{"content":{"application/json":'
    b'{"schema":' + b'{"items":' * 5000 + b"{}" + b"}" * 5000 + b"}}}}}}}",
    "lone surrogate": b'{"openapi": "\\ud800"}',
    "repeated names": b'{"openapi": "3.1.0", "openapi": "3.1.0"}',
    "billion laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_quickly(name, tmp_path):
    document = tmp_path / "a.yaml"
    document.write_bytes(HOSTILE[name])
    result = subprocess.run([str(BINARY), "openapi", "lint", str(document)], capture_output=True,
                            timeout=20, check=False)
    assert result.returncode == 2 and b"Sanitizer" not in result.stderr
    assert b"error" in result.stderr and not result.stdout


@pytest.mark.alone
def test_many_operations_that_share_a_big_schema_end_in_time(tmp_path):
    schema = {"$ref": "#/components/schemas/A"}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            f"/a{i}": {
                "put": {
                    "operationId": f"put{i}",
                    "requestBody": {
                        "content": {"application/json": {"schema": schema}}
                    },
                    "responses": {"200": {"description": "ok"}},
                }
            }
            for i in range(100)
        },
        "components": {
            "schemas": {
                "A": {
                    "type": "object",
                    "properties": {
                        f"p{i}": {"anyOf": [{"type": "string"}, schema]}
                        for i in range(300)
                    },
                }
            }
        },
    }
    path = tmp_path / "big.json"
    path.write_text(json.dumps(document))
    result = lint(path, "--format", "json")
    report = json.loads(result.stdout)
    assert report["complete"] and len(report["operations"]) == 100
    strings = [one for one in report["findings"] if one["rule"] == "string-no-max-length"]
    assert len(strings) == 300 and {one["operations"] for one in strings} == {100}
