# Synthesis, place and route, and what is known about the result.

proc implement {constraints work} {
    global ip_name

    set design [get_files $ip_name.bd]
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top ${ip_name}_wrapper [current_fileset]
    add_files -fileset constrs_1 $constraints
    update_compile_order -fileset sources_1

    launch_runs impl_1 -to_step write_bitstream -jobs 4
    wait_on_run impl_1
    if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
        error "implementation stopped at '[get_property STATUS [get_runs impl_1]]'; its log is\
            [file join [get_property DIRECTORY [get_runs impl_1]] runme.log]"
    }
    open_run impl_1
    report_utilization -file [file join $work utilisation.rpt]
    report_timing_summary -file [file join $work timing.rpt]
    write_facts [file join $work facts.txt]

    set bit [file join [get_property DIRECTORY [get_runs impl_1]] ${ip_name}_wrapper.bit]
    file copy -force $bit [file join $work $ip_name.bit]
    set project [get_property DIRECTORY [current_project]]
    set pattern [file join $project $ip_name.gen sources_1 bd $ip_name hw_handoff $ip_name.hwh]
    file copy -force [lindex [glob $pattern] 0] [file join $work $ip_name.hwh]
}

# One `name value` a line, for the manifest.
proc write_facts {path} {
    global clock_mhz

    set run [get_runs impl_1]
    set file [open $path w]
    puts $file "vivado [version -short]"
    puts $file "clock_mhz $clock_mhz"
    puts $file "setup_slack_ns [get_property STATS.WNS $run]"
    puts $file "hold_slack_ns [get_property STATS.WHS $run]"
    close $file
}
