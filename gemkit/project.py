"""A project: a folder with params.yaml, and where everything in it is."""

from dataclasses import dataclass
from pathlib import Path

from gemkit.errors import UserError

#: The parameter file of a project, relative to its folder. A folder that has one is a project.
PARAMS = Path("params.yaml")


class NotAProject(UserError):
    """A command that works on a project was run in a folder that is not one."""

    kind = "not_a_project"

    def __init__(self, folder: Path):
        super().__init__(
            f"'{folder}' is not a Gemscrape project, because it has no params.yaml; "
            "make one with 'gemscrape init FOLDER' and run the command in it."
        )
        self.folder = folder


@dataclass(frozen=True)
class Project:
    """The paths of a project; `root` is its folder, by default the current one. Nothing is created here.

    A `~` at the start of `root` is the user's home.

    Methods take the name of a site, a dataset or a recipe.
    """

    root: Path = Path()

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser())

    def path(self, relative: str | Path) -> Path:
        """A path that the project's files write relative to its folder; an absolute one is itself."""
        return self.root / relative

    @property
    def params(self) -> Path:
        """The parameter file."""
        return self.root / PARAMS

    # What people write.

    @property
    def sites(self) -> Path:
        """The folder of the project's own site files."""
        return self.root / "sites"

    @property
    def labels(self) -> Path:
        """The folder of the taxonomy and of people's decisions."""
        return self.root / "labels"

    @property
    def content_head(self) -> Path:
        """The project's own content head."""
        return self.labels / "content_head.npz"

    # The outputs of the stages, in their order.

    def raw(self, site: str) -> Path:
        """The folder of a site's images and their tables."""
        return self.root / "data/raw" / site

    def image(self, relative: str) -> Path:
        """The image file at a path as tables write it, relative to the folder of all sites' images."""
        return self.root / "data/raw" / relative

    def measured(self, site: str) -> Path:
        """The table of the measurements of a site's images."""
        return self.root / "data/measured" / f"{site}.parquet"

    def features(self, site: str) -> Path:
        """The table of the feature vectors of a site's images."""
        return self.root / "data/features" / f"{site}.parquet"

    @property
    def clean_table(self) -> Path:
        """The table that says which images are kept, and why the others are not."""
        return self.root / "data/clean.parquet"

    @property
    def crops(self) -> Path:
        """The folder of the crops."""
        return self.root / "data/crops"

    @property
    def split_table(self) -> Path:
        """The table of the splits and folds."""
        return self.root / "data/split.parquet"

    @property
    def datasets(self) -> Path:
        """The folder of all balanced datasets."""
        return self.root / "data/datasets"

    def dataset(self, dataset: str) -> Path:
        """The folder of a balanced dataset."""
        return self.datasets / dataset

    def network(self, recipe: str) -> Path:
        """The hashes of the code of a recipe's network."""
        return self.root / "data/networks" / f"{recipe}.json"

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.root / "models"

    def model(self, dataset: str, recipe: str) -> Path:
        """The folder of a model."""
        return self.models / dataset / recipe

    def predictions(self, dataset: str, recipe: str) -> Path:
        """The table of a model's predictions."""
        return self.root / "data/predictions" / dataset / f"{recipe}.parquet"

    # Figures and pages.

    @property
    def metrics(self) -> Path:
        """The folder of the metrics."""
        return self.root / "metrics"

    @property
    def plots(self) -> Path:
        """The folder of the figures."""
        return self.root / "plots"

    @property
    def reports(self) -> Path:
        """The folder of the pages and of what a run took."""
        return self.root / "reports"

    @property
    def exports(self) -> Path:
        """The folder of the exported models."""
        return self.root / "exports"

    # What can be deleted, at the price of computing or asking again.

    @property
    def cache(self) -> Path:
        """The folder of the caches."""
        return self.root / ".cache"

    @property
    def crawl_state(self) -> Path:
        """The folder of the crawls' states, which an interrupted crawl resumes from."""
        return self.cache / "crawl"

    @property
    def imported_datasets(self) -> Path:
        """The folder of datasets that were imported from user-supplied images."""
        return self.cache / "datasets"


def current_project(params: Path = PARAMS) -> Project:
    """The project of the current folder, for commands; `params` is their option `--params`.

    Raises NotAProject, unless another parameter file is named.
    """
    project = Project()
    if params == PARAMS and not project.params.is_file():
        raise NotAProject(Path.cwd())
    return project
