"""Credentials: the kubeconfig, exec plugins, OIDC, and their renewal."""
