"""The process: settings, runtime, ASGI apps, workers and the command line."""
