"""The trust core: what is hashed, signed, sealed, proven and decided, with no I/O at all."""

__all__: list[str] = []
