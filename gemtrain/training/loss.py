"""The loss of a batch, of one network or of several experts, and its correct predictions."""

from torch import Tensor
from torch.nn import functional


def cross_entropy(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean cross entropy between logits [N, classes], or [N, experts, classes], and labels [N].

    `class_weights` [classes] are the weights of an example of each class.
    """
    if logits.dim() == 3:
        labels = labels.repeat_interleave(logits.shape[1])
        logits = logits.flatten(0, 1)
    return functional.cross_entropy(logits, labels, class_weights, label_smoothing=smoothing)


def correct_predictions(logits: Tensor, labels: Tensor) -> Tensor:
    """The number of correct predictions of logits [N, classes], or of the mean of [N, experts, classes]."""
    if logits.dim() == 3:
        logits = logits.mean(1)
    return (logits.argmax(1) == labels).sum()
