"""What lies around a command: its repository, state, streams and environment, broken in every way we know.

It says so in one sentence with the documented exit code, or does its work as if nothing were wrong.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_failing import ONE_LINE, reconciler
from tests.e2e.fleet import IDENTITY

FULL = "no space left on device: make room"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet as `init` writes it, after its first task."""
    folder = tmp_path_factory.mktemp("surroundings")
    assert reconciler(folder, "init", "fleet").returncode == 0
    ended = reconciler(folder / "fleet", "reconcile", "--wait")
    assert ended.returncode == 0, ended.stderr
    return folder / "fleet"


@pytest.fixture
def room(begun: Path, tmp_path: Path) -> Path:
    """A copy of it, state and all."""
    shutil.copytree(begun, tmp_path / "fleet", symlinks=True)
    return tmp_path / "fleet"


def shell(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in a folder; `$R` is the command, `$?` of it is what the line ends with."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder / ".home"), "R": f"{sys.executable} -m reconciler"}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**variables, **IDENTITY, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def told(ended: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    """It was one sentence, with these words and this exit code."""
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ONE_LINE.fullmatch(ended.stderr), ended.stderr
    assert words in ended.stderr


STREAMS = {  # line -> exit code, what standard error says
    "$R schema Task | true; exit ${PIPESTATUS[0]}": (0, ""),
    "$R --help | true; exit ${PIPESTATUS[0]}": (0, ""),
    "$R get tasks -o json | head -1; exit ${PIPESTATUS[0]}": (0, ""),
    "$R schema Task >/dev/full": (1, FULL),
    "$R version >/dev/full": (1, FULL),
    "$R get tasks >/dev/full": (1, FULL),
    "$R nope 2>/dev/full": (64, ""),
    "$R reconcile 2>/dev/full": (0, ""),
    "$R plan >&-": (0, ""),
    "$R reconcile <&- >&- 2>&-": (0, ""),
    "$R exec hello -- cat <&-": (0, ""),
    "COLUMNS=1 $R get tasks": (0, ""),
    "PYTHONIOENCODING=ascii LC_ALL=C $R describe task hello": (0, ""),
    "LC_ALL=nonsense TERM= TZ=nonsense $R get tasks": (0, ""),
    "ulimit -n 12; $R plan": (1, "Too many open files"),
    "unset HOME; RECONCILER_STATE_DIR=$PWD/.state $R validate": (0, ""),
    "mkdir gone; cd gone; rmdir ../gone; $R get tasks": (1, "the folder that you are in is gone"),
}


@pytest.mark.parametrize("line", STREAMS)
def test_streams_and_surroundings(room: Path, line: str) -> None:
    code, words = STREAMS[line]
    ended = shell(room, line)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert words in ended.stderr
    for wrong in ("Traceback", "Exception ignored", "bug:"):
        assert wrong not in ended.stdout + ended.stderr


REPOSITORIES = {  # what is done to a clone of the fleet -> what `validate` says of it
    "an object is garbage": ("f=$(find .git/objects -type f | head -1); chmod u+w $f; echo garbage >$f", ""),
    "the commit is gone": ("rm -f .git/objects/${h:0:2}/${h:2}", "check it with `git fsck`"),
    "the tree is gone": ("t=$(git rev-parse HEAD^{tree}); rm -f .git/objects/${t:0:2}/${t:2}", ""),
    "the branch is garbage": ("rm -f .git/packed-refs; echo garbage >.git/refs/heads/main", "check it with `git fsck`"),
    "HEAD is garbage": ("echo garbage >.git/HEAD", "not in a git repository"),
    "the index is garbage": ("echo garbage >.git/index", "index file"),
    "the configuration is garbage": ("echo '[core' >.git/config", "bad config line 1"),
    "a format of later": ("git config core.repositoryformatversion 99", "99"),
    "its git folder is elsewhere": ("rm -rf .git; echo 'gitdir: /nowhere' >.git", "not in a git repository"),
}


@pytest.mark.parametrize("breaking, words", REPOSITORIES.values(), ids=REPOSITORIES)
def test_a_repository_that_is_broken(room: Path, breaking: str, words: str) -> None:
    made = shell(
        room, f"git clone -q --no-hardlinks . ../broken && cd ../broken && h=$(git rev-parse HEAD) && {breaking}"
    )
    assert made.returncode == 0, made.stderr
    told(reconciler(room, "-C", "../broken", "validate"), 1, words)


PLACES = {
    "~nobody-at-all/fleet": "nobody knows where this home folder is",
    "x" * 5000: "no such folder",
    "a\nb\x1b[31m": "a\\nb\\x1b[31m: no such folder",
    "/dev/null": "not in a git repository",
}


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_a_place_that_is_no_fleet(room: Path, place: str) -> None:
    told(reconciler(room, "-C", place, "validate"), 1, PLACES[place])


def test_a_bare_repository_without_a_commit(room: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "bare"], cwd=room, check=True)
    told(reconciler(room, "-C", "bare", "validate"), 1, "has no commit yet")


PLANS = [b"", b"\xff\xfe", b"[]", b"null", b'{"a": 1}', b"[" * 100_000, b"9" * 5000]


@pytest.mark.parametrize("content", PLANS, ids=range(len(PLANS)))
def test_a_plan_that_is_none(room: Path, content: bytes) -> None:
    (room / "plan.json").write_bytes(content)
    ended = reconciler(room, "reconcile", "--plan", "plan.json")
    told(ended, 64, "is no plan written by `reconciler plan --out`: plan again")


SECRETS = {
    b"- a\n": "name each secret with where it comes from",
    b"A: s3cret\n": "needs exactly one of",
    b"A: {env: [\n": "close the bracket",
    b"A: {env: A}\n---\nB: {env: B}\n": "a second document is not read",
    b"\xff\xfeA": "save it as UTF-8",
}


@pytest.mark.parametrize("content", SECRETS, ids=range(len(SECRETS)))
def test_a_list_of_secrets_that_is_broken(room: Path, content: bytes) -> None:
    folder = room / ".home" / ".config" / "reconciler"
    folder.mkdir(parents=True)
    (folder / "secrets.yaml").write_bytes(content)
    ended = reconciler(room, "plan")
    told(ended, 1, SECRETS[content])
    assert "s3cret" not in ended.stderr


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b'{"ref": 5, "fleet": {"a": 1}}'], ids=range(3))
def test_what_was_remembered_of_a_repository_is_garbage(room: Path, content: bytes) -> None:
    assert reconciler(room, "get", "tasks").returncode == 0
    for memo in (room / ".home").rglob("repositories/*.json"):
        memo.write_bytes(content)
    ended = reconciler(room, "get", "tasks")
    assert (ended.returncode, ended.stderr) == (0, "")
