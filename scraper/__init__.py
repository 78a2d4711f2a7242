"""gemscrape: a web store becomes raw images and the tables that say where each came from."""
