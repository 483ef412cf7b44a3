"""Which lines of the host scripts meet faults: a new one that writes needs a scenario that comes by."""

from tests.remote.faults import instrument
from tests.remote.faults.ledger import MET, described

# Lines that no scenario reaches yet, by when they are.
UNMET: dict[str, tuple[str, ...]] = {
    "no inode is left": (
        'launch.sh: rm -f -- "$dir"/{owner,worker}',
        'lease.sh: rm -f -- "_/.$1"',
        'process.sh: rm -f -- "$1/reserve" "$1/environment" 2>/dev/null',
    ),
    "something of a run survives KILL": ('supervisor.sh: printf \'%s\\n\' "$*" >>"$RUN_DIR/supervisor.log"',),
    "a payload is none": ("common.sh: exit 65",),
    "a run is void before its supervisor starts": ("supervisor.sh: exit 76",),
    "another controller holds its doorbell open": (
        "take.sh: flock -s -n -E 75 7 7<_/holder && return",
        'take.sh: [[ -n $HOLDER ]] && kill -TERM "$pid"',
    ),
    "bash gives the line of another command, inside of a substitution": (
        "project_fork.sh: [[ -z $PROJECT_LOCK ]] || exec {PROJECT_LOCK}>&-",
        'project_fork.sh: exec timeout -k 5 "$limit" gh "$@" </dev/null 2>"$complaint" 6>&-',
    ),
    "the first call for a project is killed": (
        'launch.sh: [[ -d $1/runs && -d $1/worktrees && -d $1/cache ]] || mkdir -p -- "$1"/{runs,worktrees,cache} 2>/dev/null',
    ),
    "the user is not root": (
        'worktree.sh: { chmod -R u+rwX -- "_/trash/tree.$name.$nonce" && rm -rf -- "_/trash/tree.$name.$nonce"; }',
    ),
}


def test_every_line_that_writes_meets_faults() -> None:
    existing = set(map(described, instrument.everything()))
    met = set(MET.read_text().splitlines())
    unmet = {line for lines in UNMET.values() for line in lines}
    missing = sorted(existing - met - unmet)
    assert not missing, f"write a scenario that reaches them, then `make faults`, which adds to {MET.name}: {missing}"
    assert not unmet & met, "these are met by now"
    assert not (unmet | met) - existing, "these are no lines of the scripts any more"
    assert len(existing & met) >= 0.9 * len(existing)
