# SPDX-License-Identifier: Apache-2.0
"""HTTP as a browser and as an operator speak it to the demo's nginx."""

import http.client
import json
import re
import urllib.parse

from stack import Problem


def parse_list(text):
    """An RFC 9651 list of strings; ids of the market need no escapes."""
    return re.findall(r'"([^"]*)"', text or "")


def parse_signals(text):
    """An RFC 9651 dictionary of numbers and booleans."""
    signals = {}
    for member in filter(None, (text or "").split(", ")):
        name, _, value = member.partition("=")
        if value in ("", "?1"):
            signals[name] = True
        elif value == "?0":
            signals[name] = False
        else:
            signals[name] = float(value) if "." in value else int(value)
    return signals


class Reply:
    """What the headers of a response say."""

    def __init__(self, response):
        header = response.getheader
        self.band = header("Intent-Band")
        self.cta = header("Intent-CTA")
        self.items = parse_list(header("Intent-Items"))
        self.degraded = header("Intent-Degraded")
        self.signals = parse_signals(header("Intent-Signals"))
        took = re.search(r"\bintent;dur=([0-9.]+)",
                         header("Server-Timing") or "")
        self.us = float(took.group(1)) * 1000 if took else None
        self.cookie = (header("Set-Cookie") or "").split(";")[0] or None


class Client:
    """One connection, kept open."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, 10)

    def request(self, method, path, body=None, headers=None, expect=200):
        try:
            self.connection.request(method, path, body, headers or {})
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Problem(f"{method} {path}: {error}") from error
        except BaseException:       # Ctrl-C between request and answer
            self.connection.close()
            raise
        if response.status != expect:
            raise Problem(f"{method} {path}: {response.status} "
                          f"{text.decode(errors='replace').strip()}")
        return response, text

    def get(self, path, user=None, cookie=None):
        headers = {"X-User": user} if user else {}
        if cookie:
            headers["Cookie"] = cookie
        return Reply(self.request("GET", path, headers=headers)[0])

    def beacon(self, event, user):
        self.request("POST", "/beacon", json.dumps(event), {
            "Content-Type": "application/json", "X-User": user}, 204)

    def api(self, what, **query):
        path = f"/intent/{what}?{urllib.parse.urlencode(query)}"
        return json.loads(self.request("GET", path)[1])

    def popular(self, category, k):
        return self.api("popular", by=category, k=k)["items"]

    def account(self):
        """captured = delivered + queued + spooled + dropped"""
        account = self.api("status")["delivery"]
        dropped = account["dropped"]
        if isinstance(dropped, dict):
            dropped = sum(dropped.values())
        return dict(account, dropped=dropped)
