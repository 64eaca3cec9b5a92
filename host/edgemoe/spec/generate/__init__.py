"""Generated files: headers of the engines, reference pages and what vendor tools read, all from the specification.

`python -m edgemoe.spec.generate` writes them; `--check` says which are stale and fails.
"""
