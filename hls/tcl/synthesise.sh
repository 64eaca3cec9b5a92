#!/bin/sh
# Synthesises the HLS engine for one hardware configuration: v++ where there is one, else the classic vitis_hls.
set -eu
board=${1:?usage: synthesise.sh BOARD}
hls=$(cd "$(dirname "$0")/.." && pwd)
generated=$hls/generated/$board
work=$hls/../build/hls/$board
if [ ! -f "$generated/vitis.cfg" ]; then
    echo "there is no hardware configuration '$board'; there are: $(ls "$hls/generated" | tr '\n' ' ')" >&2
    exit 1
fi
mkdir -p "$work"
if command -v v++ >/dev/null 2>&1; then
    exec v++ -c --mode hls --config "$generated/vitis.cfg" --work_dir "$work"
elif command -v vitis_hls >/dev/null 2>&1; then
    cd "$work"
    exec vitis_hls -f "$hls/tcl/synthesise.tcl" -tclargs "$board"
fi
echo "make hls needs AMD Vitis (written for 2025.2, the classic vitis_hls works too): install it and source its settings64.sh" >&2
exit 1
