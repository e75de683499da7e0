"""Object stores: what one has, what is known of it, and the way there."""
