"""Code shared by all packages: errors, tables, parameters, progress, executors, the memo, images, HTML pages.

It imports none of the other packages. At import time its modules need only the standard library and pyarrow;
`image_codec` also needs NumPy and Pillow, `strict_model` pydantic.
"""
