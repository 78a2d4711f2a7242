"""The section of the report that explains its numbers."""

from gemtrain.report.page import Html, fill

_TERMS = """
<dl class="words">
<dt>Test images and groups</dt>
<dd>No model saw the test images, nor any other image of their groups: images of one stone or product form a
group, and a group is in one split only. In user-supplied data each image is its own group.</dd>
<dt>Top-1, top-3, top-5</dt>
<dd>The share of test images whose class is the model's first prediction, or among its first three or
five.</dd>
<dt>Interval</dt>
<dd>Other images would have given other numbers. The two numbers next to a share are its 95&nbsp;% interval:
whole groups are resampled 2,000 times (bootstrap). An interval of width zero means that no test image
contradicted the score, not that it is certain. For single classes it is Wilson's interval, with the images of
a group counted as one.</dd>
{species}<dt>Macro F1</dt>
<dd>Precision and recall combined, averaged over the classes: rare ones count as much as common ones.</dd>
<dt>Calibration error</dt>
<dd>The average gap between a model's confidence and its accuracy. Dividing its logits by
one number, the temperature, fitted on the validation images, often reduces it.</dd>
<dt>Random forest</dt>
<dd>200 decision trees that use only how often each colour and each fine texture occurs in an image. A
network below this baseline is not useful.</dd>
</dl>
"""

_SPECIES = """<dt>Species</dt>
<dd>Ruby and sapphire are both corundum. The species' share counts a prediction as correct when its species is
correct; the probabilities of a species' varieties are added up.</dd>
"""


def glossary_section(has_species: bool) -> Html:
    """The meaning of the report's terms; `has_species`: whether its numbers include scores by species."""
    return fill(
        '<section id="reading"><h2>How to read the numbers</h2>{words}</section>\n',
        words=fill(_TERMS, species=Html(_SPECIES if has_species else "")),
    )
