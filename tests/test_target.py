"""Who is meant, and which container of a pod: tables of what a person writes and of what the API server says."""

from typing import Any

import pytest
from msgspec.structs import replace

from asynccp.errors import UsageError
from asynccp.target import (
    DEFAULT_CONTAINER,
    WORKLOADS,
    ZONE,
    Log,
    Selection,
    Selector,
    Skipped,
    Target,
    Transfer,
    by_reason,
    is_remote,
    label_query,
    logs_of,
    match_containers,
    match_pod,
    nothing_local,
    parse_labels,
    parse_remote,
    parse_selectors,
    pods_query,
    split_arguments,
    what_became_of,
    zones_of,
)


@pytest.mark.parametrize(
    ("argument", "remote"),
    [
        ("web-0:/etc/app", True),
        ("shop/web-0:/etc/app", True),
        ("deploy/web:/etc/app", True),
        (":/etc/app", True),
        ("web-0:relative", True),
        ("web-0:/a:b", True),
        ("C:/Users", True),  # on Windows we say: use WSL
        ("config", False),
        ("config/", False),
        ("./a:b", False),
        ("../a:b", False),
        (".hidden:x", False),
        ("/srv/a:b", False),
        ("~/a:b", False),
        (".", False),
        ("", False),
    ],
)
def test_an_argument_with_a_colon_is_remote_unless_it_looks_like_a_path(argument: str, remote: bool) -> None:
    assert is_remote(argument) is remote


ROTATED = "2024-01-01T10:00:00.log"


@pytest.mark.parametrize(
    ("arguments", "here", "local", "remote"),
    [
        (["config", "web-0:/etc"], [], ["config"], ["web-0:/etc"]),
        ([ROTATED, "web-0:/tmp"], [ROTATED], [ROTATED], ["web-0:/tmp"]),
        ([ROTATED, "web-0:/tmp"], [], [], [ROTATED, "web-0:/tmp"]),
        (["web-0:/etc", "web-1:/etc", "logs:1"], ["logs:1"], ["logs:1"], ["web-0:/etc", "web-1:/etc"]),
        (["./-", "./a:b", ":/x"], [], ["./-", "./a:b"], [":/x"]),
        ([], [], [], []),
    ],
)
def test_an_argument_with_a_colon_that_exists_here_is_local(
    arguments: list[str], here: list[str], local: list[str], remote: list[str]
) -> None:
    assert split_arguments(arguments, here) == (local, remote)


@pytest.mark.parametrize("arguments", [["-", "web-0:/d"], ["web-0:/f", "-"]])
def test_standard_output_is_for_a_pull_alone_and_a_file_of_that_name_is_not_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match="only a pull has it") as caught:
        split_arguments(arguments, ["-"])
    assert "./-" in caught.value.hint
    assert split_arguments(arguments, stdout=True)[0] == ["-"]


EXAMPLE = "asynccp push ./config -l app=web:/etc/app"


@pytest.mark.parametrize(
    ("suspect", "remotes", "says", "helps"),
    [
        ("", [], "there is no local source$", [EXAMPLE]),
        (":/x", [":/x"], "there is no local source$", [EXAMPLE]),
        (
            "web-0:/x",
            ["web-0:/x"],
            "there is no local source: 'web-0:/x' was read as a path in pod web-0$",
            ["./web-0:/x", EXAMPLE],
        ),
        (
            "shop/web-0:/x",
            ["shop/web-0:/x", "web-1:/y"],
            "'shop/web-0:/x' was read as a path in pod web-0 in namespace shop$",
            ["./shop/web-0:/x", "asynccp cp SOURCE TARGET copies from pod to pod"],
        ),
        ("a:/x", ["a:/x", "b:/y"], "'a:/x' was read as a path in pod a$", ["asynccp cp"]),
        (
            "c:/temp/a.txt",
            ["c:/temp/a.txt", "web-0:/tmp"],
            "'c:/temp/a.txt' looks like a path of Windows",
            ["run asynccp in WSL and write /mnt/c/temp/a.txt", "if c is a pod, asynccp cp"],
        ),
        ("c:/x", ["c:/x", "D:/y"], "'c:/x' looks like a path of Windows", ["write /mnt/c/x"]),
        ("c:/temp/a.txt", ["c:/temp/a.txt"], "looks like a path of Windows", ["write /mnt/c/temp/a.txt"]),
        ("d:\\a\\b", ["c:/x", "d:\\a\\b"], "looks like a path of Windows", ["write /mnt/d/a/b"]),
        ("web\x1b-0:/x", ["web\x1b-0:/x"], r"web\\\\x1b-0.* is not a name that Kubernetes allows", ["./a:b"]),
    ],
)
def test_without_anything_local_it_is_said_how_the_argument_was_read(
    suspect: str, remotes: list[str], says: str, helps: list[str]
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        raise nothing_local("source", suspect, remotes, EXAMPLE)
    assert [one for one in helps if one not in caught.value.hint] == []
    assert "\x1b" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("argument", "name", "path"),
    [
        ("app=web:/etc/app", "app=web", "/etc/app"),
        ("app=web", "app=web", ""),
        ("app=web:", "app=web", ""),
        ("env in (a,b):/x", "env in (a,b)", "/x"),
        ("env notin (a, b),!canary:/x", "env notin (a, b),!canary", "/x"),
        ("app=web:/a:b", "app=web", "/a:b"),
        ("app=web::", "app=web", ":"),
        ("app.kubernetes.io/name=web:relative", "app.kubernetes.io/name=web", "relative"),
        (" app=web :/x", "app=web", "/x"),
        ("!canary:/x", "!canary", "/x"),
    ],
)
def test_the_first_colon_splits_labels_from_path(argument: str, name: str, path: str) -> None:
    assert parse_labels(argument) == Selector("labels", name, path)


