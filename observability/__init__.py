"""Logs and metrics, declared here and configured from the top."""
