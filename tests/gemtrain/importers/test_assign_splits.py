"""Splits of any collection of images: no image in two, shares, and no influence of other images."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gemkit.errors import UserError
from gemtrain.importers.assign_splits import LabelledImage, assign

SPLIT_NAMES = ("train", "validation", "test")


@st.composite
def collections(draw: st.DrawFn) -> list[LabelledImage]:
    known = draw(
        st.sampled_from([[None], ["train"], ["train", "test"], ["train", "validation"], list(SPLIT_NAMES)])
    )
    one = st.tuples(st.sampled_from("abc"), st.sampled_from(known), st.integers(0, 60))
    return [
        LabelledImage(name, split, bytes([number]))
        for name, split, number in draw(st.lists(one, max_size=120))
    ]


@settings(deadline=None, max_examples=200)
@given(collections(), st.randoms(use_true_random=False))
def test_no_image_is_in_two_splits(images: list[LabelledImage], random: Any) -> None:
    try:
        found = assign(images, "x")
    except UserError:
        return
    used = [(image, split) for image, split in zip(images, found.splits, strict=True) if split]
    assert len({image.pixel_hash for image, _ in used}) == len(used)
    assert len(images) == len(used) + found.copies + found.contradicting
    classes = {image.variety for image, _ in used}
    assert {(image.variety, split) for image, split in used} == {(c, s) for c in classes for s in SPLIT_NAMES}
    for kept, split in used:
        copies = [image for image in images if image.pixel_hash == kept.pixel_hash]
        assert {image.variety for image in copies} == {kept.variety}
        if "test" not in found.drawn:  # the data's own test images, and only those, are test images
            assert (split == "test") == any(image.split == "test" for image in copies)
    shuffled = list(images)
    random.shuffle(shuffled)
    again = zip(shuffled, assign(shuffled, "x").splits, strict=True)
    assert {image.pixel_hash: split for image, split in again if split} == {
        image.pixel_hash: split for image, split in used
    }


@given(st.integers(3, 400), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_shares_of_drawn_splits(count: int, seed: int) -> None:
    images = [LabelledImage(name, None, f"{seed} {name} {n}".encode()) for name in "ab" for n in range(count)]
    found = assign(images, "x").splits
    one = Counter(found[:count])
    assert abs(one["test"] - 0.15 * count) <= 1 and abs(one["validation"] - 0.15 * count) <= 1
    more = [*images, *(LabelledImage("c", None, f"c {n}".encode()) for n in range(9))]
    assert assign(more, "x").splits[: 2 * count] == found
