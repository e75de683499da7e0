"""Measurements against what people would use instead, on a real cluster, in the same run, as ratios."""
