"""From traffic to constraints: evidence is collected, proposed from, and what it says is enforced."""

import json
import signal
import stat
from typing import Optional

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from harness import gate as gate_module
from harness import pets
from harness.gate import run

JSON = {"Content-Type": "application/json"}


class Line(BaseModel):
    code: str
    count: int


class Order(BaseModel):
    customer: str
    note: Optional[str] = None
    price: float
    tags: list[str] = []
    lines: list[Line]
    prices: dict[str, float] = {}


app = FastAPI()


@app.post("/orders/{shop}")
def place_order(shop: str, order: Order, page: int = 1):
    """The document is all that is asked of it."""


ORDERS = [
    {
        "customer": "Åse" + "x" * (n % 10),
        **({} if n % 2 else {"note": "by hand"}),
        "price": n + 0.5,
        "tags": ["t"] * (n % 4),
        "lines": [{"code": "C" * (n % 5 + 1), "count": n}],
        "prices": {f"name-{n}": 1.5},
    }
    for n in range(1, 41)
]


@pytest.fixture
def observe(start, backend, tmp_path):
    """observe(**members of input) -> a gate that collects evidence of the application's document."""
    document = tmp_path / "api.json"
    document.write_text(json.dumps(app.openapi()), encoding="utf-8")

    def begin(**members):
        members = {"openapi": str(document), "mode": "observe", "evidence": str(tmp_path / "seen"), **members}
        route = {"path": "/**", "upstream": "api", "access": "public", "input": members}
        return start(gate_module.config(backend, routes=[route]), ["--workers", "1"])

    return begin


def order(gate, value, page=3, shop="north"):
    return gate.request("POST", f"/orders/{shop}?page={page}", JSON, json.dumps(value).encode()).status


def lines(folder):
    text = (folder / "seen").read_text(encoding="utf-8")
    return {
        (line["location"], line.get("name", ""), line.get("pointer", ""), line["kind"]): line
        for line in map(json.loads, text.splitlines())
    }


# -- the way from observing to enforcing --


def test_what_was_observed_can_be_enforced(observe, tmp_path):
    gate = observe()
    assert [order(gate, value) for value in ORDERS] == [200] * len(ORDERS)
    gate.stop()
    found = lines(tmp_path)
    name = found[("body", "", "/customer", "string")]
    assert (name["min"], name["max"], name["count"]) == (3, 12, 40)
    assert found[("body", "", "/lines/*/count", "integer")]["max"] == 40
    assert found[("query", "page", "", "integer")]["count"] == 40
    assert found[("path", "shop", "", "string")]["max"] == 5

    copy = tmp_path / "api.constrained.json"
    result = run("openapi", "lint", str(tmp_path / "api.json"), "--fix", str(copy),
                 "--evidence", str(tmp_path / "seen"))  # fmt: skip
    assert copy.exists(), result.stderr
    strict = observe(openapi=str(copy), mode="enforce")
    assert [order(strict, value) for value in ORDERS] == [200] * len(ORDERS)
    for change in (
        {"customer": "x" * 40},
        {"price": 1e6},
        {"tags": ["t"] * 20},
        {"lines": [{"code": "C" * 40, "count": 1}]},
        {"lines": [{"code": "C", "count": -1}]},
        {"unheard": 1},
    ):
        assert order(strict, {**ORDERS[0], **change}) == 422, change
    assert order(strict, ORDERS[0], page=10**9) == 422
    assert order(strict, ORDERS[0], shop="s" * 40) == 422
    strict.stop()
    again = lines(tmp_path)
    assert again[("body", "", "/customer", "string")]["max"] == 12
    assert again[("body", "", "/customer", "string")]["count"] == 80


