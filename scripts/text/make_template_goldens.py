#!/usr/bin/env python3
"""Renders the templates of tests/text/templates/ with jinja2 and writes what comes out to expected.json beside them
(`null` where the rendering fails); conversations.json has the conversations.

For maintainers; build and tests use the committed files. Needs jinja2 3.1:

    venv/bin/python scripts/text/make_template_goldens.py

The environment has the settings that chat templates are written for: trimmed blocks, a sandbox without changes to
values, loop controls, a tojson that keeps its characters, raise_exception and strftime_now. snippets.json holds many
small templates, one or more for each construct, with what they print or `null` where jinja2 raises an error.
"""

import datetime
import json
import os

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

OUT = os.path.join(os.path.dirname(__file__), "../../tests/text/templates")
NOW = datetime.datetime(2024, 11, 5, 13, 7, 9)

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": 'Weather of a <place> & "time"',
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "städtischer Ort"},
                    "days": {"type": "integer"},
                },
                "required": ["place"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "description": "d", "parameters": {}}},
]


def call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


USER, ANSWER = {"role": "user", "content": "Hello, <b>you</b>!"}, {"role": "assistant", "content": "Hi 👋"}
CONVERSATIONS = {
    "single": [USER],
    "system": [{"role": "system", "content": "  Be kind.\n"}, USER],
    "two_systems": [{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, USER],
    "turns": [USER, ANSWER, {"role": "user", "content": "And <｜User｜> now?\n"}],
    "thoughts": [
        USER,
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes."},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "<think>a</think>b</think>c"},
        {"role": "user", "content": "x"},
    ],
    "reasoning": [USER, {"role": "assistant", "content": "Yes.", "reasoning_content": "\nwell\n"}],
    "ends_with_answer": [USER, ANSWER],
    "tools": [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call("get_weather", '{"place": "Köln"}')]},
        {"role": "tool", "content": "12 °C"},
    ],
    "tools_answered": [
        USER,
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [call("get_weather", '{"place": "Köln", "days": 3}'), call("now", "{}")],
        },
        {"role": "tool", "content": "12 °C"},
        {"role": "tool", "content": "13:07"},
        {"role": "assistant", "content": "It is cold."},
        {"role": "user", "content": "Thanks"},
    ],
    "tool_objects": [
        USER,
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "name": "f",
                    "function": {"name": "f", "arguments": {"a": 1.5, "b": [True, None, 'x"y'], "c": {}}},
                }
            ],
        },
        {"role": "tool", "content": {"t": 1}},
    ],
    "not_alternating": [USER, USER],
    "unknown_role": [{"role": "critic", "content": "?"}],
    "empty_content": [{"role": "user", "content": ""}],
}

