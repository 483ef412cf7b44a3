"""The keys that `--allowed-signers` pins."""

from typing import TYPE_CHECKING

from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.model.trust import Signer


def pinned_signers(context: Context) -> "tuple[Signer, ...]":
    """The keys of `--allowed-signers`; none without it. Raises ReconcilerError."""
    from reconciler.clock import now
    from reconciler.verify.pinned import pinned

    file = context.allowed_signers
    if file is None:
        return ()
    try:
        return pinned(file.read_text(encoding="utf-8", errors="replace"), str(file), now())
    except OSError as problem:
        raise ReconcilerError(f"{file} cannot be read: {problem.strerror}") from problem
