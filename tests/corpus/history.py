"""Makes real commits of the corpus, all cases in one repository and one run of git: a good fleet, then the bad one."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from .case import PLACE, Case, File

DOCUMENT = "apiVersion: reconciler/v1\nkind: {}\nmetadata: {{name: '{}'}}\nspec: {}\n"
READ = re.compile(rb"[!-~ ]+\.ya?ml\Z")  # names that are right
SPECS = {
    "Fleet": "{id: 4f9d2c7e81b3}",
    "Host": "{address: good.example.org, workspaceRoot: ~/NAME}",
    "Project": "{repoUrl: https://github.com/example/good}",
    "Agent": "{tool: claude}",
    "Task": "{run: 'good'}",
}
# What stands beside every case, and is never touched by one.
GOOD = {
    b"fleet.yaml": ("Fleet", "home"),
    b"good/host.yaml": ("Host", "good-host"),
    b"good/project.yaml": ("Project", "web"),
    b"good/agent.yaml": ("Agent", "good-agent"),
    b"good/task.yaml": ("Task", "good-task"),
}
NAMED = re.compile(
    rb"^kind: (Fleet|Host|Project|Agent|Task)\r?\nmetadata:[^\n]*\bname: ['\"]?([a-z0-9][a-z0-9-]{0,62})['\",}\r\n]",
    re.M,
)


def good(kind: str, name: str) -> bytes:
    """A document without a mistake."""
    return DOCUMENT.format(kind, name, SPECS[kind].replace("NAME", name)).encode()


def base(case: Case) -> dict[bytes, bytes]:
    """The good fleet that a case stands in; a case about the Fleet brings its own."""
    own = any(b"kind: Fleet" in file.content[:100] for file in case.files if file.path == PLACE.encode())
    files = {path: good(*what) for path, what in GOOD.items() if path not in case.without}
    return {path: content for path, content in files.items() if not (own and path == b"fleet.yaml")}


def earlier(case: Case) -> dict[bytes, bytes]:
    """What the files of a case were when all was well."""
    files = {file.path: file.content for file in case.before}
    for file in case.files[:3]:
        if file.path not in files and file.mode == "100644" and READ.match(file.path):
            named = NAMED.findall(file.content[:10_000]) or [(b"Task", b"a")]
            declared = dict.fromkeys((kind.decode(), name.decode()) for kind, name in named)
            files[file.path] = b"---\n".join(good(*what) for what in declared)
    return files


def commit_all(folder: Path, cases: Iterable[Case]) -> Mapping[str, tuple[str, str]]:
    """Make a bare repository of every case and return the commit ids of each: the good fleet and the bad one."""
    _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    script: list[bytes] = []
    names: list[str] = []
    for case in cases:
        names.append(case.name)
        together = {**base(case), **earlier(case)}
        known = [File(path, content) for path, content in together.items()]
        gone = [path for path in earlier(case) if path not in {file.path for file in case.files}]
        script += _commit(folder, f"refs/{case.name}/good", known, "")
        changed = [*case.files]
        script += _commit(folder, f"refs/{case.name}/bad", changed, f"refs/{case.name}/good", gone)
    _git(folder, "fast-import", "--quiet", stdin=b"".join(script))
    listed = _git(folder, "for-each-ref", "--format=%(refname) %(objectname)").decode().split()
    ids = dict(zip(listed[::2], listed[1::2], strict=True))
    return {name: (ids[f"refs/{name}/good"], ids[f"refs/{name}/bad"]) for name in names}


def _commit(folder: Path, ref: str, files: Iterable[File], parent: str, gone: Iterable[bytes] = ()) -> list[bytes]:
    lines = [f"commit {ref}\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata 0\n".encode()]
    if parent:
        lines.append(f"from {parent}\n".encode())
    lines += [b"D %s\n" % _quoted(path) for path in gone]
    odd: dict[bytes, list[File]] = defaultdict(list)
    for file in files:
        if file.mode == "160000":
            lines.append(b"M 160000 %s %s\n" % (b"1" * 40, _quoted(file.path)))
        elif file.mode in ("100644", "100755", "120000"):
            lines.append(b"M %s inline %s\n" % (file.mode.encode(), _quoted(file.path)))
            lines.append(b"data %d\n%s\n" % (len(file.content), file.content))
        else:
            odd[file.path.rpartition(b"/")[0]].append(file)
    for directory, held in odd.items():
        lines.append(b"M 040000 %s %s\n" % (_tree(folder, held), _quoted(directory)))
    return lines


def _tree(folder: Path, files: Iterable[File]) -> bytes:
    """A tree as git itself would not write it."""
    entries = []
    for file in files:
        blob = _git(folder, "hash-object", "-w", "--stdin", stdin=file.content).strip().decode()
        name = file.path.rpartition(b"/")[2].replace(b"%2F", b"/")
        entries.append(b"%s %s\0%s" % (file.mode.encode(), name, bytes.fromhex(blob)))
    return _git(folder, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=b"".join(entries)).strip()


def _quoted(path: bytes) -> bytes:
    return (
        b'"'
        + b"".join(b"\\%03o" % byte if byte < 33 or byte > 126 or byte in b'"\\' else b"%c" % byte for byte in path)
        + b'"'
    )


def _git(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
