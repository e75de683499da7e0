"""The promises: each module says in its docstring what is promised, and has a `measure` that returns its rows."""
