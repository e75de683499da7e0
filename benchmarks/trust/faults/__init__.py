"""What goes wrong on the way to a pod, and in one: by thousands of cases, each of which has a seed or a name."""
