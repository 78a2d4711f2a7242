"""Untrusted text on a terminal."""

#: Longer texts are truncated, characters.
_LONGEST = 60


def printable(text: str) -> str:
    """Untrusted text made safe to print: on one line, not too long, no control characters."""
    safe = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 1] + "…"
