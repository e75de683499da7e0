"""A cluster in one process: a loopback API server whose pods are temporary directories. For the demo and
for tests."""
