"""People's decisions on single images: `labels/decisions.csv`, which overrides every rule."""

import csv
import re
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from curation.taxonomy.taxonomy import Taxonomy
from gemkit.errors import UserError

COLUMNS = ["sha256", "decision", "variety", "note"]
Kind = Literal["keep", "drop", "relabel"]
DECISIONS: tuple[Kind, ...] = get_args(Kind)


class Decision(NamedTuple):
    """`variety` is a taxonomy key, given only with "relabel"; `line` is where the file has the decision."""

    decision: Kind
    variety: str | None
    note: str
    line: int

    def agrees_with(self, other: "Decision") -> bool:
        """Whether both decide the same; their notes may differ."""
        return (self.decision, self.variety) == (other.decision, other.variety)


def read_decisions(path: Path, taxonomy: Taxonomy) -> dict[str, Decision]:
    """The decision on each image, by sha256.

    Raises UserError, naming the lines, for an invalid decision and for two that contradict each other.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise UserError(f"'{path}' must begin with the line '{','.join(COLUMNS)}'.")
            lines = [(row["sha256"], _decision(row, taxonomy, path, reader.line_num)) for row in reader]
    except FileNotFoundError:
        raise UserError(
            f"'{path}' does not exist; name the file in params.yaml at clean.decisions."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"'{path}' is not valid CSV in UTF-8: {error}.") from None
    decisions: dict[str, Decision] = {}
    for sha256, decision in lines:
        first = decisions.setdefault(sha256, decision)
        if not decision.agrees_with(first):
            raise UserError(
                f"'{path}', lines {first.line} and {decision.line}: they contradict each other on image "
                f"{sha256}; delete one of them."
            )
    return decisions


def _decision(row: dict[str, str], taxonomy: Taxonomy, path: Path, line: int) -> Decision:
    where = f"'{path}', line {line}"
    sha256, variety = row["sha256"], row["variety"] or None
    decision = next((kind for kind in DECISIONS if kind == row["decision"]), None)
    if not re.fullmatch("[0-9a-f]{64}", sha256 or ""):
        raise UserError(f"{where}: '{sha256}' is not the SHA-256 of an image (64 hexadecimal digits).")
    if decision is None:
        raise UserError(f"{where}: '{row['decision']}' is not a decision; use {', '.join(DECISIONS)}.")
    if (decision == "relabel") != (variety is not None):
        raise UserError(f"{where}: 'relabel' needs a variety, and no other decision takes one.")
    if variety is not None and variety not in taxonomy.varieties:
        raise UserError(f"{where}: there is no variety '{variety}' in the taxonomy.")
    return Decision(decision, variety, row["note"] or "", line)
