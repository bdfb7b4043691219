"""Being asked to stop."""


class Stopped(BaseException):
    """SIGTERM arrived. Not an Exception, so that no handler of errors mistakes it for one."""
