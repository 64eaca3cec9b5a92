"""Generated files: the HLS header, the Verilog header and the reference pages, all from the specification.

`python -m edgemoe.spec.generate` writes them; `--check` says which are stale and fails.
"""
