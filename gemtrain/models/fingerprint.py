"""Record the code that a recipe's network uses, so that DVC retrains it only when that code changes."""

import hashlib
import json
from pathlib import Path

from gemkit.imports import ROOT, import_closure
from gemkit.tables import write_text
from gemtrain.models.lookup import find_network

FOLDER = Path("data/networks")


def write_fingerprint(recipe: str, network: str) -> dict[str, str]:
    """Write FOLDER/<recipe>.json: the SHA-256 of each file of `gemtrain/models` that the network uses.

    Those are the files that build any network, and those that the module of this network imports. Returns the
    content. Raises UserError for an unknown network.
    """
    files = import_closure("gemtrain.models.factory") | import_closure(find_network(network).body.__module__)
    models = Path(__file__).parent.relative_to(ROOT)
    content = {"network": network} | {
        path.as_posix(): hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
        for path in sorted(files)
        if path.is_relative_to(models)
    }
    write_text(FOLDER / f"{recipe}.json", json.dumps(content, indent=2) + "\n")
    return content
