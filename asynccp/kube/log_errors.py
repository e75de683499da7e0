"""What a node says of itself at the end of a log. Pure.

A kubelet begins its answer, with HTTP 200, before it looks for the log (pkg/kubelet/kubelet_pods.go,
GetKubeletContainerLogs: "a zero-byte write"). What goes wrong afterwards it writes behind what it has sent, without a
line's end, and then the answer ends as it should: `kubectl logs` prints that, and exits with 0.
"""

import re

from asynccp.errors import NoSuchPath, SessionLost, TransferError
from asynccp.target import Log, Target
from asynccp.text import printable

TAIL_SIZE = 1024  # bytes of a log's end in which such words stand; a path is the longest part of them

# pkg/kubelet/kuberuntime/kuberuntime_container.go, and k8s.io/cri-client/pkg/logs/logs.go.
_NO_STATUS = rb"unable to retrieve container logs for [a-z0-9.-]+://[0-9a-f]+"
_NO_FILE = (
    rb"failed to (?:try resolving symlinks in path|open log file|tail -?[0-9]+ lines of log file|"
    rb'seek -?[0-9]+ in log file|read log file) "[^"\n]*/%b/[^"\n]*": [^\n]*'
)


def gave_up(tail: bytes, target: Target, log: Log) -> TransferError | None:
    """Return the error of a log that the node has not read to its end, None if it has. tail: the log's last bytes.

    A container may end its output with the same words. Where they name a file it is that of this very pod, or they are
    the container's own. Of a container that crashes again and again only the last one is kept, so the log from before
    the restart may be gone for good; else it is worth another look.
    """
    pod = re.escape(f"{target.namespace}_{target.pod}_{target.uid}".encode())
    if found := re.search(rb"%b\Z" % _NO_STATUS, tail):
        said = printable(found[0], 300)
        gone, lost = f"the node has that log no more: {said}", f"the node has not found the log: {said}"
        return NoSuchPath(gone) if log.previous else SessionLost(lost)
    if found := re.search(rb"%b\Z" % (_NO_FILE % pod), tail):
        return SessionLost(f"the node has not read the log to its end: {printable(found[0], 300)}")
    return None
