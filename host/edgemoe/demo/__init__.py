"""The live demonstration: frames through an engine, shown in a page of this computer's browser or recorded."""
