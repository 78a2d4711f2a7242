"""`params.yaml`: the single configuration file, keyed by stage."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gemkit.errors import UserError

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")

#: Every section of params.yaml; each package validates its own sections.
SECTIONS = (
    "sites", "datasets", "recipes",
    "crawl", "measure", "clean", "crop", "split", "balance", "train", "evaluate", "limits",
)  # fmt: skip

DEFAULT_PATH = Path("params.yaml")


def load_params(path: Path = DEFAULT_PATH) -> dict[str, Any]:
    """Parse the file. Raises UserError for a missing file, invalid YAML or an unknown section."""
    import yaml

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _loader())
    except FileNotFoundError:
        raise UserError(
            f"'{path}' does not exist; run in the project's folder or pass the file with --params."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}") from None
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


def validate_section(path: Path, params: dict[str, Any], key: str, model: type[Model]) -> Model:
    """Validate `params[key]` with a pydantic model. Raises UserError that names the first wrong key."""
    from pydantic import ValidationError

    from gemkit.strict_model import RENAMED

    try:
        return model.model_validate(params.get(key) or {})
    except ValidationError as error:
        problem = error.errors()[0]
        # Pydantic names the members of a union by their type, as in dict[str,any].
        where = ".".join([key, *(str(part) for part in problem["loc"] if "[" not in str(part))])
        if problem["type"] == "extra_forbidden":
            raise UserError(f"'{path}': unknown key '{where}'; remove it or correct its spelling.") from None
        if problem["type"] == RENAMED:
            verb = "move" if "." in problem["ctx"]["new"] else "rename"
            raise UserError(f"'{path}': in '{where}' {problem['msg']}; {verb} the key.") from None
        raise UserError(f"'{path}': '{where}': {problem['msg']} (found {problem['input']!r}).") from None
