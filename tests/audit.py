"""`python -m tests.audit`: are our dependencies as new as pyproject.toml asks, and is anything known against them?

Advisories come from the first service that tells any: one that does not know of the one in CONTROL tells nothing, however
friendly its answer is (a mirror, a proxy). Without such a service that is said, and is no failure; a finding is one.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONTROL = ("pyyaml", "5.3")  # CVE-2020-14343: code runs when a file is read
SERVICES: Mapping[str, Sequence[str]] = {"osv.dev": ("-s", "osv"), "pypi.org": ("-s", "pypi")}
PATIENCE = 15  # seconds for a connection; CI without a network shall not wait


def floors(pyproject: Path) -> list[str]:
    """A sentence for every dependency, of development too, that is not installed as pyproject.toml asks."""
    project = tomllib.loads(pyproject.read_text())["project"]
    asked = [*project["dependencies"], *(one for group in project["optional-dependencies"].values() for one in group)]
    found = []
    for requirement in map(Requirement, asked):
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed == "nothing" or not requirement.specifier.contains(installed, prereleases=True):
            found.append(f"{requirement} is asked for, {installed} is installed: run `make install`")
    return found


def shipped(name: str = "reconciler") -> dict[str, str]:
    """Package → version of all that comes with an installation of reconciler, without what only development needs."""
    found: dict[str, str] = {}
    todo = [name]
    while todo:
        for requirement in map(Requirement, requires(todo.pop()) or ()):
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            known = canonicalize_name(requirement.name)
            if known not in found:
                found[known] = version(known)
                todo.append(known)
    return found


def audit(packages: Mapping[str, str], options: Sequence[str]) -> tuple[dict[str, list[str]], list[str]] | None:
    """Ask one service: the advisories for each package that it knows of, and the packages that it did not answer for.

    None when it tells no advisories at all.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={number}\n" for name, number in [*packages.items(), CONTROL]))
        file.flush()
        words = ["-m", "pip_audit", "-r", file.name, "--no-deps", "--disable-pip", "-f", "json"]
        more = ["--progress-spinner", "off", "--timeout", str(PATIENCE), *options]
        done = subprocess.run([sys.executable, *words, *more], capture_output=True, text=True)
    try:
        rows = {row["name"]: row for row in json.loads(done.stdout)["dependencies"]}
    except ValueError:
        return None
    if not rows.get(CONTROL[0], {}).get("vulns"):
        return None
    told = {name: [one["id"] for one in rows[name]["vulns"]] for name in packages if "vulns" in rows.get(name, {})}
    return {name: ids for name, ids in told.items() if ids}, [name for name in packages if name not in told]


def report(packages: Mapping[str, str], services: Mapping[str, Sequence[str]]) -> Iterator[tuple[bool, str]]:
    """Lines to print, each with whether it is a failure."""
    names = ", ".join(f"{name} {number}" for name, number in sorted(packages.items()))
    for service, options in services.items():
        if answer := audit(packages, options):
            findings, silent = answer
            for name, ids in findings.items():
                yield True, f"audit: {name} {packages[name]}: {', '.join(ids)}"
            for name in silent:
                yield True, f"audit: {service} does not answer for {name} {packages[name]}"
            found = len(findings) or "none"
            yield (
                False,
                f"audit: {len(packages) - len(silent)} packages asked for at {service}, {found} with an advisory: {names}",
            )
            return
    yield False, f"audit: nothing was audited, no advisories come from {' or '.join(services)}; there are {names}"


def main(services: Mapping[str, Sequence[str]] = SERVICES) -> int:
    """Print what was found; 1 when something has to be done."""
    lines = [(True, f"floors: {line}") for line in floors(ROOT / "pyproject.toml")]
    lines = lines or [(False, "floors: everything is installed as pyproject.toml asks")]
    lines += report(shipped(), services)
    for _, line in lines:
        print(line)
    return int(any(failure for failure, _ in lines))


if __name__ == "__main__":
    sys.exit(main())
