"""Where pulled entries go."""
