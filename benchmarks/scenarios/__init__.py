"""The scenarios: each module says in its docstring what is compared, and has `measure(setting)`."""
