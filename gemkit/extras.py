"""The extras of the installation, and which of them a library belongs to."""

import re
from collections.abc import Iterable

#: The distribution that all packages are installed by.
DISTRIBUTION = "gemscrape"

#: Modules whose distribution has another name. The names of all others differ in "-" and "_" only.
_DISTRIBUTIONS = {"cv2": "opencv-python-headless", "sklearn": "scikit-learn"}
#: Where several extras have a library: the extra of a package or command that is not the first of them.
_OWN_EXTRA = {"gemtrain": "train"}
#: A line of the metadata, such as `rembg[cpu]>=2.0.67; extra == "curate"`.
_REQUIREMENT = re.compile(r"""([\w.-]+).*;.*\bextra == ["']([\w-]+)["']""")


def extra_with(module: str, package: str) -> str | None:
    """The extra that installs a module for a package or command; None if no extra does."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        found = extras_with(module, requires(DISTRIBUTION) or [])
    except PackageNotFoundError:
        return None
    own = _OWN_EXTRA.get(package)
    return own if own in found else next(iter(found), None)


def extras_with(module: str, requirements: Iterable[str]) -> list[str]:
    """The extras that install a module, in the order of the requirements of the distribution's metadata."""
    wanted = normalised(_DISTRIBUTIONS.get(module, module))
    matches = [match for line in requirements if (match := _REQUIREMENT.match(line))]
    return [match[2] for match in matches if normalised(match[1]) == wanted]


def normalised(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
