"""Examples: for each common case a command that works as it stands, and what it is for. --help and hints show them."""

EXAMPLES = {
    "": (
        ("push a directory to every pod with a label", "asynccp push ./config -l app=web:/etc/app"),
        ("push one file to a pod", "asynccp push ./config/app.toml web-0:/etc/app/"),
        ("push to the pods of a Deployment", "asynccp push ./config deploy/web:/etc/app"),
        ("pull the logs of every pod with a label", "asynccp pull -l app=web:/var/log ./logs"),
        ("see beforehand who would get what", "asynccp push ./config -l app=web:/etc/app --dry-run"),
        ("a report for a script", "asynccp push ./config -l app=web:/etc/app -q -o json"),
    ),
    "push": (
        ("a directory, as /etc/app/config", "asynccp push ./config -l app=web:/etc/app"),
        ("its contents, into /etc/app", "asynccp push ./config/ -l app=web:/etc/app"),
        ("one file, to a pod", "asynccp push ./config/app.toml web-0:/etc/app/"),
        (
            "to the pods of a Deployment, each file compared afterwards",
            "asynccp push ./config deploy/web:/etc/app --checksum",
        ),
        ("only see who would get what", "asynccp push ./config -l app=web:/etc/app --dry-run"),
        ("for a script", "asynccp push ./config -l app=web:/etc/app -q -o json"),
        ("with a report, for a second try", "asynccp push ./config -l app=web:/etc/app --report run.json"),
    ),
    "diff": (
        ("which pods have another configuration", "asynccp diff ./config -l app=web:/etc/app"),
        ("the same by content, for a script", "asynccp diff ./config -l app=web:/etc/app --checksum -q -o json"),
    ),
    "pull": (
        ("logs, as ./logs/POD/log", "asynccp pull -l app=web:/var/log ./logs"),
        ("the contents of /var/log, as ./logs/POD", "asynccp pull -l app=web:/var/log/ ./logs"),
        (
            "from the pods of a Deployment, at most 10 MB a second",
            "asynccp pull deploy/web:/var/log ./logs --bwlimit 10M",
        ),
        ("one archive of all, with the report in it", "asynccp pull -l app=web:/var/log --archive logs.tar.gz"),
        ("what the containers have said", "asynccp pull -l app=web ./logs --container-logs"),
        ("from all namespaces, as ./logs/NAMESPACE/POD/log", "asynccp pull -A -l app=web:/var/log ./logs"),
        ("for a script", "asynccp pull -l app=web:/var/log ./logs -q -o json"),
    ),
    "cp": (
        ("to a pod", "asynccp cp ./app.toml web-0:/etc/app/app.conf"),
        ("from a pod", "asynccp cp web-0:/var/log ./web-0"),
        ("from pod to pod", "asynccp cp web-0:/var/log web-1:/tmp/log"),
    ),
    "retry": (
        ("what failed, was interrupted or never begun", "asynccp retry run.json"),
        ("the same, with more patience", "asynccp retry run.json --timeout 600"),
    ),
    "report": (
        ("once more, as text", "asynccp report run.json"),
        ("as a page for a browser", "asynccp report run.json --html run.html"),
    ),
    "check": (
        ("every pod with a label", "asynccp check -l app=web"),
        ("the pods of a Deployment, for a script", "asynccp check deploy/web -o json"),
    ),
}


def example(command: str) -> str:
    """Return the example that a hint shows."""
    return EXAMPLES[command][0][1]
