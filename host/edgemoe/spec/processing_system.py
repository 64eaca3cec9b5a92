"""The processing systems that boards have: names, addresses and memory ports as Vivado and PYNQ know them.

The accelerator's masters are AXI4 of 128 bits. A port of UltraScale+ takes them as they are; one of the 7-series is
AXI3 of 64 bits, so an interconnect converts, and a beat of a master takes two cycles of the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class ProcessingSystem:
    """One kind.

    instance, vlnv: its cell. architecture: of a handoff file; processor: as PYNQ names it. control_master: its AXI port
    for registers, of control_bits, which lie from control_base on, those of the interrupt controller behind them.
    clock, reset, interrupt: its pins. reference_mhz, pll_factor: the I/O PLL of every board here is their product, with
    the factor from bit factor_low of the PLL's register on. port_bytes: of a memory port; direct: masters that only
    read are connected straight to it. pll_name: as source of a clock. clock_parameters: of PL clock {0}: enabled,
    source, divisor, second divisor, MHz.
    memory_ports: port → name in addresses, prefix of its blocks. low_block: suffix of the block from address 0 on.
    """

    instance: str
    vlnv: str
    architecture: str
    processor: str
    control_master: str
    control_bits: int
    control_base: int
    clock: str
    reset: str
    interrupt: str
    reference_mhz: float
    pll_factor: int
    factor_low: int
    port_bytes: int
    direct: bool
    pll_name: str
    clock_parameters: tuple[str, str, str, str, str]
    memory_ports: Mapping[str, tuple[str, str]]
    low_block: str

    @property
    def kind(self) -> str:
        """Name of the IP."""
        return self.vlnv.split(":")[2]

    @property
    def pll_mhz(self) -> float:
        """I/O PLL, which the accelerator's clock is divided from."""
        return self.reference_mhz * self.pll_factor


ULTRASCALE_PLUS = ProcessingSystem(
    instance="zynq_ultra_ps_e_0",
    vlnv="xilinx.com:ip:zynq_ultra_ps_e:3.5",
    architecture="zynquplus",
    processor="aarch64",
    control_master="M_AXI_HPM0_FPD",
    control_bits=128,
    control_base=0xA000_0000,
    clock="pl_clk0",
    reset="pl_resetn0",
    interrupt="pl_ps_irq0",
    reference_mhz=100 / 3,
    pll_factor=45,
    factor_low=8,
    port_bytes=16,
    direct=True,
    pll_name="IOPLL",
    clock_parameters=(
        "PSU__FPGA_PL{0}_ENABLE",
        "PSU__CRL_APB__PL{0}_REF_CTRL__SRCSEL",
        "PSU__CRL_APB__PL{0}_REF_CTRL__DIVISOR0",
        "PSU__CRL_APB__PL{0}_REF_CTRL__DIVISOR1",
        "PSU__CRL_APB__PL{0}_REF_CTRL__ACT_FREQMHZ",
    ),
    memory_ports={
        "S_AXI_HPC0_FPD": ("SAXIGP0", "HPC0"),
        "S_AXI_HPC1_FPD": ("SAXIGP1", "HPC1"),
        "S_AXI_HP0_FPD": ("SAXIGP2", "HP0"),
        "S_AXI_HP1_FPD": ("SAXIGP3", "HP1"),
        "S_AXI_HP2_FPD": ("SAXIGP4", "HP2"),
        "S_AXI_HP3_FPD": ("SAXIGP5", "HP3"),
    },
    low_block="DDR_LOW",
)

ZYNQ_7000 = ProcessingSystem(
    instance="processing_system7_0",
    vlnv="xilinx.com:ip:processing_system7:5.5",
    architecture="zynq",
    processor="armv7l",
    control_master="M_AXI_GP0",
    control_bits=32,
    control_base=0x43C0_0000,
    clock="FCLK_CLK0",
    reset="FCLK_RESET0_N",
    interrupt="IRQ_F2P",
    reference_mhz=50,
    pll_factor=20,
    factor_low=12,
    port_bytes=8,
    direct=False,
    pll_name="IO PLL",
    clock_parameters=(
        "PCW_FPGA_FCLK{0}_ENABLE",
        "PCW_FCLK{0}_PERIPHERAL_CLKSRC",
        "PCW_FCLK{0}_PERIPHERAL_DIVISOR0",
        "PCW_FCLK{0}_PERIPHERAL_DIVISOR1",
        "PCW_ACT_FPGA{0}_PERIPHERAL_FREQMHZ",
    ),
    memory_ports={f"S_AXI_HP{index}": (f"S_AXI_HP{index}", f"HP{index}") for index in range(4)},
    low_block="DDR_LOWOCM",
)


def processing_system_of(part: str) -> ProcessingSystem:
    """That of a Zynq by the name of its device."""
    return ZYNQ_7000 if part.startswith("xc7z") else ULTRASCALE_PLUS