SNIPPETS = [
    "{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }}",
    "{{ 1.0 }} {{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.5e300 }} {{ 100000.0 * 3 }} {{ 0.1 + 0.2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}",
    "{{ true }} {{ False }} {{ none }} {{ None is none }} {{ missing }}|{{ missing is defined }}",
    "{{ 'a' 'b' \"c\" }} {{ 'it\\'s' }} {{ \"t\\tn\\nx\\x41\\u00e9\\U0001F600\\q\" }}",
    "{{ [1, 'a', none, true, 1.5, [2]] }} {{ (1, 2) }} {{ (1,) }} {{ () }} {{ {'a': 1, 'b': ['x', \"it's\"]} }} {{ ['\\n\\\\'] }}",
    "{{ 1 if true else 2 }} {{ 1 if false }}|{{ 'a' if 0 else 'b' if 1 else 'c' }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ none == false }}",
    "{{ 'ell' in 'hello' }} {{ 2 in [1, 2] }} {{ 'a' in {'a': 1} }} {{ 3 not in (1, 2) }} {{ 'x' in missing }}",
    "{{ not true or true and false }} {{ not (true or true) }} {{ 0 or 'x' }} {{ 'y' and 'z' }} {{ '' and 1 }}|",
    "{{ 'a' ~ 1 ~ none ~ true ~ 2.0 ~ missing ~ [1] }}",
    "{{ 'ab' * 3 }} {{ 2 * 'x' }} {{ [1] + [2, 3] }}",
    "{{ 'héllo😀x'[1] }} {{ 'héllo😀x'[-1] }} {{ 'héllo😀x'[1:3] }} {{ 'héllo😀x'[::-1] }} {{ 'héllo😀x'[-2:] }} {{ 'abc'[5:] }}|{{ 'abc'[:-5] }}|{{ 'abcdef'[1:5:2] }} {{ 'abcdef'[5:1:-2] }}",
    "{{ [1,2,3,4][1:] }} {{ [1,2,3,4][:-1] }} {{ [1,2,3,4][::2] }} {{ [1,2,3][10:] }} {{ [1,2,3][-10:2] }} {{ [0,1,2][none:2] }}",
    "{{ 'abc'[9] is defined }} {{ [1][4] is undefined }} {{ {'a': 1}.b is defined }} {{ {'a': 1}['a'] }} {{ {'a': {'b': [5]}}.a.b[0] }} {{ [7].0 }}",
    "{{ ' a b  c '.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b  c '.split(none, 1) }} {{ 'abc'.split('abc') }}",
    "{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ '\\n a\\n'.rstrip() }}|{{ '\\u00a0\\u3000a\\u2003'.strip() }}|{{ 'aé'.strip('é') }}",
    "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.startswith('') }} {{ 'aXbX'.replace('X', '--') }} {{ 'aXbX'.replace('X', '', 1) }}",
    "{{ 'aBc'.upper() }} {{ 'AÉc'.lower() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'a-b'.find('b') }} {{ 'éb'.find('b') }} {{ 'aa'.rfind('a') }} {{ 'a'.find('z') }} {{ 'banana'.count('an') }}",
    "{{ ', '.join(['a', 'b']) }} {{ 'a\\nb\\r\\nc'.splitlines() }} {{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'ab'.isalpha() }} {{ 'xyz'.removeprefix('x') }} {{ 'xyz'.removesuffix('yz') }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ {'a': 1}.get('b', 5) }} {{ {'a': 1}.get('b') }}",
    "{{ [1, 2, 2].count(2) }} {{ [1, 2].index(2) }}",
    "{{ 'héllo' | length }} {{ [1, 2] | count }} {{ {'a': 1} | length }} {{ missing | length }} {{ 'abc' | first }} {{ [1, 2] | last }} {{ [] | first }}|",
    "{{ ' a ' | trim }}|{{ 'xax' | trim('x') }}|{{ 'a' | upper }} {{ 'A' | lower }} {{ 'hello wORLD' | capitalize }} {{ 'hello-big (world) it\\'s' | title }}",
    "{{ missing | default('d') }} {{ '' | default('d') }}|{{ '' | default('d', true) }} {{ none | d('x') }} {{ missing | default }}|",
    "{{ [1, 'a', none] | join('-') }} {{ ['a', 'b'] | join }} {{ [{'n': 1}, {'n': 2}] | join(',', attribute='n') }} {{ 'abc' | join('.') }}",
    "{{ 'a b' | replace(' ', '_') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} {{ [3, 1, 2] | sort(reverse=true) }}",
    "{{ [{'a': 2, 'b': 'x'}, {'a': 1, 'b': 'y'}] | sort(attribute='a') | map(attribute='b') | list }} {{ ['a', 'b'] | map('upper') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [{}, {'x': 1}] | map(attribute='x', default=0) | list }}",
    "{{ [1, 2, 3, 4] | select('even') | list }} {{ [1, 0, 2] | select | list }} {{ [1, 2, 3] | reject('odd') | list }} {{ [1, 2, 3] | select('gt', 1) | list }} {{ [{'r': 'u'}, {'r': 's'}] | selectattr('r', 'equalto', 's') | list }} {{ [{'r': 'u'}, {'r': 's'}] | rejectattr('r', 'eq', 's') | list | length }} {{ [{'a': 0}, {'a': 1}] | selectattr('a') | list }}",
    "{{ [1, 2, 1, 3] | unique | list }} {{ ['a', 'A', 'b'] | unique | list }} {{ [3, 1, 2] | min }} {{ [3, 1, 2] | max }} {{ ['b', 'A'] | min }} {{ [1, 2, 3] | sum }} {{ [{'v': 1.5}, {'v': 2}] | sum(attribute='v') }}",
    "{{ '12' | int }} {{ ' 12 ' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 3.9 | int }} {{ '3.7' | int }} {{ -3.9 | int }} {{ '1.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ -3 | abs }} {{ 2.567 | round(1) }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }}",
    "{{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1, 'a': 2} | items | list }} {{ [1, 2, 3] | reverse | list }} {{ 'abc' | reverse }} {{ (1, 2) | list }} {{ 'ab' | list }} {{ 5 | string }} {{ 'x' | safe }}",
    "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb' | indent(2, true) }}|{{ 'a\\n\\nb' | indent(2, blank=true) }}|{{ 'a\\nb' | indent('> ') }}",
    "{{ {'a': [1, 2.5, 'é\"\\n\\u0001<&>', none, true, {}, []]} | tojson }}",
    "{{ {'b': [1, {'c': 2}], 'a': []} | tojson(indent=2) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ 'x' | tojson }} {{ 1e22 | tojson }} {{ 100000.0 | tojson }}",
    "{{ 3 is odd }} {{ 4 is even }} {{ 6 is divisibleby 3 }} {{ 6 is divisibleby(4) }} {{ 'a' is string }} {{ 1 is number }} {{ 1 is integer }} {{ 1.0 is float }} {{ true is boolean }} {{ true is number }} {{ true is integer }} {{ true is true }} {{ 1 is true }} {{ false is false }}",
    "{{ {} is mapping }} {{ [] is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ [] is sequence }} {{ missing is none }} {{ 1 is eq 1 }} {{ 1 is ne(2) }} {{ 1 is lt 2 }} {{ 1 is in [1] }} {{ 'a' is lower }} {{ 'A' is upper }} {{ none is not none }} {{ 1 is not defined }}",
    "{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }} {% endfor %}",
    "{% for x in [1, 2, 3] %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.cycle('a', 'b') }} {% endfor %}{% for x in [] %}x{% else %}empty{% endfor %}{% for x in missing %}x{% else %}none{% endfor %}",
    "{% for x in range(5) if x is odd %}{{ x }}/{{ loop.length }} {% endfor %}{{ range(2, 5) | list }} {{ range(5, 0, -2) | list }}",
    "{% for a, b in [[1, 2], (3, 4)] %}{{ a }}{{ b }} {% endfor %}{% for c in 'hé' %}[{{ c }}]{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}",
    "{% for i in [1, 2, 3, 4, 5] %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}",
    "{% set ns = namespace(n=0, s='') %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }}{{ ns.s }}{{ ns.missing is defined }}{{ ns['n'] }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}",
    "{% set x %}a{{ 1 + 1 }}b{% endset %}{{ x | upper }}{{ x | length }}",
    "{% macro m(a, b='B', c=a) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3, a=4) }}{{ m() }}{{ m('x') | upper }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc",
    "a  {{- 1 -}}  b {{ 2 -}} \n c",
    "  {# comment #}\nx{#- c -#}  y",
    "{% if true %}x{% endif %}\n\n{% if true +%}\ny{% endif %}",
    " \t{%+ if true %}z{% endif %}",
    "x {% if true %} y {% endif %} z\n",
    "\n\n",
    "a\r\nb\rc\r\n",
    "{% raw %}{{ x }} {% if %}{% endraw %}!",
    "{%- raw -%} a {%- endraw -%} b",
    "{{ '{%' }}{{ '}}' }}{{ {'a': {'b': 1}} }}",
    "{ {% if false %}{% elif 1 %}e{% else %}f{% endif %} }",
    "{{ strftime_now('%d %b %Y %H:%M') }}",
    "{{ dict(a=1, b='x') }} {{ namespace({'a': 1}).a }}",
    "{{ 'a'\n~\n'b' }}",
    "{{ 1_000 }} {{ 0.5 }} {{ 1e3 }}",
    "{{ messages | length }} {{ messages[0].role }} {{ messages[-1]['content'] }}",
    "{% generation %}x{% endgeneration %}",
    "{{ (1, 2)[0] }}{{ ((3)) }}{{ [[1, 2], [3]][1][0] }}",
    "{{ 'x' if messages[0].role == 'user' and messages | length > 1 else 'y' }}",
    "{{ none.x is defined }}",
    "{{ '%s' | length }}{{ '' | trim | length }}",
    "{{ 'A' | lower ~ 'b' | upper }}",
    "{{ -5 | abs }} {{ - 5 }} {{ +5 }} {{ 2 - -3 }}",
    "{{ [1, 2,] }} {{ {'a': 1,} }}",
    "{{ loop is defined }}",
    "{{ 'abc' is in ['abc'] }}",
    # Errors of jinja2.
    "{{ missing.x }}",
    "{{ missing['x'] }}",
    "{{ missing + 'a' }}",
    "{{ 'a' + 1 }}",
    "{{ 1 / 0 }}",
    "{{ raise_exception('no') }}",
    "{{ unknown_function() }}",
    "{{ [1] + 'a' }}",
    "{{ 1 in 5 }}",
    "{{ 'a' < 1 }}",
    "{{ 'abc'.split('') }}",
    "{% for x in 5 %}{% endfor %}",
    "{% set a, b = [1] %}",
    "{{ [1, 'a'] | sort }}",
    "{% if %}",
    "{{ 1 + }}",
    "{% endfor %}",
    "{% for x in y %}",
    "{{ 'abc }}",
    "{{ (1 }}",
    "{{ x",
    "{% unknown %}",
    "{{ 1 | unknown }}",
    "{{ 1 is unknown }}",
    "{# never closed",
    "{{ 5() }}",
    "{% set x.y = 1 %}",
    "{{ range(1, 5, 0) }}",
    "{{ missing() }}",
    "{{ 'a'.index('z') }}",
]


