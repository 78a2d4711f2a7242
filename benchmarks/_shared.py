"""Third-party data next to the project, or in the folder GEMSCRAPE_SHARED_DATA; it may be missing."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("GEMSCRAPE_SHARED_DATA", ROOT.parent / "shared/data")).resolve()
GEMS68 = SHARED / "gems68"
NO_GEMS68 = f"'{GEMS68}' is missing; set GEMSCRAPE_SHARED_DATA to the folder that contains gems68."
