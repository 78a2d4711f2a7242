"""The visible square is around the stone, or around the whole image."""

from curation.cropping.square_crop import square_around


def test_the_square_has_the_longer_side_of_the_box() -> None:
    assert square_around((10, 20, 110, 60), (200, 200, 3), 0.1) == (0, -20, 120, 100)
    assert square_around(None, (50, 30, 3), 0.1) == (-10, 0, 40, 50)
