"""The files of a new project.

Most are links to the checkout's own files, which a wheel holds as copies. Decisions and DVC's settings, such
as a remote, belong to one project, so the template has its own.
"""

from pathlib import Path

from scraper.project.pipeline import project_pipeline

_FOLDER = Path(__file__).parent / "template"

#: By path in the project, the file in the folder `template`, where git and DVC would obey a .gitignore or a
#: dvc.yaml.
_FILES = {
    ".dvc/.gitignore": "dvc-gitignore",
    ".dvc/config": "dvc-config",
    ".dvcignore": "dvcignore",
    ".gitattributes": "gitattributes",
    ".gitignore": "gitignore",
    "labels/decisions.csv": "decisions.csv",
    "labels/taxonomy.toml": "taxonomy.toml",
    "params.yaml": "params.yaml",
    "sites/README.md": "sites.md",
}


def installed_pipeline() -> str:
    """The text of the dvc.yaml that the installed package writes to a project."""
    return project_pipeline((_FOLDER / "pipeline.yaml").read_text(encoding="utf-8"))


def project_files() -> dict[str, str]:
    """The texts of the files of a new project that do not depend on versions, by path in the project."""
    return {path: (_FOLDER / name).read_text(encoding="utf-8") for path, name in _FILES.items()}
