"""The part of the report that says what its numbers mean."""

from gemtrain.report.page import Html, fill

_WORDS = """
<dl class="words">
<dt>Test photos and groups</dt>
<dd>No model saw the test photos, nor any other photo of their groups: photos of one stone or product form a
group, and a group is on one side only. Of data of one's own, each picture is a group.</dd>
<dt>Top-1, top-3, top-5</dt>
<dd>The share of test photos whose class is the model's first answer, or among its first three or five.</dd>
<dt>Interval</dt>
<dd>Other photos would have given other numbers. The two numbers beside a share are its 95&nbsp;% interval:
whole groups are drawn again 2,000 times (bootstrap). An interval without width means that no test photo
contradicted the score, not that it is certain. For single classes it is Wilson's, with the photos of a group
counted as one.</dd>
{species}<dt>Macro F1</dt>
<dd>Precision and recall in one, averaged over the classes: rare ones count as much as common ones.</dd>
<dt>Calibration error</dt>
<dd>How far a model's confidence is from the share in which it is right, on average. Dividing its logits by
one number, the temperature, fitted on the validation photos, often mends it.</dd>
<dt>Random forest</dt>
<dd>200 decision trees that know only how often each colour and each fine texture occurs in a photo. A
network below it has learnt nothing that such counts do not tell.</dd>
</dl>
"""

_SPECIES = """<dt>Species</dt>
<dd>Ruby and sapphire are both corundum. The species' share counts an answer as right when the species is, the
probabilities of its varieties added up.</dd>
"""


def reading_section(has_species: bool) -> Html:
    """What the words of the report mean; `has_species`: scores by species are among its numbers."""
    return fill(
        '<section id="reading"><h2>How to read the numbers</h2>{words}</section>\n',
        words=fill(_WORDS, species=Html(_SPECIES if has_species else "")),
    )
