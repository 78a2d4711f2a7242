"""Ground truth: which kinds of the demo store's images each cleaning rule must drop, and which it may drop.

A rule must drop its `kinds`. `tolerated` kinds also have what it looks for, but another rule is responsible:
dropping one is neither right nor wrong. Everything else it drops is wrong: a good image, a copy of one, or a
bad image of another kind.
"""

import math
from typing import NamedTuple


class Scope(NamedTuple):
    """The kinds of image that a rule must drop, and those that it may drop."""

    kinds: tuple[str, ...]
    tolerated: tuple[str, ...] = ()


#: Kinds that show mainly words.
_PRINTED = ("certificate", "size_chart", "banner", "placeholder", "screenshot")

#: The rules on the image itself. `file_name` is scored on file names that name other content, of any kind of
#: image; the rules on copies and labels are scored on groups.
SCOPES = {
    "undecodable": Scope(("truncated",)),
    "small": Scope(("tiny",)),
    "shape": Scope(("banner",)),
    # All black or all white is blank too; velvet, and a sheet with a few words, are nearly blank.
    "blank": Scope(("blank",), ("dark", "bright", "no_stone", "placeholder")),
    # Without content nothing is sharp; draped cloth has no edges; a thumbnail has no detail.
    "blurred": Scope(("blurred",), ("blank", "dark", "bright", "no_stone", "tiny")),
    # Paper may be as bright, velvet as dark, a blank image either.
    "exposure": Scope(("dark", "bright"), ("blank", "no_stone", *_PRINTED)),
    # A watermark is text, a parcel has a label.
    "text": Scope(_PRINTED, ("watermark", "no_stone")),
    # Many printed sheets show a stone under or next to their words.
    "watermark": Scope(("watermark",), _PRINTED),
    "hand": Scope(("hand", "glove")),
    # The slots of a tray and laid-out tools are several things of similar size.
    "several": Scope(("several",), ("no_stone",)),
    # Printed matter is not an image of a stone; without content there is no stone.
    "no_stone": Scope(("no_stone",), ("blank", "blurred", "dark", "bright", *_PRINTED)),
}

#: Kinds of bad images that are not copies, each with the rules that must drop it.
RULES_FOR = {
    kind: [rule for rule, scope in SCOPES.items() if kind in scope.kinds]
    for kind in dict.fromkeys(kind for scope in SCOPES.values() for kind in scope.kinds)
}

#: Kinds of copies that `near_duplicate` must find.
NEAR_COPIES = ("near_duplicate", "edited_duplicate")


def needed(kind: str, cases: int) -> int:
    """Number of images of a kind: each rule gets `cases` of all its kinds, and a third of that of each."""
    if kind in NEAR_COPIES:
        shares = [len(NEAR_COPIES)]
    else:
        shares = [len(SCOPES[rule].kinds) for rule in RULES_FOR[kind]]
    return max(math.ceil(cases / min(share, 3)) for share in shares)
