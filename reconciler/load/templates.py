"""The prompt templates of a commit, and whether they fit the tasks that use them.

A template that is wrong now stands at the newest version in history that was right; without one, the tasks that use
it are invalid. Jinja is imported only when there is a template to look at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.load.complaint import Complaint, closest
from reconciler.load.documents import NAME, Parser
from reconciler.load.excerpt import excerpt
from reconciler.load.files import PROMPT_SUFFIXES, PROMPTS, printable, wrong
from reconciler.load.git_objects import Entry
from reconciler.load.history import History, Read, once
from reconciler.load.text import FORBIDDEN, LARGEST
from reconciler.model.problem import Problem
from reconciler.model.task import Template
from reconciler.prompts import brief, builtin

if TYPE_CHECKING:
    from reconciler.prompts.render import Uses

PLACE = ("spec", "template")


@dataclass(slots=True)
class Templates:
    """The fleet's own templates at one commit; what nobody uses is only looked at by `finish`."""

    files: Mapping[str, Entry] = field(default_factory=dict)  # by the template's name
    contents: Mapping[str, bytes] = field(default_factory=dict)  # by blob id
    history: History | None = None
    read: Read | None = None
    parser: Parser = field(default_factory=Parser)
    problems: list[Problem] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  # those that can be used
    broken: dict[str, str] = field(default_factory=dict)  # name -> why none of its versions can be used
    _fits: dict[tuple[str, frozenset[str]], tuple[Complaint, ...]] = field(default_factory=dict)

    def fit(self, used: Template) -> tuple[Complaint, ...]:
        """Take what a task says of its template and return what is wrong with that; nothing for a broken template."""
        asked = (used.name, frozenset(used.variables))
        if asked not in self._fits:
            self._fits[asked] = tuple(self._misfit(*asked))
        return self._fits[asked]

    def why(self, used: Template) -> str:
        """Take what a task says of its template and return why it cannot be used; empty when it can."""
        found = self.fit(used)
        return self.broken.get(used.name) or (found[0].message if found else "")

    def finish(self) -> None:
        """Look at the templates, too, that no task uses."""
        for name, entry in self.files.items():
            if entry.path.endswith(builtin.SUFFIX):
                self._uses(name)

    def _misfit(self, name: str, given: frozenset[str]) -> list[Complaint]:
        if name not in self.files and name not in builtin.NAMES:
            known = sorted({*self.files, *builtin.NAMES})
            meant = closest(name, known)
            hint = f"did you mean {meant}?" if meant else f"there is {', '.join(known)}, or write prompts/{name}.md.j2"
            return [Complaint((*PLACE, "name"), f"there is no template {name}", hint)]
        if name not in self.files and not given:
            return []  # what comes with reconciler needs no variables
        uses = self._uses(name)
        if uses is None:
            return []
        place = (*PLACE, "variables")
        found = []
        for word in sorted(given):
            if word in brief.NAMES:
                message = f"the variable {word} is there for every task, and cannot be given"
                found.append(Complaint((*place, word), message, "choose another name"))
            elif word not in uses.required | uses.optional:
                known = sorted((uses.required | uses.optional) - brief.NAMES)
                meant = closest(word, known)
                hint = f"it has {', '.join(known)}" if known else "it has no variables of its own: remove this one"
                message = f"the template {name} does not use the variable {word}"
                found.append(Complaint((*place, word), message, f"did you mean {meant}?" if meant else hint))
        for word in sorted(uses.required - brief.NAMES - given):
            meant = closest(word, brief.NAMES)
            hint = f'write it below template.variables, or {{{{ {word} | default("…") }}}} in the template'
            message = f"the template {name} needs the variable {word}, which is not given"
            found.append(Complaint(place, message, f"did the template mean {meant}?" if meant else hint))
        return found

    def _uses(self, name: str) -> "Uses | None":
        from reconciler.prompts.render import BadTemplate, check

        if name not in self.files:
            return check(builtin.template(name, {}))
        if name in self.texts:
            return check(self.texts[name])
        if name in self.broken:
            return None
        entry = self.files[name]
        said = wrong(entry)
        if said:
            self._refused(entry, 1, *said)
        else:
            data = self.contents[entry.blob]
            try:
                self.texts[name] = _text(data)
                return check(self.texts[name])
            except BadTemplate as error:
                self._refused(entry, error.line, error.message, "", data)
        last = self._last_good(entry)
        self.texts.pop(name, None)
        if last is None:
            first = self.problems[-1]
            self.broken[name] = f"the template {name} cannot be used: {first.file}:{first.line}: {first.message}"
            return None
        self.texts[name] = last
        return check(last)

    def _refused(self, entry: Entry, line: int, message: str, hint: str, data: bytes = b"") -> None:
        lines = data.decode("utf-8", "replace").split("\n")
        self.problems.append(Problem(entry.path, line, 1, "", message, hint, excerpt=excerpt(lines, line)))

    def _last_good(self, entry: Entry) -> str | None:
        from reconciler.prompts.render import BadTemplate, check

        history, read = self.history, self.read
        if history is None or read is None:
            return None

        def walk() -> str | None:
            for _commit, blobs in history([entry.path]):
                for blob in blobs.values():
                    try:
                        text = _text(read([blob])[blob])
                        check(text)
                    except BadTemplate:
                        continue
                    return text
            return None

        found: str | None = once(self.parser, ("template", entry.path, entry.blob), walk)
        return found


def templates(entries: Sequence[Entry], prefix: str, read: Read, history: History, parser: Parser) -> Templates:
    """Take the files that may be templates and how to read them and their past; return the fleet's own templates."""
    found = Templates(history=history, read=read, parser=parser)
    files: dict[str, Entry] = {}
    for suffix in PROMPT_SUFFIXES:
        for entry in entries:
            name = entry.path[len(prefix) :].removeprefix(PROMPTS).removesuffix(suffix)
            if not entry.path.endswith(suffix) or (suffix == ".md" and not NAME.match(name)):
                continue
            if not NAME.match(name):
                hint = "use 1 to 63 of a-z, 0-9 and -, a letter or digit at both ends"
                found.problems.append(Problem(printable(entry.path), 1, 1, "", "the template's name is refused", hint))
            elif name in files:
                message = f"the template {name} is already declared in {files[name].path}"
                found.problems.append(Problem(entry.path, 1, 1, "", message, "remove one of them"))
            else:
                files[name] = entry
    found.files = files
    blobs = {entry.blob for entry in files.values() if not wrong(entry)}
    parser.texts = {blob: data for blob, data in parser.texts.items() if blob in blobs}
    missing = sorted(blobs - parser.texts.keys())
    parser.texts |= read(missing) if missing else {}
    found.contents = parser.texts
    return found


def _text(data: bytes) -> str:
    """A template's text. Raises BadTemplate."""
    from reconciler.prompts.render import BadTemplate

    if len(data) > LARGEST:
        raise BadTemplate(f"the file has {len(data)} bytes, more than {LARGEST}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadTemplate("the file is not UTF-8", data[: error.start].count(b"\n") + 1) from None
    found = FORBIDDEN.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise BadTemplate(f"the character U+{ord(found[0]):04X} is not allowed in a template", line)
    return text
