"""Pictures whose content a person has labelled: a CSV file next to them."""

import csv
from pathlib import Path
from typing import NamedTuple

from gemkit.errors import UserError

#: What a picture may show: one cut stone; one rough one; several; a hand, bare or gloved; jewellery; a
#: document, chart or screenshot; a stone with printed words; nothing of these.
CONTENT_CLASSES = (
    "cut", "rough", "several", "hand", "jewellery", "document", "printed", "no_stone",
)  # fmt: skip

#: Other names of the classes in files of labels.
_SYNONYMS = {
    "stone": "cut", "rough_fill": "rough", "jewel": "jewellery", "doc": "document", "textstone": "printed",
    "watermark": "printed", "nostone": "no_stone",
}  # fmt: skip
#: The end of a label of a picture that a generator made. Nothing is learnt from it.
_GENERATED = "_ai"


class Labelled(NamedTuple):
    """A picture and what it shows; `source`: the shop or collection that it comes from."""

    path: Path
    content: str
    note: str
    source: str


def read_labels(file: Path) -> list[Labelled]:
    """The pictures of a CSV file with the columns `file`, relative to it, and `label`.

    A column `note` says more about a picture. A column `source` names its shop; without it each picture is
    its own source. Labels other than CONTENT_CLASSES and their synonyms are classes of the user's own.
    Pictures made by a generator are left out. Raises UserError, naming the line.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as content:
            reader = csv.DictReader(content)
            if not {"file", "label"} <= set(reader.fieldnames or ()):
                raise UserError(f"'{file}' must have the columns 'file' and 'label' in its first line.")
            rows = [_labelled(row, file, reader.line_num) for row in reader]
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"'{file}' does not exist; name a CSV file of labels.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"'{file}' is not valid CSV in UTF-8: {error}.") from None
    found: dict[Path, Labelled] = {}
    for row in rows:
        if found.setdefault(row.path, row).content != row.content:
            raise UserError(f"'{file}' gives '{row.path}' two labels; delete one of them.")
    return [row for row in found.values() if not row.content.endswith(_GENERATED)]


def _labelled(row: dict[str, str | None], file: Path, line: int) -> Labelled:
    name, label = row["file"] or "", (row["label"] or "").strip()
    path = file.parent / name
    if not name or not path.is_file():
        raise UserError(f"'{file}', line {line}: the picture '{path}' does not exist.")
    if not label:
        raise UserError(f"'{file}', line {line}: the picture '{name}' has no label.")
    return Labelled(path, _SYNONYMS.get(label, label), row.get("note") or "", row.get("source") or name)
