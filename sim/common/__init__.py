"""What every bench uses: phases of a cycle, streams, the runner, models of memory and of the compute unit."""
