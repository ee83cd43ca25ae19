"""Requests made from an OpenAPI document: for each operation a valid one, and for each constraint one
that breaks it alone, with the place and the rule that a refusal has to name."""

import copy
import json
from urllib.parse import quote

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
FORMATS = {
    "date-time": "2024-05-06T07:08:09Z",
    "date": "2024-05-06",
    "email": "ann@example.com",
    "uuid": "5d3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a01",
    "uri": "https://example.com/a",
    "ipv4": "192.0.2.1",
}


class Request:
    def __init__(self, operation, method, path):
        self.operation, self.method, self.path = operation, method, path
        self.values = {}  # (in, name) -> text, or a list of texts
        self.media, self.body = None, None

    def copy(self):
        return copy.deepcopy(self)

    def target(self, base):
        path, query = self.path, []
        for (place, name), value in self.values.items():
            if place == "path":
                path = path.replace("{" + name + "}", quote(value, safe=""))
            elif place == "query":
                texts = value if isinstance(value, list) else [value]
                query += [f"{quote(name)}={quote(text, safe='')}" for text in texts]
        return base + path + ("?" + "&".join(query) if query else "")

    def fields(self):
        fields = [(n, v) for (place, n), v in self.values.items() if place == "header"]
        cookies = [f"{n}={v}" for (place, n), v in self.values.items() if place == "cookie"]
        if cookies:
            fields.append(("Cookie", "; ".join(cookies)))
        if self.media:
            fields.append(("Content-Type", self.media))
        return fields

    def bytes(self):
        return None if self.media is None else json.dumps(self.body).encode()


class Mutant:
    """`request` breaks one rule: what a refusal must name."""

    def __init__(self, request, location, name, pointer, rule):
        self.request = request
        self.expected = (location, name, pointer, rule)


