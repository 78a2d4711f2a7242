"""Weights files: published ones of every network, wheels, downloads, and files that do not fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.models import pretrained
from gemtrain.models.loading import load_body, load_head, weights_file
from gemtrain.models.lookup import build, find_network, network_names
from tests.helpers.training import random_images

NETWORKS = network_names()


OWN = [name for name in NETWORKS if name.startswith("gemnet")]


def published_names(name: str) -> dict[str, Tensor]:
    """A file of a network as its library publishes it: correct names and shapes, but hardly any values."""
    import timm
    import torchvision

    with torch.device("meta"):
        if name.startswith("timm/"):
            model = timm.create_model(name.removeprefix("timm/"))
        elif name in ("densenet121", "mobilenet_v1"):
            model = timm.create_model({"mobilenet_v1": "mobilenetv1_100"}.get(name, name))
        elif name == "googlenet":
            model = torchvision.models.googlenet(init_weights=False)  # with its auxiliary outputs
        else:
            model = torchvision.models.get_model(name.removesuffix("_mixed"))
    state = {key: torch.zeros(()).expand(value.shape) for key, value in model.state_dict().items()}
    return {key: value for key, value in reversed(state.items()) if not key.endswith("num_batches_tracked")}


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:.*meta parameter")
@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in OWN and not name.startswith("efficientnet")]
)
def test_published_weights_fit_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "published.pth"
    tensors = published_names(name)
    torch.save(tensors, path)
    size = find_network(name).image_size
    with torch.device("meta"):
        model = build(name, 1000, size, channels=4)
    load_body(model.body, path, name)
    load_head(model.head, path, name)
    # A deeper network of the same family has all of these tensors, and more.
    part = next(iter(model.body.state_dict())).split(".")[0]
    torch.save(tensors | {f"{part}.99.weight": torch.zeros(3)}, path)
    with pytest.raises(UserError, match=f"does not hold the weights of the network '{name}'"):
        load_body(model.body, path, name)
    torch.save({key: value for key, value in tensors.items() if not key.endswith("weight")}, path)
    with pytest.raises(UserError, match=f"does not hold the weights of the network '{name}'"):
        load_body(model.body, path, name)
    with pytest.raises(UserError, match="1000 classes"):
        load_head(model.head, path, name)


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:.*meta parameter")
@pytest.mark.parametrize(
    "name",
    [
        "timm/tresnet_m",  # its own modules are called "body"
        "timm/caformer_s18",  # several last layers, next to a norm that stays
    ],
)
def test_files_of_timm_and_own_ones_fit_with_any_names_of_modules(name: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with torch.device("meta"):
        model = build(name, 3, 224)
    own = {key: torch.zeros(()).expand(value.shape) for key, value in model.state_dict().items()}
    for tensors in (own, published_names(name)):
        torch.save(tensors, path)
        load_body(model.body, path, name)
        torch.save({key: value for key, value in tensors.items() if not key.endswith("bias")}, path)
        with pytest.raises(UserError, match="does not hold the weights"):
            load_body(model.body, path, name)


@torch.no_grad()
def test_published_weights_give_the_published_outputs(tmp_path: Path) -> None:
    from torchvision.models import ResNet18_Weights, resnet18

    library = resnet18().eval()
    torch.save(dict(reversed(library.state_dict().items())), tmp_path / "published.pth")
    model = build("resnet18", 1000, 64).eval()
    load_body(model.body, tmp_path / "published.pth", "resnet18")
    load_head(model.head, tmp_path / "published.pth", "resnet18")
    images = random_images(2, 3, 64)
    published = ResNet18_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (published.mean, published.std))
    assert torch.allclose(model(images), library((images / 255 - mean) / std), atol=1e-4)


@pytest.mark.heavy
@torch.no_grad()
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_imagenet_weights_know_a_palace(name: str) -> None:
    """scikit-learn's sample image shows class 698 of ImageNet, a palace."""
    from sklearn.datasets import load_sample_image

    side = find_network(name).image_size
    palace = Image.fromarray(load_sample_image("china.jpg")).crop((106, 0, 533, 427)).resize((side, side))
    image = torch.from_numpy(np.array(palace)).permute(2, 0, 1)[None]
    model = build(name, 1000, side).eval()
    path = weights_file(Project(), name, "pretrained")
    assert path is not None
    load_body(model.body, path, name)
    load_head(model.head, path, name)
    assert model(image).argmax() == 698


def test_wheels_are_loaded_tensor_by_tensor() -> None:
    path = weights_file(Project(), "efficientnet_lite0", "pretrained")
    assert path is not None
    model = build("efficientnet_lite0", 2, 64)
    load_body(model.body, path, "efficientnet_lite0")
    published = list(torch.load(path, map_location="cpu", weights_only=True).values())
    after = model.body.state_dict().values()
    assert all(torch.equal(value, other) for value, other in zip(after, published, strict=False))


def test_learnt_poolings_may_be_missing(tmp_path: Path) -> None:
    plain, mixed = build("gemnet", 3, 48), build("gemnet_mixed_net", 3, 48)
    torch.save(plain.state_dict(), tmp_path / "plain.pt")
    load_body(mixed.body, tmp_path / "plain.pt", "gemnet_mixed_net")
    convolution = "features.0.weight"
    assert torch.equal(plain.body.state_dict()[convolution], mixed.body.state_dict()[convolution])
    torch.save(mixed.state_dict(), tmp_path / "mixed.pt")
    with pytest.raises(UserError, match="not hold the weights of the network 'gemnet'"):
        load_body(plain.body, tmp_path / "mixed.pt", "gemnet")


def test_weights_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no pretrained weights"):
        weights_file(Project(), "gemnet", "pretrained")
    with pytest.raises(UserError, match=r"gone\.pth"):
        weights_file(Project(), "gemnet", f"{tmp_path}/gone.pth")
    path = weights_file(Project(), "efficientnet_lite0", "pretrained")
    assert path is not None
    with pytest.raises(UserError, match="not hold the weights of the network 'gemnet'"):
        load_body(build("gemnet", 2, 64).body, path, "gemnet")
    (tmp_path / "list.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="not a readable weights file"):
        load_body(build("gemnet", 2, 64).body, tmp_path / "list.pth", "gemnet")
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install.*none"):
        weights_file(Project(), "efficientnet_lite0", "pretrained")


@pytest.mark.heavy
def test_every_layer_that_sees_the_image_takes_its_channels(tmp_path: Path) -> None:
    with torch.device("meta"):
        colour, grey = (build("timm/mobileone_s0", 2, 64, channels) for channels in (3, 1))
        assert grey.eval()(torch.empty(1, 1, 64, 64)).shape == (1, 2)
    zeros = {key: torch.zeros(()).expand(value.shape) for key, value in colour.state_dict().items()}
    torch.save(zeros, tmp_path / "colour.pt")
    load_body(grey.to_empty(device="cpu").body, tmp_path / "colour.pt", "timm/mobileone_s0")
