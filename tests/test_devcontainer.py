import json
import re
import signal
import socket
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from conftest import ROOT
from test_serving import copy_of_the_course
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from course.__main__ import DEFAULTS

CODESPACE = {
    "CODESPACE_NAME": "octocat-literate-space-parakeet-mld5",
    "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
}


def public_host(port):
    return f"{CODESPACE['CODESPACE_NAME']}-{port}.app.github.dev"


class Visitor:
    """A browser's requests, as a forwarder passes them on to a port with that Host and Origin."""

    def __init__(self, port, host, origin):
        self.port, self.host, self.origin = port, host, origin
        self.cookies = CookieJar()
        self.open = build_opener(HTTPCookieProcessor(self.cookies)).open

    def fetch(self, path, origin=None, **fields):
        """Return the address and the text of a page, after posting the fields if there are any."""
        data = urlencode(fields).encode() if fields else None
        headers = {"Host": self.host} | ({"Origin": origin or self.origin} if fields else {})
        with self.open(Request(f"http://127.0.0.1:{self.port}{path}", data, headers)) as response:
            return response.url, response.read().decode()

    def post(self, page, path, origin=None, **fields):
        """Return what `fetch` does for a form with these fields, with the token of that page."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.fetch(page)[1])[1]
        return self.fetch(path, origin, csrfmiddlewaretoken=token, **fields)

    def sign_in(self, origin=None):
        login = "/accounts/login/"
        return self.post(login, login, origin, username="alice", password="channels")[0]

    def open_socket(self, origin=None):
        return connect(
            f"ws://{self.host}/ws/chat/room/1",
            sock=socket.create_connection(("127.0.0.1", self.port)),
            origin=origin or self.origin,
            additional_headers={"Cookie": "; ".join(f"{c.name}={c.value}" for c in self.cookies)},
        )


def check_refused(visitor, origin):
    """Check that what comes from that origin is refused, without a session and with one."""
    with pytest.raises(HTTPError) as refused:
        visitor.sign_in(origin)
    assert refused.value.code == 403
    visitor.sign_in()
    with pytest.raises(HTTPError) as refused:
        visitor.post("/chat/room/1/", "/alert/", origin, content="from elsewhere")
    assert refused.value.code == 403
    with pytest.raises(InvalidStatus) as refused:
        visitor.open_socket(origin)
    assert refused.value.response.status_code == 403


def test_container_forwards_the_ports_of_a_step():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    first = DEFAULTS["port"]
    assert container["forwardPorts"] == [first, first + 1]
    assert {str(first), str(first + 1)} <= container["portsAttributes"].keys()


def test_step_is_served_at_the_forwarded_addresses_of_a_codespace(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    served = serve("step", "5", f"PORT={port}", cwd=copy, **CODESPACE)
    served.until_served()
    public = [public_host(port), public_host(port + 1)]
    printed = re.findall(r"^    (http.*)$", served.output(), re.M)
    assert printed == [f"https://{name}/" for name in public]
    local = f"localhost:{port}"
    for number, host, origin in [
        (port, local, f"https://{public[0]}"),
        (port + 1, public[1], f"https://{public[1]}"),
        (port, local, f"https://{local}"),
        (port, public[0], f"http://{local}"),
    ]:
        visitor = Visitor(number, host, origin)
        assert visitor.sign_in().endswith("/chat/")
        _, saved = visitor.post("/chat/room/1/", "/alert/", content="tea is ready")
        assert json.loads(saved)["content"] == "tea is ready"
        with visitor.open_socket() as opened:
            opened.send(json.dumps({"message": "hello"}))
            assert json.loads(opened.recv(timeout=10))["message"] == "hello"
    check_refused(visitor, "https://another-codespace.app.github.dev")
    served.end(signal.SIGINT)


def test_origin_of_a_codespace_is_refused_outside_of_it(serve, port, tmp_path):
    copy = copy_of_the_course(tmp_path / "copy")
    served = serve("step", "5", f"PORT={port}", "SERVERS=1", cwd=copy)
    served.until_served()
    local = f"localhost:{port}"
    check_refused(Visitor(port, local, f"http://{local}"), f"https://{public_host(port)}")
