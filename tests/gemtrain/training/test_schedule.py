"""The schedule: which epoch is selected, steps, learning rates and batches."""

from pathlib import Path

import pytest
import torch

from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.recipe import Stage, load_settings
from gemtrain.training.schedule import plan_stages, rate_factor, row_batches
from tests.helpers.textures import SOURCES, write_params


def test_averaging_is_for_the_whole_network() -> None:
    with pytest.raises(ValueError, match=r'needs a stage that trains "all" \(found "head"\)'):
        Stage(epochs=1, learning_rate=0.1, train="head", ema_decay=0.9)
    with pytest.raises(ValueError, match="ema_decay\n  Input should be less than 1"):
        Stage(epochs=1, learning_rate=0.1, ema_decay=1.0)


def test_steps_are_capped_and_stages_shrink_equally(gems: Path) -> None:
    write_params(gemnet={"max_steps": None})
    whole, _ = load_settings(Path("params.yaml"), "gemnet")
    steps = round(3 * 2 * SOURCES["train"] / 8)
    assert [planned.steps for planned in plan_stages(whole, Dataset(Project(), "gems"))] == [
        15 * steps,
        5 * steps,
    ]
    write_params(gemnet={"max_steps": 40})
    capped, _ = load_settings(Path("params.yaml"), "gemnet")
    plan = plan_stages(capped, Dataset(Project(), "gems"))
    assert [planned.steps for planned in plan] == [30, 10]
    assert [len(planned.epoch_steps) for planned in plan] == [15, 5]
    assert all(steps == 2 for planned in plan for steps in planned.epoch_steps)


def test_rates_rise_and_fall_as_the_stage_specifies() -> None:
    stage = Stage(epochs=1, learning_rate=1.0, warmup=0.25, decay="cosine")
    factors = [rate_factor(stage, step, 40) for step in range(40)]
    assert factors[:10] == sorted(factors[:10]) and factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True) and factors[-1] < 0.01
    assert factors[25] == pytest.approx(0.5)
    assert {rate_factor(Stage(epochs=1, learning_rate=1.0), step, 40) for step in range(40)} == {1.0}


def test_batches_cover_every_row_once_per_pass_wherever_they_start() -> None:
    whole = list(row_batches(10, 4, 0, 10, seed=3))
    stream = torch.cat(whole)
    for number in range(4):
        assert sorted(stream[10 * number : 10 * number + 10].tolist()) == list(range(10))
    assert not torch.equal(stream[:10], stream[10:20])
    part = list(row_batches(10, 4, 6, 9, seed=3))
    assert all(torch.equal(one, other) for one, other in zip(part, whole[6:9], strict=True))
