"""Tensor names of dense vision transformers: those of Hugging Face transformers become timm's.

Both libraries compute the same network under other names. Two generations of transformers' names are known: those in
the files of its hub (`encoder.layer.0.attention.attention.query`) and those of its release 5
(`layers.0.attention.q_proj`). Sources: timm `vision_transformer.py`, and of transformers `modeling_vit.py` and those of
deit, dinov2, siglip and audio_spectrogram_transformer.
"""

from __future__ import annotations

import re

import torch

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.gates import require
from edgemoe_golden.importing.states import State

_PREFIX = re.compile(
    r"^(module|model|vit|deit|dinov2|dinov2_with_registers|vision_model|siglip|audio_spectrogram_transformer)\."
)
_LAYER = r"^(?:encoder\.)?layers?\.(\d+)\."
_RENAMES = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^embeddings\.cls_token$", "cls_token"),
        (r"^embeddings\.distillation_token$", "dist_token"),
        (r"^embeddings\.register_tokens$", "reg_token"),
        (r"^embeddings\.position_embeddings$", "pos_embed"),
        (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
        (r"^embeddings\.patch_embeddings\.projection\.(weight|bias)$", r"patch_embed.proj.\1"),
        (r"^embeddings\.patch_embedding\.(weight|bias)$", r"patch_embed.proj.\1"),
        (_LAYER + r"(?:layernorm_before|layer_norm1|norm1)\.(\w+)$", r"blocks.\1.norm1.\2"),
        (_LAYER + r"(?:layernorm_after|layer_norm2|norm2)\.(\w+)$", r"blocks.\1.norm2.\2"),
        (_LAYER + r"attention\.attention\.(query|key|value)\.(\w+)$", r"blocks.\1.attn.\2.\3"),
        (_LAYER + r"(?:attention|self_attn)\.q_proj\.(\w+)$", r"blocks.\1.attn.query.\2"),
        (_LAYER + r"(?:attention|self_attn)\.k_proj\.(\w+)$", r"blocks.\1.attn.key.\2"),
        (_LAYER + r"(?:attention|self_attn)\.v_proj\.(\w+)$", r"blocks.\1.attn.value.\2"),
        (_LAYER + r"attention\.output\.dense\.(\w+)$", r"blocks.\1.attn.proj.\2"),
        (_LAYER + r"(?:attention\.o_proj|self_attn\.out_proj)\.(\w+)$", r"blocks.\1.attn.proj.\2"),
        (_LAYER + r"layer_scale([12])\.lambda1$", r"blocks.\1.ls\2.gamma"),
        (_LAYER + r"(?:intermediate\.dense|mlp\.fc1)\.(\w+)$", r"blocks.\1.mlp.fc1.\2"),
        (_LAYER + r"(?:output\.dense|mlp\.fc2)\.(\w+)$", r"blocks.\1.mlp.fc2.\2"),
        (_LAYER + r"mlp\.(weights_in|weights_out)\.(\w+)$", r"blocks.\1.mlp.\2.\3"),
        (r"^(?:layernorm|post_layernorm)\.(\w+)$", r"norm.\1"),
        (r"^(?:classifier|cls_classifier)\.(weight|bias)$", r"head.\1"),
        (r"^distillation_classifier\.(weight|bias)$", r"head_dist.\1"),
    )
]
_THIRDS = ("query", "key", "value")


def is_transformers(state: State) -> bool:
    """Whether the names are those of Hugging Face transformers."""
    return any("embeddings.patch_embedding" in name for name in state)


def canonical_names(state: State) -> State:
    """The same tensors under timm's names; query, key and value become one qkv, a missing bias zeros.

    Names that no rule knows stay as they are, without their model's prefix. Raises CheckpointError.
    """
    if not is_transformers(state):
        return _with_bias(dict(state))
    renamed = {_renamed(name): value for name, value in state.items()}
    if "pos_embed" in renamed and renamed["pos_embed"].ndim == 2:  # SigLIP keeps it as an embedding table
        renamed["pos_embed"] = renamed["pos_embed"][None]
    for block in {match[1] for name in renamed if (match := re.match(r"blocks\.(\d+)\.attn\.query\.", name))}:
        _join_thirds(renamed, f"blocks.{block}.attn")
    return _with_bias(renamed)


def _join_thirds(state: State, attention: str) -> None:
    """Query, key and value of one block → qkv; thirds without a bias beside others with one get zeros.

    Raises CheckpointError when a third is missing or of another shape than the query.
    """
    width = state[f"{attention}.query.weight"].shape if f"{attention}.query.weight" in state else ()
    if len(width) != 2:
        raise CheckpointError(f"tensor '{attention}.query.weight' is missing or no matrix; expected [D, D]")
    weights = [require(state, f"{attention}.{third}.weight", tuple(width)) for third in _THIRDS]
    zeros = torch.zeros(width[0])
    biases = [
        require(state, f"{attention}.{third}.bias", (width[0],)) if f"{attention}.{third}.bias" in state else zeros
        for third in _THIRDS
    ]
    for third in _THIRDS:
        state.pop(f"{attention}.{third}.bias", None)
        del state[f"{attention}.{third}.weight"]
    state[f"{attention}.qkv.weight"], state[f"{attention}.qkv.bias"] = torch.cat(weights), torch.cat(biases)


def _renamed(name: str) -> str:
    while _PREFIX.match(name):
        name = _PREFIX.sub("", name, count=1)
    for pattern, new in _RENAMES:
        if pattern.match(name):
            return pattern.sub(new, name)
    return name


def _with_bias(state: State) -> State:
    """Layers without a bias (`qkv_bias=False`, `proj_bias=False`) get one of zeros."""
    for name in list(state):
        if re.search(r"(attn\.(qkv|proj)|mlp\.fc[12]|patch_embed\.proj|norm[12]?|head)\.weight$", name):
            bias = name.removesuffix("weight") + "bias"
            if bias not in state:
                state[bias] = torch.zeros(state[name].shape[0])
    return state
