"""The middle: the only folder with task groups, queues, deadlines and retries."""