@pytest.mark.parametrize("argument", ["", ":/x", " :/x", ":", "\t"])
def test_labels_without_a_selector_are_a_usage_error(argument: str) -> None:
    with pytest.raises(UsageError, match="has no selector"):
        parse_labels(argument)


@pytest.mark.parametrize(
    ("argument", "selector"),
    [
        ("web-0:/etc/app", Selector("pod", "web-0", "/etc/app")),
        ("shop/web-0:/etc/app", Selector("pod", "web-0", "/etc/app", "shop")),
        (":/etc/app", Selector("labels", "", "/etc/app")),
        (":relative", Selector("labels", "", "relative")),
        ("deploy/web:/x", Selector("deploy", "web", "/x")),
        ("statefulset/db:/x", Selector("statefulset", "db", "/x")),
        ("ds/agent:/x", Selector("ds", "agent", "/x")),
        ("rs/web-5d4f:/x", Selector("rs", "web-5d4f", "/x")),
        ("job/import:/x", Selector("job", "import", "/x")),
        ("svc/web:/x", Selector("svc", "web", "/x")),
        ("deployment.apps/web:/x", Selector("deployment.apps", "web", "/x")),
        ("deployments.v1.apps/web:/x", Selector("deployments.v1.apps", "web", "/x")),
        ("job.batch/import:/x", Selector("job.batch", "import", "/x")),
        ("pod/web-0:/x", Selector("pod", "web-0", "/x")),
        ("pods/web-0:/x", Selector("pod", "web-0", "/x")),
        ("po/web-0:/x", Selector("pod", "web-0", "/x")),
        ("c:/x", Selector("pod", "c", "/x")),
        ("web-0:/some/filenamewith:in", Selector("pod", "web-0", "/some/filenamewith:in")),
        ("web-0::", Selector("pod", "web-0", ":")),
        ("web-0.db.example:/x", Selector("pod", "web-0.db.example", "/x")),
        ("0:/x", Selector("pod", "0", "/x")),
        ("a" * 253 + ":/x", Selector("pod", "a" * 253, "/x")),
    ],
)
def test_remote_arguments(argument: str, selector: Selector) -> None:
    assert parse_remote(argument) == selector


@pytest.mark.parametrize("kind", sorted(WORKLOADS))
def test_every_name_of_a_workload_is_understood(kind: str) -> None:
    assert parse_remote(f"{kind}/web:/x") == Selector(kind, "web", "/x")


@pytest.mark.parametrize(
    "argument",
    [
        "Web:/x",
        "web_0:/x",
        "-web:/x",
        "web-:/x",
        "web 0:/x",
        "web\n:/x",
        "..:/x",
        "wéb:/x",
        "a" * 254 + ":/x",
        "shop/:/x",
        "/web:/x",
        "deploy/:/x",
        "deploy/Web:/x",
        "pod/:/x",
        "pod/shop/web:/x",
        "shop/pod/invalid:/x",
        "s" * 64 + "/web:/x",
        "-shop/web:/x",
        "sh..op-/web:/x",
        "deploy/web/0:/x",
        "Shop/web:/x",
        "env in (a,b):/x",
        "*:/x",
    ],
)
def test_a_name_that_kubernetes_does_not_allow_is_a_usage_error(argument: str) -> None:
    with pytest.raises(UsageError, match="not a name that Kubernetes allows") as caught:
        parse_remote(argument)
    assert "./a:b" in caught.value.hint


