"""What has to fit on the chip, number by number, and that blocks of rows are the largest that do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgemoe.compiler.residency import Blocks, Need, blocks_of, is_resident, limits, on_chip_limits, streamed_limits
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import Buffer
from edgemoe.spec.model import load_model_config

SMALL, TINY = load_model_config("small"), load_model_config("tiny")  # 1200 patches of 768 features; 128
DENSE = replace(SMALL, moe_blocks=(), tasks=SMALL.tasks[:1], prefix_tokens=0)
STREAM = load_hardware_config("zcu102_stream")
KV260 = load_hardware_config("kv260_stream")
WIDE = ("blocks.0.qkv", "blocks.1.hidden")  # block 1 has experts


@pytest.mark.parametrize(
    ("need", "numbers"),
    [
        # In tiles of 4 rows: 1204 of 384 features, twice that for tasks whose rows differ.
        (Need(SMALL, 1, KV260), [1201, 1201, 1204 * 384, 1200 * 768, 4 * 1536, 1204 * 768]),
        (Need(SMALL, 2, KV260), [2402, 1201, 2404 * 384, 1200 * 768, 4 * 1536, 2404 * 768]),
        (Need(SMALL, 2, KV260, WIDE), [
            2402, 1201, 2404 * 384, 2404 * 768, 1200 * 768, 4 * 1536, 2404 * 2 * 768]),
        (Need(SMALL, 1, KV260, ("blocks.0.hidden",)), [1201, 1201, 1204 * 384, 1200 * 768, 4 * 3072, 1204 * 768]),
        # Row 0 stays unused without a prefix token.
        (Need(DENSE, 3, KV260), [1201, 1200, 1204 * 384, 1200 * 768, 4 * 1536]),
    ],
)  # fmt: skip
def test_what_all_rows_need(need: Need, numbers: list[int]) -> None:
    assert [needed for _, needed, _, _ in on_chip_limits(need)][: len(numbers)] == numbers


@pytest.mark.parametrize(
    ("need", "numbers"),
    [
        (Need(SMALL, 1, KV260), [1201, 1204 * 32, 4, 4 * 384, 4 * 768, 4 * 1536, 4 * 768]),
        (Need(SMALL, 2, KV260), [1201, 1204 * 32, 8, 8 * 384, 4 * 768, 8 * 1536, 8 * 768]),
        (Need(SMALL, 2, KV260, WIDE), [1201, 1204 * 64, 8, 8 * 768, 4 * 768, 8 * 1536, 8 * 2 * 768]),
        (Need(DENSE, 1, KV260), [1200, 1200 * 32, 4, 4 * 384, 4 * 768, 4 * 1536]),
        (Need(DENSE, 1, replace(KV260, token_par=1)), [1200, 1200 * 32, 1, 384, 768, 1536]),
    ],
)
def test_what_one_tile_of_rows_needs(need: Need, numbers: list[int]) -> None:
    assert [needed for _, needed, _, _ in streamed_limits(need)][: len(numbers)] == numbers


@pytest.mark.parametrize("of", [on_chip_limits, streamed_limits])
def test_what_does_not_depend_on_rows(of: object) -> None:
    """Width, experts, and a tile of 16 outputs of the widest layer, 1536 inputs of 8 bits and 8 bytes a channel."""
    found = list(of(Need(SMALL, 1, KV260)))[-4:]  # type: ignore[operator]
    assert [needed for _, needed, _, _ in found] == [384, 16, 2, 16 * (1536 + 8)]
    assert [available for _, _, available, _ in found] == [768, 16, 4, 1 << 20]


SIZES = {
    "rows of any buffer": "max_rows",
    "keys of attention": "max_tokens",
    "each of RESIDUAL": "row_elements",
    "HIDDEN (patches": "hidden_elements",
    "KEY and VALUE": "row_elements",
    "one tile of rows of each task, ": "max_rows",
    "HIDDEN (a tile of rows": "hidden_elements",
    "LayerNorm": "max_width",
    "experts per": "max_top_k",
    "weight prefetch": "prefetch_bytes",
}


@pytest.mark.parametrize("name", SIZES)
def test_each_limit_is_a_size_of_the_hardware(name: str) -> None:
    need = Need(SMALL, 1, KV260)
    found = [limit for limit in (*on_chip_limits(need), *streamed_limits(need)) if limit[0].startswith(name)]
    assert {available for _, _, available, _ in found} == {getattr(KV260, SIZES[name])}


def test_what_just_fits_stays_on_the_chip() -> None:
    """One row less, and blocks come and go where the hardware lets them."""
    roomy = replace(KV260, max_rows=1204, max_tokens=1201, row_elements=1204 * 384, hidden_elements=1204 * 768)
    assert is_resident(Need(SMALL, 1, roomy))
    for changes in ({"max_rows": 1200}, {"max_tokens": 1200}, {"row_elements": 1200 * 384},
                    {"hidden_elements": 1200 * 768}):  # fmt: skip
        need = Need(SMALL, 1, replace(roomy, **changes))
        assert not is_resident(need), changes
        assert list(limits(need)) == list(streamed_limits(need))
        kept = Need(SMALL, 1, replace(need.hardware, streaming=False))
        assert list(limits(kept)) == list(on_chip_limits(kept))
    assert list(limits(Need(SMALL, 1, roomy))) == list(on_chip_limits(Need(SMALL, 1, roomy)))


NEEDS = {
    f"{config.name} {tasks} {hardware.name} {room} {share} {len(wide)}": Need(
        config, tasks, replace(hardware, row_elements=room, hidden_elements=share * room, max_rows=rows), wide
    )
    for config, tasks in ((SMALL, 1), (SMALL, 2), (TINY, 2), (DENSE, 1), (replace(SMALL, heads=6), 1))
    for hardware in (replace(KV260, max_tokens=1204), STREAM)
    for room, rows in ((20_480, 1024), (64_000, 640), (101_376, 264), (400_000, 640))
    for share in (1, 4)
    for wide in ((), WIDE)
}


def largest(most: int, fits: list[bool]) -> int:
    """The last number from 1 to `most` that fits, where all before it do, too."""
    return next((number for number, fit in enumerate(fits[:most]) if not fit), most)


def expected(need: Need, most: int) -> Blocks:
    """By trying all sizes."""
    config, hardware, groups = need.config, need.hardware, need.groups
    tile, room, hidden = hardware.token_par, hardware.row_elements, hardware.hidden_elements
    inner, rows_of = need.inner, hardware.rows_of(Buffer.QUERY)
    numbers, head = range(1, 2049), config.head_width * inner

    def tiles(rows: int) -> int:
        return -(-rows // tile) * tile

    twice = 2 * config.tokens <= rows_of and tiles(2 * config.tokens) * head <= room  # of one head
    heads = max(
        [1]
        + [n for n in range(1, config.heads + 1)
           if config.heads % n == 0 and tiles((2 if twice else 1) * config.tokens) * n * head <= room]
    )  # fmt: skip
    width = heads * head
    queries = largest(most, [2 * n <= rows_of and 2 * n * width <= room for n in numbers])
    queries = min(config.tokens, max(tile, queries // tile * tile))
    if config.tokens <= most and 2 * config.tokens <= rows_of and tiles(2 * config.tokens) * width <= room:
        queries = config.tokens
    fits = [
        groups * n <= hardware.max_rows and groups * n * config.width * inner <= room
        and all(groups * n * need.hidden(moe) <= hidden for moe in {False, bool(config.moe_blocks)})
        for n in numbers
    ]  # fmt: skip
    tokens = min(config.tokens, max(tile, largest(most, fits) // tile * tile))
    # A tile beside them for the first token, whose row comes with the patches.
    patches = [
        n < hardware.max_rows and (n + tile) * config.width <= room and (n + tile) * config.embedded_features <= hidden
        for n in numbers
    ]
    return Blocks(min(config.input_rows, max(1, largest(most, patches))), tokens, heads, queries)


@pytest.mark.parametrize("most", [None, 24])
@pytest.mark.parametrize("name", NEEDS)
def test_blocks_are_the_largest_that_fit(name: str, most: int | None) -> None:
    need = NEEDS[name]
    assert blocks_of(need, most) == expected(need, most or need.hardware.rows_of(Buffer.QUERY))


def test_models_and_hardware_of_the_examples_differ() -> None:
    found = [blocks_of(need) for need in NEEDS.values()]
    for field in ("patches", "tokens", "heads", "queries"):
        assert len({getattr(blocks, field) for blocks in found}) > 2, field
