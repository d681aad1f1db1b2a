"""make step N: a step, served until Ctrl-C."""

import os
import socket
from contextlib import suppress
from pathlib import Path

from course.environment import PYTHON, ensure, say
from course.errors import CourseError
from course.manage import note_redis
from course.processes import Processes
from course.redis import is_free, start_redis, usual_port
from course.steps import needs_redis, number_of

LOCALHOST = "127.0.0.1"
LAUNCH = Path(__file__).with_name("launch.py")


def serve(step, command):
    """Serve the step in that folder with auto-reload; return the exit status.

    HOST, PORT, SERVERS and REDIS_URL in the environment say how. Raises CourseError for those that
    can't be used; `command` is what it tells the user to type.
    """
    redis = needs_redis(step)
    host = os.environ.get("HOST") or LOCALHOST
    addresses = addresses_of(host, command)
    first = number_from("PORT", 8000, 65535, command)
    servers = number_from("SERVERS", 2 if redis else 1, 16, command)
    ports = range(first, first + servers)
    check_ports(host, ports, command)
    check_redis_url(command)
    ensure("course")
    own_redis = usual_port() if redis and not os.environ.get("REDIS_URL") else None
    url = f"redis://127.0.0.1:{own_redis}/0" if own_redis else os.environ.get("REDIS_URL")
    database = step / "db.sqlite3"
    names = {port: f"The server on port {port}" for port in ports}
    variables = {"REDIS_URL": url} if redis else {}
    if host != LOCALHOST:
        allowed = [os.environ.get("DJANGO_ALLOWED_HOSTS"), *addresses, ".localhost", LOCALHOST]
        variables["DJANGO_ALLOWED_HOSTS"] = ",".join(filter(None, allowed))
    with Processes() as processes, note_redis(step, url):

        def start(port):
            runserver = [PYTHON, LAUNCH, "runserver", f"{host}:{port}"]
            label = str(port) if servers > 1 else ""
            # Empty for a single server: a SERVER from the user's shell must not show up.
            server = f"{ports.index(port) + 1} of {servers}" if servers > 1 else ""
            processes.start(names[port], runserver, step, label, SERVER=server, **variables)

        def start_all():
            """Start the servers; return what they have been started with."""
            state = last_saved(step), inode(database)
            start(first)
            # The others wait for it: an error in the step is shown once.
            if processes.wait_until(lambda: listens(first, addresses[0])):
                for port in ports[1:]:
                    start(port)
            processes.wait_until(lambda: all(listens(port, addresses[0]) for port in ports))
            return state[0], state[1] or inode(database)

        origin = start_redis(processes, own_redis) if own_redis else "from REDIS_URL"
        saved, served = start_all()
        edited = False
        if not processes.ended():
            redis = redis and f"{url} ({origin})"
            print(greeting(step, addresses, ports, redis), flush=True)
        while not processes.stopped:
            replaced = processes.wait_until(lambda served=served: inode(database) != served)
            ended = processes.ended()
            if replaced:
                say(f"{database.name} was replaced. Starting the servers again.")
            elif ended in names.values() and last_saved(step) != saved:
                edited = True  # perhaps once more since the server has read it: try that first
            elif ended in names.values() and edited:
                processes.end(*filter(processes.running.get, names.values()))
                say("Fix the error above, and save the file.")
                if not processes.wait_until(lambda saved=saved: last_saved(step) != saved):
                    continue
            elif ended:
                processes.end(*processes.running)
                say(f"{ended} has ended. Stopped the others.")
                return 1
            else:
                break
            processes.end(*filter(processes.running.get, names.values()))
            saved, served = start_all()
            edited = edited and processes.ended() is not None
        return 0


def last_saved(step):
    """Return when a Python file of the step was last saved, in ns."""
    return max(file.stat().st_mtime_ns for file in step.rglob("*.py"))


def addresses_of(host, command):
    """Return the addresses of a server that listens on this host, the one to probe first.

    Raises CourseError if nothing can listen there.
    """
    if not is_free(0, host):
        raise CourseError(
            f"HOST is {host!r}, which is no address of this machine. Type: {command} HOST=0.0.0.0"
        )
    if host != "0.0.0.0":
        return [host]
    found = {LOCALHOST: None}
    with suppress(OSError):
        found |= dict.fromkeys(socket.gethostbyname_ex(socket.gethostname())[2])
    with suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; an address that RFC 5737 sets aside
        found[probe.getsockname()[0]] = None
    return list(found)


def number_from(name, default, most, command):
    """Return the number in that variable of the environment; raise CourseError if it is none."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise CourseError(
            f"{name} is {text!r}, not a number from 1 to {most}. Type: {command} {name}={default}"
        )
    return int(text)


def check_ports(host, ports, command):
    """Raise CourseError if one of the ports can't be listened on."""
    for port in ports:
        if port > 65535 or not is_free(port, host):
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


def listens(port, address=LOCALHOST):
    """Return whether somebody accepts connections on that port."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def greeting(step, addresses, ports, redis):
    """Return what the user is told once the servers are up."""
    number = number_of(step.name)
    tea = f"make manage {number} CMD='broadcast 1 \"tea is ready\"'"
    warning = "Everyone on this network can sign in: the demo password is no secret."
    lines = [
        "",
        f"{step.name} is served:",
        *(f"    http://{address}:{port}/" for address in addresses for port in ports),
        *([f"    Redis: {redis}"] if redis else []),
        "Sign in as alice, bob, carol or teacher; the password is channels.",
        "For two people at once, open bob's page in a private window or a second browser"
        + (", at the second address." if len(ports) > 1 else "."),
        *([f"To post from a second terminal, type: {tea}"] if has_broadcast(step) else []),
        *([warning] if addresses != [LOCALHOST] else []),
        "Press Ctrl-C to stop.",
        "",
    ]
    return "\n".join(lines)


def has_broadcast(step):
    return any(step.glob("*/management/commands/broadcast.py"))
