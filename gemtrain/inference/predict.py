"""`gemtrain predict`: which varieties the stones on anyone's photos are, and whether the model is sure."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemtrain.evaluation.metrics import by_species
from gemtrain.importers.source import tidy
from gemtrain.inference.prepare_photos import Box, Photo, Skipped, crop_settings, find_photos, prepare_photos
from gemtrain.model_store import read_model
from gemtrain.scoring.model_outputs import predict
from gemtrain.scoring.selective_prediction import Confidence

#: The method of a crop that is the whole photo, for want of a stone in it.
NOTHING_FOUND = "original"

_TOP = 5
#: Photos that the network sees at once; the next ones are cropped meanwhile.
_BATCH = 16


class Guess(NamedTuple):
    """A class; `species` is None where that of the variety is open."""

    variety: str
    probability: float
    species: str | None


class Answer(NamedTuple):
    """What a model says of one photo: the most probable varieties, whether it is `sure` of the first, and the
    most probable species (None where open) with the probability of all its varieties.

    It is never sure of a photo in which no stone was found: it learnt from stones.
    """

    file: Path
    crop_box: Box | None
    method: str | None
    top: list[Guess]
    species: str | None
    species_probability: float
    sure: bool


class Predictor:
    """A trained model, <dataset>/<recipe>, and all it takes to ask it about a photo.

    Raises UserError when there is no such model, or what it needs is missing.
    """

    def __init__(self, name: str, device: torch.device):
        dataset, _, recipe = name.partition("/")
        if not dataset or not recipe or "/" in recipe:
            raise UserError(f"'{name}' names no model; write <dataset>/<recipe>, like d1k/gemnet.")
        self.model, about = read_model(dataset, recipe)
        self.device = device
        try:
            self.varieties: list[str] = about["varieties"]
            self.species: list[str | None] = about["species"]
            self.image_size: int = about["image_size"]
            self.channels: int = about["settings"]["channels"]
            self.views: int = about["settings"]["views"]
            self.confidence = Confidence(**about["confidence"])
            self.crop = crop_settings(about)
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"The description of the model '{name}' is not complete; train it again."
            ) from None

    def answers(self, files: Sequence[Path]) -> Iterator[Answer | Skipped]:
        """What the model says of each file, in order; a few photos are in memory at a time."""
        prepared = prepare_photos(files, self.image_size, self.channels, self.crop)
        with Progress("predict", len(files), "photos") as progress:
            while batch := list(islice(prepared, _BATCH)):
                answers = iter(self._ask([photo for photo in batch if isinstance(photo, Photo)]))
                yield from (photo if isinstance(photo, Skipped) else next(answers) for photo in batch)
                progress.advance(len(batch))

    def _ask(self, photos: list[Photo]) -> list[Answer]:
        if not photos:
            return []
        images = torch.from_numpy(np.stack([photo.pixels for photo in photos]))
        calibrated = self.confidence.calibrated(predict(self.model, images, self.device, self.views)[0])
        sure = self.confidence.is_sure(calibrated)
        labels = np.arange(len(self.varieties))
        kind_of, of_kinds = by_species(labels, calibrated, self.varieties, self.species)
        answers = []
        for row, photo in enumerate(photos):
            kind = of_kinds[row].argmax()
            guesses = [
                Guess(self.varieties[label], float(calibrated[row, label]), self.species[label])
                for label in np.argsort(-calibrated[row], kind="stable")[:_TOP]
            ]
            answers.append(
                Answer(
                    file=photo.file,
                    crop_box=photo.crop_box,
                    method=photo.method,
                    top=guesses,
                    species=self.species[labels[kind_of == kind][0]],
                    species_probability=float(of_kinds[row, kind]),
                    sure=bool(sure[row]) and photo.method != NOTHING_FOUND,
                )
            )
        return answers


def predict_photos(places: Sequence[Path], model: str, as_json: bool, device: torch.device) -> Iterator[str]:
    """The lines to print about the photos in files and folders, as they come.

    Photos that are skipped are named on standard error. Raises UserError when a place or the model is
    missing, and after the last photo when none could be used.
    """
    files = find_photos(places)
    predictor = Predictor(model, device)
    answers = _without_skipped(predictor.answers(files))
    return (_in_json if as_json else _in_words)(answers, predictor.confidence.threshold)


def _without_skipped(found: Iterable[Answer | Skipped]) -> Iterator[Answer]:
    answered = skipped = 0
    for photo in found:
        if isinstance(photo, Answer):
            answered += 1
            yield photo
        else:
            skipped += 1
            print(f"skipped '{tidy(photo.file)}': {photo.reason}", file=sys.stderr, flush=True)
    if skipped:
        print(f"{skipped:,} of {answered + skipped:,} photos skipped", file=sys.stderr)
    if not answered:
        raise UserError("No photo can be used; name JPEG, PNG or WebP files that other programs can open.")


def _in_json(answers: Iterable[Answer], threshold: float | None) -> Iterator[str]:
    """A JSON array, a record a line."""
    before = "[ "
    for answer in answers:
        yield before + json.dumps(as_record(answer, threshold))
        before = ", "
    yield "]"


def _in_words(answers: Iterable[Answer], threshold: float | None) -> Iterator[str]:
    sure = []
    for answer in answers:
        yield from as_lines(answer)
        sure.append(answer.sure)
    yield summary(sure, threshold)


def as_record(answer: Answer, threshold: float | None) -> dict[str, Any]:
    """An answer as `--json` has it; probabilities with four decimals."""
    return {
        "file": str(answer.file),
        "crop_box": answer.crop_box,
        "method": answer.method,
        "top": [{**guess._asdict(), "probability": round(guess.probability, 4)} for guess in answer.top],
        "species": {"species": answer.species, "probability": round(answer.species_probability, 4)},
        "sure": answer.sure,
        "threshold": threshold,
    }


def as_lines(answer: Answer) -> Iterator[str]:
    """An answer for a person: what it is, then the varieties it may be."""
    first = answer.top[0]
    verdict = f"{first.variety} {first.probability:.0%}"
    if answer.species:
        verdict += f", species {answer.species} {answer.species_probability:.0%}"
    if not answer.sure:
        why = " (no stone found, so the whole photo was looked at)" if answer.method == NOTHING_FOUND else ""
        verdict = f"not sure{why}; perhaps {verdict}"
    yield f"{tidy(answer.file)}: {verdict}"
    width = max(len(guess.variety) for guess in answer.top)
    for guess in answer.top:
        yield f"  {guess.probability:6.1%}  {guess.variety:{width}}  {guess.species or ''}".rstrip()


def summary(sure: Sequence[bool], threshold: float | None) -> str:
    """Of how many photos the model is sure, and from which confidence on it is."""
    if threshold is None:
        return (
            "This model is never sure: its answers on validation photos are too few, or too few of them are "
            "right, to tell from which confidence on it can be believed."
        )
    return f"sure of {sum(sure):,} of {len(sure):,}; sure means a probability of {threshold:.0%} or more"
