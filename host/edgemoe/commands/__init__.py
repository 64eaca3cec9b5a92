"""Commands of the `edgemoe` tool, one file each."""
