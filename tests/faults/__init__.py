"""What a person gets when the way to a pod fails: complete and identical, or failed and named; and nothing left."""
