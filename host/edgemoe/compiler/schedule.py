"""Schedule: the instructions of a frame, in order, each with the weight segments that it consumes.

Rows of every buffer are task·tokens + token, in RESIDUAL from `first_row` on. What comes before the first MoE block's
experts does not depend on the task and runs once on the rows of task 0; then the residual stream is copied once per
further task. From there on an instruction covers the rows of all tasks, so that one pass over the weights, experts
included, serves them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgemoe.compiler.quantised import (
    HiddenGrid,
    QuantisedBlock,
    QuantisedFeedForward,
    QuantisedModel,
    QuantisedMoe,
    QuantisedNorm,
)
from edgemoe.compiler.step import Payload, Step, pack_expert
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Activation, Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.legality import Rows, normalised
from edgemoe.spec.memory import (
    LinearWeights,
    SegmentKind,
    pack_gate,
    pack_layernorm,
    pack_linear,
    pack_position,
)
from edgemoe.spec.model import ModelConfig


def schedule(model: QuantisedModel, tasks: Sequence[str], hardware: HardwareConfig) -> list[Step]:
    """Steps of one frame for `tasks` together, ending with HALT."""
    return list(Scheduler(model, tasks, hardware).steps())


def activation_of(config: ModelConfig, hardware: HardwareConfig) -> Activation:
    """The table of δ that a model is run with: GELU's for tanh GELU, too, where a build has no other."""
    return Activation[config.activation.upper()] if hardware.activations else Activation.GELU


