"""Every registered network. Tests of shapes alone use the device "meta", which computes nothing."""

import pytest
import torch
from torch import Tensor, nn

from gemkit.errors import UserError
from gemtrain.models.classifier import layer_features
from gemtrain.models.lookup import build, find_network, network_names
from tests.helpers.slow import others_slow
from tests.helpers.training import random_images

NETWORKS = network_names()


OWN = [name for name in NETWORKS if name.startswith("gemnet")]

#: One network of each family.
FAMILIES = (
    *("alexnet", "densenet121", "efficientnet_lite0", "gemnet", "gemnet_residual"),
    *("googlenet", "mobilenet_v1", "resnet18", "vgg16"),
)


#: With 1000 classes as their authors or libraries state it; the own ones with the published 87.
PARAMETERS = {
    "alexnet": 61_100_840,
    "densenet121": 7_978_856,
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
    "gemnet": 2_792_855,
    "gemnet_mixed_channel": 2_792_855 + 32 + 64 + 3 * 128,
    "gemnet_mixed_layer": 2_792_855 + 5,
    "gemnet_mixed_net": 2_792_855 + 1,
    "gemnet_gated": 2_792_855 + 5 * 4,
    "gemnet_tree": 2_792_855 + 5 * 12,
    "googlenet": 6_624_904,
    "mobilenet_v1": 4_231_976,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "vgg16_mixed": 138_357_544 + 5,
    "vgg19": 143_667_240,
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", others_slow(NETWORKS, *FAMILIES))
def test_its_own_image_size(name: str) -> None:
    size, classes = find_network(name).image_size, 87 if name in OWN else 1000
    with torch.device("meta"):
        model = build(name, classes, size)
        images = torch.empty(2, 3, size, size)
        outputs = layer_features(model, images, ["early", "deep", "body"])
        logits = model.dense(model.convolve(images))
        logits.sum().backward()
    assert [key for key, value in model.named_parameters() if value.grad is None] == []
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == PARAMETERS.get(name, parameters)
    assert outputs["deep"].shape == logits.shape == (2, classes)
    assert outputs["body"].shape == (2, model.head.in_features)
    assert len(outputs["early"]) == 2 and 16 <= outputs["early"].shape[1] <= 256


@pytest.mark.heavy
@pytest.mark.parametrize("name", others_slow(NETWORKS, *FAMILIES))
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (64, 4)])
def test_other_images(name: str, size: int, channels: int) -> None:
    least = find_network(name).least_side
    with torch.device("meta"):
        if size < least:
            with pytest.raises(UserError, match=f"'{name}' takes images of at least {least} pixels"):
                build(name, 3000, size, channels)
            size = least
        model = build(name, 3000, size, channels)
        assert model(torch.empty(2, channels, size, size)).shape == (2, 3000)


@pytest.mark.parametrize("name", ["gemnet_strip", "gemnet_residual", "alexnet", "googlenet", "vgg16_mixed"])
def test_large_images(name: str) -> None:
    with torch.device("meta"):
        model = build(name, 5, 2000)
        assert model(torch.empty(1, 3, 2000, 2000)).shape == (1, 5)
    if name in OWN:
        assert sum(parameter.numel() for parameter in model.parameters()) < 3_000_000


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name", others_slow([name for name in NETWORKS if name not in ("vgg16", "vgg19")], *FAMILIES[:5])
)
def test_the_same_seed_gives_the_same_outputs(name: str) -> None:
    size = max(32, find_network(name).least_side)
    images = random_images(2, 3, size)
    outputs = []
    for seed in (3, 3) if name in OWN else (3,):
        torch.manual_seed(seed)
        model = build(name, 7, size).eval()
        with torch.inference_mode():
            outputs += [model(images), model(images)]
            embedding = model.embed(images)
    assert all(torch.equal(outputs[0], other) for other in outputs[1:])
    assert outputs[0].shape == (2, 7) and outputs[0].isfinite().all()
    assert not torch.equal(embedding[0], embedding[1])


@pytest.mark.heavy
@pytest.mark.parametrize("name", others_slow(OWN, "gemnet", "gemnet_residual"))
def test_it_can_memorise_a_few_images(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, 2, 36)
    images, labels = random_images(6, 3, 36), torch.arange(6) % 2
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
        if loss.item() < 0.1:
            return
    pytest.fail(f"the loss is still {loss.item():.2f}")


