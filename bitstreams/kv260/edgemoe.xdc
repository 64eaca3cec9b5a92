# The only clock comes from the processing system with its own constraint. The one pin is the fan's, active low.
set_property PACKAGE_PIN A12 [get_ports fan_en_b]
set_property IOSTANDARD LVCMOS33 [get_ports fan_en_b]
set_property SLEW SLOW [get_ports fan_en_b]
set_property DRIVE 4 [get_ports fan_en_b]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
