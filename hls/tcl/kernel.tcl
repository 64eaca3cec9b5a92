# Classic flow of one kernel: vitis_hls -f hls/tcl/kernel.tcl -tclargs BOARD FOLDER, which edgemoe.kernels.vectors wrote.
set hls [file dirname [file dirname [file normalize [info script]]]]
set board [lindex $argv end-1]
set folder [file normalize [lindex $argv end]]
source [file join $hls generated $board vitis.tcl]
set vectors [file join $folder vectors.txt]
set flags "$flags -I$folder -I$hls"

open_project -reset one_kernel
set_top kernel_top
add_files [file join $hls tops kernel_top.cpp] -cflags $flags
add_files -tb [file join $hls tops testbench.cpp] -cflags $flags
open_solution -reset solution -flow_target vivado
set_part $part
create_clock -period $period -name default
csim_design -argv $vectors
csynth_design
cosim_design -argv $vectors
exit
