"""`python -m scraper.demo_store SETTINGS`: the process that `server.start` runs."""

import sys

from gemkit.errors import run_command
from scraper.demo_store.server import run_child

if __name__ == "__main__":
    run_command(lambda: run_child(sys.argv[1]))