def test_gemnet_is_the_published_network() -> None:
    model = build("gemnet", 87, 222)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS["gemnet"]
    modules = list(model.body.modules())
    shapes = [module.weight.shape[:2] for module in modules if isinstance(module, nn.Conv2d)]
    assert shapes == [(32, 3), (64, 32), (128, 64), (128, 128), (128, 128)]
    pooling = [type(module) for module in modules if isinstance(module, nn.MaxPool2d | nn.AvgPool2d)]
    assert pooling == [nn.MaxPool2d, nn.MaxPool2d, nn.MaxPool2d, nn.AvgPool2d, nn.MaxPool2d]
    assert [module.p for module in modules if isinstance(module, nn.Dropout)] == [0.5]


@torch.no_grad()
def test_a_network_in_its_parts() -> None:
    for name in ("gemnet", "efficientnet_lite0"):
        model, images = build(name, 4, 40).eval(), random_images(2, 3, 40)
        logits = model(images)
        assert torch.allclose(model.dense(model.convolve(images)), logits, atol=1e-6)
        assert torch.allclose(model.head(model.embed(images)), logits, atol=1e-6)
        outputs = layer_features(model, images, ["deep", "early", "body"])
        assert list(outputs) != [] and torch.equal(outputs["deep"], logits)
        maps: list[Tensor] = []
        module = model.get_submodule(model.layers["early"])
        handle = module.register_forward_hook(lambda module, inputs, output, maps=maps: maps.append(output))
        model(images)
        handle.remove()
        assert torch.allclose(outputs["early"], maps[0].mean((2, 3)), atol=1e-6)
        with pytest.raises(UserError, match=r"no layer 'late'.*early"):
            layer_features(model, images, ["late"])


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "layer", "axes"),
    [
        ("timm/mambaout_femto", "body.stages.0", (1, 2)),  # [N, H, W, C]
        ("timm/test_convnext", "body.stages.1", (2, 3)),
        ("timm/test_convnext", "body.stages.0.blocks.0.norm", (1, 2)),  # reversed inside
        ("timm/test_vit", "body.blocks.0", (1,)),  # [N, tokens, C]
    ],
)
def test_maps_and_tokens_are_averaged_in_any_order_of_axes(
    name: str, layer: str, axes: tuple[int, ...]
) -> None:
    side = 192 if name == "timm/mambaout_femto" else 160  # maps of 48×48 of 48 channels
    model = build(name, 3, side).eval()
    seen: list[Tensor] = []
    model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: seen.append(output))
    outputs = layer_features(model, random_images(2, 3, side), [layer])[layer]
    assert torch.allclose(outputs, seen[0].mean(axes), atol=1e-5)


def test_a_layer_of_parts_of_images_is_refused() -> None:
    with torch.device("meta"):
        model = build("timm/swin_tiny_patch4_window7_224", 3, 224)
        assert layer_features(model, torch.empty(2, 3, 224, 224), ["body"])["body"].shape == (2, 768)
        with pytest.raises(UserError, match=r"'body\.layers\.0\.blocks\.0\.attn'.*name another"):
            layer_features(model, torch.empty(2, 3, 224, 224), ["body.layers.0.blocks.0.attn"])


@torch.no_grad()
def test_a_grey_image_gives_the_output_of_its_rgb_copy() -> None:
    torch.manual_seed(1)
    colour = build("efficientnet_lite0", 3, 32).eval()
    torch.manual_seed(1)
    grey = build("efficientnet_lite0", 3, 32, channels=1).eval()
    images = random_images(2, 1, 32)
    assert torch.allclose(grey(images), colour(images.expand(-1, 3, -1, -1)), atol=1e-4)
    with pytest.raises(UserError, match="2 channels"):
        build("gemnet", 3, 48, channels=2)


def test_any_model_of_timm() -> None:
    model = build("timm/resnet10t", 4, 64, channels=1)
    assert model(random_images(2, 1, 64)).shape == (2, 4)
    network = find_network("timm/resnet10t")
    assert network.weights is not None and network.mean == (0.485, 0.456, 0.406)
    with pytest.raises(UserError, match=r"no model 'resnetx'.*list_models"):
        build("timm/resnetx", 2, 64)
    with pytest.raises(UserError, match="only images of 224 pixels"):
        build("timm/vit_tiny_patch16_224", 2, 64)
    with pytest.raises(UserError, match="cannot take images of 20 pixels"):
        build("timm/vgg11", 2, 20)


def test_an_unknown_network_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"efficientnet_lite2, gemnet, .*timm/<name>"):
        build("gamenet", 2, 64)
