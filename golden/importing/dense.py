"""Dense vision transformers of timm and Hugging Face transformers → an accelerator checkpoint.

The kind is read off the tensors. Exact rewrites on the way: LayerScale multiplies the layer before it
(γ·(W·x + b) = (γW)·x + γb), separate query, key and value become one layer, the final norm becomes the heads' own,
positions of a prefix token that has none are zero. What the tensors do not say comes from the library's configuration
beside them, else it is asked for.
"""

from __future__ import annotations

import re

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe_golden.importing.dense_config import DenseOptions, DenseShape
from edgemoe_golden.importing.dense_names import canonical_names, is_transformers
from edgemoe_golden.importing.dense_network import DenseNetwork
from edgemoe_golden.importing.source_config import SourceConfig
from edgemoe_golden.importing.states import State
from edgemoe_golden.importing.upstream import Imported

# Networks that are no plain pre-norm transformer, by a tensor that only they have.
_REFUSED = (
    (
        r"relative_position_bias_table|\.attn\.relative_position|rel_pos",
        "attention with relative positions, as Swin has",
    ),
    (r"^norm_pre\.|^(vision_model\.)?pre_layrnorm\.", "a norm before the first block, as CLIP has"),
    (r"\.attn\.(q|k)_norm\.", "norms of query and key"),
    (r"\.attn\.(q|v)_bias$", "attention with rotary or relative positions, as EVA and BEiT have"),
    (r"^embeddings\.(detection_tokens|mask_tokens?_)", "tokens of its own behind the patches, as YOLOS has"),
    (r"\.mlp\.(w12|w3|weights_in|weights_out|fc1_g)\.", "a gated MLP (SwiGLU)"),
    (r"^patch_embed\.(proj\.\d+|backbone|conv)\.|^patch_embeds?\.\d", "a convolution stem before the patches"),
    (r"^(stem|conv1|features\.0|layer1\.0)\b", "convolutions, a CNN"),
    (r"\.mlp\.(experts|gate)\.", "experts; name its configuration with --config"),
)
# What does not change the tokens, with what to say about it; None: nothing.
_LEFT_OUT = (
    (r"^embeddings\.mask_token$|^mask_token$", None),
    (r"^pooler\.", "the pooler, which only pre-training used"),
    (r"^attn_pool\.|^head\.(probe|attention|layernorm|mlp)", "attention pooling, which reads the task 'features'"),
    (r"^classifier\.(layernorm|dense)\.", "its classifier, which normalises pooled tokens once more"),
)


def is_dense(state: State) -> bool:
    """Whether a state dict looks like a vision transformer of timm or transformers rather than M³ViT's own file."""
    if is_transformers(state):
        return True
    own = any(name.startswith("backbone.") or ".mlp.experts." in name for name in state)
    return not own and "patch_embed.proj.weight" in state


def from_dense(
    state: State, source: SourceConfig, options: DenseOptions, library: str = ""
) -> tuple[Imported, tuple[str, ...]]:
    """The checkpoint, and sentences on what was found, chosen and left out; library: whose names the tensors have.

    Raises CheckpointError for a network of another kind, naming what it has, and for what is missing or contradictory.
    """
    library = library or ("transformers" if is_transformers(state) else "timm")
    refuse_other_kinds(state)
    single = next((name for name, value in state.items() if value.ndim == 0), None)
    if single is not None:
        raise CheckpointError(f"tensor {shown(single)} is a single number; no layer of a vision transformer has one")
    tensors = canonical_names(state)
    left = _leave_out(tensors)
    shape = DenseShape(tensors, source, options, library)
    network = DenseNetwork(shape)
    imported = network.imported()
    network.require_nothing_else()
    return imported, (shape.statement(), *shape.notes, *(f"left out: {what}" for what in left))


def refuse_other_kinds(state: State) -> None:
    """Raise CheckpointError for a network that is no plain pre-norm vision transformer, saying what it has."""
    for pattern, what in _REFUSED:
        found = next((name for name in state if re.search(pattern, name)), None)
        if found is not None:
            raise CheckpointError(
                f"tensor {shown(found)} belongs to {what}; plain pre-norm vision transformers run here"
            )


def _leave_out(state: State) -> list[str]:
    said = []
    for pattern, what in _LEFT_OUT:
        found = [name for name in state if re.search(pattern, name)]
        for name in found:
            del state[name]
        said += [what] if found and what else []
    return said
