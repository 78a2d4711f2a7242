"""The version of each stage, on which projects depend in place of code."""

#: Raise the number of a stage when a release changes what it computes from the same inputs and settings:
#: tables, images, models, metrics or figures. `gemscrape upgrade` writes the numbers to a project, and DVC
#: reruns the stages whose numbers have changed. Three rules save numbers and reruns:
#: - Stages after a changed one need no new number: they rerun when their inputs change.
#: - A changed recipe needs none: a project depends on the hash of the recipe's file.
#: - When a change in gemtrain/models changes results, raise `network`, not `train`: it hashes the files of
#:   each recipe's network, and only recipes that use a changed file are trained again.
#: Keep the number of a stage that is dropped, or the locks of older projects look newer than the package.
#: Raise `measure` and `crop` together with the VERSION of their memo.
STAGE_VERSIONS = {
    "measure": 2,
    "clean": 1,
    "crop": 1,
    "steps": 1,
    "split": 1,
    "balance": 1,
    "network": 1,
    "train": 1,
    "evaluate": 1,
    "report": 1,
}
