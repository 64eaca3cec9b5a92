# Stands in for Vivado: tclsh vivado_stubs.tcl -mode batch ... -source FILE -tclargs WORDS
#
# Every command appends itself to $VIVADO_RECORD, words separated by tabs. Commands and options are those of Vivado's
# Tcl reference (UG835); anything else is an error, and so is the use of a cell that was not created.
set options {
    create_project {-force -part} close_project {} current_project {} current_fileset {}
    add_files {-norecurse -fileset} get_files {} update_compile_order {-fileset} update_ip_catalog {}
    set_property {-dict} get_property {} get_board_parts {-quiet} version {-short}
    ipx::package_project {-root_dir -vendor -library -taxonomy -import_files -set_current}
    ipx::current_core {} ipx::associate_bus_interfaces {-busif -clock} ipx::infer_bus_interface {}
    ipx::get_bus_interfaces {-of_objects} ipx::add_bus_parameter {} ipx::get_memory_maps {-of_objects}
    ipx::get_address_blocks {-of_objects} ipx::add_register {} ipx::get_registers {-of_objects}
    ipx::update_checksums {} ipx::check_integrity {} ipx::save_core {}
    create_bd_design {} create_bd_cell {-type -vlnv} create_bd_port {-dir} get_bd_cells {} get_bd_ports {}
    get_bd_pins {} get_bd_intf_pins {} connect_bd_net {} connect_bd_intf_net {}
    apply_bd_automation {-rule -config} validate_bd_design {} save_bd_design {}
    get_bd_addr_spaces {-of_objects} get_bd_addr_segs {-of_objects}
    assign_bd_address {-target_address_space -offset -range -force}
    make_wrapper {-files -top} launch_runs {-to_step -jobs} wait_on_run {} get_runs {} open_run {}
    report_utilization {-file} report_timing_summary {-file}
}

namespace eval ipx {}
set record [open $::env(VIVADO_RECORD) w]
set cells {}
set project ""

array set allowed $options
foreach {name words} $options {
    proc $name args "return \[called $name \$args\]"
}

proc called {name words} {
    foreach word $words {
        if {[regexp {^-[a-z_]+$} $word] && $word ni $::allowed($name)} { error "$name has no option '$word'" }
    }
    puts $::record [join [linsert $words 0 $name] "\t"]
    flush $::record
    return [answer $name $words]
}

# What a command returns.
proc answer {name words} {
    set last [lindex $words end]
    switch -glob -- $name {
        create_project { set ::project [lindex $words [expr {[lsearch $words -force] == 0 ? 2 : 1}]]; return $last }
        create_bd_cell { lappend ::cells $last; return $last }
        get_bd_pins - get_bd_intf_pins {
            if {[lindex [split $last /] 0] ni $::cells} { error "there is no pin $last: its cell was not created" }
            return $last
        }
        get_bd_cells { if {$last ni $::cells} { error "there is no cell $last" }; return $last }
        get_board_parts {
            set found {}
            foreach part $::env(VIVADO_BOARDS) { if {[string match $last $part]} { lappend found $part } }
            return $found
        }
        get_property { return [property {*}$words] }
        version { return 2025.2 }
        make_wrapper { return wrapper.v }
        launch_runs { implemented; return "" }
        report_utilization { write $last $::env(VIVADO_UTILISATION); return "" }
        report_timing_summary { write $last "timing"; return "" }
        ipx::* { return [expr {[llength $words] && ![string match -* $words] ? [lindex $words 0] : $name}] }
        get_* - create_* { return $last }
        current_* { return $name }
    }
    return ""
}

proc property {name object} {
    switch -- $name {
        STATS.WNS { return $::env(VIVADO_SLACK) }
        STATS.WHS { return 0.010 }
        PROGRESS { return $::env(VIVADO_PROGRESS) }
        STATUS { return "place_design ERROR" }
        DIRECTORY { return [expr {$object eq "impl_1" ? [file join $::project edgemoe.runs impl_1] : $::project}] }
    }
    error "the stubs know no property $name"
}

proc write {path text} {
    file mkdir [file dirname $path]
    set file [open $path w]
    puts $file $text
    close $file
}

# The files that implementation leaves.
proc implemented {} {
    write [file join $::project edgemoe.runs impl_1 edgemoe_wrapper.bit] "bits"
    set handoff [file join $::project edgemoe.gen sources_1 bd edgemoe hw_handoff edgemoe.hwh]
    file mkdir [file dirname $handoff]
    file copy -force $::env(VIVADO_HANDOFF) $handoff
}

set words $argv
set script [lindex $words [lsearch $words -source]+1]
set argv [lrange $words [lsearch $words -tclargs]+1 end]
if {[catch {source $script} message]} {
    puts stderr "ERROR: $message"
    exit 1
}
close $record
