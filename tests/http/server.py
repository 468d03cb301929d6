# SPDX-License-Identifier: Apache-2.0
"""nginx processes and an upstream for them."""

import copy
import http.server
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading

import client
from client import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("INTENT_BUILD") or os.environ.get("BUILD")
                        or os.path.join(ROOT, "build"))
NGINX = os.environ.get("INTENT_NGINX", "/usr/sbin/nginx")
MODULE = os.path.join(BUILD, "ngx_http_intent_module.so")

# Small windows of everything that answers can carry. `high` from the third event on.
CONFIG = {
    "zone": {"path": "zone", "size": "16m"},
    "datasets": {
        "ClickEvent": {
            "key": "user_id", "timestamp": "timestamp", "max_lateness": "1h",
            "fields": {"event_type": "string", "experience_id": "string", "category": "string",
                       "dwell_time_sec": "double"},
        },
    },
    "pipelines": {
        "Stats": {
            "from": "ClickEvent", "group_by": "user_id",
            "aggregate": {
                "n_1h": {"op": "count", "window": "1h"},
                "dwell_1h": {"op": "avg", "of": "dwell_time_sec", "window": "1h"},
                "last_category": {"op": "last", "of": "category", "window": "1h"},
                "last_types": {"op": "last_k", "of": "event_type", "k": 3, "window": "1h"},
            },
        },
    },
    "featuresets": {
        "Signals": {
            "entity": "user_id",
            "features": {
                "n": {"ref": "Stats.n_1h"},
                "dwell": {"ref": "Stats.dwell_1h"},
                "category": {"ref": "Stats.last_category"},
                "types": {"ref": "Stats.last_types"},
                "hot": {"expr": "n >= 3"},
            },
        },
    },
    "popularity": {"item": "experience_id", "by": "category", "half_life": "6h", "keep": 100},
    "policy": {
        "featureset": "Signals", "score": "hot ? 0.9 : 0.1",
        "bands": [{"id": "high", "when": "hot"}, {"id": "medium", "when": "n >= 1"}],
        "ctas": [{"id": "book-now", "when": "band == 'high'"},
                 {"id": "popular", "when": "true", "items": 3}],
    },
}

FRAME = """
%(modules)s
daemon %(daemon)s;
env ASAN_OPTIONS;
%(user)s
pid @DIR@/nginx.pid;
error_log @DIR@/error.log %(log_level)s;
worker_processes %(workers)d;
worker_shutdown_timeout 10s;
%(main)s
events { worker_connections 512; }
http {
    access_log off;
    default_type text/plain;
    client_body_temp_path @DIR@/temp_body;
    proxy_temp_path @DIR@/temp_proxy;
    fastcgi_temp_path @DIR@/temp_fastcgi;
    uwsgi_temp_path @DIR@/temp_uwsgi;
    scgi_temp_path @DIR@/temp_scgi;
%(intent_config)s
%(http)s
%(servers)s
}
"""


