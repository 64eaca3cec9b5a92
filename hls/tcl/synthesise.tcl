# Classic flow: vitis_hls -f hls/tcl/synthesise.tcl -tclargs BOARD
set hls [file dirname [file dirname [file normalize [info script]]]]
set board [lindex $argv end]
set generated [file join $hls generated $board]
source [file join $generated vitis.tcl]

open_project -reset edgemoe_$board
set_top $top
foreach source $sources {
    add_files [file join $hls $source] -cflags "$flags -I$generated"
}
open_solution -reset solution -flow_target vivado
set_part $part
create_clock -period $period -name default
config_interface -m_axi_addr64
csynth_design
export_design -format ip_catalog -ipname $ip_name -vendor $ip_vendor -library $ip_library -version $ip_version
exit
