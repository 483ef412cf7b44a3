"""Record what the real programs do, as tests/agents/recordings: `python -m tests.agents.record FOLDER [TOOL[/CASE]]`.

FOLDER has the programs, from npm. They are started as their adapters say, against model APIs on this machine. What is
expected of a recording is written by hand, and stays.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.agents.adapter import Command, Order, Word, WordKind
from reconciler.agents.registry import adapter
from tests.agents import gemini_api
from tests.standins.model_api import ModelApi

RECORDINGS = Path(__file__).parent / "recordings"
SCHEMA = Path(__file__).parents[2] / "reconciler/prompts/task-result.schema.json"
KEPT = ("stdout", "stderr", "events.jsonl", "answer.json", "run.json")


@dataclass(frozen=True)
class Case:
    """One run of a program."""

    tool: str
    name: str
    script: str  # for the model
    order: dict[str, object] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    signal: str = ""  # sent to its group, `after` seconds after its start
    after: float = 8
    swap: tuple[str, str] = ("", "")  # a word of the command line

    @property
    def how(self) -> str:
        """How it was made, in one line."""
        extra = [f"{name}={value}" for name, value in self.order.items()]
        extra += [f"without {name}" if not value else name for name, value in self.env.items()]
        extra += [f"{self.swap[0]} → {self.swap[1]}"] if self.swap[0] else []
        extra += [f"{self.signal} to its group after {self.after:g} s"] if self.signal else []
        return "; ".join([f"`stand-in: {self.script}`", *extra])


OAUTH = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "of-nobody"}
JSON = ("stream-json", "json")
CASES = (
    *(Case("codex", name, name) for name in ("success", "429", "quota", "401", "empty", "garbage")),
    Case("codex", "429-later", "429-later", signal="SIGTERM", after=20),
    Case("codex", "cancel", "tool-hang", signal="SIGTERM"),
    Case("codex", "interrupt", "hang", signal="SIGINT"),
    Case("codex", "review", "blocked", {"variant": "review"}),
    *(Case("claude", name, name) for name in ("success", "429", "429-later", "401", "empty", "garbage")),
    Case("claude", "quota", "quota", env=OAUTH),
    Case("claude", "budget", "success", {"budget_usd": 0.0001}),
    Case("claude", "cancel", "tool-hang", signal="SIGTERM"),
    Case("claude", "interrupt", "hang", signal="SIGINT"),
    Case("claude", "no-structured-output", "success", {"schema": ""}),
    *(Case("gemini", name, name) for name in ("success", "429", "429-later", "quota", "401", "bad-key", "empty")),
    Case("gemini", "fenced", "success fenced=1"),
    Case("gemini", "json-success", "success", swap=JSON),
    Case("gemini", "json-401", "401", swap=JSON),
    Case("gemini", "json-quota", "quota", swap=JSON),
    Case("gemini", "json-empty", "empty", swap=JSON),
    Case("gemini", "no-key", "success", env={"GEMINI_API_KEY": ""}),
    Case("gemini", "cancel", "tool-hang", signal="SIGTERM"),
    Case("gemini", "cancel-idle", "hang", signal="SIGTERM"),
    *(Case("opencode", name, name) for name in ("success", "429", "401", "empty", "garbage")),
    Case("opencode", "quota", "quota", signal="SIGTERM", after=20),
    Case("opencode", "cancel", "tool-hang", signal="SIGTERM", after=12),
)


def settings(tool: str, urls: dict[str, str], home: Path) -> tuple[dict[str, str], tuple[str, ...], str]:
    """The environment, the flags and the model that send a program to the model APIs."""
    model = urls["model"]
    match tool:
        case "codex":
            provider = f'{{name="model",base_url="{model}/v1",env_key="CODEX_API_KEY",wire_api="responses"}}'
            flags = ("-c", "model_provider=model", "-c", f"model_providers.model={provider}")
            return {"CODEX_API_KEY": "of-nobody"}, flags, "gpt-5"
        case "claude":
            return {"ANTHROPIC_API_KEY": "of-nobody", "ANTHROPIC_BASE_URL": model}, (), ""
        case "gemini":
            (home / ".gemini").mkdir()
            (home / ".gemini/settings.json").write_text('{"security":{"auth":{"selectedType":"gemini-api-key"}}}')
            environment = {"GEMINI_API_KEY": "of-nobody", "GOOGLE_GEMINI_BASE_URL": urls["gemini"]}
            return environment, (), "gemini-2.5-flash"
        case "opencode":
            priced = {"name": "m", "limit": {"context": 100000, "output": 4000}, "cost": {"input": 3, "output": 15}}
            provider = {"options": {"baseURL": f"{model}/v1", "apiKey": "of-nobody"}, "models": {"m": priced}}
            config = {"provider": {"anthropic": provider}, "share": "disabled"}
            extra = {"OPENCODE_CONFIG_CONTENT": json.dumps(config), "OPENCODE_DISABLE_MODELS_FETCH": "1"}
            return extra, (), "anthropic/m"
    raise ValueError(tool)


def record(case: Case, programs: str, urls: dict[str, str]) -> None:
    """Run it, and keep what it left."""
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary).resolve()
        home, run, tree = (top / name for name in ("home", "run", "tree"))
        for folder in (home, run, tree):
            folder.mkdir()
        git = ("git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(tree))
        subprocess.run([*git, "init", "-q"], check=True)
        for number in range(3):
            subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", f"commit {number}"], check=True)
        extra, flags, model = settings(case.tool, urls, home)
        (run / "prompt.md").write_text(f"Do the work.\nstand-in: {case.script}\n")
        (run / "result-schema.json").write_text(SCHEMA.read_text())
        order = Order(**{"model": model, "args": flags, "schema": SCHEMA.read_text(), **case.order})  # type: ignore[arg-type]
        command = adapter(case.tool).command(order)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), **command.environment, **extra}
        environment |= {
            "CI": "true",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "GIT_AUTHOR_NAME": "A",
            "GIT_COMMITTER_NAME": "A",
        }
        environment |= {"GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_EMAIL": "a@example.org", **case.env}
        environment = {name: value for name, value in environment.items() if value} | {"RECORDER_MARK": str(run)}
        code = run_program(case, command, run, tree, environment)
        keep(case, run, code, {str(tree): "/home/agent/tree", str(run): "/home/agent/run", str(top): "/home/agent"})


def run_program(case: Case, command: Command, run: Path, tree: Path, environment: dict[str, str]) -> int:
    """Start it as a host would; returns its exit code as a shell tells it."""

    def text(word: Word) -> str:
        if word.kind is WordKind.TEXT:
            return word.text.replace(*case.swap) if case.swap[0] else word.text
        return str(run / word.text) if word.kind is WordKind.FILE else str(tree)

    out = run / ("events.jsonl" if command.events and case.swap != JSON else "stdout")
    with (run / command.stdin).open("rb") as stdin, out.open("wb") as stdout, (run / "stderr").open("wb") as stderr:
        words = [text(word) for word in command.words]
        process = subprocess.Popen(
            words, cwd=tree, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
        if case.signal:
            time.sleep(case.after)
            os.killpg(process.pid, getattr(signal, case.signal))
        code = process.wait(timeout=500)
    end_what_is_left(environment["RECORDER_MARK"])
    return 128 - code if code < 0 else code


def end_what_is_left(mark: str) -> None:
    """Tools that outlived their agent carry its environment."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if f"RECORDER_MARK={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


def keep(case: Case, run: Path, code: int, paths: dict[str, str]) -> None:
    """Write the recording, free of this machine's paths."""
    folder = RECORDINGS / case.tool / case.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        (folder / name).unlink(missing_ok=True)
    if (run / "result.json").exists():
        (run / "result.json").rename(run / "answer.json")
    for name in KEPT:
        file = run / name
        if file.exists() and (text := file.read_text()):
            for path, shown in paths.items():
                text = text.replace(path, shown)
                text = text.replace(re.sub(r"[^A-Za-z0-9]", "-", path), "-home-agent")
            text = re.sub(r"(127\.0\.0\.1:)\d+", r"\g<1>8700", text)
            text = text.replace("/tmp/", "/home/agent/")
            text = re.sub(r"file:///[^\s)]*/", "file:///usr/lib/", text)
            (folder / name).write_text(text)
    (folder / "run.json").write_text(json.dumps({"exit_code": code, "ended_at": int(time.time())}) + "\n")
    print(f"{case.tool}/{case.name}: exit code {code}", flush=True)


def main() -> None:
    """Record all cases, or those that are named; then list them."""
    programs, wanted = str(Path(sys.argv[1]).resolve()), sys.argv[2:]
    chosen = [case for case in CASES if not wanted or case.tool in wanted or f"{case.tool}/{case.name}" in wanted]
    with ModelApi() as api, ThreadPoolExecutor(3) as pool:
        urls = {"model": api.url, "gemini": gemini_api.serve()}
        for result in [pool.submit(record, case, programs, urls) for case in chosen]:
            result.result()
    listed = "".join(f"- `{case.tool}/{case.name}`: {case.how}\n" for case in CASES)
    readme = RECORDINGS / "README.md"
    head = readme.read_text().partition("- `codex/")[0] if readme.exists() else "# Recordings\n\n"
    readme.write_text(head + listed)


if __name__ == "__main__":
    main()
