"""The machines of a site as processes on this one: Redis, PostgreSQL, two Daphnes and nginx."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

from tests.redis_servers import run_redis
from tests.servers import TIMEOUT

from .postgresql_servers import need_postgresql, run_postgresql
from .programs import Program, fixed_port, skip_or_fail

DEPLOY = Path(__file__).resolve().parent.parent
STEP = max(DEPLOY.parent.glob("step[0-9][0-9]_*"))  # the last one
UNIT = DEPLOY / "systemd" / "mychannels@.service"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")  # where Debian puts it

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


def environ_of_a_server(**variables):
    """Return a site process's environment: these variables, and nothing of ours but PATH."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{DEPLOY}:{STEP}",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "mychannels_deploy.settings",
        "DJANGO_SECRET_KEY": "0123456789-for-tests-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    } | variables


def run_python(environ, *arguments):
    """Run Python with those arguments in the step's folder; return the CompletedProcess."""
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
    """Return the systemd unit's command as a list of words."""
    command = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", UNIT.read_text(), re.MULTILINE)
    return shlex.split(command[1].replace("\\\n", " "))


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
    """A site's machines, and `url`, its nginx's address."""

    def __init__(self, folder, postgresql):
        self.folder = folder
        redis_port, self.http_port, https_port, *daphne_ports = (fixed_port() for _ in range(5))
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
        """Return a Daphne with the systemd unit's command."""
        _, *options = words_of_the_unit()
        options = [word.replace("%i", str(port)) for word in options]
        command = [sys.executable, "-m", "daphne", *options]
        return Program(command, port, self.folder / f"daphne{port}", cwd=STEP, env=self.environ)

    def make_nginx(self, https_port):
        """Return an nginx with our configuration, filled in as envsubst would."""
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
        user = "user root;" if os.geteuid() == 0 else ""  # its workers must read the folder
        values = {"user": user, "mime_types": mime_types()}
        (self.folder / "nginx.conf").write_text(Template(NGINX_CONF).substitute(values))
        command = [NGINX, "-p", self.folder, "-c", "nginx.conf", "-e", "error.log"]
        return Program(command, https_port, self.folder / "nginx")

    def log(self):
        """Return what the Daphnes logged."""
        return "".join(daphne.log.read_text() for daphne in self.daphnes)


def make_certificate(certificate, key):
    """Make a key and a self-signed certificate for this machine."""
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *names, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)


def mime_types():
    """Return the path of nginx's own list of MIME types."""
    built = subprocess.run([NGINX, "-V"], capture_output=True, text=True).stderr
    return Path(re.search(r"--conf-path=(\S+)", built)[1]).parent / "mime.types"


@contextmanager
def run_site(folder):
    """Run a whole site with its files in that folder; yield a Site."""
    if NGINX is None:
        skip_or_fail("no nginx: install nginx")
    if shutil.which("openssl") is None:
        skip_or_fail("no openssl for the certificate: install openssl")
    need_postgresql()
    with ExitStack() as running:
        site = Site(folder, running.enter_context(run_postgresql()))
        site.redis.start()
        running.callback(site.redis.stop)
        site.prepare()
        for server in site.servers:
            server.launch()
            running.callback(server.end)
        for server in site.servers:
            server.wait()
        yield site
