"""The documents and the files that start containers, compared with the code."""
