# TUL PYNQ-Z2: HP2, which leads to another port of the DDR controller than HP0, carries weights; HP0 carries data.

proc make_block_design {} {
    add_processing_system
    add_accelerator
    assign_addresses
}
