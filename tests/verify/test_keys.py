"""Keys as people write them: in the Fleet document, and in a file beside the repository."""

import pytest

from reconciler.errors import UsageError
from reconciler.load.documents import parse_file
from reconciler.verify.pinned import pinned
from tests.verify.keys import Keys, fleet

NOW = 1_800_000_000.0  # in 2027
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0rJYvGyzMPxLs0Uuv7xJgBPQ0bpLdEyzHe0Q8n2cJr"
SECRET = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"


@pytest.mark.parametrize(
    "key, message",
    [
        ("jane", "is no public key of SSH or GPG"),
        ("ssh-dss AAAA", "is of no kind that is known here: ssh-ed25519, ssh-rsa"),
        ("ssh-ed25519 AAAA", "is no SSH key: its base64 is damaged or cut short"),
        (SSH[:-8], "is no SSH key: its base64 is damaged or cut short"),
        (SSH.replace("ssh-ed25519 ", "ssh-rsa "), "is no SSH key: its base64 is not of the kind"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "is a certificate: write the key itself"),
        (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----", "is a private key: "),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----", "is no GPG key: "),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n", "is no GPG key: it is not one block that starts with"),
        ("-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----", "is no GPG key: it is not one block"),
    ],
)
def test_a_key_that_cannot_be_read_is_a_problem_with_its_line(key: str, message: str) -> None:
    text = fleet({"joe": SSH, "jane": key})
    parsed = parse_file("fleet.yaml", "0", text.encode())
    (problem,) = parsed.problems
    assert (problem.path, problem.line) == (
        "spec.verify.allowedSigners[1].key",
        text.splitlines().index("      - name: jane") + 2,
    )
    assert problem.message.startswith(message)
    assert ".pub" in problem.hint
    assert SECRET not in str(problem)
    assert not parsed.documents


def test_names_and_keys_are_given_once(keys: Keys) -> None:
    both = fleet({"jane": SSH, "joe": f"{SSH} laptop"})
    (same,) = parse_file("fleet.yaml", "0", both.encode()).problems
    assert same.message.endswith("is that of jane, too")
    (twice,) = parse_file("fleet.yaml", "0", both.replace("joe", "jane").encode()).problems
    assert twice.message == "the signer jane is given twice"
    assert not parse_file("fleet.yaml", "0", fleet({"jane": SSH, "gil": keys.exported("gil")}).encode()).problems


def test_rsa_that_is_too_short_and_two_keys_in_one_block_are_refused(keys: Keys) -> None:
    short = keys.ssh("short", "-t", "rsa", "-b", "1024")
    (problem,) = parse_file("fleet.yaml", "0", fleet({"jane": short}).encode()).problems
    assert problem.message == "is an RSA key of 1024 bits: 2048 is the least"
    keys.gpg("gus")
    both = keys.run("gpg", "--armor", "--export", "gil@example.org", "gus@example.org").decode()
    (problem,) = parse_file("fleet.yaml", "0", fleet({"both": both}).encode()).problems
    assert problem.message == "holds 2 GPG keys: give each an entry of its own"


@pytest.mark.parametrize(
    "line, names",
    [
        (f"jane@example.org {SSH}", ["jane@example.org"]),
        (f'jane@example.org,j namespaces="git,file" {SSH} on her laptop', ["jane@example.org,j"]),
        (f'j valid-after="20200101",valid-before="20990101Z" {SSH}', ["j"]),
        (f"j valid-before=20270115080000Z {SSH}\nk {SSH}", ["k"]),
        (f"j valid-before=20270115080001Z {SSH}", ["j"]),
        (f"j valid-after=20280101 {SSH}\nk {SSH}", ["k"]),
        (f'j namespaces="file" {SSH}\n\n# comment\nk {SSH}', ["k"]),
    ],
)
def test_a_file_of_pinned_keys_is_read_as_ssh_keygen_reads_it(line: str, names: list[str]) -> None:
    assert [signer.name for signer in pinned(line, "pins", NOW)] == names


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "pins: no key in it counts now"),
        (f"j valid-before=20200101 {SSH}", "pins: no key in it counts now"),
        (f"# ours\nj cert-authority {SSH}", "pins:2: the option cert-authority is not known here"),
        (f'j namespaces="git {SSH}', "pins:1: a quote is not closed"),
        (f"j valid-before=tomorrow {SSH}", "pins:1: tomorrow is no time"),
        (f"j valid-before=20201399 {SSH}", "pins:1: 20201399 is no time"),
        (SSH, "pins:1: "),
        ("j ssh-ed25519 AAAA", "pins:1: is no SSH key"),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA", "pins:1: is no GPG key"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as told:
        pinned(text, "pins", NOW)
    assert str(told.value).startswith(message)


def test_gpg_keys_stand_in_it_as_they_are_exported(keys: Keys) -> None:
    found = pinned(f"j {SSH}\n{keys.exported('gil')}\n", "pins", NOW)
    assert [signer.name for signer in found] == ["j", keys.fingerprint("gil")[-16:]]
