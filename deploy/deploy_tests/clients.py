"""Clients that reach the site from outside, through nginx."""

import re
import ssl
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import (
    HTTPCookieProcessor,
    HTTPErrorProcessor,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from tests.servers import wait_until
from tests.sockets import TIMEOUT, open_socket


class AsItIs(HTTPErrorProcessor):
    """Return every response as it is: follow no redirect, raise for no status."""

    def http_response(self, request, response):
        return response

    https_response = http_response


class Client:
    """An HTTP client with cookies that trusts the site's certificate."""

    def __init__(self, site):
        self.site = site
        self.context = ssl.create_default_context(cafile=site.certificate)
        # A TLS 1.3 server sends session tickets unasked. websockets' reading thread takes them for
        # data and reads on, which collides with the first write.
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.cookies = CookieJar()
        self.opener = build_opener(
            ProxyHandler({}),
            HTTPSHandler(context=self.context),
            HTTPCookieProcessor(self.cookies),
            AsItIs,
        )

    def get(self, path, base=None, **headers):
        """Return the response; write headers with _ in place of -."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request((base or self.site.url) + path, headers=headers)
        return self.opener.open(request, timeout=TIMEOUT)

    def post(self, path, origin=None, **fields):
        """Post a form with its token from a page of that origin, by default the site's own."""
        fields["csrfmiddlewaretoken"] = self.cookie("csrftoken").value
        data = urlencode(fields).encode()
        request = Request(self.site.url + path, data, {"Origin": origin or self.site.url})
        return self.opener.open(request, timeout=TIMEOUT)

    def cookie(self, name):
        return next(cookie for cookie in self.cookies if cookie.name == name)

    def sign_in(self, username):
        """Sign in on the login page; return the response."""
        self.get("/accounts/login/")
        return self.post("/accounts/login/", username=username, password="channels")

    def open_socket(self, path, **options):
        """Open a socket, as a context manager; see the step's tests/sockets.py."""
        cookie = f"sessionid={self.cookie('sessionid').value}"
        return open_socket(self.site.url, path, cookie, ssl=self.context, **options)


def daphne_of(site, socket):
    """Return the Daphne that serves the socket: the one that logged its address."""
    host, port = socket.connection.local_address
    line = re.compile(rf'{host}:{port} - - \S+ "WSCONNECT ')

    def found():
        return [daphne for daphne in site.daphnes if line.search(daphne.log.read_text())]

    wait_until(found)
    return found()[0]
