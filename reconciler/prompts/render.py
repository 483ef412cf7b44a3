"""The door to Jinja: templates are checked before they are used, and fill in what they are given; nothing more.

A template is a text with values, conditions, loops, blocks and a few filters. It calls nothing, computes nothing, and
cannot make more than a limit: `validate` reads templates of commits that nobody has reviewed.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from reconciler.errors import ReconcilerError
from reconciler.prompts import builtin
from reconciler.prompts.brief import Brief
from reconciler.prompts.filters import BOUNDED, LONGEST, MOST, PLAIN, TooMuch

ALLOWED = (
    nodes.And | nodes.Block | nodes.Compare | nodes.CondExpr | nodes.Const | nodes.Extends | nodes.Filter
    | nodes.For | nodes.If | nodes.Include | nodes.List | nodes.Name | nodes.Not | nodes.Operand | nodes.Or
    | nodes.Output | nodes.Pair | nodes.Keyword | nodes.Template | nodes.TemplateData | nodes.Test | nodes.Tuple
)  # fmt: skip
LOOP = ("index", "index0", "first", "last", "length")
WORDS = {
    nodes.Call: "calls are refused",
    nodes.Macro: "macros are refused",
    nodes.Assign: "`set` is refused",
    nodes.Concat: "`~` is refused: write the values side by side",
    nodes.Getattr: "a name has nothing after a dot here",
    nodes.Getitem: "a name has nothing in brackets here",
}
BUDGET = "_rounds"  # no name of a variable begins so


class BadTemplate(ReconcilerError):
    """A template that cannot be used; `line` is where, from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Uses(NamedTuple):
    """The names that a template speaks of: without a value for `required` it cannot be rendered."""

    required: frozenset[str]
    optional: frozenset[str]


@functools.lru_cache(maxsize=64)
def check(text: str) -> Uses:
    """Take a template's text and return the names it uses. Raises BadTemplate, with the line."""
    uses = _uses(text)
    _compiled(text)
    return uses


def render(template: str, brief: Brief, own: Mapping[str, str]) -> str:
    """Take a template's text, what it can say, and the task's own variables; return the prompt, persona in front.

    Raises BadTemplate: what `check` would say, a value that is missing, or a prompt that gets too long."""
    uses = check(template)
    values = {**own, **brief.values()}
    own_place = "persona" in uses.required | uses.optional
    front = f"{brief.persona.strip()}\n\n" if brief.persona.strip() and not own_place else ""
    pieces, length = [front], 0
    try:
        for piece in _compiled(template).generate({**values, BUDGET: [MOST]}):
            length += len(piece)
            if length > LONGEST:
                raise TooMuch
            pieces.append(piece)
    except TooMuch:
        raise BadTemplate(f"it makes a prompt of more than {LONGEST} characters, or more than {MOST} rounds") from None
    except (TemplateError, TypeError, ValueError) as error:
        raise BadTemplate(f"it cannot be filled in: {_first_line(error)}") from None
    return "".join(pieces)


@pass_context
def _counted(context: Context, value: Any) -> Iterator[Any]:
    """What a loop goes through; all loops of a prompt share one budget."""
    budget = context.resolve(BUDGET)
    for item in value:
        budget[0] -= 1
        if budget[0] < 0:
            raise TooMuch
        yield item


def _environment() -> SandboxedEnvironment:
    made = SandboxedEnvironment(
        loader=FunctionLoader(builtin.part),
        undefined=StrictUndefined,
        autoescape=False,  # it is Markdown, and never goes into HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,  # nothing is computed before it is known to be harmless
    )
    made.globals.clear()
    made.filters = {**{name: made.filters[name] for name in PLAIN}, **BOUNDED, "_counted": _counted}
    return made


_ENVIRONMENT = _environment()


@functools.lru_cache(256)
def _parsed(text: str) -> nodes.Template:
    try:
        tree = _ENVIRONMENT.parse(text)
        for node in tree.find_all(nodes.Node):
            _refuse(node)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"this is no template: {_first_line(error)}", error.lineno) from None
    except (RecursionError, ValueError, OverflowError):
        raise BadTemplate("this is no template: it is too deep, or a number in it is too large") from None
    return tree


