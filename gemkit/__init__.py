"""What the packages share: errors, tables, parameters, progress, parallel work, the memo, pictures, pages.

Imports nothing of them, and at import time nothing beyond the standard library and pyarrow; `images` also
numpy and Pillow.
"""
