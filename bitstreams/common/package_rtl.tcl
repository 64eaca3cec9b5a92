# The Verilog engine as an IP of the name, ports and registers that the HLS engine's export has.

# Packages the Verilog files of a folder; returns the folder of the IP.
proc package_rtl {sources include destination} {
    global part top ip_vendor ip_library ip_name ip_version clock_pin interrupt_pin control_port connections read_only

    create_project -force package [file join $destination project] -part $part
    # The modules of all wings, and the headers that they include: only files of the project are copied into the IP,
    # and a header stays one, for there it is no module that could be compiled by itself.
    set headers [file join $sources include]
    add_files [lsort [glob -directory $sources *.v */*.v]]
    set included [concat [lsort [glob -directory $headers *.vh]] [lsort [glob -directory $include *.vh]]]
    add_files $included
    set_property file_type {Verilog Header} [get_files $included]
    set_property include_dirs [list $headers $include] [current_fileset]
    set_property top $top [current_fileset]
    update_compile_order -fileset sources_1

    set folder [file join $destination ip]
    ipx::package_project -root_dir $folder -vendor $ip_vendor -library $ip_library -taxonomy /UserIP -import_files \
        -set_current true
    set core [ipx::current_core]
    set_property name $ip_name $core
    set_property version $ip_version $core
    set_property display_name "EdgeMoE accelerator" $core

    foreach connection $connections {
        ipx::associate_bus_interfaces -busif [lindex $connection 0] -clock $clock_pin $core
    }
    foreach port $read_only {
        set master [ipx::get_bus_interfaces $port -of_objects $core]
        set_property value READ_ONLY [ipx::add_bus_parameter READ_WRITE_MODE $master]
    }
    ipx::associate_bus_interfaces -busif $control_port -clock $clock_pin $core
    ipx::infer_bus_interface $interrupt_pin xilinx.com:signal:interrupt_rtl:1.0 $core
    set interrupt [ipx::get_bus_interfaces $interrupt_pin -of_objects $core]
    set_property value LEVEL_HIGH [ipx::add_bus_parameter SENSITIVITY $interrupt]
    add_registers $core

    ipx::update_checksums $core
    ipx::check_integrity $core
    ipx::save_core $core
    close_project
    return $folder
}

# The register map, so that Vivado's hardware handoff names every register.
proc add_registers {core} {
    global control_port registers

    set map [ipx::get_memory_maps $control_port -of_objects $core]
    set block [lindex [ipx::get_address_blocks -of_objects $map] 0]
    foreach register $registers {
        lassign $register name offset access
        ipx::add_register $name $block
        set added [ipx::get_registers $name -of_objects $block]
        set_property address_offset $offset $added
        set_property size 32 $added
        set_property access $access $added
    }
}
