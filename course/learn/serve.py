"""make step N: a step, served until Ctrl-C."""

import os
import socket
from contextlib import suppress
from pathlib import Path

from course.errors import CourseError, say
from course.learn.ports import is_free, listens, reserve_ports
from course.learn.processes import Processes
from course.learn.redis import check_redis, masked, start_redis
from course.steps import command_of, needs_redis
from course.venv import PYTHON

LOCALHOST = "127.0.0.1"
LAUNCH = Path(__file__).with_name("launch.py")


def serve(step, host, port, servers, redis_url, django_allowed_hosts, shown=None):
    """Serve the step in that folder with auto-reload; return the exit status.

    `servers` is the number of processes, on that port and those after it, `redis_url` the Redis to
    use in place of our own, `django_allowed_hosts` what the user allows, `shown` the name that the
    pages show in place of the folder's. Raises CourseError for what can't be used.
    """
    redis = needs_redis(step)
    command = command_of(step)
    host = host or LOCALHOST
    addresses = addresses_of(host, command)
    ports = range(port, port + (servers or (2 if redis else 1)))
    reserve_ports(ports, host, command + (f" SERVERS={servers}" if servers else ""))
    if redis and redis_url:
        check_redis(redis_url)
    variables = {"SHOWN_STEP": shown} if shown else {}
    forwarded = forwarded_hosts(ports)
    if host != LOCALHOST or forwarded:
        allowed = [django_allowed_hosts, *addresses, *forwarded, ".localhost", LOCALHOST]
        variables["DJANGO_ALLOWED_HOSTS"] = ",".join(filter(None, allowed))
    if forwarded:
        # The forwarder has been seen to put localhost into Origin, with one scheme or the other.
        origins = [f"{scheme}://localhost:{port}" for scheme in ["http", "https"] for port in ports]
        origins += [f"https://{name}" for name in forwarded]
        variables["DJANGO_CSRF_TRUSTED_ORIGINS"] = ",".join(origins)
    with Processes() as processes:
        origin = "from REDIS_URL"
        if redis and not redis_url:
            redis_url, origin = start_redis(processes)
        if redis:
            variables["REDIS_URL"] = redis_url
        site = Site(processes, step, host, ports, addresses[0], variables)
        site.start()
        if not processes.ended():
            used = redis and f"{masked(redis_url)} ({origin})"
            print(greeting(step, shown or step.name, addresses, ports, used), flush=True)
        return site.watch()


class Site:
    """The servers of a step: one for each port, each a process under auto-reload."""

    def __init__(self, processes, step, host, ports, address, variables):
        self.processes, self.step, self.host, self.ports = processes, step, host, ports
        self.address, self.variables = address, variables
        self.names = {port: f"The server on port {port}" for port in ports}
        self.database = step / "db.sqlite3"

    def start(self):
        """Start all servers; remember the files that they were started with."""
        self.saved, self.served = last_saved(self.step), inode(self.database)
        # The others wait for the first: an error in the step is shown once.
        for some in [self.ports[:1], self.ports[1:]]:
            for port in some:
                self.start_one(port)
            if not self.processes.wait_until(
                lambda some=some: all(listens(port, self.address) for port in some)
            ):
                break
        self.served = self.served or inode(self.database)

    def start_one(self, port):
        several = len(self.ports) > 1
        # Empty for a single server: a SERVER from the user's shell must not show up.
        server = f"{self.ports.index(port) + 1} of {len(self.ports)}" if several else ""
        command = [PYTHON, LAUNCH, "runserver", f"{self.host}:{port}"]
        label = str(port) if several else ""
        name = self.names[port]
        self.processes.start(name, command, self.step, label, SERVER=server, **self.variables)

    def end(self):
        self.processes.end(*filter(self.processes.running.get, self.names.values()))

    def watch(self):
        """Return the exit status when it is time to end; until then, start the servers again.

        That is done when the database was replaced, and when a file was saved after an error in it
        had ended them.
        """
        edited = False
        while not self.processes.stopped:
            replaced = self.processes.wait_until(lambda: inode(self.database) != self.served)
            ended = self.processes.ended()
            if replaced:
                say(f"{self.database.name} was replaced. Starting the servers again.")
            elif ended in self.names.values() and last_saved(self.step) != self.saved:
                edited = True  # perhaps once more since the server has read it: try that first
            elif ended in self.names.values() and edited:
                self.end()
                say("Fix the error above, and save the file.")
                if not self.processes.wait_until(lambda: last_saved(self.step) != self.saved):
                    continue
            elif ended:
                self.processes.end(*self.processes.running)
                say(f"{ended} has ended. Stopped the others.")
                return 1
            else:
                break
            self.end()
            self.start()
            edited = edited and self.processes.ended() is not None
        return 0


def last_saved(step):
    """Return when a Python file of the step was last saved, in ns."""
    return max(file.stat().st_mtime_ns for file in step.rglob("*.py"))


def inode(path):
    """Return what tells a file from another one in its place; None without a file."""
    return path.stat().st_ino if path.exists() else None


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


def forwarded_hosts(ports):
    """Return the hosts that GitHub Codespaces has for these ports, with HTTPS; none elsewhere."""
    name = os.environ.get("CODESPACE_NAME")
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    return [f"{name}-{port}.{domain}" for port in ports] if name else []


def greeting(step, name, addresses, ports, redis):
    """Return what the user is told once the servers are up."""
    tea = f"{command_of(step, 'manage')} CMD='broadcast 1 \"tea is ready\"'"
    warning = "Everyone on this network can sign in: the demo password is no secret."
    urls = [f"https://{forwarded}/" for forwarded in forwarded_hosts(ports)]
    urls = urls or [f"http://{address}:{port}/" for address in addresses for port in ports]
    lines = [
        "",
        f"{name} is served:",
        *(f"    {url}" for url in urls),
        *([f"    Redis: {redis}"] if redis else []),
        "Sign in as alice, bob, carol or teacher; the password is channels.",
        "For two people at once, open bob's page in a private window or a second browser"
        + (", at the second address." if len(ports) > 1 else "."),
        *([f"To post from a second terminal, type: {tea}"] if redis else []),
        *([warning] if addresses != [LOCALHOST] else []),
        "Press Ctrl-C to stop.",
        "",
    ]
    return "\n".join(lines)
