"""The Autobahn test suite against our end of a WebSocket; `python -m benchmarks.trust.autobahn`, `nox -s autobahn`."""
