# Everything outside belongs to the processing system: no pins, and the only clock comes from it with its own constraint.
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
