"""Files of this machine. Calls block, and are made in worker threads."""
