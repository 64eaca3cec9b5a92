#!/bin/sh
# Synthesises the HLS engine for one hardware configuration, or one kernel of it after simulating it on golden's vectors:
# v++ where there is one, else the classic vitis_hls.
set -eu
board=${1:?usage: synthesise.sh BOARD [KERNEL]}
kernel=${2:-}
hls=$(cd "$(dirname "$0")/.." && pwd)
generated=$hls/generated/$board
work=$hls/../build/hls/$board${kernel:+/$kernel}
if [ ! -f "$generated/vitis.cfg" ]; then
    echo "there is no hardware configuration '$board'; there are: $(ls "$hls/generated" | tr '\n' ' ')" >&2
    exit 1
fi
if [ -n "$kernel" ] && [ ! -f "$hls/tops/$kernel.hpp" ]; then
    kernels=$(cd "$hls/tops" && ls ./*.hpp | sed 's|./||; s|\.hpp||' | grep -v kernel_top | tr '\n' ' ')
    echo "there is no kernel '$kernel'; there are: $kernels" >&2
    exit 1
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
if [ -n "$kernel" ]; then
    "${PYTHON:-python3}" -m edgemoe.kernels.vectors "$kernel" "$board" "$work"
fi
if command -v v++ >/dev/null 2>&1; then
    if [ -z "$kernel" ]; then
        exec v++ -c --mode hls --config "$generated/vitis.cfg" --work_dir "$work"
    fi
    vitis-run --mode hls --csim --config "$work/vitis.cfg" --work_dir "$work"
    v++ -c --mode hls --config "$work/vitis.cfg" --work_dir "$work"
    exec vitis-run --mode hls --cosim --config "$work/vitis.cfg" --work_dir "$work"
elif command -v vitis_hls >/dev/null 2>&1; then
    cd "$work"
    if [ -z "$kernel" ]; then
        exec vitis_hls -f "$hls/tcl/synthesise.tcl" -tclargs "$board"
    fi
    exec vitis_hls -f "$hls/tcl/kernel.tcl" -tclargs "$board" "$work"
fi
echo "make hls needs AMD Vitis (written for 2025.2, the classic vitis_hls works too): install it and source its settings64.sh" >&2
exit 1
