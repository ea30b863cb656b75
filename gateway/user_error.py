"""The one kind of failure that is shown to a person as a line of text, never as a traceback."""


class UserError(Exception):
    """What went wrong and what to do about it, in one line without secrets; the command line exits with 2."""
