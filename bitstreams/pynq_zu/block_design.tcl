# PYNQ-ZU: the four HP ports carry weights, the first HPC port, without coherency, carries data.

proc make_block_design {} {
    add_processing_system
    add_accelerator
    assign_addresses
}
