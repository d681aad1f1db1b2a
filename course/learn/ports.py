"""Ports of this machine: whether they are free, and which process listens on them."""

import os
import socket
from contextlib import suppress

from course.errors import CourseError
from course.steps import ROOT

RESERVED = []  # sockets that are bound for as long as this process lives


def reserve(port, host="127.0.0.1"):
    """Bind a port, to be sure that a server can; raise OSError if it can't.

    It stays bound for UDP. So of two commands that start in the same moment, one gets the error.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
    reservation = socket.socket(type=socket.SOCK_DGRAM)
    reservation.bind((host, port))
    RESERVED.append(reservation)


def is_free(port, host="127.0.0.1"):
    """Return whether a server could listen on that port."""
    with suppress(OSError, UnicodeError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False


def listens(port, address="127.0.0.1"):
    """Return whether somebody accepts connections on that port."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def any_free_port():
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def choose_port(usual):
    """Return that port, or another one when it is taken, and reserve it."""
    while True:
        with suppress(OSError):
            reserve(usual)
            return usual
        usual = any_free_port()


def reserve_ports(ports, host, command):
    """Reserve those ports; raise CourseError, with what to type instead, if one is taken."""
    for port in ports:
        try:
            reserve(port, host)
        except (OSError, OverflowError) as error:
            free = (
                n for n in range(8000, 60000, 100) if all(map(is_free, range(n, n + len(ports))))
            )
            why = holder(port) or getattr(error, "strerror", None) or "there is no such port"
            raise CourseError(
                f"Port {port} can't be used: {why}. Type: {command} PORT={next(free)}"
            ) from None


def holder(port):
    """Return who listens on that port, as part of a sentence; None if the system doesn't say."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error):
            connections = process.net_connections("tcp")
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections):
                words = " ".join(map(os.path.basename, process.cmdline()[:4]))
                ours = process.cwd().startswith(str(ROOT))
                cure = f"; to end it, type: kill {process.pid}" if ours else ""
                return f"process {process.pid} ({words}) listens there{cure}"
    return None
