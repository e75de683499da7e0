"""What people use instead and has to be written first: a playbook, and a script for the official Python client."""
