"""Which of the demo store's dirt each cleaning rule is there for, and which it may drop besides.

`kinds` a rule must find. `besides` have what it looks for too, but another rule is there for them: to drop
one is neither right nor wrong. Whatever else it drops is wrong: a good picture, a copy of one, or dirt that
has not what the rule says.
"""

import math
from typing import NamedTuple


class Scope(NamedTuple):
    """The kinds of photo that a rule must drop and those that it may drop."""

    kinds: tuple[str, ...]
    besides: tuple[str, ...] = ()


#: Words are what they show.
_PRINTED = ("certificate", "size_chart", "banner", "placeholder", "screenshot")

#: The rules on the picture itself. `file_name` is there for names that tell, of whatever kind; the rules on
#: copies and labels are scored on groups.
SCOPES = {
    "undecodable": Scope(("truncated",)),
    "small": Scope(("tiny",)),
    "shape": Scope(("banner",)),
    # All black or all white is blank too; velvet and a few words on a sheet come near it.
    "blank": Scope(("blank",), ("dark", "bright", "no_stone", "placeholder")),
    # Nothing is sharp where nothing can be seen; draped cloth has no edges; a thumbnail has no detail.
    "blurred": Scope(("blurred",), ("blank", "dark", "bright", "no_stone", "tiny")),
    # Paper may be as bright, velvet as dark, a blank picture either.
    "exposure": Scope(("dark", "bright"), ("blank", "no_stone", *_PRINTED)),
    # A watermark is lettering, a parcel bears a label.
    "text": Scope(_PRINTED, ("watermark", "no_stone")),
    # Much of what is printed shows a stone under or beside its words.
    "watermark": Scope(("watermark",), _PRINTED),
    "hand": Scope(("hand", "glove")),
    # A tray's slots and tools laid out are several things of one size.
    "several": Scope(("several",), ("no_stone",)),
    # Printed matter is no photo of a stone; where nothing can be seen, no stone can.
    "no_stone": Scope(("no_stone",), ("blank", "blurred", "dark", "bright", *_PRINTED)),
}

#: ContentPredictions of dirt that are pictures of their own, each with the rules that are there for it.
RULES_FOR = {
    kind: [rule for rule, scope in SCOPES.items() if kind in scope.kinds]
    for kind in dict.fromkeys(kind for scope in SCOPES.values() for kind in scope.kinds)
}

#: ContentPredictions of copies that `near_duplicate` must find.
NEAR_COPIES = ("near_duplicate", "edited_duplicate")


def needed(kind: str, cases: int) -> int:
    """How many photos of a kind: each rule gets `cases` of all its kinds, and a third as many of each."""
    if kind in NEAR_COPIES:
        shares = [len(NEAR_COPIES)]
    else:
        shares = [len(SCOPES[rule].kinds) for rule in RULES_FOR[kind]]
    return max(math.ceil(cases / min(share, 3)) for share in shares)
