# SPDX-License-Identifier: Apache-2.0
"""A Kinesis, an intentd, and events for it: processes on free loopback ports.

Kinesalite    the Kinesis-compatible server from npm
Front         front.py before it: strict, with faults and a ledger
Stream        a stream, made and read by boto3
Intentd       a configuration, a zone, a spool; the daemon; events captured into its
              lanes by the `lanes` program, or by whoever else opens its zone
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import boto3
import botocore.config

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("INTENT_BUILD") or os.environ.get("BUILD")
                        or os.path.join(ROOT, "build"))
MODULES = os.path.join(ROOT, "build", "npm", "node_modules")
# For boto3, urllib and intentd's curl alike: nothing here is behind a proxy.
os.environ["no_proxy"] = "localhost,127.0.0.1"
REGION, KEY_ID, SECRET = "us-east-1", "AKIDTEST", "test-secret"

CONFIG = {
    "zone": {"path": "zone", "size": "96m", "lanes": 8, "lane_size": "4m"},
    "datasets": {
        "ClickEvent": {
            "key": "user_id", "timestamp": "timestamp", "max_lateness": "1h",
            "fields": {"event_type": "string", "experience_id": "string",
                       "category": "string", "dwell_time_sec": "double"},
        },
    },
    "pipelines": {
        "Stats": {
            "from": "ClickEvent", "group_by": "user_id",
            "aggregate": {"n_1h": {"op": "count", "window": "1h"}},
        },
    },
    "featuresets": {
        "Signals": {"entity": "user_id", "features": {"n": {"ref": "Stats.n_1h"}}},
    },
    "forward": {
        "spool": {"path": "spool", "size": "64m", "sync": "everysec"},
        "kinesis": {"stream": "", "region": REGION, "endpoint": None},
    },
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, timeout=20, what="it"):
    """Waits for condition() to be true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "%s did not happen in %s s" % (what, timeout)
        time.sleep(0.02)


def listening(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Process:
    """A child whose output goes to a file."""

    def __init__(self, command, log, env=None, cwd=None, preexec_fn=None):
        self.log_path = str(log)
        with open(self.log_path, "ab") as out:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                env=dict(os.environ, **(env or {})), preexec_fn=preexec_fn)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def alive(self):
        return self.popen.poll() is None

    def end(self, signo=signal.SIGTERM, timeout=20):
        """Ends it: its exit status."""
        if self.alive():
            self.popen.send_signal(signo)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise

    def kill(self):
        self.end(signal.SIGKILL)


class Kinesalite(Process):
    def __init__(self, log):
        self.port = free_port()
        super().__init__([shutil.which("node"), os.path.join(ROOT, "bench/demo/kinesalite.cjs"),
                          MODULES, str(self.port)], log)
        wait_for(lambda: listening(self.port) or not self.alive(), what="kinesalite")


class Front(Process):
    def __init__(self, upstream, log, port=None, tls=None):
        """tls: (certificate, key) files."""
        self.port, self.admin = port or free_port(), free_port()
        self.url = "%s://localhost:%d" % ("https" if tls else "http", self.port)
        super().__init__(["/usr/bin/python3", os.path.join(HERE, "front.py"), str(self.port),
                          str(self.admin), str(upstream), *(tls or ())], log)
        wait_for(lambda: "ready" in self.log() or not self.alive(), what="the front")
        assert self.alive(), self.log()

    def ask(self, path, value=None):
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.admin, path), data) as answer:
            return json.load(answer)

    def faults(self, *faults):
        """Injects; without arguments: no more."""
        self.ask("/faults", [dict({"op": "PutRecords"}, **f) for f in faults])

    def reset(self):
        self.ask("/reset", {})

    def stats(self):
        return self.ask("/stats")

    def ledger(self):
        return self.ask("/ledger")


