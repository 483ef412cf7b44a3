"""No input breaks a reader: inputs that once did, valid ones damaged, and any bytes at all.

The seed is fixed, so that a build that fails fails again; `make fuzz` looks for what is not known yet.
"""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from tests.fuzz.bounds import bounded
from tests.fuzz.corpus import FOLDER, names
from tests.fuzz.damage import Edit, damaged
from tests.fuzz.targets import NAMES, target

EXAMPLES = 150

edits = some.lists(
    some.builds(
        Edit,
        some.integers(0, 7),
        some.integers(0, (1 << 16) - 1),
        some.sampled_from((1, 3, 20, 400)),
        some.integers(0, (1 << 16) - 1),
    ),
    min_size=1,
    max_size=5,
)
bounds = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_is_read_as_what_it_is(name: str) -> None:
    assert target(name).seeds
    for seed in target(name).seeds:
        with bounded():
            target(name).check(seed)


@pytest.mark.parametrize("found", names())
def test_what_once_broke_a_reader_does_not_any_more(found: str) -> None:
    with bounded():
        target(found.partition("/")[0]).check((FOLDER / found).read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_valid_inputs_that_were_damaged(name: str) -> None:
    reader = target(name)

    @bounds
    @given(some.sampled_from(range(len(reader.seeds))), edits)
    def holds(seed: int, damage: list[Edit]) -> None:
        with bounded():
            reader.check(damaged(reader.seeds[seed], damage, reader.words))

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes(name: str) -> None:
    reader = target(name)

    @settings(bounds, max_examples=40)
    @given(some.binary(max_size=200) | some.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
    def holds(data: bytes) -> None:
        with bounded():
            reader.check(data)

    holds()
