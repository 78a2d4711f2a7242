"""Images that cannot be decoded: a few are left out and named, more are no accident."""

#: The largest share of them that is an accident.
MOST_BROKEN = 0.01

#: So many of them are named.
_NAMED = 5


class Broken(list[str]):
    """Images that cannot be decoded, each with place and reason; as text the first few."""

    def __str__(self) -> str:
        return "; ".join(self[:_NAMED]) + ("; …" if len(self) > _NAMED else "")
