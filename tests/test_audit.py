"""The audit fails for what it shall fail for, and never passes by hearing nothing: real pip-audit, a stand-in for osv.dev."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.audit import CONTROL, floors, report, shipped

OURS = {"gitpython": "3.2.1", "click": "8.1.8"}
Tells = Callable[[str, str], Any]


def advisory(name: str) -> dict[str, Any]:
    """What osv.dev says of a package."""
    affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "versions": ["1"], "ranges": []}]
    return {"vulns": [{"id": f"PYSEC-1-{name}", "summary": "bad", "affected": affected, "aliases": []}]}


def control_and(*names: str) -> Tells:
    """A service that knows of the control, and of these."""
    return lambda name, _: advisory(name) if name in (CONTROL[0], *names) else {}


@contextmanager
def service(tells: Tells) -> Iterator[Mapping[str, list[str]]]:
    """Where to ask: a server on this machine that answers as osv.dev does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = tells(asked["package"]["name"], asked["version"])
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"here": ["-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"]}
        server.shutdown()


CASES: Mapping[str, tuple[Tells, bool, str]] = {
    "nothing is known": (
        control_and(),
        False,
        "audit: 2 packages asked for at here, none with an advisory: click 8.1.8",
    ),
    "something is known": (control_and("gitpython"), True, "audit: gitpython 3.2.1: PYSEC-1-gitpython"),
    "a mirror that knows nothing of anything": (lambda *_: {}, False, "audit: nothing was audited, no advisories"),
    "a page in the place of an answer": (lambda *_: b"<html>", False, "audit: nothing was audited, no advisories"),
}


@pytest.mark.parametrize("tells, fails, says", CASES.values(), ids=CASES)
def test_what_a_service_tells(tells: Tells, fails: bool, says: str) -> None:
    with service(tells) as here:
        lines = list(report(OURS, here))
    assert any(failure for failure, _ in lines) == fails
    assert any(line.startswith(says) for _, line in lines), lines


def test_nobody_is_there() -> None:
    nowhere = {"nobody": ["-s", "osv", "--osv-url", "http://127.0.0.1:9/v1/query"]}
    [(failure, line)] = report(OURS, nowhere)
    assert not failure
    assert line.startswith("audit: nothing was audited, no advisories come from nobody; there are click 8.1.8")
    with service(control_and("click")) as here:
        assert (True, "audit: click 8.1.8: PYSEC-1-click") in report(OURS, {**nowhere, **here})


def test_what_is_shipped_is_all_that_an_installation_brings() -> None:
    found = shipped()
    assert {"gitpython", "gitdb", "smmap", "markupsafe", "ruamel-yaml"} <= found.keys()
    assert not {"pytest", "ruff", "mypy", "reconciler"} & found.keys()


def test_floors(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    asked = '[project]\ndependencies = ["pytest>=8.2", "ruff>=9999", "no-such-package"]\n'
    file.write_text(f"{asked}[project.optional-dependencies]\ndev = ['mypy==0.1']\n")
    assert [line.partition(" is asked for, ")[0] for line in floors(file)] == [
        "ruff>=9999",
        "no-such-package",
        "mypy==0.1",
    ]
    assert floors(Path(__file__).parents[1] / "pyproject.toml") == []