def test_a_bad_name_is_escaped_where_it_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        parse_remote("\x1b[2J:/x")
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[2J" in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "kind", "helps"),
    [
        ("cronjob/nightly:/x", "cronjob", "name its jobs: job/NAME:PATH"),
        ("cj/nightly:/x", "cj", "name its jobs: job/NAME:PATH"),
        ("cronjobs.v1.batch/nightly:/x", "cronjobs.v1.batch", "name its jobs: job/NAME:PATH"),
        ("ingress/web:/x", "ingress", "-n ingress web:PATH"),
        ("node/node-1:/x", "node", "KIND/NAME:PATH"),
        ("ns/shop:/x", "ns", "KIND/NAME:PATH"),
        ("deployment.extensions/web:/x", "deployment.extensions", "KIND/NAME:PATH"),
        ("certificates.cert-manager.io/web:/x", "certificates.cert-manager.io", "KIND/NAME:PATH"),
        ("my.shop/web:/x", "my.shop", "KIND/NAME:PATH"),
    ],
)
def test_a_kind_whose_pods_nobody_knows_is_told_as_such(argument: str, kind: str, helps: str) -> None:
    """No namespace has a dot in its name; one that is called like a kind is reached with -n."""
    with pytest.raises(UsageError, match="is a kind whose pods asynccp does not know") as caught:
        parse_remote(argument)
    assert str(caught.value).startswith(f"{kind} in {argument!r} ")
    assert helps in caught.value.hint
    assert ("-n " in caught.value.hint) is ("." not in kind)


@pytest.mark.parametrize(
    ("argument", "path"), [("C:\\Users\\me", "/mnt/c/Users/me"), ("c:\\x", "/mnt/c/x"), ("D:/x", "/mnt/d/x")]
)
def test_a_path_of_windows_is_no_pod(argument: str, path: str) -> None:
    with pytest.raises(UsageError, match="looks like a path of Windows") as caught:
        parse_remote(argument)
    assert caught.value.hint == f"run asynccp in WSL and write {path}"


@pytest.mark.parametrize("argument", ["web-0:", ":", "deploy/web:"])
def test_a_remote_argument_without_a_path_is_a_usage_error(argument: str) -> None:
    with pytest.raises(UsageError, match="no path after the colon"):
        parse_remote(argument)


@pytest.mark.parametrize(
    ("labels", "remotes", "expected"),
    [
        (["app=web:/a"], [], [Selector("labels", "app=web", "/a")]),
        (["app=web"], [":/a"], [Selector("labels", "app=web", "/a")]),
        ([], ["web-0:/a"], [Selector("pod", "web-0", "/a")]),
        (["a=b:/x", "c=d"], [":/y"], [Selector("labels", "a=b", "/x"), Selector("labels", "c=d", "/y")]),
        (["a=b"], [":/x", ":/y"], [Selector("labels", "a=b", "/x"), Selector("labels", "a=b", "/y")]),
        (["a=b", "c=d"], [":/x"], [Selector("labels", "a=b", "/x"), Selector("labels", "c=d", "/x")]),
        (["a=b:/x"], ["web-0:/y"], [Selector("labels", "a=b", "/x"), Selector("pod", "web-0", "/y")]),
        (["a=b:/x", "a=b:/x"], [], [Selector("labels", "a=b", "/x")]),
        ([], ["web-0:/x", "web-0:/y"], [Selector("pod", "web-0", "/x"), Selector("pod", "web-0", "/y")]),
    ],
)
def test_selectors_are_a_union(labels: list[str], remotes: list[str], expected: list[Selector]) -> None:
    assert parse_selectors(labels, remotes) == tuple(expected)


