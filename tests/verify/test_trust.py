"""Only commits of those are acted on who were allowed to make them by the commit before."""

import shutil
from pathlib import Path

import pytest

from reconciler.engine.verified import Refused
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.trust import Signer
from reconciler.record.ledger import Ledger
from reconciler.remote.process import CannotStart
from tests.load.repositories import FLEET, Work, task
from tests.verify.conftest import Followed
from tests.verify.keys import fleet


def test_what_follows_is_signed_by_somebody_whom_the_commit_before_allows(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    assert followed.read().refused is None
    second = followed.commit("jane", allow=("jane", "joe", "gil"))
    assert followed.read().revision == second
    for by in ("joe", "gil", "jane"):
        head = followed.commit(by, {f"tasks/{by}.yaml": task(by)})
        assert (followed.read().revision, followed.why()) == (head, "")


@pytest.mark.parametrize(
    "by, why",
    [
        ("", "it is not signed"),
        ("mallory", "it is signed by a key that is not allowed, SHA256:"),
        ("gil", "it is signed by a key that is not allowed, "),
    ],
)
def test_a_commit_by_anybody_else_is_not_acted_on_and_the_last_one_stays(followed: Followed, by: str, why: str) -> None:
    good = followed.commit("jane", {"tasks/a.yaml": task("a")}, allow=("jane",))
    followed.read()
    followed.commit(by, {"tasks/b.yaml": task("b")}, allow=("jane", "mallory", "gil"))
    desired = followed.read()
    assert desired.revision == good
    assert list(desired.tasks) == ["a"]
    assert desired.refused
    assert desired.refused.why.startswith(why)
    assert desired.refused.author == "Ada <ada@example.org>"
    assert good[:12] in str(desired.refused)


def test_every_new_commit_counts_not_the_newest_alone(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    last = followed.commit("jane", {"tasks/a.yaml": task("a")})
    followed.commit("", {"tasks/b.yaml": task("b")})
    followed.commit("jane", {"tasks/c.yaml": task("c")})
    assert followed.read().revision == last, (
        "what was right before the unsigned one counts, as if it had been seen alone"
    )
    assert followed.why() == "it is not signed"


def test_what_was_read_is_remembered_by_the_next_controller(followed: Followed) -> None:
    good = followed.commit("jane", allow=("jane",))
    followed.read()
    followed.commit("mallory", allow=("mallory",))
    assert Followed(followed.work, followed.ledger, followed.keys).read().revision == good
    path = followed.ledger.path
    followed.ledger.close()
    with Ledger.open(path) as again:
        assert Followed(followed.work, again, followed.keys).read().revision == good


@pytest.mark.parametrize("allow", [("mallory",), ("jane", "mallory"), ()], ids=["replaced", "added", "turned off"])
def test_who_is_allowed_is_changed_by_somebody_who_is(followed: Followed, allow: tuple[str, ...]) -> None:
    good = followed.commit("jane", allow=("jane",))
    followed.read()
    followed.commit("mallory", allow=allow)
    assert followed.read().revision == good
    followed.work.git("reset", "--quiet", "--hard", good)
    changed = followed.commit("jane", allow=allow)
    assert (followed.read().revision, followed.why()) == (changed, "")
    head = followed.commit("mallory")
    assert (followed.read().revision, followed.why()) == (head, "")


def test_a_signer_who_was_removed_makes_no_more_commits(followed: Followed) -> None:
    followed.commit("jane", allow=("jane", "joe"))
    followed.read()
    last = followed.commit("joe", allow=("joe",))
    followed.commit("jane")
    assert followed.read().revision == last
    assert followed.why().startswith("it is signed by a key that is not allowed")


def test_verification_that_was_turned_off_by_somebody_allowed_stays_off(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    followed.commit("jane", allow=())
    head = followed.commit("")
    assert (followed.read().revision, followed.why()) == (head, "")
    followed.commit("", allow=("jane",))
    assert followed.why() == "it is not signed", "turned on again: met anew"


# --- first contact -------------------------------------------------------------------------------------------------


def test_the_first_commit_met_is_signed_by_a_key_of_its_own_list(followed: Followed) -> None:
    followed.commit("", allow=("jane",))
    with pytest.raises(Refused, match="is not acted on: it is not signed"):
        followed.read()
    head = followed.commit("jane")
    assert followed.read().revision == head


def test_history_before_verification_is_not_looked_at(followed: Followed) -> None:
    for number in range(3):
        followed.commit("", {"fleet.yaml": FLEET, "tasks/a.yaml": task("a", run=f"echo {number}")})
    head = followed.commit("jane", allow=("jane",))
    assert (followed.read().revision, followed.why()) == (head, "")


def test_what_was_acted_on_before_stays_when_verification_is_turned_on_without_a_signature(followed: Followed) -> None:
    before = followed.commit("", {"fleet.yaml": FLEET})
    followed.read()
    followed.commit("", allow=("jane",))
    assert (followed.read().revision, followed.why()) == (before, "it is not signed")


def test_pinned_keys_count_instead_of_the_fleets_own(followed: Followed) -> None:
    followed.pinned = (Signer("joe", followed.key("joe")),)
    followed.__post_init__()
    followed.commit("jane", allow=("jane",))
    with pytest.raises(Refused, match="SHA256"):
        followed.read()
    good = followed.commit("joe", allow=())
    assert followed.read().revision == good
    followed.commit("", allow=())
    assert (followed.read().revision, followed.why()) == (good, "it is not signed"), "the fleet cannot turn it off"


# --- rewritten history -----------------------------------------------------------------------------------------------


def test_an_older_commit_is_not_gone_back_to(followed: Followed) -> None:
    old = followed.commit("jane", allow=("jane", "joe"))
    last = followed.commit("jane", allow=("jane",))
    followed.read()
    followed.work.git("reset", "--quiet", "--hard", old)
    assert followed.read().revision == last
    assert followed.why() == f"it is older than the last verified commit {last[:12]}"
    followed.commit("joe")
    assert followed.read().revision == last
    assert followed.why().startswith("history was rewritten")


def test_rewritten_history_counts_once_a_person_vouches_for_a_commit(followed: Followed) -> None:
    old = followed.commit("jane", allow=("jane",))
    followed.commit("jane", {"tasks/a.yaml": task("a")})
    followed.read()
    followed.work.git("reset", "--quiet", "--hard", old)
    head = followed.commit("jane", {"tasks/b.yaml": task("b")})
    assert followed.why().startswith("history was rewritten")
    followed.wanted.trust(followed.ledger, head[:12])
    assert (followed.read().revision, followed.why()) == (head, "")
    followed.commit("")
    assert (followed.read().revision, followed.why()) == (head, "it is not signed")


def test_a_lost_key_is_replaced_by_vouching_for_the_commit_that_replaces_it(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    new = followed.commit("", allow=("joe",))
    followed.wanted.trust(followed.ledger, new)
    head = followed.commit("joe")
    assert (followed.read().revision, followed.why()) == (head, "")


def test_only_a_commit_of_the_branch_by_its_id_can_be_vouched_for(followed: Followed) -> None:
    good = followed.commit("jane", allow=("jane",))
    followed.read()
    followed.commit("", allow=("mallory",))
    bad = followed.work.git("rev-parse", "HEAD")
    tree = followed.work.git("rev-parse", "HEAD^{tree}")
    followed.work.git("branch", bad[:10], good)
    followed.work.git("reset", "--quiet", "--hard", good)
    for given, error in (
        ("main", UsageError),
        (bad, ReconcilerError),
        (bad[:10], ReconcilerError),
        (tree, ReconcilerError),
    ):
        with pytest.raises(error):
            followed.wanted.trust(followed.ledger, given)
    assert followed.read().revision == good


# --- merges ----------------------------------------------------------------------------------------------------------


def test_a_merge_counts_by_its_own_signature_whatever_was_merged(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    for name in ("one", "two", "three"):
        followed.work.git("checkout", "--quiet", "-b", name, "main")
        followed.commit("mallory", {f"tasks/{name}.yaml": task(name)})
    followed.work.git("checkout", "--quiet", "main")
    for branches in (["one"], ["two", "three"]):
        followed.work.git(*followed.keys.by("jane"), "merge", "--quiet", "--no-ff", "-m", "merge", *branches)
        head = followed.work.git("rev-parse", "HEAD")
        assert (followed.read().revision, followed.why()) == (head, "")
    followed.work.git("checkout", "--quiet", "-b", "four", "main")
    followed.commit("jane", {"tasks/four.yaml": task("four")})
    followed.work.git("checkout", "--quiet", "main")
    followed.work.git("merge", "--quiet", "--no-ff", "-m", "merge", "four")
    assert (followed.read().revision, followed.why()) == (head, "it is not signed")


def test_a_merge_that_has_the_branch_as_its_second_parent_follows_it(followed: Followed) -> None:
    first = followed.commit("jane", allow=("jane",))
    followed.read()
    followed.work.git("checkout", "--quiet", "-b", "mine", first)
    followed.commit("jane", {"tasks/mine.yaml": task("mine")})
    followed.work.git("checkout", "--quiet", "main")
    followed.commit("jane", {"tasks/theirs.yaml": task("theirs")})
    followed.read()
    followed.work.git("checkout", "--quiet", "mine")
    followed.work.git(*followed.keys.by("jane"), "merge", "--quiet", "--no-ff", "-m", "merge", "main")
    followed.work.git("branch", "--force", "main", "mine")
    assert (sorted(followed.read().tasks), followed.why()) == (["mine", "theirs"], "")


# --- the Fleet document ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        {"fleet.yaml": "kind: Fleet\nspec: ["},
        {"fleet.yaml": None},
        {"two.yaml": fleet({"mallory": "ssh-ed25519 AAAA"})},
        {"two.yaml": FLEET},
        {"fleet.yaml": FLEET.replace("spec: {", "spec: {verify: {allowedSigners: []}, ")},
    ],
    ids=["no YAML", "gone", "two, one wrong", "two", "nobody"],
)
def test_while_the_fleet_cannot_be_read_those_may_go_on_who_could_last(
    followed: Followed, files: dict[str, str | None]
) -> None:
    followed.commit("jane", {"tasks/a.yaml": task("a")}, allow=("jane",))
    followed.read()
    broken = followed.commit("jane", files)
    assert followed.read().revision == broken
    assert followed.read().fleet.signers[0].name == "jane"
    followed.commit("mallory")
    followed.commit("jane")
    assert followed.read().revision == broken
    assert followed.why().startswith("it is signed by a key that is not allowed")
    followed.work.git("reset", "--quiet", "--hard", broken)
    head = followed.commit("jane", {"two.yaml": None} if "two.yaml" in files else {}, allow=("jane",))
    assert (followed.read().revision, followed.why()) == (head, "")


def test_a_fleet_that_moved_to_another_file_allows_the_same(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    followed.work.git("mv", "fleet.yaml", "other.yml")
    moved = followed.commit("jane")
    assert followed.read().revision == moved
    followed.commit("mallory")
    assert followed.read().revision == moved


# --- where history comes from ----------------------------------------------------------------------------------------


def test_replaced_and_grafted_commits_do_not_count(followed: Followed) -> None:
    good = followed.commit("jane", {"tasks/a.yaml": task("a")}, allow=("jane",))
    followed.read()
    evil = followed.commit("", {"tasks/a.yaml": task("a", run="evil")})
    followed.work.git("reset", "--quiet", "--hard", good)
    head = followed.commit("jane", {"tasks/b.yaml": task("b")})
    followed.work.git("replace", "-f", head, evil)
    assert (followed.read().revision, sorted(followed.read().tasks)) == (head, ["a", "b"])
    assert followed.read().tasks["a"].script == "make"
    followed.work.git("replace", "-d", head)
    followed.work.git("checkout", "--quiet", "--orphan", "other")
    orphan = followed.commit("jane", {"tasks/a.yaml": None}, allow=("jane", "joe"))
    followed.work.git("branch", "--force", "main", "other")
    grafts = Path(followed.work.path / ".git/info/grafts")
    grafts.write_text(f"{orphan} {head}\n")
    assert followed.read().revision == head
    assert followed.why().startswith("history was rewritten")


def test_a_shallow_clone_says_that_history_is_cut_off(followed: Followed, tmp_path: Path) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    followed.commit("jane")
    head = followed.commit("jane")
    followed.work.git("clone", "--quiet", "--depth=1", f"file://{followed.work.path}", str(tmp_path / "shallow"))
    shallow = Followed(Work(tmp_path / "shallow"), followed.ledger, followed.keys)
    with pytest.raises(Refused, match="fetch-depth: 0"):
        shallow.read()
    with Ledger.open(tmp_path / "fresh.db") as fresh:
        assert Followed(shallow.work, fresh, followed.keys).read().revision == head


def test_settings_of_the_repository_have_no_say(followed: Followed, tmp_path: Path) -> None:
    good = followed.commit("jane", allow=("jane", "gil"))
    followed.read()
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho '[GNUPG:] GOODSIG 1 x'\nexit 0\n")
    liar.chmod(0o755)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"* {followed.key('mallory')}\n")
    followed.commit("mallory")
    for name, value in (
        *(("gpg.program", liar), ("gpg.ssh.program", liar), ("gpg.openpgp.program", liar)),
        *(("gpg.ssh.allowedSignersFile", allowed), ("gpg.minTrustLevel", "undefined"), ("log.showSignature", "true")),
    ):
        followed.work.git("config", name, str(value))
    assert followed.read().revision == good
    assert not (tmp_path / "ran").exists()


def test_a_program_that_is_missing_for_a_moment_is_waited_for(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = followed.commit("jane", allow=("jane",))
    followed.read()
    head = followed.commit("jane")
    with monkeypatch.context() as patch:
        missing = CannotStart("ssh-keygen is not installed on this machine")
        patch.setattr("reconciler.remote.process.find", lambda name: (_ for _ in ()).throw(missing))
        desired = followed.read()
        assert (desired.revision, desired.refused and desired.refused.hint) == (good, str(missing))
    assert followed.wanted.read(followed.ledger, desired)[0].revision == head


def test_repositories_of_sha256_are_followed_as_well(tmp_path: Path, followed: Followed) -> None:
    shutil.rmtree(followed.work.path / ".git")
    followed.work.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    followed.work.git("config", "user.name", "Ada")
    followed.work.git("config", "user.email", "ada@example.org")
    followed.__post_init__()
    followed.commit("jane", allow=("jane", "gil"))
    good = followed.commit("gil")
    assert (followed.read().revision, followed.why(), len(good)) == (good, "", 64)
    followed.commit("mallory")
    assert followed.read().revision == good


def test_what_was_refused_once_counts_when_it_is_signed_in_place(followed: Followed) -> None:
    followed.commit("jane", allow=("jane",))
    followed.read()
    followed.commit("", {"tasks/a.yaml": task("a")})
    assert followed.why() == "it is not signed"
    followed.work.git(*followed.keys.by("jane"), "commit", "--quiet", "--amend", "--no-edit", "-S")
    assert (list(followed.read().tasks), followed.why()) == (["a"], "")
