# SPDX-License-Identifier: Apache-2.0
"""The servers of the demo: kinesalite, intentd and nginx with the module.

All of them listen on free loopback ports, keep their files in one temporary
folder, and end with this process, whatever ends it.
"""

import base64
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD") or os.path.join(ROOT, "build")

NGINX_CONF = """
load_module {build}/ngx_http_intent_module.so;
daemon off;
{user}
worker_processes {workers};
pid {run}/nginx.pid;
error_log {run}/nginx.log notice;
events {{ worker_connections 1024; }}

http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {run}/body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;

    intent_config {run}/intent.json;
    intent_cookie_key_file {run}/cookie.keys;

    server {{
        listen 127.0.0.1:{port};
        default_type text/plain;

        intent on;
        intent_key $http_x_user;
        intent_cookie visitor insecure;
        intent_headers band cta items signals timing;
        intent_budget 5ms;

        # An experience's page: being shown it is the event.
        location ~ ^/e/(?<item>[a-z0-9-]+)$ {{
            intent_event view experience_id=$item category=$arg_category
                location_id=$arg_location dwell_time_sec=$arg_dwell;
            return 200 "$item\\n";
        }}

        # A page that is no event: decides, records nothing.
        location = /me {{ return 200 "you\\n"; }}

        location = /beacon {{ intent_beacon; }}
        location /intent/ {{ intent_api; }}
    }}
}}
"""


class Problem(Exception):
    """What stands in the way, in words for whoever started the demo."""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def find(program, package):
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        raise Problem(f"{program} is not installed (Debian: {package}); "
                      "`make deps` installs it")
    return os.path.realpath(found)


def end_with_parent():
    """In the child: SIGTERM when the demo dies, even of SIGKILL."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Stream:
    """The Kinesis stream, read and made by plain HTTP: the demo's second
    opinion on what arrived shares no code with the sender."""

    def __init__(self, port, name):
        self.port = port
        self.name = name

    def call(self, action, **body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 30)
        connection.request("POST", "/", json.dumps(body), {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "Kinesis_20131202." + action,
            "X-Amz-Date": "20200101T000000Z",
            # kinesalite wants to see one, and does not verify it.
            "Authorization": "AWS4-HMAC-SHA256 Credential=demo/20200101/"
                             "us-east-1/kinesis/aws4_request, "
                             "SignedHeaders=host;x-amz-date, Signature=00",
        })
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status != 200:
            raise Problem(f"{action}: {response.status} {text.decode()}")
        return json.loads(text) if text else {}

    def create(self, shards):
        self.call("CreateStream", StreamName=self.name, ShardCount=shards)
        for _ in range(100):
            about = self.call("DescribeStream", StreamName=self.name)
            if about["StreamDescription"]["StreamStatus"] == "ACTIVE":
                return
            time.sleep(0.05)
        raise Problem(f"stream {self.name} does not become active")

    def events(self):
        """Every event in the stream."""
        about = self.call("DescribeStream", StreamName=self.name)
        for shard in about["StreamDescription"]["Shards"]:
            at = self.call("GetShardIterator", StreamName=self.name,
                           ShardId=shard["ShardId"],
                           ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while True:
                page = self.call("GetRecords", ShardIterator=at, Limit=5000)
                for record in page["Records"]:
                    yield json.loads(base64.b64decode(record["Data"]))
                at = page.get("NextShardIterator")
                if not at or not page["Records"]:
                    break


class Stack:
    STREAM = "clicks"

    def __init__(self, fields=(), workers=2):
        """`fields`: further (name, type) pairs of the dataset."""
        self.fields = fields
        self.workers = workers
        self.running = []
        self.run = None
        self.port = self.stream = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for name in ("ngx_http_intent_module.so", "intentd", "intentctl"):
            if not os.path.exists(os.path.join(BUILD, name)):
                raise Problem(f"{BUILD}/{name} is missing: run `make`")
        modules = os.path.join(BUILD, "npm", "node_modules")
        if not os.path.isdir(os.path.join(modules, "kinesalite")):
            raise Problem(f"kinesalite is not in {modules}: run `make deps`")
        node = find("node", "nodejs")
        nginx = find("nginx", "nginx")

        self.run = tempfile.mkdtemp(prefix="intent-demo-")
        kinesis = free_port()
        self.spawn("kinesalite", [node, os.path.join(HERE, "kinesalite.cjs"),
                                  modules, str(kinesis)], kinesis)
        self.stream = Stream(kinesis, self.STREAM)
        self.stream.create(shards=2)

        self.configure(f"http://127.0.0.1:{kinesis}")
        self.port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        conf = self.write("nginx.conf", NGINX_CONF.format(
            build=BUILD, run=self.run, port=self.port, user=user,
            workers=self.workers))
        self.spawn("nginx", [nginx, "-p", self.run, "-c", conf,
                             "-e", self.path("nginx.log")], self.port)
        self.spawn("intentd", [os.path.join(BUILD, "intentd"),
                               self.path("intent.json")])

    def path(self, name):
        return os.path.join(self.run, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def configure(self, endpoint):
        with open(os.path.join(ROOT, "config", "intent.json"),
                  encoding="utf-8") as file:
            config = json.load(file)
        del config["$schema"]
        # Few workers, each of which may click far faster than a shop's: few
        # lanes, with room for what intentd and kinesalite need to catch up.
        config["zone"] = {"path": self.path("zone"), "size": "256m",
                          "lanes": 4, "lane_size": "16m"}
        config["forward"]["spool"].update(path=self.path("spool"),
                                          size="1g")
        config["forward"]["kinesis"].update(stream=self.STREAM,
                                            endpoint=endpoint)
        fields = config["datasets"]["ClickEvent"]["fields"]
        for name, kind in self.fields:
            fields.setdefault(name, kind)
        os.mkdir(self.path("spool"))
        path = self.write("intent.json", json.dumps(config, indent=2))

        control = os.path.join(BUILD, "intentctl")
        check = subprocess.run([control, "check", path], text=True,
                               stderr=subprocess.PIPE, check=False)
        if check.returncode != 0:
            raise Problem(check.stderr.strip())
        keys = subprocess.run([control, "keygen"], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        self.write("cookie.keys", keys)

    def spawn(self, name, command, port=None):
        log = self.path(name + ".out")
        environment = dict(os.environ, AWS_ACCESS_KEY_ID="demo",
                           AWS_SECRET_ACCESS_KEY="demo")
        with open(log, "wb") as out:
            # Of their own session, so that Ctrl-C is for the demo alone.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=environment, cwd=self.run, start_new_session=True,
                preexec_fn=end_with_parent)
        self.running.append((name, process))
        deadline = time.monotonic() + 10
        while port is not None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise Problem(f"{name} did not start on 127.0.0.1:{port}\n"
                              + self.tail(name))
            time.sleep(0.02)

    def tail(self, name):
        """The last lines that a server wrote."""
        lines = []
        for log in (self.path(name + ".out"), self.path(name + ".log")):
            if os.path.exists(log):
                with open(log, encoding="utf-8", errors="replace") as file:
                    lines += file.read().splitlines()[-8:]
        return "\n".join("  " + line for line in lines)

    def check(self):
        """Raises Problem when a server has died."""
        for name, process in self.running:
            if process.poll() is not None:
                raise Problem(f"{name} ended with {process.returncode}\n"
                              + self.tail(name))

    def stop(self):
        """Ends the servers, the last one first, and removes their files."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        for name, process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGQUIT if name == "nginx"
                                    else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []
        if self.run is not None:
            shutil.rmtree(self.run, ignore_errors=True)
            self.run = None
