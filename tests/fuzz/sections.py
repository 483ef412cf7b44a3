"""Several texts as one input, so that damage is to what is in them: lines `@@name` begin each. Pure."""

from collections.abc import Mapping


def written(parts: Mapping[str, str | bytes]) -> bytes:
    """Takes texts by name; returns them as one input."""
    texts = {name: text.encode() if isinstance(text, str) else text for name, text in parts.items()}
    return b"".join(b"@@%s\n%s\n" % (name.encode(), text) for name, text in texts.items())


def read(data: bytes) -> dict[str, bytes]:
    """The inverse, of whatever damage has left."""
    sections = (section.partition(b"\n") for section in (b"\n" + data).split(b"\n@@")[1:])
    return {name.decode(errors="replace"): text.removesuffix(b"\n") for name, _, text in sections}
