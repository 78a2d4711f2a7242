"""Every problem of a parsed file is one sentence that names the key as the file writes it."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt, field_validator, model_validator

from gemkit.errors import UserError
from gemkit.strict_model import StrictModel
from gemkit.validation import validate


class Circle(StrictModel):
    shape: Literal["circle"]
    radius: PositiveInt


class Square(StrictModel):
    shape: Literal["square"]
    side: PositiveInt


class Page(StrictModel):
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.1
    shares: list[Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=list)
    rules: dict[str, dict[str, Any] | Literal[False] | None] = Field(default_factory=dict)
    places: dict[str, Circle] = Field(default_factory=dict)
    drawn: Annotated[Circle | Square, Field(discriminator="shape")] | None = None
    paper: str = "a4"

    @field_validator("paper")
    @classmethod
    def _known(cls, paper: str) -> str:
        if paper == "wall":
            raise ValueError("is not a kind of paper")
        return paper

    @model_validator(mode="after")
    def _margin_fits(self) -> "Page":
        if self.margin > 0.9:
            raise ValueError("the margin leaves no room")
        return self


@pytest.mark.parametrize(
    ("values", "clause"),
    [
        ({"foo[0]": 1}, "unknown key 'p.foo[0]'; the keys are margin, shares, rules, places, drawn, paper"),
        ({5: 1}, "unknown key 'p.5'; the keys are margin, shares, rules, places, drawn, paper"),
        ({"places": {"a": {"b[1]": 1, "shape": "circle", "radius": 1}}},
         "unknown key 'p.places.a.b[1]'; the keys are shape, radius"),
        ({"rules": {5: {}}}, "the key 'p.rules.5' must be a string (found 5)"),
        ({"rules": {None: {}}}, "the key 'p.rules.None' must be a string (found None)"),
        ({"rules": {"text": 3}}, "'p.rules.text' must be a mapping of keys to values (found 3)"),
        ({"margin": "wide"}, "'p.margin' must be a number (found 'wide')"),
        ({"places": {"a": {"shape": "circle", "radius": "x"}}},
         "'p.places.a.radius' must be an integer (found 'x')"),
        ({"places": {"a": {"shape": "circle", "radius": 1.5}}},
         "'p.places.a.radius' must be an integer (found 1.5)"),
        ({"rules": [1]}, "'p.rules' must be a mapping of keys to values (found a list)"),
        ({"places": {"a": {"shape": "circle"}}}, "the key 'p.places.a.radius' is missing"),
        ({"drawn": {"shape": "circle", "side": 2, "radius": 1}},
         "unknown key 'p.drawn.side'; remove it or correct its spelling"),
        ({"drawn": {"shape": "oval"}}, "'p.drawn': 'shape' must be one of 'circle', 'square' (found 'oval')"),
        ({"margin": 1}, "'p.margin' must be at least 0 and below 1 (found 1)"),
        ({"margin": float("nan")}, "'p.margin' must be at least 0 and below 1 (found nan)"),
        ({"shares": [0, 2]}, "'p.shares[1]' must be at most 1 (found 2)"),
        ({"paper": "wall"}, "'p.paper': is not a kind of paper (found 'wall')"),
        ({"margin": 0.95}, "'p': the margin leaves no room"),
        ({"a\nb": 1}, "unknown key 'p.a\\nb'; the keys are margin, shares, rules, places, drawn, paper"),
    ],
)  # fmt: skip
def test_a_problem_is_one_clause(values: object, clause: str) -> None:
    with pytest.raises(UserError) as caught:
        validate(Page, values, "file", "p")
    assert str(caught.value) == f"'file': {clause}."


def test_a_long_value_is_cut() -> None:
    with pytest.raises(UserError) as caught:
        validate(Page, {"margin": "x" * 9999}, "file")
    assert len(str(caught.value)) < 300


def test_a_remedy_follows_the_problem() -> None:
    with pytest.raises(UserError, match=r"^'file': 'paper' must be a string \(found 4\); write it again\.$"):
        validate(Page, {"paper": 4}, "file", remedy="write it again")
