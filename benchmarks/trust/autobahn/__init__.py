"""The Autobahn test suite against our end of a WebSocket; `python -m tests.autobahn`, or `nox -s autobahn`."""
