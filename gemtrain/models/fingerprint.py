"""Record the code that a recipe's network uses, so that DVC retrains it only when that code changes."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from gemkit.imports import ROOT, import_closure
from gemkit.project import Project
from gemkit.tables import write_text
from gemtrain.models.lookup import find_network

if TYPE_CHECKING:
    from gemtrain.recipe import Recipe


def write_fingerprint(project: Project, recipe: "Recipe") -> dict[str, str]:
    """Write `project.network(recipe.name)`: the SHA-256 of each file of `gemtrain/models` that it uses.

    Those are the files that build any network, and those that the module of this network imports. Returns the
    content. Raises UserError for an unknown network.
    """
    network = find_network(recipe.network)
    files = import_closure("gemtrain.models.factory") | import_closure(network.body.__module__)
    models = Path(__file__).parent.relative_to(ROOT)
    content = {"network": recipe.network} | {
        path.as_posix(): hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
        for path in sorted(files)
        if path.is_relative_to(models)
    }
    write_text(project.network(recipe.name), json.dumps(content, indent=2) + "\n")
    return content