@pytest.mark.parametrize(
    ("labels", "remotes", "says", "helps"),
    [
        ([], [], "no pods are named", "-l SELECTOR:PATH"),
        (["app=web"], [], "-l app=web has no path", "-l app=web:/path"),
        (["app=web"], ["web-0:/x"], "-l app=web has no path", "-l app=web:/path"),
        (["app=web:/x"], [":/y"], ":/y belongs to no -l", "-l SELECTOR"),
        ([], [":/y"], ":/y belongs to no -l", "POD:PATH"),
    ],
)
def test_selectors_that_cannot_mean_anything(labels: list[str], remotes: list[str], says: str, helps: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_selectors(labels, remotes)
    assert helps in caught.value.hint


@pytest.mark.parametrize(
    ("match", "query"),
    [
        ({"matchLabels": {"app": "web"}}, "app=web"),
        ({"matchLabels": {"app": "web", "tier": "front"}}, "app=web,tier=front"),
        ({"matchExpressions": [{"key": "env", "operator": "In", "values": ["a", "b"]}]}, "env in (a,b)"),
        ({"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["a"]}]}, "env notin (a)"),
        ({"matchExpressions": [{"key": "env", "operator": "Exists"}]}, "env"),
        ({"matchExpressions": [{"key": "env", "operator": "DoesNotExist", "values": None}]}, "!env"),
        (
            {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "env", "operator": "Exists"}]},
            "app=web,env",
        ),
        ({"matchLabels": None, "matchExpressions": None}, ""),
    ],
)
def test_a_workloads_selector_becomes_a_label_selector(match: dict[str, Any], query: str) -> None:
    assert label_query(match) == query


@pytest.mark.parametrize(
    ("plural", "found", "query"),
    [
        ("services", {"spec": {"selector": {"app": "web", "tier": "front"}}}, "app=web,tier=front"),
        ("services", {"spec": {"selector": {"matchLabels": "yes"}}}, "matchLabels=yes"),
        ("services", {"spec": {"type": "ExternalName"}}, ""),
        ("services", {"spec": {"selector": None}}, ""),
        ("deployments", {"spec": {"selector": {"matchLabels": {"app": "web"}}}}, "app=web"),
        ("deployments", {"spec": {"selector": {}}}, ""),
        ("deployments", {}, ""),
    ],
)
def test_which_pods_a_workload_or_a_service_means(plural: str, found: dict[str, Any], query: str) -> None:
    assert pods_query(plural, found) == query


LABELS = Selector("labels", "app=web", "/x")
POD = Selector("pod", "web-0", "/x")
THERE = Selector("pod", "web-0", "/x", "shop")


@pytest.mark.parametrize(
    ("selection", "several"),
    [
        (Selection((LABELS,)), False),
        (Selection((LABELS, POD)), False),
        (Selection((LABELS,), ("shop",)), False),
        (Selection((LABELS,), ("shop", "shop")), False),
        (Selection((LABELS,), ("shop", "bar")), True),
        (Selection((LABELS,), all_namespaces=True), True),
        (Selection((POD,), all_namespaces=True), False),
        (Selection((POD, LABELS), all_namespaces=True), True),
        (Selection((THERE,)), False),
        (Selection((THERE, LABELS)), True),
        (Selection((THERE, LABELS), ("shop",)), False),
        (Selection((THERE, Selector("pod", "web-0", "/x", "bar"))), True),
        (Selection((Selector("pod", "web-0", "/x", "default"), LABELS)), False),
    ],
)
def test_a_request_itself_tells_whether_it_reaches_several_namespaces(selection: Selection, several: bool) -> None:
    assert selection.reaches_several_namespaces("default") is several


def pod(
    *containers: str,
    name: str = "web-0",
    namespace: str = "shop",
    states: dict[str, Any] | None = None,
    phase: str = "Running",
    **metadata: Any,
) -> dict[str, Any]:
    """Return a v1.Pod; all its containers run unless `states` has another word for one."""
    names = containers or ("main",)
    states = states or {}
    statuses = [
        {
            "name": one,
            "state": states.get(one, {"running": {}}),
            "imageID": f"sha256:{one}",
            "image": one,
            "restartCount": 2,
        }
        for one in names
    ]
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": "u1", **metadata},
        "spec": {"nodeName": "node-1", "containers": [{"name": one} for one in names]},
        "status": {"phase": phase, "containerStatuses": statuses},
    }


