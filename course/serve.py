"""make step N: a step, served until Ctrl-C."""

import os
import socket
from pathlib import Path

from course.environment import PYTHON, ensure, say
from course.errors import CourseError
from course.processes import Processes
from course.redis import is_free, start_redis, usual_port
from course.steps import needs_redis

PREPARED = Path(__file__).with_name("prepared.py")


def serve(step, command):
    """Serve the step in that folder with auto-reload; return the exit status.

    PORT, SERVERS and REDIS_URL in the environment say how. Raises CourseError for those that can't
    be used; `command` is what it tells the user to type.
    """
    redis = needs_redis(step)
    first = number_from("PORT", 8000, 65535, command)
    servers = number_from("SERVERS", 2 if redis else 1, 16, command)
    ports = range(first, first + servers)
    check_ports(ports, command)
    check_redis_url(command)
    ensure("course")
    own_redis = usual_port() if redis and not os.environ.get("REDIS_URL") else None
    url = f"redis://127.0.0.1:{own_redis}/0" if own_redis else os.environ.get("REDIS_URL")
    database = step / "db.sqlite3"
    with Processes() as processes:

        def start(port, manage):
            runserver = [PYTHON, manage, "runserver", f"127.0.0.1:{port}"]
            label = str(port) if servers > 1 else None
            variables = {"REDIS_URL": url} if redis else {}
            processes.start(f"The server on port {port}", runserver, step, label, **variables)

        def start_all():
            start(first, PREPARED)
            if processes.wait_until(lambda: listens(first)):  # it has prepared what all need
                for port in ports[1:]:
                    start(port, "manage.py")
            return processes.wait_until(lambda: all(map(listens, ports)))

        origin = start_redis(processes, own_redis) if own_redis else "from REDIS_URL"
        if start_all():
            print(greeting(step, ports, redis and f"{url} ({origin})"), flush=True)
        served = inode(database)
        while processes.wait_until(lambda served=served: inode(database) != served):
            say(f"{database.name} was replaced. Starting the servers again.")
            for port in ports:
                processes.end(f"The server on port {port}")
            start_all()
            served = inode(database)
        if processes.stopped:
            return 0
        say(f"{processes.ended()} has ended, so the rest is ended too.")
        return 1


def number_from(name, default, most, command):
    """Return the number in that variable of the environment; raise CourseError if it is none."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise CourseError(
            f"{name} is {text!r}, not a number from 1 to {most}. Type: {command} {name}={default}"
        )
    return int(text)


def check_ports(ports, command):
    """Raise CourseError if one of the ports can't be listened on."""
    for port in ports:
        if port > 65535 or not is_free(port):
            other = ports[0] + 100 if ports[0] < 60000 else 8000
            servers = f" SERVERS={len(ports)}" if os.environ.get("SERVERS") else ""
            raise CourseError(f"Port {port} can't be used. Type: {command} PORT={other}{servers}")


def check_redis_url(command):
    """Raise CourseError if REDIS_URL is set to something else than addresses of Redis."""
    for url in (os.environ.get("REDIS_URL") or "redis:").split(","):
        if not url.startswith(("redis:", "rediss:", "unix:")):
            raise CourseError(
                f"REDIS_URL has {url!r}, which is no address of a Redis. "
                f"Type: {command} REDIS_URL=redis://127.0.0.1:6379/0"
            )


def inode(path):
    """Return what tells a file from another one in its place; None without a file."""
    return path.stat().st_ino if path.exists() else None


def listens(port):
    """Tell whether somebody accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def greeting(step, ports, redis):
    """Return what the user is told once the servers are up."""
    lines = [
        "",
        f"{step.name} is served:",
        *(f"    http://127.0.0.1:{port}/" for port in ports),
        *([f"    Redis: {redis}"] if redis else []),
        "Sign in as alice, bob, carol or teacher; the password is channels.",
        "For two people at once, open a second browser or a private window.",
        "Ctrl-C ends all of it.",
        "",
    ]
    return "\n".join(lines)