def environment():
    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(source, **variables):
    try:
        return environment().from_string(source).render(**variables)
    except Exception:
        return None


def write(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


def main():
    rows = []
    for name in sorted(os.listdir(OUT)):
        if not name.endswith(".jinja"):
            continue
        with open(f"{OUT}/{name}", encoding="utf-8") as file:
            source = file.read()
        for conversation, messages in CONVERSATIONS.items():
            for variables in (
                {},
                {"add_generation_prompt": False},
                {"tools": TOOLS},
                {"enable_thinking": False, "thinking": True},
            ):
                given = {"add_generation_prompt": True, "tools": None, **variables}
                text = render(
                    source, messages=messages, bos_token="<s>", eos_token="</s>", documents=None, **given
                )
                rows.append({"template": name, "conversation": conversation, **given, "text": text})
    write(f"{OUT}/expected.json", rows)
    write(
        f"{OUT}/conversations.json",
        [{"name": name, "messages": messages} for name, messages in CONVERSATIONS.items()],
    )
    snippets = [
        {"source": source, "text": render(source, messages=CONVERSATIONS["turns"])} for source in SNIPPETS
    ]
    write(f"{OUT}/snippets.json", snippets)
    print(
        len(rows),
        "renderings,",
        sum(row["text"] is None for row in rows),
        "refused;",
        len(snippets),
        "snippets,",
        sum(row["text"] is None for row in snippets),
        "refused",
    )


if __name__ == "__main__":
    main()
