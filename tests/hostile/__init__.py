"""What a pod may send, and what must be on the disk afterwards: the table is in benchmarks/trust/hostile."""
