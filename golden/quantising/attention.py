"""LayerNorm 1 and attention of one block: rewrites, grids, rounding."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from edgemoe_golden.quantising.equalise import Once, Rewrite, best_rewrite, nearest_weights
from edgemoe_golden.quantising.limits import Sample, on_grid, relative_errors
from edgemoe_golden.quantising.network import attended
from edgemoe_golden.quantising.rewrites import rewrite_norm, rewrite_scores, rewrite_values
from edgemoe_golden.quantising.work import Work


def quantise_attention(work: Work, index: int) -> None:
    """All steps of one block's attention; adds its output to both streams."""
    name, tensor = f"backbone.blocks.{index}", f"blocks.{index}"
    keys, values = _rewrite_products(work, name)
    norm = rewrite_norm_of(work, f"{name}.norm1", f"{name}.attn.qkv")
    exact, found = work.normalised(f"{name}.norm1")
    weight = work.state[f"{name}.attn.qkv.weight"]
    grid = work.grid(f"{tensor}.norm1", work.sample(found), lambda rows: rows @ weight.T, multiple=norm)
    wanted = _linear(work, f"{name}.attn.qkv", exact)
    parts = work.linear(f"{name}.attn.qkv", grid(found), grid, wanted).chunk(3, 1)
    learned, on_grids = [part[work.learned] for part in parts], []
    for place, (part, multiple) in enumerate((("query", keys), ("key", keys), ("value", values))):

        def read(rows: Tensor, place: int = place) -> Tensor:
            return _attended(work, *(rows if place == other else learned[other] for other in range(3)))

        grid = work.grid(f"{tensor}.{part}", work.sample(parts[place]), read, multiple=multiple)
        on_grids.append(grid(parts[place]))
    output = _attended(work, *on_grids)
    projection = work.state[f"{name}.attn.proj.weight"]
    grid = work.grid(f"{tensor}.attention", work.sample(output), lambda rows: rows @ projection.T)
    exact_update = _linear(work, f"{name}.attn.proj", _attended(work, *wanted.chunk(3, 1)))
    target = (work.exact - work.found).flatten(0, 1) + exact_update
    work.add(exact_update, work.linear(f"{name}.attn.proj", grid(output), grid, target))


def rewrite_norm_of(work: Work, norm: str, layer: str) -> float | None:
    """Zero points and scales of a LayerNorm that only one linear layer reads; the headroom that goes with them."""
    if not work.rewrites:
        return None
    weight, limit = work.state[f"{layer}.weight"], work.options.weight_limit(layer)
    meeting, bits = weight.abs().amax(0), work.options.activation_bits(norm.removeprefix("backbone."))

    once: Once[Tensor] = Once()

    def trial(learn: Sample, judge: Sample, made: Rewrite) -> float:
        rows = _grid(made(judge.values), made.limit(learn.values), bits)
        wanted = once(lambda: (judge.values - made.shift) @ weight.T, judge, made.shift)
        return error(rows @ nearest_weights(weight * made.scale, limit).T, wanted, judge)

    sample = work.sample(work.normalised(norm)[1])
    made = best_rewrite(sample, lambda own: (own.values, meeting), trial, *work.rewrites)
    rewrite_norm(work.state, norm, [layer], made.shift, made.scale)
    return made.multiple


def _rewrite_products(work: Work, name: str) -> tuple[float | None, float | None]:
    """Zero points of keys and values, scales of query and key, and of values; headroom of query and key, of values."""
    if not work.rewrites:
        return None, None
    layer = f"{name}.attn.proj"
    weight, limit = work.state[f"{layer}.weight"], work.options.weight_limit(layer)
    meeting, bits = weight.abs().amax(0), work.options.activation_bits(f"{name.removeprefix('backbone.')}.query")

    once: Once[Tensor] = Once()

    def exact(judge: Sample) -> Tensor:
        return once(lambda: _attended(work, *judge.values.chunk(3, 1)), judge)

    def trial_scores(learn: Sample, judge: Sample, made: Rewrite) -> float:
        query, key, value = judge.values.chunk(3, 1)
        limits = (learn.values.chunk(3, 1)[0] * made.scale).abs().max() * made.multiple, made.limit(_key(learn))
        output = _attended(work, _grid(query * made.scale, limits[0], bits), _grid(made(key), limits[1], bits), value)
        return error(output, exact(judge), judge)

    def trial_values(learn: Sample, judge: Sample, made: Rewrite) -> float:
        query, key, value = judge.values.chunk(3, 1)
        rows = _attended(work, query, key, _grid(made(value), made.limit(_value(learn)), bits))
        wanted = (exact(judge) - made.shift) @ weight.T  # a row of probabilities sums to 1
        return error(rows @ nearest_weights(weight * made.scale, limit).T, wanted, judge)

    _, found = work.normalised(f"{name}.norm1")
    sample = work.sample(_linear(work, f"{name}.attn.qkv", found))

    # k' = k/s and q' = q·s: the query takes the place of weights.
    keys = best_rewrite(
        sample, lambda own: (_key(own), own.values.chunk(3, 1)[0].abs().amax(0)), trial_scores, *work.rewrites
    )
    values = best_rewrite(sample, lambda own: (_value(own), meeting), trial_values, *work.rewrites)
    rewrite_scores(work.state, f"{name}.attn", keys.shift, keys.scale)
    rewrite_values(work.state, f"{name}.attn", values.shift, values.scale)
    return keys.multiple, values.multiple


def error(found: Tensor, wanted: Tensor, sample: Sample) -> float:
    """Sum over a sample's pictures of the relative error."""
    return float(relative_errors(found, wanted, sample.picture).sum())


def _grid(rows: Tensor, limit: Tensor, bits: int) -> Tensor:
    return on_grid(rows, limit, None, bits)


def _key(sample: Sample) -> Tensor:
    return sample.values.chunk(3, 1)[1]


def _value(sample: Sample) -> Tensor:
    return sample.values.chunk(3, 1)[2]


def _attended(work: Work, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attended(query, key, value, work.config.heads, work.config.tokens)


def _linear(work: Work, layer: str, rows: Tensor) -> Tensor:
    return functional.linear(rows, work.state[f"{layer}.weight"], work.state[f"{layer}.bias"])
