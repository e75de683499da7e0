"""Is what asynccp promises so, how often was it tried, and what does kubectl cp do? The table is benchmarks/TRUST.md.

`promises/` has a module for each promise, which makes rows of the table; `hostile/`, `faults/`, `credentials/` and
`autobahn/` have the cases, and what runs them and counts what went wrong. Whatever counts is here. What pytest collects
is in tests/: it runs some of the same cases each time, all of them where they are quick. From there come the clusters,
fleets and archives, which these programs and the tests both stand on.
"""
