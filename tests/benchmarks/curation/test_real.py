"""The benchmark on real pictures: its labels, boxes and intervals, and its tables of a small folder."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks._shared import ROOT
from benchmarks.curation import real
from benchmarks.curation._labelled import Picture, read_labels
from benchmarks.curation._real_tables import Judged, crop_table, dropped_table, estimate, kept_table, parts
from benchmarks.curation._stone_boxes import StoneBox, crop_scores, read_boxes
from gemkit.errors import UserError, run_command
from tests.helpers.stone_images import SIDE, TRUE_BOX, stone_image

HEAD = "file,label,note,source,original_sha256\n"


def labelled(folder: Path, text: str, head: str = HEAD) -> Path:
    """A file of labels with these lines, and the pictures `a.png` and `b.png`."""
    for number, name in enumerate("ab"):
        Image.fromarray(stone_image((30, 80, 190), number)).save(folder / f"{name}.png")
    path = folder / "labels.csv"
    path.write_text(head + text, encoding="utf-8")
    return path


def judged(
    label: str, source: str, *rules: str, note: str = "", kind: str | None = None, iou: float | None = None
) -> Judged:
    return Judged(Picture(Path("a.png"), "", label, note, source), frozenset(rules), kind, iou)


def test_labels_are_read_in_order_with_the_hashes_of_the_files(tmp_path: Path) -> None:
    path = labelled(tmp_path, 'b.png,hand,"glove, blue",shop,\na.png,stone,,shop,\n', "\ufeff" + HEAD)
    second, first = read_labels(path)
    assert second[2:] == ("hand", "glove, blue", "shop") and second.path == tmp_path / "b.png"
    assert first[2:] == ("stone", "", "shop") and first.sha256 != second.sha256
    assert read_labels(labelled(tmp_path, "shop,a.png,stone\n", "source,file,label\n"))[0].note == ""


@pytest.mark.parametrize(
    ("head", "text", "names"),
    [
        (HEAD, "a.png,hnad,,shop,\n", ("line 2", "hnad", "did you mean 'hand'")),
        ("file,lable,source\n", "a.png,stone,shop\n", ("lable", "did you mean 'label'")),
        ("file,label\n", "a.png,stone\n", ("lacks the column 'source'",)),
        ("file,label,source,label\n", "a.png,stone,shop,hand\n", ("twice",)),
        ("", "", ("lacks the column 'file'",)),
        (HEAD, "", ("no pictures",)),
        (HEAD, "a.png,stone,,shop,\nc.png,stone,,shop,\n", ("1 of 2 pictures", "c.png")),
        (HEAD, "a.png,stone,,shop,\na.png,hand,,shop,\n", ("twice", "a.png")),
        (HEAD, "a.png,stone\n", ("line 2", "cells")),
        (HEAD, "a.png,stone,,shop,,,\n", ("line 2", "cells")),
        (HEAD, "a.png,stone,,,\n", ("line 2", "'source' is empty")),
        (HEAD, 'a.png,stone,"un"closed,shop,\n', ("not valid CSV",)),
    ],
)
def test_bad_labels_are_one_sentence_and_exit_code_2(
    head: str,
    text: str,
    names: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = labelled(tmp_path, text, head)
    assert run(path, monkeypatch) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert all(name in error for name in names)


def test_labels_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_labels(path)
    path = tmp_path / "labels.csv"
    path.write_bytes(HEAD.encode() + b"a.png,stone,\xff,shop,\n")
    with pytest.raises(UserError, match="not valid CSV in UTF-8"):
        read_labels(path)


def test_each_label_is_split_by_note_and_given_without_a_large_source() -> None:
    rows = [judged("hand", "signs", note="sign")] * 5
    rows += [judged("hand", f"shop{number}") for number in range(10)] + [judged("stone", "shop0")] * 3
    counts = {name: len(part) for name, part in parts(rows, "hand")}
    assert counts == {"hand": 15, "hand: plain": 10, "hand: sign": 5, "hand without signs": 10}
    assert {name: len(part) for name, part in parts(rows, "stone")} == {"stone": 3}
    assert not list(parts(rows, "doc"))


def test_intervals_treat_pictures_of_a_source_as_one() -> None:
    random = np.random.default_rng(0)
    hits = random.random(400) < np.repeat(random.random(20), 20)
    grouped = estimate(hits, [str(row // 20) for row in range(400)]).interval
    single = estimate(hits, [str(row) for row in range(400)]).interval
    assert grouped.high - grouped.low > 1.5 * (single.high - single.low)


def test_an_interval_has_a_width_where_all_pictures_are_hits() -> None:
    assert estimate([True] * 4, ["shop"] * 4).interval.low < 0.5
    assert 0.5 < estimate([True] * 40, [str(row) for row in range(40)]).interval.low < 1


def test_generated_pictures_and_filled_frames_stand_apart_among_the_kept() -> None:
    rows = [judged("stone", "a"), judged("rough", "b"), judged("hand", "c"), judged("hand", "c", "hand")]
    rows += [judged("stone_ai", "d"), judged("rough_fill", "e")]
    table = kept_table(rows)
    assert "| all | 4 | 0.750 [" in table and "| without rough_fill | 3 | 0.667 [" in table
    assert "stone 1, rough 1, rough_fill 1, hand 1" in table


def test_the_rules_that_drop_a_label_are_counted() -> None:
    rows = [judged("hand", "a", "hand", "several"), judged("hand", "b", "hand"), judged("hand", "c")]
    lines = dropped_table(rows, ["hand", "doc"]).splitlines()
    assert lines[2].startswith("| hand | 3 | 3 | 2 | 0.667 [") and lines[2].endswith("| hand 2, several 1 |")
    assert not any("doc" in line for line in lines)


def test_bad_crops_are_counted_by_kind_and_note() -> None:
    rows = [judged("stone", "a", kind="plain", iou=0.9), judged("stone", "b", kind="box", iou=0.1)]
    rows += [judged("stone", "c", kind="box", iou=0.8, note="on paper"), judged("stone", "d")]
    lines = crop_table(rows).splitlines()[2:]
    found = {line.split(" | ")[0].strip("| "): line.split(" | ")[4] for line in lines}
    assert found == {"all": "1", "box": "1", "plain": "0", "stone: plain": "1", "stone: on paper": "0"}


def test_every_drawn_box_is_inside_its_picture() -> None:
    boxes = list(read_boxes().values())
    assert len(boxes) == 189
    assert {box.kind for box in boxes} == {"plain", "scene", "box", "tweezers", "retouched"}
    for box in boxes:
        assert len(bytes.fromhex(box.sha256)) == 32
        assert 0 <= box.left < box.right <= box.width and 0 <= box.top < box.bottom <= box.height


@pytest.mark.heavy
def test_crops_are_compared_with_the_drawn_box(tmp_path: Path) -> None:
    settings = real.read_settings(ROOT / "params.yaml")
    pictures = {}
    for name, (left, top, right, bottom) in {"good": TRUE_BOX, "moved": (0, 0, 110, 80)}.items():
        path = tmp_path / f"{name}.png"
        Image.fromarray(stone_image((30, 80, 190))).save(path)
        pictures[path] = StoneBox(name, SIDE, SIDE, "plain", left, top, right, bottom)
    crop = settings.crop.model_copy(update={"removal": "classical"})
    scores = crop_scores(pictures, crop, settings.crop_limits)
    assert scores["good"] > 0.95 and scores["moved"] == 0


@pytest.mark.heavy
def test_a_folder_is_measured_cleaned_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = labelled(
        tmp_path, "a.png,stone,,one,\nb.png,rough,,two,\nwhite.png,nostone,,two,\ncopy.png,nostone,,two,\n"
    )
    for name in ("white", "copy"):
        Image.new("RGB", (200, 200), "white").save(tmp_path / f"{name}.png")
    monkeypatch.setattr(real, "GEMS68", tmp_path / "missing")
    assert run(path, monkeypatch, "--out", str(tmp_path / "out")) == 0
    text = capsys.readouterr().out
    assert "| nostone | 2 | 1 | 2 | 1.000 [" in text and "| stone | 1 | 1 | 0 | 0.000 [" in text
    assert "| all | 2 | 1.000 [" in text and "gems68" in text
    lines = (tmp_path / "out/pictures.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path,sha256,label,note,source,rules,iou" and "blank" in lines[3]
    assert (tmp_path / "out/tables.md").read_text(encoding="utf-8") == text


def run(labels: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of the benchmark."""
    monkeypatch.setattr(sys, "argv", ["real.py", "--labels", str(labels), *arguments])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        run_command(real.main)
    return end.value.code
