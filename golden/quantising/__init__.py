"""The quantiser: ranges, exact rewrites, rounding and biases of a checkpoint's layers, from pictures.

One file per step: `rewrites` (zero points and equalisation, both exact), `limits` (ranges by the error they cause in
the next layer), `equalise` (which scales), `rounding` (by second-order error, GPTQ), `experts` (their tokens' share of
it). `attention`, `mlp` and `mixture` take a block's parts through them, `quantiser` the
network, `recipe` a checkpoint with its pictures for any widths, `command` a folder. `gains` says which steps are kept.
"""
