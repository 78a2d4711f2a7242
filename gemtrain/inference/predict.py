"""`gemtrain predict`: the varieties of the stones on user-supplied images, and whether the model is sure."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from gemkit.arrays import Bytes
from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.project import Project
from gemtrain.device import choose_device
from gemtrain.evaluation.paths import model_parts
from gemtrain.importers.source import tidy
from gemtrain.inference.prediction import NOTHING_FOUND, ClassProbability, Prediction, SpeciesProbability
from gemtrain.inference.prepare_images import (
    PreparedImage,
    Skipped,
    crop_settings,
    find_images,
    prepare_images,
)
from gemtrain.model_store import model_names, read_model
from gemtrain.scoring.model_outputs import predict
from gemtrain.scoring.species import by_species

_TOP = 5
#: Images in a batch of the network; the next ones are cropped in the meantime.
_BATCH = 16


class Predictor:
    """A trained model, `<dataset>/<recipe>`, and everything needed to predict the classes of images.

    `device` is cpu or cuda; it is selected automatically when left out. Raises UserError when there is no
    such model, or something that it needs is missing.
    """

    def __init__(self, project: Project, name: str, device: torch.device | str | None = None):
        dataset, recipe = model_parts(name, model_names(project))
        self.model, self.metadata = read_model(project, dataset, recipe)
        self.device = choose_device(device)
        self.crop = crop_settings(self.metadata)

    def predict(self, images: Sequence[Path | str | Bytes]) -> list[Prediction]:
        """The predictions for a list of files, or of pixels [height, width, 3] uint8, in order.

        Images are cropped like the images that the model was trained on. Raises UserError for the first one
        that cannot be used; `stream` goes on.
        """
        predictions = []
        for number, result in enumerate(self.stream(images)):
            if isinstance(result, Skipped):
                name = f"'{tidy(result.file)}'" if result.file else f"number {number}"
                raise UserError(f"The image {name} cannot be used: {result.reason}.")
            predictions.append(result)
        return predictions

    def stream(self, images: Sequence[Path | str | Bytes]) -> Iterator[Prediction | Skipped]:
        """`predict` for many images, as they become available: only a few are in memory at a time.

        An image that cannot be used is `Skipped`. Raises UserError for pixels of another form.
        """
        if isinstance(images, str | Path):
            raise UserError(f"Give a list of images, like ['{images}'].")
        if isinstance(images, np.ndarray) and images.ndim != 4:
            raise UserError("Give a list of images, like [pixels].")
        inputs = [Path(image) if isinstance(image, str) else image for image in images]
        settings = self.metadata.settings
        prepared = prepare_images(inputs, self.metadata.image_size, settings.channels, self.crop)
        with Progress("predict", len(inputs), "images") as progress:
            while batch := list(islice(prepared, _BATCH)):
                predictions = iter(
                    self._predict_batch([image for image in batch if isinstance(image, PreparedImage)])
                )
                yield from (image if isinstance(image, Skipped) else next(predictions) for image in batch)
                progress.advance(len(batch))

    def _predict_batch(self, images: list[PreparedImage]) -> list[Prediction]:
        if not images:
            return []
        pixels = torch.from_numpy(np.stack([image.pixels for image in images]))
        confidence, views = self.metadata.confidence, self.metadata.settings.tta_views
        calibrated = confidence.calibrated(predict(self.model, pixels, self.device, views).probabilities)
        accepted = confidence.is_accepted(calibrated)
        varieties, species_of = self.metadata.varieties, self.metadata.species
        labels = np.arange(len(varieties))
        species_of_label, species_probabilities = by_species(labels, calibrated, varieties, species_of)
        predictions = []
        for row, image in enumerate(images):
            species = species_probabilities[row].argmax()
            top = [
                ClassProbability(varieties[label], float(calibrated[row, label]), species_of[label])
                for label in np.argsort(-calibrated[row], kind="stable")[:_TOP]
            ]
            predictions.append(
                Prediction(
                    file=image.file,
                    crop_box=image.crop_box,
                    method=image.method,
                    top=top,
                    species=SpeciesProbability(
                        species_of[labels[species_of_label == species][0]],
                        float(species_probabilities[row, species]),
                    ),
                    accepted=bool(accepted[row]) and image.method != NOTHING_FOUND,
                    threshold=confidence.threshold,
                )
            )
        return predictions


def predict_images(
    project: Project, paths: Sequence[Path], model: str, as_json: bool, device: torch.device | str | None
) -> Iterator[str]:
    """The lines to print about the images in files and folders, as they become available.

    Skipped images are named on standard error. Raises UserError when a path or the model is missing, and
    after the last image when none could be used.
    """
    files = find_images(paths)
    predictor = Predictor(project, model, device)
    predictions = _without_skipped(predictor.stream(files))
    threshold = predictor.metadata.confidence.threshold
    return _as_json(predictions) if as_json else _as_text(predictions, threshold)


def _without_skipped(found: Iterable[Prediction | Skipped]) -> Iterator[Prediction]:
    predicted = skipped = 0
    for result in found:
        if isinstance(result, Prediction):
            predicted += 1
            yield result
        else:
            skipped += 1
            print(f"skipped '{tidy(result.file)}': {result.reason}", file=sys.stderr, flush=True)
    if skipped:
        print(f"{skipped:,} of {predicted + skipped:,} images skipped", file=sys.stderr)
    if not predicted:
        raise UserError("No image could be used; give JPEG, PNG or WebP files that other programs can open.")


def _as_json(predictions: Iterable[Prediction]) -> Iterator[str]:
    """A JSON array, one record per line."""
    before = "[ "
    for prediction in predictions:
        yield before + json.dumps(prediction.to_json())
        before = ", "
    yield "]"


def _as_text(predictions: Iterable[Prediction], threshold: float | None) -> Iterator[str]:
    accepted = []
    for prediction in predictions:
        yield from as_lines(prediction)
        accepted.append(prediction.accepted)
    yield summary(accepted, threshold)


def as_lines(prediction: Prediction) -> Iterator[str]:
    """A prediction as text: the verdict, then the most probable varieties."""
    first = prediction.top[0]
    verdict = f"{first.variety} {first.probability:.0%}"
    species = prediction.species
    if species.species:
        verdict += f", species {species.species} {species.probability:.0%}"
    if not prediction.accepted:
        reason = (
            " (no stone found, so the whole image was used)" if prediction.method == NOTHING_FOUND else ""
        )
        verdict = f"not sure{reason}; perhaps {verdict}"
    yield f"{tidy(prediction.file)}: {verdict}"
    width = max(len(candidate.variety) for candidate in prediction.top)
    for candidate in prediction.top:
        line = f"  {candidate.probability:6.1%}  {candidate.variety:{width}}  {candidate.species or ''}"
        yield line.rstrip()


def summary(accepted: Sequence[bool], threshold: float | None) -> str:
    """The number of images that the model is sure of, and its confidence threshold."""
    if threshold is None:
        return (
            "This model is never sure: it has too few predictions on validation images, or too few correct "
            "ones, to fit the confidence threshold above which it can be trusted."
        )
    return (
        f"sure of {sum(accepted):,} of {len(accepted):,}; sure means a probability of {threshold:.0%} or more"
    )
