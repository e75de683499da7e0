"""Measurements against what people would use instead, and against limits, in the same run, as ratios of medians."""
