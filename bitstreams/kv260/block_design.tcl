# KV260: the four HP ports carry weights, the first HPC port, without coherency, carries data.
# The fan hangs on a pin of the programmable logic, driven by a timer of the processing system: without it, it runs at
# full speed.

proc make_block_design {} {
    add_processing_system
    add_fan
    add_accelerator
    assign_addresses
}

proc add_fan {} {
    global processing_system

    set timer {CONFIG.PSU__TTC0__WAVEOUT__ENABLE 1 CONFIG.PSU__TTC0__WAVEOUT__IO EMIO}
    set_property -dict $timer [get_bd_cells $processing_system]
    set slice [create_bd_cell -type ip -vlnv xilinx.com:ip:xlslice fan_slice]
    set_property -dict {CONFIG.DIN_WIDTH 3 CONFIG.DIN_FROM 2 CONFIG.DIN_TO 2 CONFIG.DOUT_WIDTH 1} $slice
    connect_bd_net [get_bd_pins $processing_system/emio_ttc0_wave_o] [get_bd_pins fan_slice/Din]
    create_bd_port -dir O fan_en_b
    connect_bd_net [get_bd_pins fan_slice/Dout] [get_bd_ports fan_en_b]
}
