"""The laws of the house are checked by machines, and the machines notice when one is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BREACHES = {
    "nothing imports upward": ("model/host.py", "import reconciler.load.git"),
    "the core has no clock": ("decide/core.py", "import time"),
    "the core reads no files": ("show/tables.py", "import pathlib"),
    "parsing is pure": ("observe/parse.py", "import os"),
    "one door to sh": ("act/apply.py", "import sh"),
    "one door to git": ("engine/desired.py", "import git"),
    "one door to YAML": ("load/resolve.py", "import ruamel.yaml"),
    "one door to schemas": ("load/documents.py", "import jsonschema"),
    "one door to SQLite": ("engine/world.py", "import sqlite3"),
    "one door to watchfiles": ("loop.py", "import watchfiles"),
    "no other way to start processes": ("remote/ssh.py", "import subprocess"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to be damaged."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "reconciler", copy / "reconciler", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".importlinter", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as go; go()"
    words = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(words, cwd=house, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file, line", BREACHES.values(), ids=BREACHES)
def test_a_breach_is_noticed(house: Path, file: str, line: str) -> None:
    path = house / "reconciler" / file
    whole = path.read_text()
    try:
        path.write_text(f"{whole}\n{line}\n")
        found = lint(house)
    finally:
        path.write_text(whole)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "BROKEN" in found.stdout


def test_the_house_as_it_stands_keeps_the_laws(house: Path) -> None:
    found = lint(house)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_clock_is_read_in_one_place(tmp_path: Path) -> None:
    breach = tmp_path / "breach.py"
    breach.write_text("import time\n\nprint(time.time())\n")
    words = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(breach)]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "TID251" in found.stdout


def test_no_module_is_longer_than_300_lines() -> None:
    paths = (ROOT / "reconciler").rglob("*.py")
    assert [str(path) for path in paths if len(path.read_text().splitlines()) > 300] == []
