"""Credentials: whether a run outlives them, and whether a failure tells them."""
