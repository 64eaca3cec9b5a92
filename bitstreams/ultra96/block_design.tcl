# Ultra96-V2: HP0 and HP3, which lead to different ports of the DDR controller, carry weights; HPC0 carries data.

proc make_block_design {} {
    add_processing_system
    add_accelerator
    assign_addresses
}
