"""The login that the operating system vouches for."""

import os


def os_login() -> str | None:
    """Login of the user this process runs as, by its user id; None where there is none.

    Not from USER or LOGNAME, which anybody can set.
    """
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError, AttributeError):
        return None
