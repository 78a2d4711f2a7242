"""The networks: one small function each, next to its default configuration.

To add a network, add a function decorated with `@network(…)` in a file of this folder. Any model of timm is
available as `timm/<name>` without one.

Import timm and torchvision inside that function: they take seconds to import, and a command lists every
network but builds one.
"""