def with_others(found: dict[str, Any], key: str, name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return the pod with one more init or ephemeral container."""
    found["spec"][f"{key}Containers"] = [{"name": name}]
    found["status"][f"{key}ContainerStatuses"] = [{"name": name, "state": state}]
    return found


LOG = "; its log can still be pulled"
DIED = {"lastState": {"terminated": {"reason": "Error"}}}


def before(found: dict[str, Any], container: str) -> dict[str, Any]:
    """Return the pod with a container that was restarted."""
    for status in found["status"]["containerStatuses"]:
        status |= DIED if status["name"] == container else {}
    return found


def waits(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def ended(reason: str) -> dict[str, Any]:
    return {"terminated": {"reason": reason}}


def test_a_running_pod_becomes_a_target_with_all_that_tells_it_from_its_replacement() -> None:
    assert match_pod(pod()) == Target("shop", "web-0", "main", "node-1", "u1", "sha256:main", 2)


def test_the_containers_that_run_beside_it_are_known_in_the_order_of_the_pod() -> None:
    found = with_others(pod("web", "proxy", "app", states={"proxy": waits("Bad")}), "init", "mesh", {"running": {}})
    target = match_pod(found, "app")
    assert isinstance(target, Target)
    assert target.others == ("web", "mesh")


@pytest.mark.parametrize(
    ("found", "wanted", "text"),
    [
        (pod(), "", "shop/web-0"),
        (pod(), "main", "shop/web-0"),
        (pod("app", "sidecar"), "", "shop/web-0/app"),
        (pod("app", "sidecar"), "sidecar", "shop/web-0/sidecar"),
        (pod("app", "sidecar", states={"sidecar": waits("Bad")}), "", "shop/web-0/app"),
        (with_others(pod(), "init", "setup", ended("Completed")), "", "shop/web-0"),
        (with_others(pod(), "init", "mesh", {"running": {}}), "mesh", "shop/web-0/mesh"),
        (with_others(pod(), "ephemeral", "debugger", {"running": {}}), "debugger", "shop/web-0/debugger"),
    ],
)
def test_the_container_is_named_wherever_another_could_be_meant(found: dict[str, Any], wanted: str, text: str) -> None:
    target = match_pod(found, wanted)
    assert isinstance(target, Target)
    assert str(target) == text
    assert str(Transfer(target, "/etc")) == f"{text}:/etc"
    assert f"{target.namespace}/{target.label}" == text


def annotated(container: Any) -> dict[str, Any]:
    return {"annotations": {DEFAULT_CONTAINER: container}}


@pytest.mark.parametrize(
    ("found", "wanted", "container"),
    [
        (pod("app", "sidecar"), "", "app"),
        (pod("app", "sidecar"), "sidecar", "sidecar"),
        (pod("app", "sidecar", **annotated("sidecar")), "", "sidecar"),
        (pod("app", "sidecar", **annotated("sidecar")), "app", "app"),
        (pod("app", "sidecar", **annotated("gone")), "", "app"),
        (pod("app", "sidecar", **annotated("")), "", "app"),
        (pod("app", "sidecar", **annotated(None)), "", "app"),
        (with_others(pod("app"), "init", "mesh", {"running": {}}), "mesh", "mesh"),
        (with_others(pod("app"), "init", "mesh", {"running": {}}), "", "app"),
        (with_others(pod("app"), "ephemeral", "debugger", {"running": {}}), "debugger", "debugger"),
        (with_others(pod("app", **annotated("mesh")), "init", "mesh", {"running": {}}), "", "app"),
    ],
)
def test_the_container_is_chosen_as_kubectl_does(found: dict[str, Any], wanted: str, container: str) -> None:
    target = match_pod(found, wanted)
    assert isinstance(target, Target)
    assert target.container == container


@pytest.mark.parametrize(
    ("found", "wanted", "reason"),
    [
        (pod(states={"main": waits("CrashLoopBackOff")}), "", "container main is waiting (CrashLoopBackOff)"),
        (pod(states={"main": {"waiting": {}}}), "", "container main is waiting"),
        (pod(states={"main": {"waiting": None}}), "", "container main is waiting"),
        (pod(states={"main": ended("OOMKilled")}), "", f"container main is terminated (OOMKilled){LOG}"),
        (
            pod("app", "main", states={"main": waits("Bad")}),
            "main",
            "container main is waiting (Bad); app runs: -c app",
        ),
        (
            pod("main", "web", "side", states={"main": ended("Error")}),
            "",
            "container main is terminated (Error); web, side run: -c web",
        ),
        (
            with_others(pod(states={"main": waits("CrashLoopBackOff")}), "ephemeral", "debugger", {"running": {}}),
            "",
            "container main is waiting (CrashLoopBackOff); debugger runs: -c debugger",
        ),
        (with_others(pod(), "init", "setup", ended("Done")), "setup", "container setup is terminated (Done)"),
        (
            before(pod(states={"main": waits("CrashLoopBackOff")}), "main"),
            "",
            f"container main is waiting (CrashLoopBackOff){LOG}",
        ),
        (pod() | {"spec": {"os": {"name": "windows"}}}, "", "runs on Windows, where there is no POSIX shell"),
        (
            pod() | {"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}}},
            "",
            "runs on Windows, where there is no POSIX shell",
        ),
        (pod() | {"status": {"phase": "Pending"}}, "", "is Pending"),
        (pod() | {"status": {}}, "", "is in an unknown phase"),
        (pod() | {"status": None}, "", "is in an unknown phase"),
        (pod(deletionTimestamp="2026-11-23T17:00:00Z"), "", "is being deleted"),
        (pod("app", "sidecar"), "db", "has no container 'db', only app, sidecar"),
        (with_others(pod(), "init", "mesh", {"running": {}}), "db", "has no container 'db', only main, mesh"),
        (with_others(pod(), "init", "setup", ended("Completed")), "db", "has no container 'db', only main"),
        (pod(deletionTimestamp="2026-11-23T17:00:00Z"), "db", "is being deleted"),
        (pod() | {"spec": {}}, "", "has no container ''"),
        (pod(states={"main": {}}), "", "is Running"),
    ],
)
def test_a_pod_that_does_not_count_says_why(found: dict[str, Any], wanted: str, reason: str) -> None:
    skipped = match_pod(found, wanted)
    assert isinstance(skipped, Skipped)
    assert skipped.pod == "shop/web-0"
    assert skipped.reason.startswith(reason)
    assert skipped.named is ("has no container" in reason and wanted != "")


@pytest.mark.parametrize(
    ("found", "containers", "skipped"),
    [
        (pod("app", "side"), ["app", "side"], []),
        (pod(), ["main"], []),
        (pod("app", "side", **annotated("side")), ["app", "side"], []),
        (with_others(pod("app"), "init", "mesh", {"running": {}}), ["app", "mesh"], []),
        (with_others(pod("app"), "init", "setup", ended("Completed")), ["app"], []),
        (with_others(pod("app"), "ephemeral", "debugger", {"running": {}}), ["app", "debugger"], []),
        (pod("app", "side", states={"side": waits("Bad")}), ["app"], [("side", "container side is waiting (Bad)")]),
        (
            pod("app", "side", states={"app": ended("Error")}),
            ["side"],
            [("app", "container app is terminated (Error)")],
        ),
        (pod("app", "../x"), ["app"], []),
    ],
)
def test_all_containers_of_a_pod_are_those_that_run(
    found: dict[str, Any], containers: list[str], skipped: list[tuple[str, str]]
) -> None:
    matches = match_containers(found)
    assert [one.container for one in matches if isinstance(one, Target)] == containers
    assert [one for one in matches if isinstance(one, Skipped)] == [
        Skipped("shop/web-0", reason, container=container) for container, reason in skipped
    ]
    assert {one.of_pod for one in matches if isinstance(one, Target)} == {"shop/web-0"}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    "found",
    [
        pod("app", "side", states={"app": waits("Bad"), "side": waits("Bad")}),
        pod("app") | {"status": {"phase": "Pending"}},
        pod("app", deletionTimestamp="now", states={"app": ended("Completed")}),
        pod("app", name="../x"),
        pod() | {"spec": {}},
    ],
)
def test_a_pod_of_which_no_container_runs_is_skipped_once_and_as_without_the_flag(
    found: dict[str, Any], named: bool
) -> None:
    assert match_containers(found, named=named) == [match_pod(found, named=named)]


def test_a_label_that_a_pod_lacks_is_told_once_for_all_its_containers() -> None:
    assert match_containers(pod("app", "side"), labels=("tier",)) == [
        Skipped("shop/web-0", "has no label tier", named=True)
    ]


CURRENT, PREVIOUS = Log(), Log(previous=True)


@pytest.mark.parametrize(
    ("found", "wanted", "logs"),
    [
        (pod("app", "side"), {}, ["app.log"]),
        (pod("app", "side"), {"container": "side"}, ["side.log"]),
        (pod("app", "side"), {"all_containers": True}, ["app.log", "side.log"]),
        (pod("app", states={"app": ended("Error")}), {}, ["app.log"]),
        (before(pod("app", states={"app": waits("CrashLoopBackOff")}), "app"), {}, ["app.log"]),
        (before(pod("app", "side"), "app"), {"logs": (CURRENT, PREVIOUS)}, ["app.log", "app.previous.log"]),
        (pod("app"), {"logs": (CURRENT, PREVIOUS)}, ["app.log"]),
        (before(pod("app", "side"), "side"), {"logs": (PREVIOUS,), "all_containers": True}, ["side.previous.log"]),
        (
            with_others(pod("app"), "init", "setup", ended("Completed")),
            {"all_containers": True},
            ["app.log", "setup.log"],
        ),
        (pod("app", "side", states={"side": waits("Creating")}), {"all_containers": True}, ["app.log"]),
        (pod("app") | {"status": {**pod("app")["status"], "phase": "Succeeded"}}, {}, ["app.log"]),
    ],
)
def test_which_logs_a_pod_has(found: dict[str, Any], wanted: dict[str, Any], logs: list[str]) -> None:
    matches = logs_of(found, Selection((LABELS,), **{"logs": (CURRENT,), **wanted}))
    assert [one.path for one in matches if isinstance(one, Transfer)] == logs
    assert len(matches) == len(logs)


@pytest.mark.parametrize(
    ("found", "skipped"),
    [
        (
            pod("app", states={"app": waits("Creating")}),
            Skipped("shop/web-0", "container app is waiting (Creating), and has no log"),
        ),
        (pod("app") | {"status": {"phase": "Pending"}}, Skipped("shop/web-0", "is Pending, and has no log")),
        (pod(deletionTimestamp="now"), Skipped("shop/web-0", "is being deleted")),
        (pod(name="../x"), Skipped("shop/../x", "its name is not one that Kubernetes allows")),
    ],
)
def test_a_pod_without_a_log_says_why(found: dict[str, Any], skipped: Skipped) -> None:
    assert logs_of(found, Selection((LABELS,), logs=(CURRENT,))) == [skipped]


def test_a_log_of_what_does_not_run_is_known_as_such() -> None:
    (found,) = logs_of(pod("app", states={"app": ended("Error")}), Selection((LABELS,), logs=(CURRENT,)))
    assert isinstance(found, Transfer)
    assert found.target.for_log
    assert str(found) == "shop/web-0/app log"
    assert str(replace(found, log=PREVIOUS)) == "shop/web-0/app previous log"
    assert found.to_json()["log"] == "current"
    assert what_became_of(found.target, before(pod("app", states={"app": waits("Bad")}), "app")) == "", (
        "nor need it run"
    )
    assert what_became_of(found.target, pod("app", uid="u2")) != "", "but it is the pod that it was"


def test_where_logs_are_asked_for_a_selector_needs_no_path() -> None:
    assert parse_selectors(["app=web"], ["web-0:", "deploy/web:/x"], needs_path=False) == (
        Selector("labels", "app=web", ""),
        Selector("pod", "web-0", ""),
        Selector("deploy", "web", "/x"),
    )
    assert parse_selectors(["app=web"], [":/x"], needs_path=False) == (Selector("labels", "app=web", "/x"),)
    for labels, remotes in ((["app=web"], []), ([], ["web-0:"])):
        with pytest.raises(UsageError, match="has no path"):
            parse_selectors(labels, remotes)
    with pytest.raises(UsageError, match="has no path"):
        parse_selectors(["app=web"], [":"], needs_path=False)


def test_only_the_labels_that_are_asked_for_are_known() -> None:
    target = match_pod(pod(labels={"app": "web", "tier": "", "note": "x"}), labels=("tier", "app"))
    assert isinstance(target, Target)
    assert sorted(target.labels) == ["app=web", "tier="]
    assert (target.label_value("app"), target.label_value("tier")) == ("web", "")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({}, "has no label app"),
        (None, "has no label app"),
        ({"App": "web"}, "has no label app"),
        ({"app": "a/b"}, "has a label app that Kubernetes does not allow"),
        ({"app": ".."}, "has a label app that Kubernetes does not allow"),
        ({"app": "a\x1b"}, "has a label app that Kubernetes does not allow"),
        ({"app": "a\n"}, "has a label app that Kubernetes does not allow"),
        ({"app": "x" * 64}, "has a label app that Kubernetes does not allow"),
    ],
)
def test_a_pod_without_a_label_that_is_needed_counts_as_failed(labels: dict[str, str] | None, reason: str) -> None:
    assert match_pod(pod(labels=labels), labels=("app",)) == Skipped("shop/web-0", reason, named=True)
    assert isinstance(match_pod(pod(labels=labels)), Target), "where nobody asked for it"


def test_a_pod_asked_for_by_its_name_is_skipped_as_such() -> None:
    skipped = match_pod(pod(states={"main": waits("Bad")}), named=True)
    assert isinstance(skipped, Skipped)
    assert skipped.named


def test_a_pod_asked_for_by_its_name_is_copied_while_it_is_being_deleted_and_runs() -> None:
    ending = match_pod(pod(deletionTimestamp="now"), named=True)
    assert isinstance(ending, Target)
    assert ending.ending
    over = match_pod(pod(deletionTimestamp="now", states={"main": ended("Completed")}), named=True)
    assert over == Skipped("shop/web-0", f"container main is terminated (Completed){LOG}", named=True)


def test_pods_that_are_skipped_for_one_reason_are_told_together() -> None:
    skipped = [Skipped("a/x", "is Pending"), Skipped("a/y", "is Failed"), Skipped("a/z", "is Pending")]
    assert by_reason([*skipped, skipped[0]]) == {"is Pending": ["a/x", "a/z"], "is Failed": ["a/y"]}


@pytest.mark.parametrize(
    "found",
    [
        pod(name="../../etc"),
        pod(name=".."),
        pod(name=""),
        pod(name="web\x1b[2J"),
        pod(name="web\n"),
        pod(name="Web"),
        pod(namespace="../shop"),
        pod(namespace=""),
        pod("../../main"),
        pod("main\x1b[2J"),
        pod("main/../x"),
        {},
        {"metadata": None, "spec": None, "status": None},
    ],
)
def test_names_that_could_leave_the_directory_or_rewrite_the_terminal_are_never_a_target(found: dict[str, Any]) -> None:
    skipped = match_pod(found)
    assert isinstance(skipped, Skipped)
    assert "\x1b" not in skipped.pod + skipped.reason
    assert "\n" not in skipped.pod + skipped.reason


def test_what_a_hostile_node_says_about_a_container_is_escaped() -> None:
    skipped = match_pod(pod(states={"main": waits("\x1b]0;owned\x07")}))
    assert isinstance(skipped, Skipped)
    assert "\x1b" not in skipped.reason
    assert "\\x1b]0;owned" in skipped.reason


TARGET = Target("shop", "web-0", "main", "node-1", "u1", "sha256:main", 2)


@pytest.mark.parametrize(
    ("now", "became"),
    [
        (pod(), ""),
        (None, "the pod was deleted"),
        (pod(uid="u2"), "the pod was deleted, and another of the same name took its place"),
        (pod(uid="u2", deletionTimestamp="now"), "the pod was deleted, and another of the same name took its place"),
        (pod(deletionTimestamp="now"), "the pod is being deleted"),
        (pod() | {"status": {"phase": "Failed"}}, "the pod is Failed"),
        (pod(states={"main": ended("OOMKilled")}), "the pod's container main is terminated (OOMKilled)"),
    ],
)
def test_what_became_of_a_pod(now: dict[str, Any] | None, became: str) -> None:
    assert what_became_of(TARGET, now) == became


@pytest.mark.parametrize(
    ("now", "became"),
    [
        (pod(deletionTimestamp="now"), ""),
        (None, "the pod was deleted"),
        (pod(deletionTimestamp="now", uid="u2"), "the pod was deleted, and another of the same name took its place"),
        (
            pod("main", "side", deletionTimestamp="now", states={"main": ended("Completed")}),
            "the pod's container main is terminated (Completed)",
        ),
    ],
)
def test_that_a_pod_is_being_deleted_is_no_cause_where_it_was_known(now: dict[str, Any] | None, became: str) -> None:
    assert what_became_of(replace(TARGET, ending=True), now) == became


def test_a_restarted_container_is_told() -> None:
    now = pod()
    now["status"]["containerStatuses"][0]["restartCount"] = 3
    assert what_became_of(TARGET, now) == "the container was restarted"


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (Selector("labels", "app=web", "/x"), "pods with labels app=web"),
        (Selector("pod", "web-0", "/x"), "pod web-0"),
        (Selector("pod", "web-0", "/x", "shop"), "pod web-0 in namespace shop"),
        (Selector("deploy", "web", "/x"), "deploy/web"),
        (Selector("deployment.apps", "web", "/x"), "deployment.apps/web"),
        (Selector("svc", "web", "/x"), "svc/web"),
    ],
)
def test_selectors_in_words(selector: Selector, text: str) -> None:
    assert str(selector) == text


def test_a_transfer_in_words_escapes_its_path() -> None:
    assert str(Transfer(TARGET, "/a\nb")) == "shop/web-0:/a\\nb"


@pytest.mark.parametrize(
    ("labels", "zone"),
    [({ZONE: "eu-1a"}, {"n": "eu-1a"}), ({}, {}), (None, {}), ({ZONE: ""}, {}), ({ZONE: "a\x1b"}, {})],
)
def test_the_zone_of_a_node_is_its_label(labels: object, zone: dict[str, str]) -> None:
    assert zones_of([{"metadata": {"name": "n", "labels": labels}}]) == zone
