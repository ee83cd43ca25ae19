#!/usr/bin/python3
"""Renders the charts of deploy/helm without Helm: the part of its template language that they use.

    chart.py CHART [VALUES-FILE]    prints what the chart gives
    chart.py --write                writes deploy/kubernetes/ again

It is stricter than Helm: a value that a template names must stand in values.yaml, and whatever is
not known here is an error.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "deploy" / "helm"
MANIFESTS = ROOT / "deploy" / "kubernetes"
# name of the manifest file and of the release: the chart, and values over its own
DEPLOYED = {"vote": ("vote", None), "gatehouse": ("gatehouse", "vote/gatehouse-values.yaml")}
NAMESPACE = "vote"

ACTION = re.compile(r"\{\{(-(?=\s))?\s*(?:(/\*.*?\*/)\s*|(.*?)\s*?)((?<=\s)-)?\}\}", re.S)
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|:=|[|(),]|-?\d+|\$?\.?[A-Za-z_][\w.]*|\$|\.)')


class TemplateError(Exception):
    pass


def split_template(text):
    """Texts and actions in turn, white space trimmed as {{- and -}} say."""
    parts, position, trim = [], 0, False
    for match in ACTION.finditer(text):
        before = text[position : match.start()]
        before = before.lstrip() if trim else before
        parts.append(("text", before.rstrip() if match[1] else before))
        if match[2] is None:
            parts.append(("action", match[3]))
        position, trim = match.end(), bool(match[4])
    rest = text[position:]
    parts.append(("text", rest.lstrip() if trim else rest))
    return parts


def tokens_of(action):
    found, position = [], 0
    while position < len(action):
        match = TOKEN.match(action, position)
        if not match:
            raise TemplateError(f"not known: {action[position:]!r} in {action!r}")
        found.append(match[1])
        position = match.end()
    return found


def parse(parts, templates):
    """Nodes up to the end, `else` or `end`: texts and tuples. Definitions go to `templates`."""
    nodes = []
    while parts:
        kind, content = parts.pop(0)
        if kind == "text":
            nodes.append(content)
            continue
        tokens = tokens_of(content)
        word = tokens[0]
        if word in ("end", "else"):
            return nodes, word
        if word == "if":
            then, stopped = parse(parts, templates)
            otherwise = parse(parts, templates)[0] if stopped == "else" else []
            nodes.append(("if", tokens[1:], then, otherwise))
        elif word == "range":
            nodes.append(("range", tokens[1:], parse(parts, templates)[0]))
        elif word == "define":
            templates[json.loads(tokens[1])] = parse(parts, templates)[0]
        elif word in ("with", "template", "block", "break", "continue"):
            raise TemplateError(f"not known: {content!r}")
        else:
            nodes.append(("print", tokens))
    return nodes, None


def text_of(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        raise TemplateError(f"a map or list is printed: {value!r}")
    return str(value)


def to_yaml(value):
    return yaml.safe_dump(value, sort_keys=True, width=10**6, allow_unicode=True).rstrip("\n")


class Renderer:
    def __init__(self, root, templates):
        self.root = root
        self.templates = templates

    def render(self, nodes, dot, variables):
        return "".join(self.node(node, dot, variables) for node in nodes)

    def node(self, node, dot, variables):
        if isinstance(node, str):
            return node
        if node[0] == "print":
            return text_of(self.pipeline(node[1], dot, variables))
        if node[0] == "if":
            chosen = node[2] if self.pipeline(node[1], dot, variables) else node[3]
            return self.render(chosen, dot, variables)
        return self.range(node[1], node[2], dot, variables)

    def range(self, tokens, body, dot, variables):
        if ":=" not in tokens:
            values = self.pipeline(tokens, dot, variables)
            return "".join(self.render(body, value, variables) for value in values)
        key, _, value, _, *rest = tokens
        items = sorted(self.pipeline(rest, dot, variables).items())
        return "".join(self.render(body, v, {**variables, key: k, value: v}) for k, v in items)

    def pipeline(self, tokens, dot, variables):
        """Commands between `|`, each given the result of the one before as its last argument."""
        given = []
        command = []
        for token in [*tokens, "|"]:
            if token == "|":
                given = [self.command(command, given, dot, variables)]
                command = []
            else:
                command.append(token)
        return given[0]

    def command(self, tokens, given, dot, variables):
        head, *rest = tokens
        if hasattr(self, f"call_{head}"):
            operands = [self.operand(token, dot, variables) for token in rest]
            return getattr(self, f"call_{head}")(*operands, *given)
        if rest or given:
            raise TemplateError(f"not known: {' '.join(tokens)}")
        return self.operand(head, dot, variables)

    def operand(self, token, dot, variables):
        if token[0] == '"':
            return json.loads(token)
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        if token in ("true", "false"):
            return token == "true"
        name, *path = token.split(".")
        value = dot if name == "" else self.root if name == "$" else variables.get(name)
        if name and name != "$" and name not in variables:
            raise TemplateError(f"not known: {token}")
        for part in filter(None, path):
            if not isinstance(value, dict) or part not in value:
                raise TemplateError(f"{token} does not stand in the values")
            value = value[part]
        return value

    def call_include(self, name, dot):
        return self.render(self.templates[name], dot, {})

    def call_default(self, otherwise, value):
        return value or otherwise

    def call_quote(self, value):
        return json.dumps(text_of(value), ensure_ascii=False)

    def call_toYaml(self, value):
        return to_yaml(value)

    def call_nindent(self, count, text):
        return "".join(f"\n{' ' * count}{line}" for line in text.split("\n"))

    def call_sha256sum(self, text):
        return hashlib.sha256(text.encode()).hexdigest()

    def call_or(self, *values):
        return next((value for value in values if value), values[-1])

    def call_and(self, *values):
        return next((value for value in values if not value), values[-1])

    def call_not(self, value):
        return not value

    def call_eq(self, value, *others):
        return value in others


def merged(below, above):
    """Maps are merged, everything else is replaced, as Helm does with values."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


