"""The fleet on the real cluster that $ASYNCCP_TEST_KUBECONFIG names: pods that kubectl makes, in own namespaces."""

import json
import os
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.fleet import SHELLLESS
from tests.e2e.looker import Looker

# Pods run these images; on another cluster name others: ASYNCCP_TEST_IMAGES="busybox=busybox:1.36 gnu=debian:12".
IMAGES = {kind: f"asynccp.test/{kind}:1" for kind in ("busybox", "gnu", "bsdtar", "toybox", "shell-only", "distroless")}
IMAGES |= dict(pair.split("=", 1) for pair in os.environ.get("ASYNCCP_TEST_IMAGES", "").split())
INSIDE = ("sh", "-c", 'chroot /proc/1/root /proc/$$/root/bin/busybox "$@"; exit $?', "sh")  # of the target, from beside


class RealFleet:
    """Pods on a real cluster."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self._admin = kubeconfig
        self._directory = directory
        self._namespaces: list[str] = []
        self.kubeconfig = kubeconfig
        self.namespace = self.add_namespace()
        self.kubeconfig = self._own_kubeconfig()
        self._looker = Looker(kubeconfig)

    def add(
        self, kind: str, name: str, labels: dict[str, str], *, node: str = "", user: int = 0, wait: bool = True,
        annotations: dict[str, str] | None = None, containers: Sequence[str] = ("main",), read_only: bool = False,
        namespace: str = "",
    ) -> str:  # fmt: skip
        spec = self.spec(kind, containers, user, read_only)
        if node:
            spec["nodeSelector"] = {"kubernetes.io/hostname": node}
        return self.run(name, labels, spec, wait=wait, annotations=annotations, namespace=namespace)

    def run(
        self, name: str, labels: dict[str, str], spec: dict[str, Any], *, wait: bool = True,
        annotations: dict[str, str] | None = None, namespace: str = "",
    ) -> str:  # fmt: skip
        """Start a pod of a spec of one's own, made from what `spec` returns; return its name."""
        metadata = {"name": name, "labels": labels, "annotations": annotations or {}}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, namespace)
        if wait:
            self.wait_ready(name, namespace=namespace)
        return name

    def wait_ready(self, *pods: str, namespace: str = "") -> None:
        names = [f"pod/{pod}" for pod in pods]
        self.kubectl("wait", "--for=condition=Ready", *names, "--timeout=120s", namespace=namespace)

    def delete_and_wait(self, pod: str) -> None:
        self.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--timeout=120s")

    def add_many(self, kind: str, labels: dict[str, str], replicas: int) -> list[str]:
        return self.add_deployment(f"many-{secrets.token_hex(3)}", kind, labels, replicas)

    def add_deployment(self, name: str, kind: str, labels: dict[str, str], replicas: int) -> list[str]:
        template = {"metadata": {"labels": labels}, "spec": self.spec(kind)}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
        self.kubectl("rollout", "status", f"deployment/{name}", "--timeout=600s")
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return self.kubectl("get", "pods", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}").split()

    def add_service(self, name: str, labels: dict[str, str]) -> None:
        spec = {"ports": [{"port": 80}], **({"selector": labels} if labels else {})}
        self.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})

    def add_namespace(self) -> str:
        name = f"asynccp-test-{secrets.token_hex(3)}"
        self.kubectl("create", "namespace", name, namespace="default")
        self._namespaces.append(name)
        return name

    def delete(self, *pods: str) -> None:
        self.kubectl("delete", "pod", *pods, "--wait=false", "--grace-period=0", "--force")

    def delete_all_but(self, label: str) -> None:
        """Delete what runs in the fleet's namespace, but for pods with this label."""
        kinds = "deployments,statefulsets,jobs,pods"
        self.kubectl("delete", kinds, "-l", f"!{label}", "--wait=false", "--grace-period=0", "--force")

    def execute(self, namespace: str, pod: str, argv: Sequence[str], stdin: bytes) -> bytes:
        container, inside = ("asynccp-1", INSIDE) if SHELLLESS in pod else ("main", ())
        if not stdin:
            return self.execute_in(container, pod, [*inside, *argv], namespace)
        where = ["--kubeconfig", str(self._admin), "-n", namespace, "exec", "-i", pod, "-c", container, "--"]
        done = subprocess.run(
            ["kubectl", *where, *inside, *argv], input=stdin, capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{argv} in {pod}: {done.stderr.decode(errors='replace')}"
        return done.stdout

    def execute_in(self, container: str, pod: str, argv: Sequence[str], namespace: str = "") -> bytes:
        """Run a command without input in a container; return its stdout."""
        looked = self._looker.run(namespace or self.namespace, pod, container, argv, timeout_s=120)
        assert looked.returncode == 0, f"{argv} in {pod}: {looked.stderr.decode(errors='replace')}"
        return looked.stdout

    def forbidden(self) -> Path:
        """Return the kubeconfig of a service account that no role is bound to."""
        name = f"nobody-{secrets.token_hex(3)}"
        self.kubectl("create", "serviceaccount", name)
        return self.login(name, self.kubectl("create", "token", name).strip())

    def login(self, user: str, token: str) -> Path:
        path = self._directory / f"{user}.kubeconfig"
        path.write_bytes(self.kubeconfig.read_bytes())
        self._config(path, "set-credentials", user, f"--token={token}")
        self._config(path, "set-context", "--current", f"--user={user}")
        return path

    def account(self, *rules: str) -> tuple[str, Path]:
        """Make a service account with a role of these rules, each `VERBS on RESOURCES`; return name and kubeconfig."""
        name = f"somebody-{secrets.token_hex(3)}"
        self.kubectl("create", "serviceaccount", name)
        made = [rule.partition(" on ") for rule in rules]
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
            "rules": [{"apiGroups": [""], "verbs": verbs.split(","), "resources": what.split(",")}
                      for verbs, _, what in made],
        }  # fmt: skip
        self.apply(role)
        self.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={self.namespace}:{name}")
        return name, self.login(name, self.kubectl("create", "token", name).strip())

    def minor_version(self) -> int:
        """Return the server's minor version: 34 for Kubernetes 1.34."""
        version = json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]
        return int(version["minor"].rstrip("+"))

    def kinds(self, *kinds: str) -> list[str]:
        return [kind for kind in kinds if kind in IMAGES]

    def close(self) -> None:
        self._looker.close()
        self.kubectl("delete", "namespace", *self._namespaces, "--wait=false", namespace="default")

    def apply(self, manifest: dict[str, Any], namespace: str = "") -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest), namespace=namespace)

    def kubectl(self, *arguments: str, stdin: str = "", namespace: str = "") -> str:
        argv = ["kubectl", "--kubeconfig", str(self._admin), "-n", namespace or self.namespace, *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=660, check=False)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def _own_kubeconfig(self) -> Path:
        path = self._directory / "kubeconfig"
        path.write_text(self.kubectl("config", "view", "--raw", "--minify", "--flatten"))
        self._config(path, "set-context", "--current", f"--namespace={self.namespace}")
        return path

    def _config(self, path: Path, *arguments: str) -> None:
        subprocess.run(["kubectl", "--kubeconfig", str(path), "config", *arguments], check=True, capture_output=True)

    def spec(
        self, kind: str, containers: Sequence[str] = ("main",), user: int = 0, read_only: bool = False
    ) -> dict[str, Any]:
        """Return a v1.PodSpec whose containers sleep until they are killed."""
        security = {"runAsUser": user, "readOnlyRootFilesystem": read_only}
        made = [
            {"name": one, "image": IMAGES[kind], "imagePullPolicy": "IfNotPresent", "securityContext": security}
            for one in containers
        ]
        return {"terminationGracePeriodSeconds": 0, "containers": made, "automountServiceAccountToken": False}
