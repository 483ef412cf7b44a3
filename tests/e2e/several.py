"""Several commands in one process, one after the other, since to start Python takes longer than most of them do.

`python -m tests.e2e.several reconciler`: command lines as JSON on standard input, what each of them printed as JSON.
"""

import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from reconciler.cli.failing import guarded
from reconciler.cli.main import cli, hoisted
from reconciler.errors import Exit


def printed(words: Sequence[str]) -> str:
    """Run it, as `reconciler WORDS` does."""
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        code = guarded(cli, hoisted(list(words)))
    assert code != Exit.USAGE, text.getvalue()
    return text.getvalue()


if __name__ == "__main__":
    json.dump([printed(words) for words in json.load(sys.stdin)], sys.stdout)