def read_values(path):
    return yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}


def render_files(chart, values=None, release=None, namespace=NAMESPACE):
    """{name of the template: what it gives}; `values` over those of the chart."""
    folder = CHARTS / chart
    about = read_values(folder / "Chart.yaml")
    root = {
        "Values": merged(read_values(folder / "values.yaml"), values or {}),
        "Release": {"Name": release or chart, "Namespace": namespace},
        "Chart": {
            "Name": about["name"],
            "Version": about["version"],
            "AppVersion": about["appVersion"],
        },
    }
    templates, files = {}, {}
    for path in sorted((folder / "templates").iterdir()):
        nodes, stopped = parse(split_template(path.read_text(encoding="utf-8")), templates)
        if stopped:
            raise TemplateError(f"{path.name}: {stopped} without a beginning")
        files[path.name] = nodes
    renderer = Renderer(root, templates)
    rendered = {name: renderer.render(nodes, root, {}) for name, nodes in files.items()}
    return {name: text for name, text in rendered.items() if text.strip()}


def render(chart, values=None, **options):
    """The objects that a chart gives."""
    documents = []
    for text in render_files(chart, values, **options).values():
        documents += [document for document in yaml.safe_load_all(text) if document]
    return documents


def manifest(name):
    """The text of deploy/kubernetes/NAME.yaml."""
    chart, values = DEPLOYED[name]
    given = read_values(CHARTS / values) if values else {}
    files = render_files(chart, given, release=name)
    used = f"helm template {name} deploy/helm/{chart}" + (f" -f deploy/helm/{values}" if values else "")
    head = f"# Made by tests/deploy/chart.py --write; the same as\n#   {used}\n"
    return head + "---\n" + "\n---\n".join(text.strip() for text in files.values()) + "\n"


def main():
    if sys.argv[1:] == ["--write"]:
        for name in DEPLOYED:
            (MANIFESTS / f"{name}.yaml").write_text(manifest(name), encoding="utf-8")
        return 0
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    values = read_values(sys.argv[2]) if len(sys.argv) == 3 else {}
    print("\n---\n".join(text.strip() for text in render_files(sys.argv[1], values).values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
