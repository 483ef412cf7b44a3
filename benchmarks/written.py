"""A fleet repository of any size: real files in real commits."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.room import folder
from tests.load.repositories import FLEET, Work, host

ZONES = 10
A_FOLDER = 100  # tasks
TASK = """\
apiVersion: reconciler/v1
kind: Task
metadata:
  name: task-{number:05}
  labels: {{area: a{zone}}}
spec:
  title: Keep part {number} in order
  description: |
    What is known of it, in two lines,
    as people write it.
  run: |
    set -euo pipefail
    cd ~/src/web
    make test-{number}
  env:
    CI: "yes"
    LEVEL: "{zone}"
  priority: normal
  timeout: 2h
  retries: {{limit: 2, backoff: 1m}}
  host: box{zone}
"""


def task(number: int) -> str:
    """A document of twenty lines, as long as most are."""
    return TASK.format(number=number, zone=number % ZONES)


def path(number: int) -> str:
    """The file that it is in."""
    return f"tasks/{number // A_FOLDER:03}/task-{number:05}.yaml"


@contextmanager
def repository_of(files: int) -> Iterator[Work]:
    """A work tree with so many committed files of tasks; the first holds the Fleet and its hosts, too.

    So that there are no more files than a fleet may have.
    """
    with folder() as room:
        work = Work(room / "fleet")
        hosts = [host(f"box{zone}", f"address: box{zone}.example.org") for zone in range(ZONES)]
        first = "---\n".join([FLEET, *hosts, task(0)])
        work.git("config", "gc.auto", "0")  # nothing is packed while something is measured
        work.commit({path(number): task(number) if number else first for number in range(files)})
        work.git("repack", "-adq")  # as in a clone
        yield work
