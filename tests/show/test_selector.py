"""Label selectors, as kubectl's."""

import pytest

from reconciler.errors import UsageError
from reconciler.show.selector import did_you_mean, matches, parse

LABELS = {"team": "web", "tier": "1", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("team=web", True),
        ("team==web", True),
        ("team=api", False),
        ("team!=api", True),
        ("team!=web", False),
        ("other!=x", True),
        ("other=x", False),
        ("team=web,tier=1", True),
        ("team=web , tier=2", False),
        ("team", True),
        ("other", False),
        ("!other", True),
        ("!team", False),
        ("empty=", True),
    ],
)
def test_which_labels_fit(selector: str, fits: bool) -> None:
    assert matches(parse(selector), LABELS) is fits


@pytest.mark.parametrize("selector", ["=web", "a=b,", ",", "a=b=c", "team in (a)", "!", "a b"])
def test_what_is_no_selector_says_how_to_write_one(selector: str) -> None:
    with pytest.raises(UsageError, match="write it as"):
        parse(selector)


def test_names_that_were_meant() -> None:
    assert did_you_mean("biuld", ["build", "deploy"]) == " (did you mean build?)"
    assert did_you_mean("zzz", ["build"]) == ""
