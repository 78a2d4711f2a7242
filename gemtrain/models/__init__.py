"""The networks: one small function each, with its default configuration beside it.

A new network is one new function in a file of this folder, decorated with `@network(…)`. Any model of timm is
there as `timm/<name>` without one.
"""
