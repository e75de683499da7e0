"""Where copies land by a template, and that no two of them land on one name, whatever the disk makes of names."""

import posixpath
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from asynccp.errors import PlanError, UsageError
from asynccp.plan.template import Landing, check_apart, parse_template, shared, usual
from asynccp.target import Log, Target, Transfer

DAY = "2026-11-29"


def transfer(path: str = "/var/log", pod: str = "web-0", namespace: str = "shop", **more: object) -> Transfer:
    more = {"node": "node-1", "labels": ("app=Web", "app.kubernetes.io/name=web", "tier="), **more}
    return Transfer(Target(namespace, pod, "main", **more), path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "path", "landing"),
    [
        ("{pod}", "/var/log", ("web-0", "log")),
        ("{pod}", "/var/log/", ("web-0", "")),
        ("{namespace}/{pod}/{container}", "/var/log", ("shop/web-0/main", "log")),
        ("{node}", "/etc/hosts", ("node-1", "hosts")),
        ("{date}/{pod}", "/var/log", (f"{DAY}/web-0", "log")),
        ("{pod}-{date}", "/var/log/", (f"web-0-{DAY}", "")),
        ("{labels.app}/{pod}", "/var/log", ("Web/web-0", "log")),
        ("{labels.app.kubernetes.io/name}", "/var/log", ("web", "log")),
        ("x{labels.tier}", "/var/log", ("x", "log")),
        ("here/./there//{pod}/", "/var/log", ("here/there/web-0", "log")),
        ("fixed", "/var/log", ("fixed", "log")),
        ("{pod}/{path}", "/var/log", ("web-0/var", "log")),
        ("{pod}/{path}", "/var/log/", ("web-0/var/log", "")),
        ("{pod}/{path}", "/var/./log//x", ("web-0/var/log", "x")),
        ("{pod}/{path}", "~/log", ("web-0", "log")),
        ("{pod}/{path}", "log", ("web-0", "log")),
        ("{pod}/{path}", "~", ("web-0", "")),
        ("{pod}", "~", ("web-0", "")),
        ("{pod}/{path}", "/~", ("web-0", "~")),
        ("{pod}/{path}", "/~/log", ("web-0/~", "log")),
        ("{pod}/{path}", "/", ("web-0", "")),
        ("{pod}/{path}", ".", ("web-0", "")),
        ("{path}", "/hosts", ("", "hosts")),
        ("{path}/{pod}", "/etc/hosts", ("etc/hosts", "web-0")),
        ("{path}.{pod}", "/etc/hosts", ("etc", "hosts.web-0")),
        ("{path}/{pod}", "/etc/", ("etc/web-0", "")),
    ],
)
def test_where_a_copy_lands(template: str, path: str, landing: tuple[str, str]) -> None:
    assert parse_template(template, DAY).landing(transfer(path)) == Landing(*landing)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{pods}", "a template has no field {pods}"),
        ("{}", "a template has no field {}"),
        ("{ pod }", "a template has no field { pod }"),
        ("{labels.}", "a template has no field {labels.}"),
        ("{labels.a/../b}", "a template has no field {labels.a/../b}"),
        ("{labels.-}", "a template has no field"),
        ("{pod", "a brace of the template {pod has no other half"),
        ("pod}", "a brace of the template pod} has no other half"),
        ("{{pod}}", "a brace of the template"),
        ("/logs/{pod}", "the template /logs/{pod} leads out"),
        ("{pod}/../x", "the template {pod}/../x leads out"),
        ("..", "the template .. leads out"),
        ("", "a template names something"),
        (".", "a template names something"),
        ("./.", "a template names something"),
        ("\x1b{x", r"the template \x1b{x has no other half"),
    ],
)
def test_a_template_that_means_nothing_is_one_sentence(template: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_template(template, DAY)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("template", "path"), [("{labels.tier}", "/x"), ("{pod}/{labels.tier}", "/x"), ("{path}", "/"), ("{path}", "~/")]
)
def test_a_copy_without_a_name_is_refused(template: str, path: str) -> None:
    with pytest.raises(UsageError, match="would have no name"):
        parse_template(template, DAY).landing(transfer(path))


