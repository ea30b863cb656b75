"""The database's history, in order."""