def test_the_file_holds_no_values_and_no_names_of_callers(observe, tmp_path):
    gate = observe()
    secret = "correct-horse"
    body = {**ORDERS[0], "customer": secret, secret: secret, "prices": {secret: 4111111111111111}}
    assert order(gate, body) == 200
    assert order(gate, ORDERS[1], shop=secret) == 200
    gate.stop()
    text = (tmp_path / "seen").read_text(encoding="utf-8")
    assert secret not in text and "4111111111" not in text and "name-2" not in text
    assert stat.S_IMODE((tmp_path / "seen").stat().st_mode) == 0o600
    assert lines(tmp_path)[("body", "", "", "object")]["extra"] is True
    assert lines(tmp_path)[("body", "", "/prices/*", "number")]["count"] == 1


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_a_request_with_a_violation_does_not_widen(observe, tmp_path, mode):
    gate = observe(mode=mode)
    passes = 200 if mode == "observe" else 422
    assert order(gate, ORDERS[0]) == 200
    assert order(gate, {**ORDERS[0], "customer": "x" * 500, "price": "dear"}) == passes
    assert order(gate, {**ORDERS[0], "customer": "x" * 500}, page="all") == passes
    gate.stop()
    name = lines(tmp_path)[("body", "", "/customer", "string")]
    assert (name["max"], name["count"]) == (4, 1)


# -- the file --


def test_a_reload_writes_and_goes_on(observe, tmp_path):
    gate = observe()
    for number in (1, 2):
        assert order(gate, ORDERS[0]) == 200
        gate.signal(signal.SIGHUP)
        gate.wait_for(
            lambda number=number: (tmp_path / "seen").exists()
            and lines(tmp_path)[("body", "", "/customer", "string")]["count"] == number,
            "evidence in the file",
        )
    assert order(gate, ORDERS[9]) == 200
    gate.stop()
    name = lines(tmp_path)[("body", "", "/customer", "string")]
    assert (name["min"], name["max"], name["count"]) == (3, 4, 3)
    assert not (tmp_path / "seen.part").exists()


def test_a_file_that_is_something_else_is_left_alone(observe, tmp_path):
    (tmp_path / "seen").write_text("dear diary\n", encoding="utf-8")
    gate = observe()
    assert order(gate, ORDERS[0]) == 200
    gate.signal(signal.SIGHUP)
    gate.wait_output("the file is no evidence and is left as it is")
    gate.stop()
    assert (tmp_path / "seen").read_text(encoding="utf-8") == "dear diary\n"


def test_a_folder_that_takes_no_file_is_told(observe, tmp_path):
    gate = observe(evidence=str(tmp_path / "nowhere" / "seen"))
    assert order(gate, ORDERS[0]) == 200
    gate.signal(signal.SIGHUP)
    gate.wait_output("No such file or directory")
    gate.stop()


class Tree(BaseModel):
    left: Optional["Tree"] = None
    right: Optional["Tree"] = None


Tree.update_forward_refs()


@app.post("/trees")
def plant(tree: Tree):
    """Its places have no end."""


def test_a_table_that_is_full_is_told(observe, tmp_path):
    def tree(depth):
        return {"left": tree(depth - 1), "right": tree(depth - 1)} if depth else {}

    gate = observe()
    assert gate.request("POST", "/trees", JSON, json.dumps(tree(11)).encode()).status == 200
    assert order(gate, ORDERS[0]) == 200
    gate.signal(signal.SIGHUP)
    gate.wait_output("no room for all places")
    gate.stop()
    assert lines(tmp_path)[("body", "", "/customer", "string")]["count"] == 1


def test_two_documents_need_two_files(backend, tmp_path):
    first = pets.write(tmp_path)
    second = tmp_path / "other.yaml"
    second.write_text(pets.DOCUMENT, encoding="utf-8")
    routes = [
        {"path": path, "upstream": "api", "access": "public",
         "input": {"openapi": str(document), "evidence": str(tmp_path / "seen"), "base_path": base}}
        for path, document, base in (("/v1/**", first, "/v1"), ("/v2/**", second, "/v2"), ("/v3/**", first, "/v3"))
    ]  # fmt: skip
    settings = tmp_path / "gatehouse.yaml"
    settings.write_text(json.dumps(gate_module.config(backend, routes=routes)), encoding="utf-8")
    result = run("check", str(settings))
    assert result.returncode == 1
    assert result.stdout.count("goes into this file already") == 1, result.stdout
    assert not (tmp_path / "seen").exists()
