"""Images that cannot be decoded: a few are skipped with a warning, more than 1 % is an error."""

#: The largest tolerated share of them.
MAX_UNDECODABLE = 0.01

#: How many of them a message names.
_NAMED = 5


class UndecodableImages(list[str]):
    """Images that cannot be decoded, each with its location and reason; as text the first few."""

    def __str__(self) -> str:
        return "; ".join(self[:_NAMED]) + ("; …" if len(self) > _NAMED else "")
