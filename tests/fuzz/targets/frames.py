"""What comes over the line: whole, in pieces, cut anywhere; an answer is the one that was written, or none."""

from reconciler.remote.frames import Answer, Reader, decode

NONCE = "0f" * 16


def wire(*frames: tuple[str, bytes], code: int = 0, noise: bytes = b"Welcome to the machine\n") -> bytes:
    """An answer as a host's script writes it."""
    nonce = NONCE.encode()
    body = b"".join(b"%s frame %s %d\n%s\n" % (nonce, name.encode(), len(data), data) for name, data in frames)
    return noise + b"\n%s begin\n%s%s end %d\n" % (nonce, body, nonce, code)


SEEDS = [
    wire(("workspace", b"fleet=\nid=\nnow=1.5"), ("records", b"d\t_/runs/build-1a2b3c4d-1\t0\t1.5\t\n"), ("live", b"")),
    wire(("launch/build-1a2b3c4d-1", b"accepted it runs"), ("trash", b"0")),
    wire(("error", b"the workspace cannot be read"), code=5),
    wire(("stdout/build-1a2b3c4d-1", bytes(range(256)) * 4), ("answer/build-1a2b3c4d-1", b"{}"), noise=b""),
    wire(code=65),
]
WORDS = (
    NONCE.encode(),
    b" frame ",
    b" begin\n",
    b" end 0\n",
    b"\n" + NONCE.encode() + b" end 0\n",
    b"4294967296",
    b"0005",
)


def check(data: bytes) -> None:
    """What holds for anything that a call may have written to its standard output."""
    answer = decode(data, NONCE)
    assert _in_pieces(data, 1 + len(data) // 7) == answer
    assert _in_pieces(data, 1 + len(data) // 40) == answer
    for part in range(1, 40):
        assert decode(data[: len(data) * part // 40], NONCE) in (None, answer), "cut short it is another answer"
    assert decode(data, "1e" * 16) is None or b"1e1e" in data, "an answer to somebody else's question"
    if answer is not None:
        assert decode(wire(*answer.frames, code=answer.code), NONCE) == answer


def _in_pieces(data: bytes, step: int) -> Answer | None:
    """The same, as it comes through a slow line."""
    reader, found = Reader(NONCE), []
    for start in range(0, len(data), step):
        found += reader.feed(data[start : start + step])
    return None if reader.code is None else Answer(tuple(found), reader.code)
