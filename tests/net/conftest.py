"""The cluster of `tests.kube`."""

from tests.kube.conftest import cluster as cluster
