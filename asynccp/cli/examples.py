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
        (
            "what changes here, as it does, also to pods that come later",
            "asynccp push ./config -l app=web:/etc/app --follow --watch --for 3s",
        ),
        (
            "to one pod, then to a tenth of all at a time, while they stay Ready",
            "asynccp push ./config -l app=web:/etc/app --canary 1 --wave 10% --settle 2s",
        ),
        ("for a script", "asynccp push ./config -l app=web:/etc/app -q -o json"),
        ("in several clusters at once", "asynccp push ./config -l app=web:/etc/app --context 'prod-*'"),
        ("all of it at once, and so that it can be taken back", "asynccp push ./config/ -l app=web:/etc/app --backup"),
        (
            "as a whole, if a command there agrees",
            "asynccp push ./config/ -l app=web:/etc/app --exec-before 'ls $ASYNCCP_STAGED'",
        ),
        ("with a command behind it", "asynccp push ./config/ -l app=web:/etc/app --exec-after 'echo reloaded'"),
        ("with what happens while it does, for a program", "asynccp push ./config -l app=web:/etc/app --events -"),
        ("with a report, for a second try", "asynccp push ./config -l app=web:/etc/app --report run.json"),
        (
            "with modes and an owner of its own there",
            "asynccp push ./config -l app=web:/etc/app --chmod D755,F644 --chown 0:0",
        ),
        ("what the profile web of .asynccp.toml says", "asynccp push @web"),
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
        ("what is new, again and again", "asynccp pull -l app=web:/var/log ./logs --follow 1s --for 3s"),
        ("what the containers have said", "asynccp pull -l app=web ./logs --container-logs"),
        ("from all namespaces, as ./logs/NAMESPACE/POD/log", "asynccp pull -A -l app=web:/var/log ./logs"),
        ("for a script", "asynccp pull -l app=web:/var/log ./logs -q -o json"),
    ),
    "cp": (
        ("to a pod", "asynccp cp ./app.toml web-0:/etc/app/app.conf"),
        ("from a pod", "asynccp cp web-0:/var/log ./web-0"),
        ("from pod to pod", "asynccp cp web-0:/var/log web-1:/tmp/log"),
    ),
    "rollback": (("what the last push has replaced", "asynccp rollback -l app=web:/etc/app"),),
    "history": (("what could be brought back", "asynccp history -l app=web:/etc/app"),),
    "completion": (("what zsh is to read when it starts", "asynccp completion zsh"),),
    "retry": (
        ("what failed, was interrupted or never begun", "asynccp retry run.json"),
        ("the same, with more patience", "asynccp retry run.json --timeout 600"),
    ),
    "report": (
        ("once more, as text", "asynccp report run.json"),
        ("as a page for a browser", "asynccp report run.json --html run.html"),
    ),
    "config": (
        ("which settings hold, and where they come from", "asynccp config"),
        ("those of one command with a profile, for a script", "asynccp config push @web -o json"),
    ),
    "check": (
        ("every pod with a label", "asynccp check -l app=web"),
        ("the pods of a Deployment, for a script", "asynccp check deploy/web -o json"),
    ),
    "relay": (("what relays need, to be applied", "asynccp relay manifest --relays 4 --relay-image asynccp:1"),),
}


def example(command: str) -> str:
    """Return the example that a hint shows."""
    return EXAMPLES[command][0][1]