def _refuse(node: nodes.Node) -> None:
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
        if node.attr not in LOOP:
            raise BadTemplate(f"loop.{node.attr} is refused: known are {', '.join(LOOP)}", node.lineno)
    elif isinstance(node, nodes.Filter) and (node.name not in _ENVIRONMENT.filters or node.name == "_counted"):
        known = ", ".join(sorted((*PLAIN, *BOUNDED)))
        raise BadTemplate(f"there is no filter {node.name}: known are {known}", node.lineno)
    elif isinstance(node, nodes.Name) and node.name.startswith("_"):
        raise BadTemplate(f"the name {node.name} is refused: names start with a letter", node.lineno)
    elif isinstance(node, nodes.Extends | nodes.Include):
        file = node.template.value if isinstance(node.template, nodes.Const) else None
        if not isinstance(file, str) or builtin.part(file) is None:
            known = ", ".join(f"{name}{builtin.SUFFIX}" for name in (*builtin.PARTS, *builtin.NAMES))
            raise BadTemplate(f"only the templates that come with reconciler can be taken in: {known}", node.lineno)
    elif not isinstance(node, ALLOWED):
        word = next((word for kind, word in WORDS.items() if isinstance(node, kind)), "")
        known = "a template has values, if, for, blocks, extends, include and filters"
        raise BadTemplate(word or f"this is refused: {known}", node.lineno)


@functools.lru_cache(256)
def _compiled(text: str) -> Any:
    tree = _ENVIRONMENT.parse(text) if _parsed(text) else None  # its own copy: it is changed below
    assert tree is not None
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
    tree.set_environment(_ENVIRONMENT)
    try:
        return _ENVIRONMENT.from_string(tree)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"this is no template: {_first_line(error)}", error.lineno) from None
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise BadTemplate("this is no template: it is nested too deep") from None


def _uses(text: str) -> Uses:
    tree = _parsed(text)
    try:
        free = meta.find_undeclared_variables(tree)
        required = {name for name in _bare(tree, frozenset()) if name in free}
    except TemplateSyntaxError as error:
        raise BadTemplate(f"this is no template: {_first_line(error)}", error.lineno) from None
    except RecursionError:
        raise BadTemplate("this is no template: it is nested too deep") from None
    optional = free - required
    for file in meta.find_referenced_templates(tree):
        inner = _uses(builtin.part(file or "") or "")
        required, optional = required | inner.required, optional | inner.optional
    return Uses(frozenset(required), frozenset(optional - required))


def _bare(node: nodes.Node, guarded: frozenset[str]) -> Iterator[str]:
    """The names that are read where nothing makes sure that they have a value."""
    match node:
        case nodes.Name():
            if node.ctx == "load" and node.name not in guarded:
                yield node.name
        case (
            nodes.Filter(name="default" | "d", node=nodes.Name())
            | nodes.Test(name="defined" | "undefined", node=nodes.Name())
        ):
            yield from _each(node.iter_child_nodes(exclude=("node",)), guarded)
        case nodes.If():
            there, missing = _tested(node.test)
            yield from _bare(node.test, guarded)
            yield from _each(node.body, guarded | there)
            yield from _each(chain(node.elif_, node.else_), guarded | missing)
        case nodes.CondExpr():
            there, missing = _tested(node.test)
            yield from _bare(node.test, guarded)
            yield from _bare(node.expr1, guarded | there)
            if node.expr2 is not None:
                yield from _bare(node.expr2, guarded | missing)
        case nodes.And():
            yield from _bare(node.left, guarded)
            yield from _bare(node.right, guarded | _tested(node.left)[0])
        case _:
            yield from _each(node.iter_child_nodes(), guarded)


def _each(found: Iterable[nodes.Node], guarded: frozenset[str]) -> Iterator[str]:
    for node in found:
        yield from _bare(node, guarded)


def _tested(test: nodes.Node) -> tuple[frozenset[str], frozenset[str]]:
    """The names that are sure to have a value when a test holds, and when it does not."""
    nobody: frozenset[str] = frozenset()
    match test:
        case nodes.Test(name="defined", node=nodes.Name(name=name)):
            return frozenset((name,)), nobody
        case nodes.Test(name="undefined", node=nodes.Name(name=name)):
            return nobody, frozenset((name,))
        case nodes.Not():
            there, missing = _tested(test.node)
            return missing, there
        case nodes.And():
            return _tested(test.left)[0] | _tested(test.right)[0], nobody
    return nobody, nobody


def _first_line(error: Exception) -> str:
    said = str(error).partition("\n")[0]
    return said[:200].rstrip(".")
