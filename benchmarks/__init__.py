"""What measures and reports: one module per make target, figures in build/reports."""
