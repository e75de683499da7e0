"""The far end: the API server, and what runs in a pod."""
