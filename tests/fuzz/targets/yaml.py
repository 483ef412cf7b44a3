"""A fleet repository, file by file → what is desired, and problems that say where. One bad file stops itself alone."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reconciler.decide import decide
from reconciler.load.documents import Document, Parser
from reconciler.load.fleet import Loaded, load
from reconciler.load.git_objects import Entry
from reconciler.model.change import Options
from reconciler.model.memory import Memory
from reconciler.show import problems
from tests.fuzz.harmless import harmless
from tests.fuzz.sections import read, written

NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[3]
GOOD = {
    "fleet.yaml": "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: home}\nspec: {id: 4f9d2c7e81b3}\n",
    "hosts/box1.yaml": "apiVersion: reconciler/v1\nkind: Host\nmetadata: {name: box1}\nspec: {address: box1.example}\n",
}
SPOILT = """\
apiVersion: reconciler/v1
kind: Task
metadata: {name: build, labels: {team: web}, annotations: {note: "x: y"}}
spec:
  run: |
    make test
    make install
  env: {TOKEN_FILE: "/tmp/x", PLAIN: a b}
  secrets: [GH_TOKEN, {name: OTHER, from: ELSEWHERE}]
  timeout: 1h30m
  retries: {limit: 2, backoff: 30s}
  hostSelector:
    matchLabels: {gpu: "yes"}
  dependsOn: [lint]
---
apiVersion: reconciler/v1
kind: Task
metadata: {name: lint}
spec: {project: web, agent: claude, prompt: "Fix it.", template: {name: own, variables: {word: x}}, followUps: [{request: more}]}
---
apiVersion: reconciler/v1
kind: Project
metadata: {name: web}
spec:
  repoUrl: https://github.com/example/web
  qa: [{name: test, run: make test}]
"""
TEMPLATE = "# {{ title }}\n{% for word in words | default([]) %}{{ word | upper }}{% endfor %}\n{% if word is defined %}{{ word }}{% endif %}\n"


def _examples() -> Iterable[bytes]:
    for folder in sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir()):
        files = sorted(file for file in folder.rglob("*") if file.suffix in (".yaml", ".j2") and file.is_file())
        if files:
            yield written({str(file.relative_to(folder)): file.read_bytes() for file in files[:8]})


SEEDS = [
    written(
        {
            **GOOD,
            "tasks/build.yaml": SPOILT,
            "prompts/own.md.j2": TEMPLATE,
            ".reconcilerignore": "*.tmp.yaml\n/x/**/y\n",
        }
    ),
    *(
        written({**GOOD, "bad.yaml": file.read_bytes()})
        for file in sorted((ROOT / "tests/load/bad").glob("*.case"))[::12]
    ),
    *_examples(),
]
WORDS = (
    *(
        b"apiVersion: reconciler/v1\n",
        b"kind: Task\n",
        b"spec:\n",
        b"metadata: {name: build}\n",
        b"env:\n",
        b"secrets:\n",
    ),
    *(
        b"@@.reconcilerignore\n",
        b"@@prompts/own.md.j2\n",
        b"\n---\n",
        b"*a*a*a*a*a*a*a*a*a*a*b",
        b"!",
        b"[",
        b"\\",
        b"**/" * 40,
    ),
    *(
        b"{{ word }}",
        b"{% for a in b %}",
        b"{{ 9 ** 9 }}",
        b"{% if " + b"not " * 900 + b"a %}",
        b"{% endfor %}",
        b"{# ",
    ),
    *(
        b"run: ",
        b"timeout: 99999999999999999999d",
        b"&a [*a]",
        b"? [a, b]\n: c\n",
        b"!!python/object:os.system ",
        b"x-y: ",
    ),
)


def check(data: bytes) -> None:
    """What holds for any files in a repository."""
    files = {path: text for path, text in read(data).items() if path}
    found = _loaded(files)
    assert _plain(found) == _plain(_loaded(files))
    for problem in found.problems:
        lines = files.get(problem.file, b"").count(b"\n") + 1
        assert 1 <= problem.line <= lines, f"{problem.file} has {lines} lines, not {problem.line}"
        assert problem.column >= 1
        assert problem.message
        harmless(problems.one(problem))
    assert len(found.problems) <= 25 * (len(files) + 1)
    harmless(problems.github(found.problems))
    json.dumps(problems.body(found.problems), allow_nan=False).encode()
    for document in found.documents:
        assert _same(document)
    if found.desired is not None:
        decide(found.desired, {}, Memory("0badcafe"), NOW, Options())
    _alone(files, found)


def _alone(files: Mapping[str, bytes], found: Loaded) -> None:
    """What other files declare stands as it does without the one that is bad."""
    bad = {problem.file for problem in found.problems}
    kinds = {document.slot for document in found.documents if document.kind == "Host"}
    for path in sorted(bad & files.keys())[:1]:
        rest = {other: text for other, text in files.items() if other != path and not path.startswith(".")}
        hosts = {document.slot for document in _loaded(rest).documents if document.kind == "Host"}
        lost = {slot for slot in hosts - kinds if slot[1].encode() not in files[path]}
        assert not lost, f"{path} takes {lost} away"


class _Files:
    """A repository of one commit, as far as loading looks at one."""

    prefix = ""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._blobs = {hashlib.sha1(text).hexdigest(): text for text in files.values()}
        self._entries = [
            Entry(path, hashlib.sha1(text).hexdigest(), "100644", len(text)) for path, text in sorted(files.items())
        ]

    def files(self, commit: str) -> Sequence[Entry]:
        return self._entries

    def read(self, wanted: Sequence[str]) -> Mapping[str, bytes]:
        return {blob: self._blobs[blob] for blob in wanted}

    def history(self, paths: Sequence[str], commit: str) -> Iterable[object]:
        return iter(())


def _loaded(files: Mapping[str, bytes]) -> Loaded:
    return load(_Files(files), "c" * 40, Parser())  # type: ignore[arg-type]


def _plain(found: Loaded) -> tuple[object, ...]:
    return found.desired, found.problems, [document.to_json() for document in found.documents]


def _same(document: Document) -> bool:
    stored = json.dumps(document.to_json(), allow_nan=False)
    return Document.from_json(json.loads(stored)).to_json() == document.to_json()
