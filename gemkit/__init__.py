"""What the three packages share: errors, tables, parameters, progress, parallel work, the memo.

Imports nothing of them, and at import time nothing beyond the standard library and pyarrow.
"""