class Stream:
    """Made by and read with Amazon's own client."""

    def __init__(self, port, name, shards=1):
        self.name = name
        self.client = boto3.client(
            "kinesis", region_name=REGION, endpoint_url="http://127.0.0.1:%d" % port,
            aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
            config=botocore.config.Config(retries={"max_attempts": 8}, read_timeout=60))
        if shards:
            self.create(shards)

    def create(self, shards):
        self.client.create_stream(StreamName=self.name, ShardCount=shards)
        wait_for(lambda: self.client.describe_stream(StreamName=self.name)
                 ["StreamDescription"]["StreamStatus"] == "ACTIVE", what="the stream")

    def delete(self):
        self.client.delete_stream(StreamName=self.name)

    def records(self):
        """Every record, shard by shard, in the stream's order."""
        shards = self.client.list_shards(StreamName=self.name)["Shards"]
        for shard in shards:
            at = self.client.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while at:
                page = self.client.get_records(ShardIterator=at, Limit=10000)
                yield from page["Records"]
                if not page["Records"]:
                    break
                at = page.get("NextShardIterator")

    def events(self):
        return [json.loads(record["Data"]) for record in self.records()]


def items(events):
    """The ids by which tests tell events apart."""
    return [event["experience_id"] for event in events]


def places(events):
    return [(event["host"], event["boot"], event["lane"], event["seq"]) for event in events]


class Intentd:
    """In a directory of its own. start() needs an endpoint in `config` or `env`."""

    def __init__(self, directory, stream, endpoint):
        self.dir = str(directory)
        self.config = json.loads(json.dumps(CONFIG))
        self.config["zone"]["path"] = self.path("zone")
        self.config["forward"]["spool"]["path"] = self.path("spool")
        self.config["forward"]["kinesis"].update(stream=stream, endpoint=endpoint)
        self.env = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
        self.process = None

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self):
        """Writes the configuration, in one piece for whoever reads it now."""
        with open(self.path("intent.json.new"), "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)
        os.replace(self.path("intent.json.new"), self.path("intent.json"))
        return self.path("intent.json")

    def start(self, **popen):
        self.write()
        env = {"AWS_EC2_METADATA_DISABLED": "true", **self.env}
        self.process = Process([os.path.join(BUILD, "intentd"), self.path("intent.json")],
                               self.path("intentd.log"), env=env, cwd=self.dir, **popen)
        return self

    def stop(self):
        status = self.process.end()
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        self.process = None

    def log(self):
        with open(self.path("intentd.log"), encoding="utf-8") as file:
            return file.read()

    def lanes(self, *arguments, **options):
        return subprocess.run([os.path.join(BUILD, "deliver", "lanes"), *map(str, arguments)],
                              check=True, stdout=subprocess.PIPE, cwd=self.dir, **options).stdout

    def capture(self, count, rate=0, prefix="e", keys=7):
        """Captures events `prefix`0 ... and returns their ids."""
        self.lanes("fill", self.write(), count, rate, prefix, keys)
        return [prefix + str(i) for i in range(count)]

    def capturing(self, count, rate, prefix="e", keys=7):
        """The same in a process beside this one: a Process to wait for."""
        return Process([os.path.join(BUILD, "deliver", "lanes"), "fill", self.write(),
                        str(count), str(rate), prefix, str(keys)], self.path("lanes.log"),
                       cwd=self.dir)

    def status(self):
        return json.loads(self.lanes("status", self.path("intent.json")))

    def account(self):
        """The delivery account; that it balances is asserted."""
        account = self.status()["delivery"]
        dropped = sum(account["dropped"].values())
        assert account["captured"] == (account["delivered"] + account["queued"]
                                       + account["spooled"] + dropped), account
        return account

    def delivered(self, count, timeout=30):
        """Waits until so many were delivered and nothing is left; the account."""
        def done():
            account = self.account()
            return (account["delivered"] >= count and not account["queued"]
                    and not account["spooled"] and account)
        try:
            return wait_for(done, timeout, "delivery of %d events" % count)
        except AssertionError as error:
            raise AssertionError("%s\n%s\n%s" % (error, self.account(), self.log())) from None
