"""`params.yaml`: the single configuration file, keyed by stage."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemkit.errors import UserError

if TYPE_CHECKING:
    from gemkit.strict_model import Model

#: Every section of params.yaml; each package validates its own sections.
SECTIONS = (
    "sites", "datasets", "recipes",
    "crawl", "measure", "clean", "crop", "split", "balance", "train", "evaluate", "limits",
)  # fmt: skip


def load_params(path: Path) -> dict[str, Any]:
    """Parse the file. Raises UserError for a missing file, invalid YAML or an unknown section."""
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise UserError(
            f"'{path}' does not exist; run in the project's folder or pass the file with --params."
        ) from None
    if not isinstance(content, dict):
        raise UserError(f"'{path}' must be a mapping with the keys {', '.join(SECTIONS)}.")
    for key in content:
        if key not in SECTIONS:
            raise UserError(f"'{path}': unknown key '{key}'; the keys are {', '.join(SECTIONS)}.")
    for key in ("sites", "datasets", "recipes"):
        names = content.get(key) or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"'{path}': '{key}' must be a list of names.")
    return content


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, read as DVC reads it. Raises UserError for invalid YAML, and OSError."""
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), _loader())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}") from None


def _loader() -> Any:
    """PyYAML's loader, extended by the floats of YAML 1.2: like DVC, it reads 5e-4 as a number.

    PyYAML itself supports YAML 1.1 only.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    exponent = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+.0123456789"))
    return Loader


def validate_section(path: Path, params: dict[str, Any], key: str, model: "type[Model]") -> "Model":
    """Validate `params[key]` with a pydantic model. Raises UserError that names the first wrong key."""
    from gemkit.validation import validate

    return validate(model, params.get(key) or {}, path, key)
