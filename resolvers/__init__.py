"""One file per capability of the API: permission, one call, map the result."""
