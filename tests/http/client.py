# SPDX-License-Identifier: Apache-2.0
"""Requests, and reading what comes back."""

import json
import re
import socket
import subprocess
import tempfile
import time


class Response:
    """status, headers (a list of pairs as received), body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def get(self, name, default=None):
        """The one value of a header; a repeated one is an error."""
        values = self.all(name)
        assert len(values) <= 1, "%s repeated: %s" % (name, values)
        return values[0] if values else default

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def intent(self):
        """The Intent-* headers: {"band": "high", "cta": ...}."""
        return {k.lower()[7:]: self.get(k) for k, _ in self.headers
                if k.lower().startswith("intent-")}

    @property
    def signals(self):
        return parse_dictionary(self.get("Intent-Signals", ""))

    def cookie(self, name):
        """(value, {attribute: value}) of a Set-Cookie, or None."""
        for line in self.all("Set-Cookie"):
            first, *rest = [part.strip() for part in line.split(";")]
            key, value = first.split("=", 1)
            if key == name:
                return value, {a.partition("=")[0].lower(): a.partition("=")[2] for a in rest}
        return None

    def __repr__(self):
        return "<%d %s %r>" % (self.status, self.headers, self.body[:200])


def parse_dictionary(text):
    """RFC 9651 dictionary of numbers, booleans, strings and lists, as Intent-Signals has it."""
    out = {}
    for member in re.findall(r'((?:"(?:[^"\\]|\\.)*"|\([^)]*\)|[^,"])+)(?:,\s*|$)', text):
        key, has_value, value = member.strip().partition("=")
        out[key] = parse_item(value) if has_value else True
    return out


def parse_item(text):
    if text in ("?0", "?1"):
        return text == "?1"
    if text.startswith('"'):
        assert re.fullmatch(r'"(?:[ !#-\[\]-~]|\\["\\])*"', text), text
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text.startswith("("):
        return [parse_item(t) for t in re.findall(r'"(?:[^"\\]|\\.)*"|[^ ]+', text[1:-1])]
    return float(text) if "." in text else int(text)


def parse_list(text):
    """RFC 9651 list of strings, as Intent-Items has it."""
    items = re.findall(r'"(?:[^"\\]|\\.)*"', text)
    assert ", ".join(items) == text, text
    return [parse_item(t) for t in items]


def parse_metrics(text):
    """Prometheus text format to {name or name{labels}: value}, with its grammar checked."""
    out, typed = {}, set()
    label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
    sample = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{%s(?:,%s)*,?\})? "
                        r"([-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|Inf)|NaN)" % (label, label))
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            assert name not in typed, line
            typed.add(name)
            continue
        if line.startswith("# HELP ") or not line:
            continue
        match = sample.fullmatch(line)
        assert match, line
        assert match[1] in typed, "%s without # TYPE before it" % line
        key = match[1] + (match[2] or "")
        assert key not in out, line
        out[key] = float(match[3])
    return out


def read_response(sock, method="GET"):
    """One HTTP/1.1 response from a socket."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            raise EOFError("closed after %r" % data)
        data += chunk
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "")
               for line in lines[1:]]
    fields = {k.lower(): v for k, v in headers}

    def more():
        nonlocal data
        chunk = sock.recv(65536)
        if not chunk:
            raise EOFError("closed in the body")
        data += chunk

    if method == "HEAD" or status in (204, 304) or 100 <= status < 200:
        return Response(status, headers, b"")
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            while b"\r\n" not in data:
                more()
            size, data = data.split(b"\r\n", 1)
            size = int(size, 16)
            while len(data) < size + 2:
                more()
            body, data = body + data[:size], data[size + 2:]
            if size == 0:
                return Response(status, headers, body)
    if "content-length" in fields:
        while len(data) < int(fields["content-length"]):
            more()
        return Response(status, headers, data)
    while True:
        try:
            more()
        except EOFError:
            return Response(status, headers, data)


class Client:
    """A keep-alive connection. Headers may repeat and may hold any bytes."""

    def __init__(self, port, timeout=10):
        self.address, self.timeout, self.sock = ("127.0.0.1", port), timeout, None

    def send(self, method, path, headers=(), body=None, host="localhost"):
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if body is not None and not any(k.lower() in ("content-length", "transfer-encoding")
                                        for k, _ in pairs):
            pairs.append(("Content-Length", str(len(body))))
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: %s" % host]
        lines += ["%s: %s" % pair for pair in pairs]
        data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return self.raw(data + (body or b""), method)

    def raw(self, data, method="GET"):
        if self.sock is None:
            self.sock = socket.create_connection(self.address, self.timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock.sendall(data)
            response = read_response(self.sock, method)
        except (OSError, EOFError):
            self.close()
            raise
        if (response.get("Connection") or "").lower() == "close":
            self.close()
        return response

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None


def request(port, path, method="GET", headers=(), body=None, host="localhost"):
    """One request on its own connection."""
    client = Client(port)
    try:
        return client.send(method, path, headers, body, host)
    finally:
        client.close()


class Visitor:
    """A browser without a page: keeps and sends cookies, one server only."""

    def __init__(self, port, **headers):
        self.port, self.cookies = port, {}
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}

    def get(self, path="/", method="GET", body=None, **headers):
        sent = dict(self.headers, **{k.replace("_", "-"): v for k, v in headers.items()})
        if self.cookies:
            sent["Cookie"] = "; ".join("%s=%s" % pair for pair in self.cookies.items())
        response = request(self.port, path, method, sent, body)
        for line in response.all("Set-Cookie"):
            name, value = line.split(";")[0].split("=", 1)
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return response

    def post(self, path, value, kind="application/json", **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.get(path, "POST", body, Content_Type=kind, **headers)


def curl(*args):
    """The last response that curl prints, for HTTP/2."""
    with tempfile.NamedTemporaryFile() as body:
        out = subprocess.run(["curl", "-sS", "--max-time", "10", "-D", "-", "-o", body.name, *args],
                             check=True, capture_output=True, text=True).stdout
        lines = out.replace("\r\n", "\n").strip().split("\n\n")[-1].split("\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        return Response(int(lines[0].split(" ")[1]), headers, body.read())


def wait_for(condition, what, seconds=10):
    """Polls until condition() is true and returns what it said."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "%s did not happen in %d s" % (what, seconds)
        time.sleep(0.02)
