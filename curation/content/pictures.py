"""The features of labelled pictures, which need not belong to any site."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curation.content.fit import Examples
from curation.content.labels import Labelled
from curation.features.extractor import Features, extract, squared
from curation.features.graph_file import graph_file
from curation.tables import FEATURE_LENGTH
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.image_codec import ImageError, decode
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemkit.project import Project

#: Raise it when the views or the features change.
_VERSION = 1


class _Picture(NamedTuple):
    sha256: str
    path: Path


def read_examples(pictures: Sequence[Labelled], project: Project, limits: Limits = Limits()) -> Examples:
    """The pictures with their features, which are kept in the project's cache.

    The views of a picture are itself and its mirror image. Raises UserError for a picture that cannot
    be decoded.
    """
    hashes = [hashlib.sha256(picture.path.read_bytes()).hexdigest() for picture in pictures]
    paths = {sha256: picture.path for sha256, picture in zip(hashes, pictures, strict=True)}
    with Memo("content", _VERSION, {}, project.cache) as memo:
        missing = [_Picture(sha256, paths[sha256]) for sha256 in memo.missing(sorted(paths))]
        see = functools.partial(_see, graph=graph_file(project.cache))
        with Progress("features", len(missing)) as progress:
            for finished in map_items(see, missing, limits):
                memo.put((picture.sha256, {}, _content(picture, result)) for picture, result in finished)
                progress.advance(len(finished))
        stored = b"".join(memo.get(sha256).pixels or b"" for sha256 in hashes)
    features = np.frombuffer(stored, np.float16).reshape(len(pictures), -1, FEATURE_LENGTH)
    return Examples(
        features, [picture.content for picture in pictures], [picture.source for picture in pictures]
    )


def _content(picture: _Picture, result: Features | str | GivenUp) -> bytes:
    if isinstance(result, GivenUp):
        raise UserError(f"'{picture.path}': reading it {result.reason}; remove it from the labels.")
    if isinstance(result, str):
        raise UserError(f"'{picture.path}' is no usable picture ({result}); remove it from the labels.")
    return result.tobytes()


def _see(picture: _Picture, graph: Path) -> Features | str:
    """The features [views, FEATURE_LENGTH] of a picture and of its mirror image, or why there are none."""
    try:
        pixels = decode(picture.path.read_bytes()).pixels
    except ImageError as error:
        return str(error)
    square = squared(pixels)
    return np.stack([extract(view, graph) for view in (square, square[:, ::-1])])
