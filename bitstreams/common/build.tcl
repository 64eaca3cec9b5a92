# vivado -mode batch -source bitstreams/common/build.tcl -tclargs BOARD HARDWARE ENGINE SOURCES WORK
#
# ENGINE rtl: SOURCES is the folder of the Verilog. ENGINE hls: the folder of the IP that Vitis exported.
# Leaves edgemoe.bit, edgemoe.hwh, facts.txt and the reports in WORK. Called by `make bitstream`.
set common [file dirname [file normalize [info script]]]
set bitstreams [file dirname $common]
lassign $argv board_name hardware_name engine sources work

source [file join $bitstreams generated $board_name $hardware_name.tcl]
source [file join $common package_rtl.tcl]
source [file join $common block_design.tcl]
source [file join $common implement.tcl]
source [file join $bitstreams $board_name block_design.tcl]

file mkdir $work
if {$engine eq "rtl"} {
    set include [file join $sources generated $hardware]
    set ip_folder [package_rtl $sources $include [file join $work package]]
} else {
    set ip_folder $sources
}

create_project -force $ip_name [file join $work project] -part $part
set_property board_part [installed_board_part $board_part] [current_project]
set_property ip_repo_paths $ip_folder [current_project]
update_ip_catalog

create_bd_design $ip_name
make_block_design
validate_bd_design
save_bd_design

implement [file join $bitstreams $board_name $ip_name.xdc] $work
