"""What the stand-ins say is read as what the real programs say, for the same prompt and the same command line."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.agents.adapter import Order, Output, Reading
from reconciler.agents.registry import adapter
from reconciler.prompts.builtin import result_schema
from tests.real.conftest import SETTINGS
from tests.real.programs import CLAUDE, CODEX, OPENCODE, Program, why_not
from tests.standins.bench import run
from tests.standins.model_api import ModelApi

pytestmark = pytest.mark.timeout(900)  # npm may have to download first
# claude asks again for minutes after a 401 and a 429 with a short wait.
SCRIPTS = {
    CODEX: ("pr", "blocked", "failed", "401", "429", "quota", "garbage"),
    CLAUDE: ("pr", "blocked", "failed", "429-later", "garbage"),
    OPENCODE: ("pr", "blocked", "failed", "401", "429 after=2", "garbage"),
}
CASES = [(program, script) for program, scripts in SCRIPTS.items() for script in scripts]


@pytest.mark.parametrize(("program", "script"), CASES, ids=lambda value: getattr(value, "name", value))
def test_both_are_read_alike(tmp_path: Path, model: ModelApi, program: Program, script: str) -> None:
    if why := why_not():
        pytest.skip(why)
    settings: dict[str, Any] = SETTINGS[program.name](model.url)
    order = Order(
        schema=result_schema(), model=settings.get("model", ""), args=tuple(map(str, settings.get("args", ())))
    )
    prompt = f"Do the work.\n\nstand-in: {script}\n"
    folder = program.install()
    real = run(program.name, order, tmp_path / "real", prompt, programs=folder, environment=settings.get("env"))
    played = run(program.name, order, tmp_path / "played", prompt)
    assert _told(program, played) == _told(program, real), real


def _told(program: Program, output: Output) -> dict[str, object]:
    """What matters of an output: figures and identities are of no two runs the same."""
    reading: Reading = adapter(program.name).read(output)
    answer = dict(reading.answer or {})
    return {
        "exit code": output.exit_code,
        "finished": reading.finished,
        "failure": reading.failure,
        "answer": (answer.get("status"), answer.get("summary"), answer.get("pullRequestUrl")),
        "text": reading.text[:20] if reading.answer is None else "",
        "costs": reading.cost_usd is not None,
        "tokens": reading.tokens is not None,
        "session": bool(reading.session_id),
        "times": (reading.retry_at is not None, reading.retry_after is not None),
    }
