"""`params.yaml`: the one configuration, keyed by stage."""

import re
from pathlib import Path
from typing import Any

from gemkit.errors import UserError

#: Every section of params.yaml; each package checks the inside of its own.
SECTIONS = (
    "sites", "datasets", "recipes",
    "crawl", "measure", "clean", "crop", "split", "balance", "train", "evaluate", "limits",
)  # fmt: skip

DEFAULT_PATH = Path("params.yaml")


def load_params(path: Path = DEFAULT_PATH) -> dict[str, Any]:
    """The parsed file. Raises UserError for a missing file, YAML that cannot be read, an unknown section."""
    import yaml

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _loader())
    except FileNotFoundError:
        raise UserError(
            f"'{path}' does not exist; run in the project's folder or name it with --params."
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
    """PyYAML's, which knows YAML 1.1 alone, with the floats of 1.2, as DVC reads them: 5e-4 is a number."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    exponent = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+.0123456789"))
    return Loader


def validate_section(path: Path, params: dict[str, Any], key: str, model: Any) -> Any:
    """`params[key]` checked by a pydantic model; its first problem becomes one sentence with the key."""
    from pydantic import ValidationError

    from gemkit.strict_model import RENAMED

    try:
        return model.model_validate(params.get(key) or {})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join([key, *(str(part) for part in problem["loc"])])
        if problem["type"] == "extra_forbidden":
            raise UserError(f"'{path}': unknown key '{where}'; remove it or correct its spelling.") from None
        if problem["type"] == RENAMED:
            raise UserError(f"'{path}': in '{where}' {problem['msg']}; rename the key.") from None
        raise UserError(f"'{path}': '{where}': {problem['msg']} (found {problem['input']!r}).") from None
