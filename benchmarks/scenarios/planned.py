"""Up to 10,000 pods planned, and the plan printed as JSON: time, CPU and memory as they grow."""

import os
import sys

from benchmarks.null.growth import curves, grown, straight
from benchmarks.null.running import null_cluster
from benchmarks.row import Curve, Row
from benchmarks.sample import Sample, sampled
from benchmarks.setting import Setting


def measure(setting: Setting) -> list[Row | Curve]:
    with null_cluster() as kubeconfig:

        def plan(pods: int) -> Sample:
            argv = [sys.executable, "-m", "asynccp", "pull", "-l", f"null={pods}:/null/1x1", "to", "--dry-run"]
            return sampled([*argv, "-o", "json"], environment={"KUBECONFIG": os.fspath(kubeconfig)})

        points = grown([setting.scaled(pods) for pods in (100, 1000, 3000, 10_000)], plan)
    return [straight("planned", "pods", points), *curves("Pods planned", "pods", {"asynccp": points})]
