"""The API server: lists, exec sessions, and what its answers mean."""
