"""The language of templates: what it can say, what it refuses, and that nothing makes it crash or go on for ever."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.prompts.brief import Brief
from reconciler.prompts.filters import LONGEST, MOST
from reconciler.prompts.render import BadTemplate, check, render

BRIEF = Brief(prompt="One.\nTwo.\n", title="T", issue=15)

RENDERED = {
    "a value": ("{{ title }}", "T"),
    "a number": ("#{{ issue }}", "#15"),
    "nothing": ("[{{ request }}]", "[]"),
    "a condition": ("{% if request %}a{% elif issue %}b{% else %}c{% endif %}", "b"),
    "in a line": ("{{ 'a' if request else 'b' }}", "b"),
    "a default": ("{{ focus | default('all') }}", "all"),
    "a test": ("{% if focus is defined %}{{ focus }}{% else %}-{% endif %}", "-"),
    "lines": ("{% for line in prompt | lines %}{{ loop.index }} {{ line }};{% endfor %}", "1 One.;2 Two.;"),
    "parts": ("{% for part in 'a, b,,c' | split %}[{{ part }}]{% endfor %}", "[a][b][c]"),
    "joined": ("{{ 'a;b' | split(';') | join(' and ') }}", "a and b"),
    "moved in": ("{{ prompt | trim | indent(2) }}", "One.\n  Two."),
    "moved in, all of it": ("{{ prompt | trim | indent(2, true) }}", "  One.\n  Two."),
    "replaced": ("{{ prompt | replace('o', '0') | replace('', 'x') | upper | trim }}", "ONE.\nTW0."),
    "a list of its own": ("{% for x in ['a', 'b'] %}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "a,b"),
    "compared": ("{{ 'y' if title == 'T' and issue in ['15'] else 'n' }}", "y"),
    "raw and notes": ("{% raw %}{{ x }}{% endraw %}{# note #}", "{{ x }}"),
    "the end stays": ("a\n\n", "a\n\n"),
    "windows line ends": ("a\r\n{{ title }}\r\n", "a\nT\n"),
    "no HTML": ("{{ '<&>' }}", "<&>"),
}


@pytest.mark.parametrize("template, text", RENDERED.values(), ids=RENDERED)
def test_what_templates_say(template: str, text: str) -> None:
    assert render(template, BRIEF, {}) == text


USES = {
    "{{ a }}": ({"a"}, set()),
    "{{ a | default('x') }} {{ b | d(c) }}": ({"c"}, {"a", "b"}),
    "{{ a | default('x') }}{{ a }}": ({"a"}, set()),
    "{% if a is defined %}{{ a }}{% endif %}": (set(), {"a"}),
    "{% if a is defined and a %}{{ a }}{% endif %}": (set(), {"a"}),
    "{% if a is defined or b %}{{ a }}{% endif %}": ({"a", "b"}, set()),
    "{% if a is not defined %}{{ a }}{% endif %}": ({"a"}, set()),
    "{% if a is undefined %}x{% else %}{{ a }}{% endif %}": (set(), {"a"}),
    "{{ a if a is defined else b }}": ({"b"}, {"a"}),
    "{% if a %}x{% endif %}": ({"a"}, set()),
    "{% for x in a | lines %}{{ x }}{{ loop.index }}{% endfor %}": ({"a"}, set()),
    "{% for x in a %}{% endfor %}{{ x }}": ({"a", "x"}, set()),
    "{% block b %}{{ a }}{% endblock %}": ({"a"}, set()),
    "{# {{ a }} #}{% raw %}{{ b }}{% endraw %}": (set(), set()),
}


@pytest.mark.parametrize("template", USES)
def test_what_a_template_needs_and_what_it_can_do_without(template: str) -> None:
    required, optional = USES[template]
    assert (set(check(template).required), set(check(template).optional)) == (required, optional)
    assert isinstance(render(template, BRIEF, dict.fromkeys(required, "v")), str)  # and that is all it needs
    if required:
        with pytest.raises(BadTemplate, match="cannot be filled in"):
            render(template, BRIEF, {})


def test_what_is_taken_in_counts() -> None:
    assert "prompt" in check('{% extends "coding.md.j2" %}').required
    assert "focus" in check('{% include "security.md.j2" %}').optional


REFUSED = {
    "{{ a": "this is no template: unexpected end of template",
    "{% if a %}": "this is no template: Unexpected end of template",
    "{% nonsense %}": "this is no template: Encountered unknown tag 'nonsense'",
    "{{ a | nonsense }}": "there is no filter nonsense: known are capitalize",
    "{{ a | map('x') }}": "there is no filter map",
    "{{ a | _counted }}": "there is no filter _counted",
    "{{ a is nonsense }}": "this is no template: No test named 'nonsense'",
    "{{ a.b }}": "a name has nothing after a dot here",
    "{{ a['b'] }}": "a name has nothing in brackets here",
    "{{ ''.__class__ }}": "a name has nothing after a dot here",
    "{{ loop.cycle }}": "loop.cycle is refused: known are index",
    "{{ a() }}": "calls are refused",
    "{{ range(9) }}": "calls are refused",
    "{{ self }}{{ self._TemplateReference__context }}": "a name has nothing after a dot here",
    "{% set a = 1 %}": "`set` is refused",
    "{% macro m() %}{% endmacro %}": "macros are refused",
    "{{ a ~ b }}": "`~` is refused: write the values side by side",
    "{{ 9 ** 9 ** 9 }}": "this is refused: a template has values, if, for",
    "{{ a * 9 }}": "this is refused",
    "{{ {'a': 1} }}": "this is refused",
    "{% import 'coding.md.j2' as c %}": "this is refused",
    "{% include 'other.md.j2' %}": "only the templates that come with reconciler can be taken in: _frame.md.j2",
    "{% include '../brief.py' %}": "only the templates that come with reconciler",
    "{% include a %}": "only the templates that come with reconciler",
    "{% extends ['coding.md.j2'] %}": "only the templates that come with reconciler",
    "{{ _rounds }}": "the name _rounds is refused: names start with a letter",
    "{{ " + "9" * 5000 + " }}": "this is no template: it is too deep, or a number in it is too large",
    "{{ " + "(" * 50_000: "this is no template: it is too deep",
    "{{ " + "not " * 50_000 + "a }}": "this is no template: it is too deep",
    "{% if a %}" * 150 + "{% endif %}" * 150: "this is no template: it is nested too deep",
    "{% for a in b %}" * 25 + "{% endfor %}" * 25: "this is no template: it is nested too deep",
}


@pytest.mark.parametrize("template", REFUSED, ids=lambda template: template[:40])
def test_what_is_refused_says_why_and_where(template: str) -> None:
    with pytest.raises(BadTemplate) as error:
        check(f"\n\n{template}")
    assert error.value.message.startswith(REFUSED[template])
    assert "\n" not in error.value.message
    with pytest.raises(BadTemplate):
        render(template, BRIEF, {"a": "a", "b": "b"})


def test_the_line_is_that_of_the_fault() -> None:
    for template in ("a\nb\n{{ x.y }}\n", "a\n\n{% nonsense %}", "a\n\n{{ b | nonsense }}"):
        with pytest.raises(BadTemplate) as error:
            check(template)
        assert error.value.line == 3


ROUNDS = "".join(f"{{% for a{number} in text %}}" for number in range(4)) + "x" + "{% endfor %}" * 4
BOMBS = {
    "rounds": ROUNDS,
    "output": "{{ text | indent(100) }}" * 200,
    "a value": "{{ text | replace('a', text) }}",
    "a value of a value": "{{ text | indent(100, true) | indent(100, true) | replace(' ', text) }}",
    "joined": "{{ text | lines | join(text) | lines | join(text) | replace('a', text) }}",
}


@pytest.mark.parametrize("template", BOMBS.values(), ids=BOMBS)
def test_a_template_cannot_make_more_than_a_limit(template: str) -> None:
    check(template)
    with pytest.raises(BadTemplate, match=f"more than {LONGEST} characters, or more than {MOST} rounds"):
        render(template, BRIEF, {"text": "aa\n" * 2000})


@pytest.mark.parametrize("template", ["{{ title | indent('x') }}", "{% for x in none %}{% endfor %}"])
def test_what_goes_wrong_while_filling_in_is_said(template: str) -> None:
    with pytest.raises(BadTemplate, match="it cannot be filled in"):
        render(template, BRIEF, {})


PIECES = st.sampled_from([
    "{{ ", " }}", "{% ", " %}", "{#", "#}", "a", "prompt", " | ", "default('x')", "lines", "if ", "else", "endif", "for ",
    " in ", "endfor", "block b", "endblock", "extends ", "include ", "'coding.md.j2'", "raw", "endraw", "\n", "-", "(", ")",
    "[", "]", "{", "}", ".", ",", "'", '"', "is defined", "not ", " and ", "==", "1", "0x", "1e9", "é", "\\", "%", "loop.last",
])  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=1500)
def test_no_template_can_crash_it(template: str) -> None:
    try:
        uses = check(template)
        render(template, BRIEF, dict.fromkeys(uses.required, "v"))
    except BadTemplate as error:
        said = (error.line, error.message)
    else:
        said = (1, "fine")
    assert said[0] >= 1
    assert said[1]
