"""All hostile archives, in one table."""

from benchmarks.trust.hostile import framing, kubectl, links, members, names

CASES = {case.name: case for module in (names, links, members, framing, kubectl) for case in module.CASES}
assert len(CASES) == sum(len(module.CASES) for module in (names, links, members, framing, kubectl)), (
    "a name comes twice"
)
