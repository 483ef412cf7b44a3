"""Signed commits, and keys as people write them: refused in a sentence, and no key is ever in the sentence."""

import hashlib
import re

from reconciler.errors import UsageError
from reconciler.load.packets import packets
from reconciler.load.signers import complaints, read_key
from reconciler.verify.pinned import pinned
from reconciler.verify.signature import Odd, read, signature
from tests.fuzz.sections import read as parts_of
from tests.fuzz.sections import written

SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBoNRwKx3GeRZ/zFC2eFDWdm2727H/3KSXodQ/wJ+262"
GPG = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawnlCRYJKwYBBAHaRw8BAQdAa5yV8fTq2VqRn4DDZLrpj+ElAFcLt1iNspq/
cEJtpau0FWdpbCA8Z2lsQGV4YW1wbGUub3JnPoiQBBMWCAA4FiEEjiWo/8fjcLwH
tKUrrZn2Q4IDdAsFAmsJ5QkCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
rZn2Q4IDdAu73AEA0jKSiB+ZtVXRgk0eB6qZVgzcuDbJQNWdWEbqqZmm2i8BAN4+
hPA/fcxiSP2LaKb4Kt/70f+8yIATv6wctI/DTdcD
=aQI/
-----END PGP PUBLIC KEY BLOCK-----
"""
BY_SSH = b"""\
tree aff60af75f81ce00e496499706e7ea75ad139b3b
author Ada <ada@example.org> 1795810578 +0000
committer Ada <ada@example.org> 1795810578 +0000
gpgsig -----BEGIN SSH SIGNATURE-----
 U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgGg1HArHcZ5Fn/MULZ4UNZ2bbvb
 sf/cpJeh1D/An7brYAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5
 AAAAQA/9ZJGy3P0rAy23F9TbVq3jrKyEGxGK6DqSCPxJk4GXfMFLF2hdwlvbaiCSFEICLN
 lrBqiLk492aAZy86Qrrwo=
 -----END SSH SIGNATURE-----

change
"""
BY_GPG = b"""\
tree d9504360d881457e73c86a81a48c874c9047236d
parent 06494be9b58718eee653d8a1576f8d0472b5a676
author Ada <ada@example.org> 1795810579 +0000
committer Ada <ada@example.org> 1795810579 +0000
gpgsig -----BEGIN PGP SIGNATURE-----
\x20
 iHUEABYIAB0WIQSOJaj/x+NwvAe0pSutmfZDggN0CwUCawnlEwAKCRCtmfZDggN0
 C2p1AQDkf886YTZysxGcCAV9i/HHbovMCXx0cObMrO8yzR8xYQD7B7a2K7bEml+R
 nkmVzAlw0VV5XQsXzQLxTPg10QEObwo=
 =9XAV
 -----END PGP SIGNATURE-----

change
"""
PINS = f'jane@example.org,j namespaces="git",valid-after="20200101",valid-before=20990101Z {SSH} laptop\n# ours\n{GPG}'
SEEDS = [
    written({"commit": BY_SSH.decode(), "key": SSH, "pins": PINS}),
    written({"commit": BY_GPG.decode(), "key": GPG, "pins": SSH}),
]
WORDS = (
    b"\ngpgsig ",
    b"\ngpgsig-sha256 ",
    b"-----BEGIN PGP SIGNATURE-----\n",
    b"-----END SSH SIGNATURE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"\n\n",
    b"\r",
    b"cert-authority ",
    b"valid-before=99999999 ",
    b"PRIVATE KEY",
)


def check(data: bytes) -> None:
    """What holds for anything in these places."""
    parts = parts_of(data)
    raw = parts.get("commit", b"")
    name = hashlib.sha1(b"commit %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()
    refused = ""
    try:
        commit = read(name, raw)
        found = signature(commit)
    except Odd as problem:
        refused = str(problem)
    else:
        assert b"\ngpgsig " not in commit.payload.partition(b"\n\n")[0]
        assert found.kind == "ssh" or len(list(packets(found.data))) == 1
    assert len(refused) < 200
    text = parts.get("key", b"").decode("utf-8", "replace")
    try:
        assert read_key(text).data
    except ValueError as problem:
        refused = str(problem)
    assert len(refused) < 400
    assert not re.search(r"[A-Za-z0-9+/]{30}", refused), "it may be a private key"
    spec = {"verify": {"allowedSigners": [{"name": "jane", "key": text}, {"name": "joe", "key": text}]}}
    assert complaints(spec), "wrong, or the same twice"
    try:
        assert pinned(parts.get("pins", b"").decode("utf-8", "replace"), "pins", 1.8e9)
    except UsageError as problem:
        refused = str(problem)
    assert len(refused) < 600
