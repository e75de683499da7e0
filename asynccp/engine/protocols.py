"""Which exec subprotocol a session offers. One function decides; the rest is memory of what was met."""

from collections.abc import Container

from msgspec import Struct, field

from asynccp.errors import ProtocolRefused, Refused, ShellMissing
from asynccp.kube.exec import V4, V5
from asynccp.remote.script import ABSOLUTE_SHELL, SHELL


def choose(*, tried: Container[str], refused: Container[str], half_close: bool) -> str | None:
    """Return the subprotocol to offer, None when there is none left.

    v4 whenever it will do: the API server copies its bytes raw, where v5 costs it four times the CPU until 1.36, and is
    never faster. v5 where the server refuses v4, or where the end of stdin must be told (`half_close`: the container
    has neither dd nor head, so that nothing there can count), which v4 can't. Exactly one is offered at a time: servers
    that know v5 take it wherever it is listed, and older ones answer an offer of v5 alone with 403.

    tried: what was refused to this pod; not offered again. refused: what was refused to any pod; offered last, but
    offered: the refusal may have come from something on the way to one pod, and must not be every pod's.
    """
    wanted = [V5] if half_close else [V4, V5]
    left = [protocol for protocol in wanted if protocol not in tried]
    return min(left, key=lambda protocol: protocol in refused, default=None)


class Protocols(Struct):
    """What one run has learned of its server and of its images."""

    refused: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)  # images without dd and head
    shells: dict[str, str] = field(default_factory=dict)  # image → its shell, where that isn't on its PATH

    def shell(self, image: str) -> str:
        """Return the name under which to look for a shell in a container of `image`."""
        return self.shells.get(image, SHELL)

    def learn(self, refusal: ProtocolRefused | ShellMissing, image: str, protocol: str) -> None:
        """Remember what was refused, so that the next attempt asks for something else. Raises what can't be helped."""
        if isinstance(refusal, ProtocolRefused):
            self.refused.add(protocol)
        elif self.shell(image) == SHELL:
            self.shells[image] = ABSOLUTE_SHELL
        else:
            raise refusal

    def offer(self, image: str, tried: Container[str] = ()) -> str:
        """Return what to offer for a container of `image`. tried: what was refused to it."""
        half_close = image in self.uncounted
        if protocol := choose(tried=tried, refused=self.refused, half_close=half_close):
            return protocol
        if half_close:
            raise Refused(
                "the container has neither dd nor head, and the API server does not speak v5.channel.k8s.io: "
                "the end of the archive can't be told",
                hint="add dd or head to the image, or push through a newer API server (Kubernetes 1.30 and later)",
            )
        raise Refused("the API server speaks neither v4.channel.k8s.io nor v5.channel.k8s.io")
