"""The near end: the files of this machine. Calls block, and are made in worker threads."""
