"""The thresholds and models of analysis: one module per area, each value with its unit, default, reason and source."""
