"""The real programs, in the versions that were measured, installed once into a folder that git ignores."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache/agents"
ASKED = "RECONCILER_REAL_AGENTS"


@dataclass(frozen=True)
class Program:
    """A package of npm, and where the program lies in it."""

    name: str
    package: str
    version: str
    path: str

    def install(self) -> Path:
        """The folder with the program alone in it, for the PATH. Raises CalledProcessError when npm cannot."""
        folder = CACHE / f"{self.name}-{self.version}"
        program = folder / "node_modules" / self.path
        if not program.exists():
            words = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)]
            subprocess.run([*words, f"{self.package}@{self.version}"], check=True, timeout=600)
        folder_of_links = folder / "bin"
        folder_of_links.mkdir(exist_ok=True)
        link = folder_of_links / self.name
        if not link.is_symlink():
            link.symlink_to(program)
        return folder_of_links


CODEX = Program("codex", "@openai/codex", "0.169.0", ".bin/codex")
# The package's own program is a placeholder until its install script has run; the platform's package has the real one.
_MACHINE = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine, "x64")
CLAUDE = Program("claude", "@anthropic-ai/claude-code", "2.1.197", f"@anthropic-ai/claude-code-linux-{_MACHINE}/claude")
OPENCODE = Program("opencode", "opencode-ai", "1.18.33", f"opencode-linux-{_MACHINE}/bin/opencode")


def why_not() -> str:
    """Why the real programs are not tried; empty when they are."""
    if not os.environ.get(ASKED):
        return "the real programs are tried by `make real-agents` alone"
    if not shutil.which("npm"):
        return "needs npm and node"
    return ""