@pytest.mark.parametrize("path", ["../x", "/a/../b", "/a/.."])
def test_a_path_whose_place_nobody_can_tell_has_none(path: str) -> None:
    with pytest.raises(UsageError, match=r"has \.\. in it"):
        parse_template("{pod}/{path}", DAY).landing(transfer(path))
    assert parse_template("{pod}", DAY).landing(transfer(path)).directory == "web-0"


@pytest.mark.parametrize("value", ["a/b", "../x", "a\0b", "a\x1b[2Jb", "\u202e", "a b", "é"])
def test_what_kubernetes_would_not_allow_takes_no_part_in_a_path(value: str) -> None:
    for template, lying in (("{node}", transfer(node=value)), ("{labels.app}", transfer(labels=(f"app={value}",)))):
        with pytest.raises(PlanError, match="Kubernetes does not allow") as caught:
            parse_template(template, DAY).landing(lying)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["..", "."])
def test_what_would_lead_elsewhere_takes_no_part_in_a_path(value: str) -> None:
    with pytest.raises(UsageError, match="would have no name"):
        parse_template("{node}", DAY).landing(transfer(node=value))


def test_a_log_is_called_after_its_container_and_needs_no_directory_of_that_name() -> None:
    log = replace(transfer("main.log"), log=Log())
    assert usual(by_namespace=True, by_container=True).landing(log) == Landing("shop/web-0", "main.log")
    assert parse_template("{pod}/{container}/{path}", DAY).landing(log) == Landing("web-0/main", "main.log")


def test_which_labels_a_template_needs() -> None:
    assert parse_template("{labels.app}/{labels.a.b/c}-{labels.app}/{pod}", DAY).labels == ("app", "a.b/c")
    assert usual().labels == ()


