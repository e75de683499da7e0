"""What the table in tests/TRUST.md is made of: one module a promise, each with a `measure` that returns its rows."""
