"""The small renderer of chart templates: what it knows, and that it refuses the rest."""

import pytest
import yaml

from chart import Renderer, TemplateError, merged, parse, split_template

ROOT = {
    "Values": {"a": {"b": "c"}, "list": ["x", "y"], "map": {"two": 2, "one": 1}, "none": None,
               "no": False, "empty": "", "number": 7, "tricky": 'a "b"\nc: d'},
    "Release": {"Name": "r"},
}


def rendered(text):
    templates = {}
    nodes, stopped = parse(split_template(text), templates)
    assert stopped is None
    return Renderer(ROOT, templates).render(nodes, ROOT, {})


@pytest.mark.parametrize(
    "text,expected",
    [
        ("plain", "plain"),
        ("{{ .Values.a.b }}", "c"),
        ("{{.Values.number}}", "7"),
        ("{{ .Values.no }}", "false"),
        ("[{{ .Values.none }}]", "[]"),
        ("a  {{- .Release.Name -}}  b", "arb"),
        ("a\n  {{- /* a comment */ -}}\n b", "ab"),
        ("a {{/* a comment */}} b", "a  b"),
        ('{{ .Values.empty | default "x" }}', "x"),
        ('{{ default "x" .Values.a.b }}', "c"),
        ("{{ .Values.empty | default .Release.Name }}", "r"),
        ("{{ .Values.number | quote }}", '"7"'),
        ("{{ .Values.tricky | quote }}", r'"a \"b\"\nc: d"'),
        ("{{ if .Values.no }}a{{ else }}b{{ end }}", "b"),
        ("{{ if .Values.list }}a{{ end }}", "a"),
        ("{{ if or .Values.no .Values.a }}a{{ end }}", "a"),
        ("{{ if and .Values.no .Values.a }}a{{ end }}", ""),
        ("{{ if not .Values.no }}a{{ end }}", "a"),
        ('{{ if eq .Values.a.b "c" }}a{{ end }}', "a"),
        ("{{ range .Values.list }}<{{ . }}{{ $.Release.Name }}>{{ end }}", "<xr><yr>"),
        ("{{ range $k, $v := .Values.map }}{{ $k }}={{ $v }};{{ end }}", "one=1;two=2;"),
        ("k:{{ toYaml .Values.map | nindent 2 }}", "k:\n  one: 1\n  two: 2"),
        ('{{ define "d" }}({{ .Release.Name }}){{ end }}{{ include "d" . }}', "(r)"),
        ('{{ "x" | sha256sum }}',
         "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ],
)
def test_what_it_knows(text, expected):
    assert rendered(text) == expected


def test_a_quoted_value_is_the_value_again_in_yaml():
    assert yaml.safe_load(rendered("{{ .Values.tricky | quote }}")) == ROOT["Values"]["tricky"]


@pytest.mark.parametrize(
    "text",
    ["{{ .Values.a.missing }}", "{{ .Values.a }}", "{{ lookup .Values.a }}", "{{ .Values.a.b | upper }}",
     "{{ $unset }}", "{{ .Values.a.b.c }}", "{{ ` }}", "{{ 'x' }}", "{{ with .Values.a }}{{ end }}"],
)
def test_it_refuses_the_rest(text):
    with pytest.raises((TemplateError, AttributeError)):
        rendered(text)


def test_values_over_values():
    below = {"a": {"b": 1, "c": 2}, "list": [1, 2], "map": {"x": 1}}
    above = {"a": {"b": 3}, "list": [4], "map": None}
    assert merged(below, above) == {"a": {"b": 3, "c": 2}, "list": [4], "map": None}
