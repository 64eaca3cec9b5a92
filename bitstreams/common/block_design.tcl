# Parts of the block design that are the same on every board: processing system, accelerator, one memory port for each of its masters,
# an interrupt controller (PYNQ finds interrupts only behind one), one clock. Names come from bitstreams/generated.

# Vivado's newest version of a board; stops with the way to install it when there is none.
proc installed_board_part {name} {
    set found [lsort -dictionary [get_board_parts -quiet $name:*]]
    if {[llength $found] == 0} {
        error "Vivado has no board files for $name; install them with\
            'xhub::refresh_catalog \[xhub::get_xstores xilinx_board_store\]' and 'xhub::install', or the board's vendor"
    }
    return [lindex $found end]
}

# Clock pin of a port of the processing system: S_AXI_HP0_FPD has saxihp0_fpd_aclk, of a Zynq-7000 S_AXI_HP0 has S_AXI_HP0_ACLK.
proc port_clock {port} {
    global processing_system_kind
    if {$processing_system_kind eq "processing_system7"} {
        return ${port}_ACLK
    }
    return [string map {s_axi_ saxi m_axi_ maxi} [string tolower $port]]_aclk
}

proc add_processing_system {} {
    global processing_system processing_system_kind processing_system_reset control_master

    set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:$processing_system_kind $processing_system]
    set automation {apply_board_preset 1}
    if {$processing_system_kind eq "processing_system7"} {
        # The pins of memory and peripherals are ports of the design; masters and slaves are connected here, not by the rule.
        set automation {make_external {FIXED_IO, DDR} apply_board_preset 1 Master Disable Slave Disable}
    }
    apply_bd_automation -rule xilinx.com:bd_rule:$processing_system_kind -config $automation $cell
    set_property -dict [settings_of_$processing_system_kind] $cell

    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
    connect_bd_net [get_bd_pins $processing_system/$processing_system_reset] [get_bd_pins reset/ext_reset_in]
    connect_clock reset/slowest_sync_clk
    connect_clock $processing_system/[port_clock $control_master]
}

proc settings_of_zynq_ultra_ps_e {} {
    global connections clock_mhz port_bits

    set settings {
        CONFIG.PSU__USE__M_AXI_GP0 1
        CONFIG.PSU__USE__M_AXI_GP1 0
        CONFIG.PSU__USE__M_AXI_GP2 0
        CONFIG.PSU__USE__IRQ0 1
        CONFIG.PSU__AFI0_COHERENCY 0
        CONFIG.PSU__HIGH_ADDRESS__ENABLE 1
        CONFIG.PSU__FPGA_PL0_ENABLE 1
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL
    }
    lappend settings CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz
    foreach connection $connections {
        set parameter [lindex $connection 2]
        lappend settings CONFIG.PSU__USE__S_AXI_GP[string range $parameter end end] 1
        lappend settings CONFIG.PSU__${parameter}__DATA_WIDTH $port_bits
    }
    return $settings
}

proc settings_of_processing_system7 {} {
    global connections clock_mhz port_bits

    set settings {
        CONFIG.PCW_USE_M_AXI_GP0 1
        CONFIG.PCW_USE_M_AXI_GP1 0
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1
        CONFIG.PCW_IRQ_F2P_INTR 1
        CONFIG.PCW_EN_CLK0_PORT 1
    }
    lappend settings CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz
    foreach connection $connections {
        set port [lindex $connection 1]
        lappend settings CONFIG.PCW_USE_$port 1
        lappend settings CONFIG.PCW_${port}_DATA_WIDTH $port_bits
    }
    return $settings
}

# Connects a pin to the one clock.
proc connect_clock {pin} {
    global processing_system processing_system_clock
    connect_bd_net [get_bd_pins $processing_system/$processing_system_clock] [get_bd_pins $pin]
}

# Connects a pin to the reset that is low while the clock is not ready.
proc connect_reset {pin} {
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}

# One interconnect with so many masters behind it.
proc add_interconnect {name masters} {
    set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect $name]
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI $masters] $cell
    connect_clock $name/aclk
    connect_reset $name/aresetn
}

proc connect_bus {from to} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

proc add_accelerator {} {
    global processing_system processing_system_interrupt interrupt_controller cell ip_vendor ip_library ip_name ip_version
    global connections direct control_master control_port clock_pin reset_pin interrupt_pin

    create_bd_cell -type ip -vlnv $ip_vendor:$ip_library:$ip_name:$ip_version $cell
    connect_clock $cell/$clock_pin
    connect_reset $cell/$reset_pin

    set controller [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc $interrupt_controller]
    set_property CONFIG.C_IRQ_CONNECTION 1 $controller
    connect_clock $interrupt_controller/s_axi_aclk
    connect_reset $interrupt_controller/s_axi_aresetn
    connect_bd_net [get_bd_pins $cell/$interrupt_pin] [get_bd_pins $interrupt_controller/intr]
    connect_bd_net [get_bd_pins $interrupt_controller/irq] [get_bd_pins $processing_system/$processing_system_interrupt]

    add_interconnect control 2
    connect_bus $processing_system/$control_master control/S00_AXI
    connect_bus control/M00_AXI $cell/$control_port
    connect_bus control/M01_AXI $interrupt_controller/s_axi

    foreach connection $connections {
        lassign $connection master port
        if {$master in $direct} {
            # Weights of an UltraScale+: AXI4 of the port's width on both sides, so that nothing need stand between.
            connect_bus $cell/$master $processing_system/$port
        } else {
            # Of a Zynq-7000 every port is AXI3 of 64 bits, which the interconnect makes of AXI4 of 128 bits.
            set name memory_[string map {m_axi_ ""} $master]
            add_interconnect $name 1
            connect_bus $cell/$master $name/S00_AXI
            connect_bus $name/M00_AXI $processing_system/$port
        }
        connect_clock $processing_system/[port_clock $port]
    }
}

proc assign_addresses {} {
    global processing_system interrupt_controller cell connections control_port
    global control_base control_range interrupt_controller_base

    set processor [get_bd_addr_spaces $processing_system/Data]
    foreach {slave base} [list $cell/$control_port $control_base $interrupt_controller/s_axi $interrupt_controller_base] {
        set segment [get_bd_addr_segs -of_objects [get_bd_intf_pins $slave]]
        assign_bd_address -target_address_space $processor -offset $base -range $control_range -force $segment
    }
    foreach connection $connections {
        lassign $connection master port parameter blocks
        set space [get_bd_addr_spaces -of_objects [get_bd_intf_pins $cell/$master]]
        foreach block $blocks {
            assign_bd_address -target_address_space $space [get_bd_addr_segs $processing_system/$parameter/$block]
        }
    }
}
