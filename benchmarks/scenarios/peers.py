"""50 files of configuration, 1.5 MB, pushed to 8 pods with GNU tar, and pulled from them, by everything there is.

`kubectl cp`, and `kubectl exec` with `tar`, under `xargs -P8`; Ansible's `kubernetes.core.k8s_cp`, the pods as hosts, 8
forks; the official Python client's `stream` in 8 threads; kr8s, all at once, which has no stdin to push by. `oc rsync`
is in no package registry; without rsync in the pods it is what `kubectl exec` with `tar` is. There is no aim: it is a
survey, with what each of them lost. k8s_cp ends when everything is written, whatever has become of it in the pod, and
pulls with one exec for each file.
"""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.compare import CLIENT_CPU, PEAK_MEMORY, SERVER_CPU, TIME, compare, rows
from benchmarks.copying import Copying, place
from benchmarks.fleet import fleet
from benchmarks.row import Row
from benchmarks.setting import Setting
from benchmarks.sources import configuration

PODS = 8
MEASURES = [(TIME, None), (CLIENT_CPU, None), (SERVER_CPU, None), (PEAK_MEMORY, None)]
ANSIBLE, PYTHON, KR8S = "ansible -f8 k8s_cp", "Python client, 8 threads", "kr8s"


def measure(setting: Setting) -> list[Row]:
    files = setting.scaled(50)
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets:
        source = configuration(Path(directory, "config"), files, setting.scaled(1_500_000))
        copying = Copying(targets, source, {"LC_ALL": "C.UTF-8"})  # Ansible wants UTF-8
        pushes = copying.pushes(PODS) | {
            ANSIBLE: copying.push(partial(command.ansible_push, targets, source)),
            PYTHON: copying.push(partial(command.python_push, targets, source)),
        }
        pushed = compare(pushes, setting.runs)
        place(targets, source)
        pulls = copying.pulls(PODS) | {
            ANSIBLE: copying.pull(partial(command.ansible_pull, targets)),
            PYTHON: copying.pull(partial(command.python_pull, targets)),
            KR8S: copying.pull(partial(command.kr8s_pull, targets)),
        }
        pulled = compare(pulls, setting.runs)
    return [
        *rows(pushed, f"push {files} files, 1.5 MB → {PODS} pods", MEASURES),
        *rows(pulled, f"pull {files} files, 1.5 MB ← {PODS} pods", MEASURES),
    ]
