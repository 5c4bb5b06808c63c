"""A clock that a test puts on."""


class Clock:
    """Stands still until it is put on; takes the place of a module's ``time``."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now