class Scheduler:
    """Walks the network once; `groups` is the number of row groups in use, 1 up to the first MoE block.

    tokens: rows of each group on chip. first_row: of the first group in RESIDUAL.
    """

    def __init__(self, model: QuantisedModel, tasks: Sequence[str], hardware: HardwareConfig) -> None:
        self.model = model
        self.config = model.config
        self.tasks = tuple(tasks)
        self.hardware = hardware
        self.activation = activation_of(model.config, hardware)
        self.groups = 1
        self.tokens = model.config.tokens
        self.first_row = model.config.first_row

    @property
    def rows(self) -> int:
        """Rows of all groups."""
        return self.groups * self.tokens

    def steps(self) -> Iterator[Step]:
        """All of a frame, HALT last."""
        yield self._patch_embed()
        for index, block in enumerate(self.model.blocks):
            yield from self._attention_half(index, block)
            yield from self._mlp_half(index, block)
        for position, task in enumerate(self.tasks):
            yield from self._head(position if self.groups > 1 else 0, task)
        yield Step("halt", Instruction(Opcode.HALT))

    def _linear_payload(self, weights: LinearWeights) -> Payload:
        return SegmentKind.LINEAR, lambda: pack_linear(weights, self.hardware)

    def _patch_embed(self) -> Step:
        config = self.config
        instruction = Instruction(
            Opcode.PATCH_EMBED,
            rows=config.input_rows,
            in_features=config.embedded_features,
            out_features=config.width,
            narrow_weights=int(self.model.patch_embed.narrow),
            segments=2,
        )
        position = (SegmentKind.POSITION, lambda: pack_position(self.model.position, self.hardware))
        payloads = (position, self._linear_payload(self.model.patch_embed))
        return Step("patch embed", instruction, payloads)

    def _layernorm(
        self, label: str, norm: QuantisedNorm, first: int, rows: int, gated: bool = False, ahead: bool = False
    ) -> Step:
        """Rows from token `first` on, to NORM from row 0 on; in 16 bits, too, for gates or where layers read those.

        ahead: the 16 bits are the residual stream's.
        """
        gate_copy = gated or norm.wide
        instruction = Instruction(
            Opcode.LAYERNORM,
            gate_copy=int(gate_copy),
            residual_copy=int(ahead),
            rows=rows,
            in_features=self.config.width,
            source_row=self.first_row + first,
            shift=norm.shift,
            output_shift=norm.gate_shift if gate_copy and not ahead else 0,
            epsilon=norm.epsilon,
            segments=1,
        )
        payload = (SegmentKind.LAYERNORM, lambda: pack_layernorm(norm.weights, self.hardware))
        return Step(label, instruction, (payload,))

    def _linear(
        self,
        label: str,
        weights: LinearWeights,
        epilogue: Epilogue,
        source: Rows,
        destination: Rows,
        grid: HiddenGrid | None = None,
    ) -> Step:
        outputs, inputs = weights.weight.shape
        instruction = Instruction(
            Opcode.LINEAR,
            epilogue=epilogue,
            source=source.buffer,
            destination=destination.buffer,
            wide_source=int(source.wide or source.buffer == Buffer.GATE_INPUT),
            wide_result=int(destination.wide),
            narrow_weights=int(weights.narrow),
            rows=source.rows,
            in_features=inputs,
            out_features=outputs,
            source_row=source.first,
            destination_row=destination.first,
            output_multiplier=grid.multiplier if grid else 0,
            output_shift=grid.shift if grid else 0,
            output_zero=grid.zero if grid else 0,
            activation=self.activation if grid else Activation.GELU,
            segments=1,
        )
        return Step(label, instruction, (self._linear_payload(weights),))

    def _attention_half(self, index: int, block: QuantisedBlock) -> Iterator[Step]:
        if self.config.gate_input_ahead and isinstance(block.mlp, QuantisedMoe):
            yield from self._gates_ahead(index, block.norm1, block.mlp)
            if block.norm1.wide:
                yield self._layernorm(f"block {index} norm1 of 16 bits", block.norm1, 0, self.rows)
        else:
            yield self._layernorm(f"block {index} norm1", block.norm1, 0, self.rows)
        yield self._qkv(index, block)
        for group in range(self.groups):
            suffix = f" {self.tasks[group]}" if self.groups > 1 else ""
            instruction = replace(self._attention(block), source_row=group * self.tokens)
            yield Step(f"block {index} attention{suffix}", instruction)
        yield self._projection(index, block)

    def _qkv(self, index: int, block: QuantisedBlock) -> Step:
        tokens = Rows(normalised(block.norm1.wide), 0, self.rows, self.config.width)
        joint = Rows(Buffer.QUERY, 0, self.rows, self.config.width, block.attention.wide)
        return self._linear(f"block {index} qkv", block.attention.qkv, Epilogue.QKV, tokens, joint)

    def _attention(self, block: QuantisedBlock) -> Instruction:
        """Of all heads, over the rows of the first group."""
        attention = block.attention
        return Instruction(
            Opcode.ATTENTION,
            wide_source=int(attention.wide),
            wide_result=int(attention.wide_output),
            rows=self.tokens,
            in_features=self.config.width,
            heads=self.config.heads,
            multiplier=attention.score_multiplier,
            shift=attention.score_shift,
            output_multiplier=attention.output_multiplier,
            output_shift=attention.output_shift,
        )

    def _projection(self, index: int, block: QuantisedBlock) -> Step:
        attention = block.attention
        heads = Rows(normalised(attention.wide_output), 0, self.rows, self.config.width)
        residual = Rows(Buffer.RESIDUAL, self.first_row, self.rows, self.config.width)
        return self._linear(f"block {index} projection", attention.projection, Epilogue.RESIDUAL, heads, residual)

    def _mlp_half(self, index: int, block: QuantisedBlock) -> Iterator[Step]:
        name, moe = f"block {index}", isinstance(block.mlp, QuantisedMoe)
        gated = moe and not self.config.gate_input_ahead
        yield self._layernorm(f"{name} norm2", block.norm2, 0, self.rows, gated)
        if isinstance(block.mlp, QuantisedMoe):
            yield from self._moe(index, block, block.mlp)
        else:
            yield from self._dense(name, block, block.mlp)

    def _dense(self, name: str, block: QuantisedBlock, mlp: QuantisedFeedForward) -> Iterator[Step]:
        """Row blocks of what HIDDEN holds; each block streams the weights again."""
        width, hidden, first = self.config.width, len(mlp.up.bias), self.first_row
        tile, row = self.hardware.token_par, Rows(Buffer.HIDDEN, 0, 1, hidden, block.hidden.wide)
        block_rows = self.hardware.hidden_elements // (row.elements * tile) * tile
        for start in range(0, self.rows, block_rows):
            rows = min(block_rows, self.rows - start)
            suffix = f" rows {start}…{start + rows - 1}" if self.rows > block_rows else ""
            tokens = Rows(normalised(block.norm2.wide), start, rows, width)
            inner, residual = row._replace(rows=rows), Rows(Buffer.RESIDUAL, first + start, rows, width)
            yield self._linear(f"{name} mlp up{suffix}", mlp.up, Epilogue.GELU, tokens, inner, block.hidden)
            yield self._linear(f"{name} mlp down{suffix}", mlp.down, Epilogue.RESIDUAL, inner, residual)

    def _moe(self, index: int, block: QuantisedBlock, moe: QuantisedMoe) -> Iterator[Step]:
        config = self.config
        yield from self._copies(f"block {index} copy")
        if not config.gate_input_ahead:
            yield from self._gates(index, moe)
        self.groups = len(self.tasks)
        instruction = Instruction(
            Opcode.EXPERTS,
            wide_source=int(block.norm2.wide),
            wide_result=int(block.hidden.wide),
            narrow_weights=int(moe.experts[0].up.narrow),
            in_features=config.width,
            hidden_features=config.expert_hidden,
            experts=config.experts,
            output_multiplier=block.hidden.multiplier,
            output_shift=block.hidden.shift,
            output_zero=block.hidden.zero,
            activation=self.activation,
            segments=config.experts,
        )
        payloads = tuple(self._expert_payload(expert) for expert in moe.experts)
        queued = Rows(Buffer.RESIDUAL, 0, self.rows, config.width)
        yield Step(f"block {index} experts", instruction, payloads, (queued,))

    @property
    def _split(self) -> bool:
        """Whether the tasks part in this block: all have the rows of the first so far."""
        return self.groups == 1

    def _copies(self, label: str) -> Iterator[Step]:
        """The residual stream once per further task, where they part."""
        tokens = self.tokens
        for group in range(1, len(self.tasks) if self._split else 1):
            copy = Instruction(Opcode.COPY, rows=tokens, in_features=self.config.width, destination_row=group * tokens)
            yield Step(f"{label} {self.tasks[group]}", copy)

    def _gates(self, index: int, moe: QuantisedMoe) -> Iterator[Step]:
        tokens = self.tokens
        for group, task in enumerate(self.tasks):
            yield self._gate(index, moe, task, 0 if self._split else group * tokens, group * tokens)

    def _gates_ahead(self, index: int, norm: QuantisedNorm, moe: QuantisedMoe) -> Iterator[Step]:
        """LayerNorm 1 and gates that read the block's input; GATE asks for the rows that experts will update."""
        yield self._layernorm(f"block {index} norm1", norm, 0, self.rows, gated=True, ahead=True)
        yield from self._copies(f"block {index} rows")
        yield from self._gates(index, moe)

    def _gate(self, index: int, moe: QuantisedMoe, task: str, source_row: int, destination_row: int) -> Step:
        gate = moe.gates[self.config.task_index(task)]
        instruction = Instruction(
            Opcode.GATE,
            rows=self.tokens,
            in_features=self.config.width,
            source_row=source_row,
            destination_row=destination_row,
            experts=self.config.experts,
            top_k=self.config.top_k,
            multiplier=gate.multiplier,
            shift=gate.shift,
            biased=int(gate.bias is not None),
            renormalise=int(self.config.renormalised_scores),
            segments=1,
        )
        payload = (SegmentKind.GATE, lambda: pack_gate(gate.weight, self.hardware, gate.bias))
        return Step(f"block {index} gate {task}", instruction, (payload,), task=task, block=index)

    def _expert_payload(self, expert: QuantisedFeedForward) -> Payload:
        return SegmentKind.EXPERT, lambda: pack_expert(expert, self.hardware)

    def _head(self, group: int, task: str) -> Iterator[Step]:
        first, rows = self.config.head_rows(task)
        yield from self._head_rows(task, group * self.tokens + first, rows)

    def _head_rows(self, task: str, first: int, rows: int) -> Iterator[Step]:
        config, head = self.config, self.model.heads[task]
        yield self._layernorm(f"head {task} norm", head.norm, first, rows)
        instruction = Instruction(
            Opcode.HEAD,
            wide_source=int(head.norm.wide),
            narrow_weights=int(head.linear.narrow),
            rows=rows,
            in_features=config.width,
            out_features=config.head_outputs(task),
            segments=1,
        )
        yield Step(f"head {task}", instruction, (self._linear_payload(head.linear),), task=task)
