"""Census: does a pull have what the pod says there is? Pure.

A tar that ends with 0 and an archive with its end marker may still be short: a wrapper, or an option in its
environment, lets it skip what it is told to. So the pod counts beside its tar. Fewer than that, less what the tar has
named, is suspicious, and chance where entries come and go: so a suspicious pod is asked for the entries that have not
changed since the copy began. Those were there all the time.
"""


def missing(members: int, passed_over: int, *counts: str) -> int:
    """Return how many entries an archive lacks, at least.

    members: that the archive had. passed_over: that its tar named, or counted, as there but not read.
    counts: of the pod's entries, as it says them; empty where it can't. One alone says nothing.
    """
    numbers = [int(one) for one in counts if one.isascii() and one.isdigit() and len(one) < 12]
    return max(0, min(numbers) - members - passed_over) if len(numbers) > 1 else 0
