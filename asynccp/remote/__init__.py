"""What runs in a pod: the scripts, and how they are called. Knows nothing of the network."""