def checked(*landed: tuple[str, str, str], reserved: tuple[str, ...] = ()) -> None:
    """Check copies, each a pod, a directory and a name in it."""
    check_apart([(transfer(pod=pod), Landing(directory, name)) for pod, directory, name in landed], reserved)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "x", "log"), ("b", "x", "log")),
        (("a", "x", "log"), ("a", "x", "log")),
        (("a", "x", ""), ("b", "", "x")),
        (("a", "x", "Log"), ("b", "x", "log")),
        (("a", "X", "log"), ("b", "x", "log")),
        (("a", "x", "stra\xdfe"), ("b", "x", "STRASSE")),
        (("a", "x", "\xe9"), ("b", "x", "e\u0301")),
        (("a", "x", "\u1e9b\u0323"), ("b", "x", "\u1e69")),  # of which one folds to the other's canonical form
        (("a", "x", "\u212b"), ("b", "x", "\xe5")),
    ],
)
def test_two_copies_on_one_name_are_refused(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    for pair in ((one, other), (other, one)):
        with pytest.raises(UsageError, match="would land on one name"):
            checked(*pair)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (("a", "x", ""), ("b", "x", "log")),
        (("a", "x", "log"), ("b", "x/log", "deep")),
        (("a", "x", "log"), ("b", "X/LOG/deep", "er")),
        (("a", "x", "log"), ("a", "x/log", "deep")),
        (("a", "", "x"), ("b", "x/y/z", "")),
    ],
)
def test_a_copy_inside_of_another_is_refused(outer: tuple[str, str, str], inner: tuple[str, str, str]) -> None:
    for pair in ((outer, inner), (inner, outer)):
        with pytest.raises(UsageError, match="would land inside of each other"):
            checked(*pair)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "x", "log"), ("b", "y", "log")),
        (("a", "x", "log"), ("b", "x", "logs")),
        (("a", "x", "log"), ("b", "x", "log.1")),
        (("a", "x", ""), ("a", "x", "log")),  # of one pod: the contents of a directory, and another path beside them
        (("a", "x", ""), ("b", "xy", "")),
    ],
)
def test_copies_beside_each_other_are_apart(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    checked(one, other)
    checked(other, one)


def test_a_name_that_is_no_copys_is_taken() -> None:
    for landed in (("a", "", "Report.json"), ("a", "report.json", "log")):
        with pytest.raises(UsageError, match="the report and shop/a"):
            checked(landed, reserved=("report.json",))
    checked(("a", "x", "report.json"), reserved=("report.json",))


def test_a_collision_names_who_and_where_and_what_tells_them_apart() -> None:
    with pytest.raises(UsageError) as caught:
        checked(("a", "x", "Log"), ("b", "x", "log"))
    assert str(caught.value) == (
        "shop/a:/var/log and shop/b:/var/log would land on one name: x/Log and x/log, "
        "which some disks take for one name"
    )
    assert "{namespace}, {pod}, {container} or {path}" in caught.value.hint


NAMES = st.sampled_from(["a", "A", "b", "\xe9", "e\u0301", "E\u0301", "\xdf", "ss"])
PLACES = st.lists(st.tuples(st.sampled_from("123"), st.lists(NAMES, min_size=1, max_size=3)), max_size=5)


@given(PLACES)
def test_what_is_accepted_is_apart_on_every_disk(places: list[tuple[str, list[str]]]) -> None:
    """The model is a disk that folds: each copy makes its path there, and none may meet another's."""

    def on_disk(path: str) -> str:
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
        return unicodedata.normalize("NFC", folded)

    paths = [on_disk("/".join(names)) for _, names in places]
    meet = any(
        one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
        for index, one in enumerate(paths)
        for other in paths[:index]
    )
    landed = [(pod, "/".join(names[:-1]), names[-1]) for pod, names in places]
    if meet:
        with pytest.raises(UsageError):
            checked(*landed)
    else:
        checked(*landed)


TEXTS = st.text(st.sampled_from("{}/.~ax\0\u202e") | st.characters(), max_size=30)
FIELDS = st.sampled_from(["{pod}", "{path}", "{node}", "{labels.app}", "{date}", "/", "..", ".", "x"])


@given(st.lists(FIELDS | TEXTS, max_size=6).map("".join), st.sampled_from(["/", "/a/b", "/a/b/", "a", "~", "/.x/.."]))
def test_a_landing_is_below_the_destination_whatever_is_written(template: str, path: str) -> None:
    try:
        landing = parse_template(template, DAY).landing(transfer(path))
    except UsageError:
        return
    assert landing.path, "something, and not the destination itself"
    assert posixpath.normpath(landing.path) == landing.path, "no empty component, no . and no .."
    assert not landing.path.startswith(("/", "../"))


def test_a_log_beside_contents_might_meet_one_of_their_names_and_is_refused() -> None:
    contents, log = transfer("/var/log/"), replace(transfer("main.log"), log=Log())
    with pytest.raises(UsageError, match="would land inside of each other"):
        check_apart([(contents, Landing("web-0", "")), (log, Landing("web-0", "main.log"))])
    check_apart([(transfer(), Landing("web-0", "log")), (log, Landing("web-0", "main.log"))])


def test_directories_that_several_pods_have_copies_in() -> None:
    def found(*landed: tuple[str, str, str]) -> set[str]:
        return shared((transfer(pod=pod), Landing(directory, name)) for pod, directory, name in landed)

    assert found(("a", "a", "log"), ("b", "b", "log")) == set()
    assert found(("a", "x", "a"), ("b", "X", "b")) == {"x", "X"}
    assert found(("a", "x", "a"), ("a", "x", "b")) == set()
    assert found(("a", "x", "a"), ("b", "x/y", "b")) == {"x"}
    assert found(("a", "", "a")) == {""}
    side = replace(transfer("/x"), target=Target("shop", "web-0", "side"))
    assert shared([(transfer(), Landing("web-0", "log")), (side, Landing("web-0", "x"))]) == set(), "of one pod"
