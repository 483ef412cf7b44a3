"""A fleet on this machine whose agents are the real ones, and the model API that they talk to."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import Site, agent, end, local_host, make_remote, project
from tests.e2e.fleet import Fleet
from tests.real.programs import CLAUDE, CODEX, OPENCODE, Program, why_not
from tests.standins.model_api import ModelApi

RealFleet = Callable[[Program], tuple[Fleet, Site]]


@pytest.fixture
def model() -> Iterator[ModelApi]:
    """A model API."""
    with ModelApi() as api:
        yield api


@pytest.fixture
def real_fleet(tmp_path: Path, model: ModelApi) -> Iterator[RealFleet]:
    """Makes a fleet with one host, a project `app`, and the program as agent of its own name."""
    if why := why_not():
        pytest.skip(why)

    def make(program: Program) -> tuple[Fleet, Site]:
        fleet = Fleet(tmp_path)
        # With a home of its own: settings and sessions of whoever runs the tests stay as they are.
        place = local_host(fleet, programs=program.install())
        project(fleet, str(make_remote(tmp_path / "remotes").path))
        agent(fleet, program.name, **SETTINGS[program.name](model.url))
        return fleet, place

    yield make
    end(tmp_path)


def _codex(url: str) -> dict[str, object]:
    provider = f'{{name="loopback",base_url="{url}/v1",wire_api="responses",env_key="CODEX_API_KEY"}}'
    args = ["-c", "model_provider=loopback", "-c", f"model_providers.loopback={provider}"]
    return {"model": "gpt-5", "args": args, "env": {"CODEX_API_KEY": "of-nobody"}}


def _claude(url: str) -> dict[str, object]:
    environment = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "of-nobody"}
    return {"env": {**environment, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}}


def _opencode(url: str) -> dict[str, object]:
    model = "anthropic/claude-sonnet-4-5"
    options = {"baseURL": f"{url}/v1", "apiKey": "of-nobody"}
    config = {
        "autoupdate": False,
        "share": "disabled",
        "small_model": model,
        "provider": {"anthropic": {"options": options}},
    }
    return {
        "model": model,
        "env": {"OPENCODE_CONFIG_CONTENT": json.dumps(config), "OPENCODE_DISABLE_MODELS_FETCH": "1"},
    }


SETTINGS: dict[str, Callable[[str], dict[str, object]]] = {
    CODEX.name: _codex,
    CLAUDE.name: _claude,
    OPENCODE.name: _opencode,
}
