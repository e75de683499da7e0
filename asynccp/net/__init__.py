"""Connections: dialling, TLS (RFC 8446), HTTP/1.1 (RFC 9112), WebSocket frames (RFC 6455)."""
