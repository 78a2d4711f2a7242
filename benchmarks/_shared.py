"""Where third-party data is, which may be missing; docs/external_data.md says where it comes from.

GEMSCRAPE_EXTERNAL_DATA names another folder than data/external.
"""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTERNAL = Path(os.environ.get("GEMSCRAPE_EXTERNAL_DATA", ROOT / "data/external")).resolve()
GEMS68 = EXTERNAL / "gems68"
NO_GEMS68 = f"'{GEMS68}' is missing; set GEMSCRAPE_EXTERNAL_DATA to the folder that contains gems68."