def free_port():
    """Below the ports that the system gives to outgoing connections, which would take it."""
    while True:
        port = random.randrange(10240, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Nginx:
    """One nginx in its own directory.

    start(server=, http=, main=, ...)   writes nginx.conf and starts; see configure()
    fails(...)                          starts what must not start; returns its stderr
    test(...)                           `nginx -t`; (exit status, stderr)
    get(path, ...), visitor(...)        requests to it
    api(path), metrics()                of an intent_api at /intent/
    reload() upgrade() stop() kill()    by signal, each waits until it is done
    workers()                           pids; log() the text of error.log
    allow(regex)                        error.log lines that are expected
    """

    def __init__(self, directory):
        self.dir = str(directory)
        self.port = free_port()
        self.words = {"DIR": self.dir, "PORT": str(self.port)}
        self.allowed, self.masters = [], []
        for name in ("html", "conf"):
            os.mkdir(os.path.join(self.dir, name))

    # --- files

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        if isinstance(text, (dict, list)):
            text = json.dumps(text, indent=1)
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read().decode(errors="replace")

    def log(self):
        return self.read("error.log") if os.path.exists(self.path("error.log")) else ""

    def replace(self, text):
        def word(match):
            name = match[1]
            if name.startswith("PORT") and name not in self.words:
                self.words[name] = str(free_port())
            return self.words[name]
        return re.sub(r"@([A-Z]+[0-9]*)@", word, text)

    def port_of(self, n):
        """The port that @PORTn@ stands for."""
        return int(self.replace("@PORT%d@" % n))

    # --- configuration

    def configure(self, server="", http="", main="", servers="", workers=1, intent=None,
                  intent_config=True, load=True, log_level="info", listen="",
                  daemon="on"):
        """Writes nginx.conf, conf/intent.json and a cookie key.

        server: inside of the server{} that listens on @PORT@; listen: more words for
        its listen; http, main: inside of those; servers: more server{} blocks; intent:
        intent.json as a dict (default CONFIG); intent_config: False leaves the directive
        out, a string replaces it; load: False leaves the module out; daemon: "off" for
        tests that run nginx.command() themselves.
        """
        if intent_config is True:
            intent_config = "intent_config intent.json;"
        if intent is None:
            intent = copy.deepcopy(CONFIG)
        self.write("conf/intent.json", intent)
        if not os.path.exists(self.path("conf/cookie.key")):
            self.write("conf/cookie.key", os.urandom(32).hex() + "\n")
        text = self.replace(FRAME % {
            "modules": "load_module %s;" % MODULE if load else "",
            "user": "user root root;" if os.geteuid() == 0 else "",
            "daemon": daemon, "main": main, "http": http, "workers": workers,
            "log_level": log_level, "intent_config": intent_config or "",
            "servers": "server { listen 127.0.0.1:@PORT@ %s; root @DIR@/html;\n%s\n}\n%s"
                       % (listen, server, servers),
        })
        self.write("conf/nginx.conf", text)

    def command(self, *args, log="error.log"):
        return [NGINX, "-p", self.dir, "-c", self.path("conf/nginx.conf"), "-e",
                self.path(log), *args]

    def test(self, *args, configure=True, **kwargs):
        if configure:
            self.configure(*args, **kwargs)
        done = subprocess.run(self.command("-t", log="test.log"), capture_output=True, text=True,
                              timeout=60)
        return done.returncode, done.stderr

    # --- processes

    def start(self, *args, configure=True, **kwargs):
        """As a daemon: nginx takes no USR2 otherwise."""
        if configure:
            self.configure(*args, **kwargs)
        status, err = self.launch()
        assert status == 0, err + self.log()
        wait_for(self.accepts, "the start of nginx")
        self.masters.append(self.master)
        return self

    def fails(self, *args, configure=True, **kwargs):
        if configure:
            self.configure(*args, **kwargs)
        status, err = self.launch()
        if status == 0:
            wait_for(self.accepts, "the start of nginx")
            self.masters.append(self.master)
        assert status != 0, "it started"
        self.allow(r"\[emerg\]")
        return err

    def launch(self):
        with open(self.path("stderr"), "ab+") as stderr:
            start = stderr.tell()
            status = subprocess.call(self.command(), stderr=stderr, timeout=60)
            stderr.seek(start)
            return status, stderr.read().decode(errors="replace")

    def accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return os.path.exists(self.path("nginx.pid"))
        except OSError:
            return False

    @property
    def master(self):
        return int(self.read("nginx.pid"))

    def workers(self, master=None):
        """Pids of the workers (and helpers) of a master."""
        path = "/proc/%d/task/%d/children" % ((master or self.master,) * 2)
        try:
            with open(path) as f:
                return [int(pid) for pid in f.read().split() if int(pid) not in self.masters]
        except OSError:
            return []

    def reload(self, wait=True):
        """HUP; returns once the old workers have gone (or not, without wait)."""
        old = set(self.workers())
        os.kill(self.master, signal.SIGHUP)
        if wait:
            wait_for(lambda: self.workers() and not old & set(self.workers()), "a reload", 20)

    def upgrade(self):
        """USR2: starts a second master that runs beside the first; returns (old, new)."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        wait_for(lambda: os.path.exists(self.path("nginx.pid.oldbin"))
                 and os.path.exists(self.path("nginx.pid"))
                 and self.read("nginx.pid").strip() not in ("", str(old))
                 and self.workers(), "the new master")
        self.masters.append(self.master)
        return old, self.master

    def signal(self, name, pid=None):
        os.kill(pid or self.master, getattr(signal, "SIG" + name))

    def stop(self):
        """QUIT to all masters; KILL for what does not leave."""
        for pid in reversed(self.masters):
            if gone(pid):
                continue
            os.kill(pid, signal.SIGQUIT)
            try:
                wait_for(lambda: gone(pid), "the end of nginx", 20)
            except AssertionError:
                os.kill(pid, signal.SIGKILL)
                raise
        self.masters = []

    def kill(self):
        """KILL to the master and its workers, as a machine that loses power."""
        pids = [self.master, *self.workers()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: all(gone(pid) for pid in pids), "the end of nginx")
        self.masters = []
        os.unlink(self.path("nginx.pid"))

    def allow(self, pattern):
        self.allowed.append(pattern)

    def check_log(self):
        """Alerts and the like that no test expects."""
        text = self.log()
        if os.path.exists(self.path("stderr")):
            text += self.read("stderr")
        bad = [line for line in text.split("\n")
               if re.search(r"\[(alert|crit|emerg)\]|Sanitizer|runtime error:|signal 11", line)
               and not any(re.search(p, line) for p in self.allowed)]
        assert not bad, "\n".join(bad) + "\n" + text[-4000:]

    # --- requests

    def get(self, path="/", method="GET", headers=(), body=None, port=None, host="localhost"):
        return client.request(port or self.port, path, method, headers, body, host)

    def client(self):
        return client.Client(self.port)

    def visitor(self, **headers):
        return client.Visitor(self.port, **headers)

    def api(self, path, **kwargs):
        return self.get("/intent/" + path, **kwargs)

    def metrics(self):
        response = self.api("metrics")
        assert response.status == 200, response
        return client.parse_metrics(response.text)

    def counter(self, name):
        return self.metrics()["intent_%s_total" % name]

    def features(self, key, featureset=None):
        path = "features?entity_id=" + key
        response = self.api(path + ("&featureset=" + featureset if featureset else ""))
        assert response.status == 200, response
        return response.json["features"]


def gone(pid):
    """Whether a process has ended; one whose parent does not wait for it stays a zombie."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class Backend:
    """An upstream. Records requests; replies 200 "backend", or as told by reply()."""

    def __init__(self):
        self.requests, self.replies = [], {}
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                backend.requests.append(Asked(self.command, self.path, self.headers.items(), body))
                reply = backend.replies.get(self.path.partition("?")[0], (200, (), b"backend"))
                status, headers, body = reply(backend.requests[-1]) if callable(reply) else reply
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD" and status not in (204, 304):
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = "127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def reply(self, path, status=200, headers=(), body=b"backend"):
        self.replies[path] = (status, list(headers), body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Asked:
    """A request as the upstream saw it."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.body = method, path, body
        self.headers = list(headers)

    def get(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None