class Document:
    def __init__(self, document):
        self.document = document
        self.is_3_0 = document["openapi"].startswith("3.0")

    def resolve(self, node):
        while "$ref" in node:
            at = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                at = at[name.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def schema(self, node):
        """Flattened: references and allOf are gone, of alternatives the first is taken."""
        node = dict(self.resolve(node))
        for part in node.pop("allOf", []):
            part = self.schema(part)
            node["properties"] = {**part.pop("properties", {}), **node.get("properties", {})}
            node["required"] = part.pop("required", []) + node.get("required", [])
            node = {**part, **node}
        for alternatives in ("anyOf", "oneOf"):
            if alternatives in node:
                first = self.schema(node.pop(alternatives)[0])
                node = {**node, **first, "loose": True}
        types = node.get("type")
        if isinstance(types, list):
            node["nullable"] = "null" in types
            node["type"] = next(t for t in types if t != "null")
        return node

    # -- values --

    def sample(self, node):
        s = self.schema(node)
        if "const" in s:
            return s["const"]
        if "enum" in s:
            return s["enum"][0]
        kind = s.get("type", "object" if "properties" in s else None)
        if kind in ("integer", "number"):
            return self.sample_number(s)
        if kind == "string":
            return self.sample_string(s)
        if kind == "boolean":
            return True
        if kind == "array":
            count = max(s.get("minItems", 0), 1)
            return [self.sample(s.get("items", {})) for _ in range(count)]
        if kind == "object":
            members = s.get("properties", {})
            return {n: self.sample(m) for n, m in members.items() if not self.is_read_only(m)}
        return "anything"

    def is_read_only(self, node):
        return self.schema(node).get("readOnly", False)

    def sample_number(self, s):
        low = s.get("minimum", s.get("exclusiveMinimum", 0))
        if s.get("exclusiveMinimum", False) is not False:
            low += 1
        step = s.get("multipleOf", 1)
        value = -(-low // step) * step
        if s["type"] == "integer":
            value = int(value)  # 1.0 is one in a schema, and none to many a backend
        assert value <= s.get("maximum", value)
        return value

    def sample_string(self, s):
        if s.get("format") in FORMATS:
            return FORMATS[s["format"]]
        if "pattern" in s:
            return s["example"]
        return "a" * max(s.get("minLength", 0), 1)

    # -- what breaks one rule: (value, pointer, rule) --

    def broken(self, node, value, pointer=""):
        s = self.schema(node)
        yield from self.broken_type(s, value, pointer)
        if "enum" in s:
            yield self.other_than(s["enum"]), pointer, "enum"
        if "const" in s:
            yield self.other_than([s["const"]]), pointer, "const"
        if isinstance(value, str):
            yield from self.broken_string(s, value, pointer)
        elif isinstance(value, bool):
            pass
        elif isinstance(value, (int, float)):
            yield from self.broken_number(s, value, pointer)
        elif isinstance(value, list):
            yield from self.broken_array(s, value, pointer)
        elif isinstance(value, dict):
            yield from self.broken_object(s, value, pointer)

    @staticmethod
    def other_than(values):
        return values[0] + "-not" if isinstance(values[0], str) else 987654321

    def broken_type(self, s, value, pointer):
        kind = s.get("type")
        if kind is None or s.get("loose"):
            return
        wrong = {"string": 17, "boolean": "true", "array": {}, "object": []}
        yield wrong.get(kind, "17"), pointer, "type"
        if kind == "integer":
            yield value + 0.5, pointer, "type"
        if not s.get("nullable"):
            yield None, pointer, "type"

    def broken_string(self, s, value, pointer):
        if s.get("minLength", 0) > 0:
            yield value[: s["minLength"] - 1], pointer, "minLength"
        if "maxLength" in s:
            yield "a" * (s["maxLength"] + 1), pointer, "maxLength"
        if "pattern" in s:
            yield "!" * max(len(value), 1), pointer, "pattern"
        if s.get("format") in FORMATS:
            yield "not a " + s["format"], pointer, "format"

    def broken_number(self, s, value, pointer):
        step = s.get("multipleOf", 1)
        low, high = s.get("exclusiveMinimum", False), s.get("exclusiveMaximum", False)
        if low is True:  # 3.0
            yield s["minimum"], pointer, "exclusiveMinimum"
        elif "minimum" in s:
            yield s["minimum"] - step, pointer, "minimum"
        if high is True:
            yield s["maximum"], pointer, "exclusiveMaximum"
        elif "maximum" in s:
            yield s["maximum"] + step, pointer, "maximum"
        if low is not True and low is not False:
            yield low, pointer, "exclusiveMinimum"
        if high is not True and high is not False:
            yield high, pointer, "exclusiveMaximum"
        if "multipleOf" in s:
            yield value + (1 if s["type"] == "integer" else step / 2), pointer, "multipleOf"

    def broken_array(self, s, value, pointer):
        if s.get("minItems", 0) > 0:
            yield value[: s["minItems"] - 1], pointer, "minItems"
        if "maxItems" in s:
            yield value * (s["maxItems"] + 1), pointer, "maxItems"
        if s.get("uniqueItems"):
            yield value[:1] * 2, pointer, "uniqueItems"
        for item, at, rule in self.broken(s.get("items", {}), value[0], f"{pointer}/0"):
            yield [item] + value[1:], at, rule

    def broken_object(self, s, value, pointer):
        for name in s.get("required", []):
            if name in value:
                rest = {n: v for n, v in value.items() if n != name}
                yield rest, f"{pointer}/{self.step(name)}", "required"
        if s.get("additionalProperties") is False:
            yield {**value, "zz": 1}, f"{pointer}/zz", "additionalProperties"
        for name, member in s.get("properties", {}).items():
            if name not in value:
                continue
            for broken, at, rule in self.broken(member, value[name], f"{pointer}/{self.step(name)}"):
                yield {**value, name: broken}, at, rule

    @staticmethod
    def step(name):
        return name.replace("~", "~0").replace("/", "~1")

    # -- requests --

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item, item[method]

    def parameters(self, item, operation):
        found = {}
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            parameter = self.resolve(parameter)
            found[(parameter["in"], parameter["name"])] = parameter
        return found

    def valid(self, path, method, item, operation):
        request = Request(operation, method.upper(), path)
        for key, parameter in self.parameters(item, operation).items():
            request.values[key] = self.texts(self.sample(parameter["schema"]))
        if "requestBody" in operation:
            content = self.resolve(operation["requestBody"])["content"]
            request.media = "application/json"
            request.body = self.sample(content["application/json"]["schema"])
        return request

    @staticmethod
    def texts(value):
        if isinstance(value, list):
            return [Document.texts(item) for item in value]
        return value if isinstance(value, str) else json.dumps(value)

    def mutants(self, path, method, item, operation):
        valid = self.valid(path, method, item, operation)
        for key, parameter in self.parameters(item, operation).items():
            yield from self.broken_parameter(valid, key, parameter)
        if valid.media is None:
            return
        body = self.resolve(operation["requestBody"])
        schema = body["content"]["application/json"]["schema"]
        for value, pointer, rule in self.broken(schema, valid.body):
            mutant = valid.copy()
            mutant.body = value
            yield Mutant(mutant, "body", None, pointer, rule)
        if body.get("required"):
            mutant = valid.copy()
            mutant.media = mutant.body = None
            yield Mutant(mutant, "body", None, "", "required")

    def broken_parameter(self, valid, key, parameter):
        place, name = key
        if parameter.get("required") and place != "path":
            mutant = valid.copy()
            del mutant.values[key]
            yield Mutant(mutant, place, name, "", "required")
        for value, pointer, rule in self.broken(parameter["schema"], self.sample(parameter["schema"])):
            is_text = self.schema(parameter["schema"]).get("type") in ("string", "array")
            if value is None or (is_text and rule == "type") or value in ("", [], {}):
                continue  # as text it is another value, or none
            if value == "17":  # so is this
                value = "seventeen"
            mutant = valid.copy()
            mutant.values[key] = self.texts(value)
            yield Mutant(mutant, place, name, pointer, rule)
