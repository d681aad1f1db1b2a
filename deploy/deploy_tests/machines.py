"""The machines of a site as processes on this one: Redis, PostgreSQL, two Daphnes and nginx."""

import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

import pytest
from tests.postgresql_servers import find_postgresql, run_postgresql
from tests.redis_servers import is_listening, run_redis
from tests.servers import TIMEOUT, wait_until

DEPLOY = Path(__file__).resolve().parent.parent
STEP = DEPLOY.parent / "step06_persist_alerts"
UNIT = DEPLOY / "systemd" / "mychannels@.service"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")  # Debian's folder for it

NGINX_CONF = """
$user
daemon off;
worker_processes 2;
pid nginx.pid;
error_log error.log;
events {}
http {
    include $mime_types;
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include mychannels.conf;
}
"""

PREPARE = """
import django
from django.core.management import call_command

django.setup()
call_command("migrate", interactive=False)
call_command("demo")
call_command("collectstatic", interactive=False)
"""


def skip_or_fail(reason):
    """Skip the test for that reason; where REQUIRE_SERVERS=1 says so, fail it."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_ports(count):
    """Return so many TCP ports that nobody listens on.

    Systems take no ports of this range for connections: until we listen, they stay free.
    """
    ports = random.sample(range(20_000, 30_000), 10 * count)
    return [port for port in ports if not is_listening(port)][:count]


def environ_of_a_server(**variables):
    """Return the environment of a process of the site: nothing of ours but PATH, and these."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{DEPLOY}:{STEP}",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "mychannels_deploy.settings",
        "DJANGO_SECRET_KEY": "0123456789-for-tests-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    } | variables


def run_python(environ, *arguments):
    """Run Python with those arguments in step 6's folder; return what it did."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=STEP,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def words_of_the_unit():
    """Return the words of the command in the systemd unit."""
    command = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", UNIT.read_text(), re.MULTILINE)
    return shlex.split(command[1].replace("\\\n", " "))


class Process:
    """A server process that a test can end and start again; its output goes to the file `log`."""

    def __init__(self, command, port, log, **options):
        self.command = command
        self.port = port
        self.log = Path(log)
        self.options = options

    def start(self):
        self.launch()
        self.wait()

    def launch(self):
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self.options,
            )

    def wait(self):
        """Return when it listens; raise RuntimeError if it has ended."""
        wait_until(lambda: self.process.poll() is not None or is_listening(self.port))
        if self.process.poll() is not None:
            raise RuntimeError(f"It did not start:\n{self.log.read_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()


class Redis:
    """An empty Redis that a test can stop and start again."""

    def __init__(self, port):
        self.url = f"redis://127.0.0.1:{port}/0"
        self.running = ExitStack()

    def start(self):
        self.running.enter_context(run_redis(self.url))

    def stop(self):
        self.running.close()


class Site:
    """All machines of a site, and `url`, the address of its nginx."""

    def __init__(self, folder, postgresql):
        self.folder = folder
        redis_port, self.http_port, https_port, *daphne_ports = free_ports(5)
        self.redis = Redis(redis_port)
        self.postgresql = postgresql
        self.static_root = folder / "static"
        self.environ = environ_of_a_server(
            DATABASE_URL=postgresql.url, REDIS_URL=self.redis.url, STATIC_ROOT=str(self.static_root)
        )
        self.daphnes = [self.make_daphne(port) for port in daphne_ports]
        self.url = f"https://127.0.0.1:{https_port}"
        self.certificate = folder / "fullchain.pem"
        self.servers = [*self.daphnes, self.make_nginx(https_port)]

    def prepare(self):
        """Fill the database and STATIC_ROOT."""
        result = run_python(self.environ, "-c", PREPARE)
        assert result.returncode == 0, result.stderr

    def make_daphne(self, port):
        """Return a Daphne that runs as the systemd unit says."""
        _, *options = words_of_the_unit()
        options = [word.replace("%i", str(port)) for word in options]
        command = [sys.executable, "-m", "daphne", *options]
        return Process(command, port, self.folder / f"daphne{port}", cwd=STEP, env=self.environ)

    def make_nginx(self, https_port):
        """Return an nginx with our configuration, filled in as envsubst does it."""
        key = self.folder / "privkey.pem"
        make_certificate(self.certificate, key)
        values = {
            "HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            "HTTPS_LISTEN": f"127.0.0.1:{https_port}",
            "CERTIFICATE": self.certificate,
            "CERTIFICATE_KEY": key,
            "STATIC_ROOT": self.static_root,
            "DAPHNES": " ".join(
                f"server 127.0.0.1:{daphne.port} fail_timeout=2s;" for daphne in self.daphnes
            ),
        }
        template = (DEPLOY / "nginx" / "mychannels.conf.template").read_text()
        (self.folder / "mychannels.conf").write_text(Template(template).safe_substitute(values))
        user = "user root;" if os.geteuid() == 0 else ""  # its workers have to read the folder
        values = {"user": user, "mime_types": mime_types()}
        (self.folder / "nginx.conf").write_text(Template(NGINX_CONF).substitute(values))
        command = [NGINX, "-p", self.folder, "-c", "nginx.conf", "-e", "error.log"]
        return Process(command, https_port, self.folder / "nginx")

    def log(self):
        """Return what the Daphnes have logged."""
        return "".join(daphne.log.read_text() for daphne in self.daphnes)


def make_certificate(certificate, key):
    """Make a key and a certificate that is its own authority, for this machine."""
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *names, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)


def mime_types():
    """Return the path of the list of types that comes with nginx."""
    built = subprocess.run([NGINX, "-V"], capture_output=True, text=True).stderr
    return Path(re.search(r"--conf-path=(\S+)", built)[1]).parent / "mime.types"


@contextmanager
def run_site(folder):
    """Run a whole site with its files in that folder; give a Site. All of it ends at the end."""
    if NGINX is None:
        skip_or_fail("no nginx: install nginx")
    if find_postgresql() is None:
        skip_or_fail("no PostgreSQL: install postgresql")
    with ExitStack() as running:
        site = Site(folder, running.enter_context(run_postgresql()))
        site.redis.start()
        running.callback(site.redis.stop)
        site.prepare()
        for server in site.servers:
            server.launch()
            running.callback(server.terminate)
        for server in site.servers:
            server.wait()
        yield site
