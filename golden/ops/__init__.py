"""The accelerator's arithmetic, bit by bit: one operation a file, integers in and integers out, NumPy only.

Results depend on operands alone, never on the order of processing. Every other engine is compared with these by `==`.
"""
