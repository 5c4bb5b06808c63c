"""What the user has consented to about programs that nobody has read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """On what terms untrusted programs are run.

    ``unsafe_local``: run programs even where this machine offers no isolation for them, neither namespaces nor
    Landlock. Without it they are refused there.
    """

    unsafe_local: bool = False


STRICT = Policy()
"""No program runs without isolation."""
