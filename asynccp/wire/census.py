"""Census: does a pull have what the pod says there is? Pure.

A tar that ends with 0 and an archive with its end marker may still be short: a wrapper, or an option in its
environment, lets it skip what it is told to. So the pod counts, once beside its tar and once more when that has ended.
What lives may gain and lose entries meanwhile: only fewer than there ever were is suspicious, less what the tar has
named.
"""


def missing(before: str, after: str, members: int, passed_over: int) -> int:
    """Return how many entries an archive lacks, at least.

    before, after: what the pod has counted, as it says it; empty where it can't. members: that the archive had.
    passed_over: that its tar named, or counted, as there but not read.
    """
    counts = [int(one) for one in (before, after) if one.isascii() and one.isdigit() and len(one) < 12]
    return max(0, min(counts) - members - passed_over) if len(counts) == 2 else 0
