# SPDX-License-Identifier: Apache-2.0
"""What the module costs a request: CPU time over a bare nginx.

Two servers with one worker each on one core, wrk on another. Samples
alternate: bare, intent, bare, intent, ..., bare; each intent sample is held
against the mean of the two bare ones around it, so that a drift of the
machine falls out. CPU time is the worker's own, from the scheduler's
nanosecond count. A sample in which other programs used more than MAX_OTHERS
percent of a core is taken again, at most TRIES times; what remained is told.

Environment: ROUNDS, SECONDS (a sample), CONNECTIONS, USERS, SERVER_CPU,
LOAD_CPU. JSON lines on stdout, words on stderr.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD") or os.path.join(os.path.dirname(HERE), "build")

ROUNDS = int(os.environ.get("ROUNDS", 7))
SECONDS = int(os.environ.get("SECONDS", 3))
CONNECTIONS = int(os.environ.get("CONNECTIONS", 32))
USERS = int(os.environ.get("USERS", 100000))
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU = int(os.environ.get("SERVER_CPU", CPUS[0]))
LOAD_CPU = int(os.environ.get("LOAD_CPU", CPUS[-1]))
MAX_OTHERS = 8
TRIES = 3

NGINX = """
{load}
daemon off;
worker_processes 1;
{user}
pid {run}/{name}.pid;
error_log {run}/{name}.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    server_tokens off;
    client_body_temp_path {run}/body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /click {{
            {location}
            return 200 "ok\\n";
        }}
        {server}
    }}
}}
"""

HTTP = "intent_config {run}/intent.json;"
LOCATION = """intent on;
            intent_key $cookie_uid;
            intent_budget 5ms;
            intent_event view experience_id=$arg_item category=$arg_category
                dwell_time_sec=$arg_dwell;"""
SERVER = "location /intent/ { intent_api; }"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Bench:
    def __init__(self, run):
        self.run = run
        self.started = []
        self.out = open(os.path.join(run, "servers.log"), "wb")
        self.ports = {}
        self.asked = {"bare": 0, "intent": 0}
        self.workers = {}

    def path(self, name):
        return os.path.join(self.run, name)

    def spawn(self, command, cpu):
        process = subprocess.Popen(
            command, cwd=self.run, stdout=self.out, stderr=self.out,
            preexec_fn=lambda: os.sched_setaffinity(0, [cpu]))
        self.started.append(process)
        return process

    def nginx(self, name, **parts):
        parts = {key: text.replace("{run}", self.run)
                 for key, text in parts.items()}
        self.ports[name] = free_port()
        conf = self.path(name + ".conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(NGINX.format(
                run=self.run, name=name, port=self.ports[name],
                user="user root;" if os.geteuid() == 0 else "", **parts))
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        master = self.spawn([binary, "-p", self.run, "-c", conf, "-e",
                             self.path(name + ".log")], SERVER_CPU)
        for _ in range(100):
            try:
                urllib.request.urlopen(self.url(name, "/click")).read()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise SystemExit(f"{name} does not answer; see "
                             + open(self.path(name + ".log")).read())
        with open(f"/proc/{master.pid}/task/{master.pid}/children",
                  encoding="ascii") as file:
            self.workers[name] = int(file.read().split()[0])

    def url(self, name, path):
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def status(self):
        with urllib.request.urlopen(self.url("intent", "/intent/status")) as r:
            return json.load(r)

    def start(self):
        with open(os.path.join(os.path.dirname(HERE), "config",
                               "intent.json"), encoding="utf-8") as file:
            config = json.load(file)
        del config["$schema"]
        config["zone"] = {"path": self.path("zone"), "size": "512m"}
        # Items with every answer: three headers each time.
        for cta in config["policy"]["ctas"]:
            cta["items"] = 3
        # Nothing to send to: intentd drains the lane into a spool that soon
        # gives way, which the account calls dropped.
        config["forward"] = {"spool": {"path": self.path("spool"),
                                       "size": "64m", "sync": "off"}}
        os.mkdir(self.path("spool"))
        with open(self.path("intent.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.nginx("bare", load="", http="", location="", server="")
        self.nginx("intent", http=HTTP, location=LOCATION, server=SERVER,
                   load=f"load_module {BUILD}/ngx_http_intent_module.so;")
        self.spawn([os.path.join(BUILD, "intentd"),
                    self.path("intent.json")], LOAD_CPU)

    def stop(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def ours_ns(self):
        """CPU time of everything of this benchmark that runs beside wrk."""
        total = sum(cpu_ns(pid) for pid in self.workers.values())
        return total + sum(cpu_ns(p.pid) for p in self.started)

    def shot(self, name, seconds):
        busy, ours = busy_ns(), self.ours_ns()
        cpu = cpu_ns(self.workers[name])
        began = time.monotonic()
        before = os.times()
        out = subprocess.run(
            ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{CONNECTIONS}",
             f"-d{seconds}s", "-s", os.path.join(HERE, "load.lua"),
             self.url(name, "/")], check=True, text=True,
            stdout=subprocess.PIPE, env=dict(os.environ, USERS=str(USERS)))
        took = time.monotonic() - began
        after = os.times()
        cpu = cpu_ns(self.workers[name]) - cpu
        wrk = (after.children_user + after.children_system
               - before.children_user - before.children_system)
        mine = (self.ours_ns() - ours) / 1e9 + wrk
        line = next(text for text in out.stdout.splitlines()
                    if text.startswith("WRK "))
        requests, duration, errors, p50, p99 = map(int, line.split()[1:])
        if errors:
            raise SystemExit(f"{errors} failed requests on {name}")
        self.asked[name] += requests
        others = ((busy_ns() - busy) / 1e9 - mine) / took * 100
        return {"us": cpu / 1e3 / requests, "requests": requests,
                "rate": requests / duration * 1e6, "p50": p50, "p99": p99,
                "others": max(others, 0)}

    def sample(self, name):
        shots = []
        while len(shots) < TRIES:
            shots.append(self.shot(name, SECONDS))
            if shots[-1]["others"] <= MAX_OTHERS:
                break
        best = min(shots, key=lambda shot: shot["others"])
        print(f"  {name:<7} {best['us']:6.2f} us/request  "
              f"{best['rate']:8.0f}/s  p99 {best['p99']:5d} us  others "
              f"{best['others']:4.1f} %", file=sys.stderr)
        return best


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def busy_ns():
    """All CPU time used on the two cores of the benchmark."""
    ticks = 0
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            name, *fields = line.split()
            if name in (f"cpu{SERVER_CPU}", f"cpu{LOAD_CPU}"):
                user, nice, system, _, _, irq, soft = map(int, fields[:7])
                ticks += user + nice + system + irq + soft
    return ticks * 1e9 / os.sysconf("SC_CLK_TCK")


def measure(bench):
    bench.shot("bare", 1)
    # Long enough for every user to have been there once.
    for _ in range(3):
        bench.shot("intent", SECONDS)
    before = bench.status()["counters"]["events"]
    bench.asked["intent"] = 0
    bare = [bench.sample("bare")]
    intent = []
    for _ in range(ROUNDS):
        intent.append(bench.sample("intent"))
        bare.append(bench.sample("bare"))
    after = bench.status()["counters"]["events"]
    over = [shot["us"] - (bare[i]["us"] + bare[i + 1]["us"]) / 2
            for i, shot in enumerate(intent)]
    result = {
        "bench": "http", "what": "cpu_us_over_bare",
        "median_us": round(statistics.median(over), 3),
        "min_us": round(min(over), 3), "max_us": round(max(over), 3),
        "bare_us": round(statistics.median(s["us"] for s in bare), 3),
        "intent_us": round(statistics.median(s["us"] for s in intent), 3),
        "intent_per_s": round(statistics.median(s["rate"] for s in intent)),
        "bare_per_s": round(statistics.median(s["rate"] for s in bare)),
        "rounds": ROUNDS, "users": USERS, "connections": CONNECTIONS,
        "requests": bench.asked["intent"], "events_recorded": after - before,
        "others_max_percent": round(max(s["others"] for s in bare + intent),
                                    1),
    }
    print(json.dumps(result), flush=True)
    print(f"  median {result['median_us']:.2f} us over bare", file=sys.stderr)


def main():
    if SERVER_CPU == LOAD_CPU:
        raise SystemExit("bench_http.py needs two cores")
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    run = tempfile.mkdtemp(prefix="intent-bench-", dir=shm)
    bench = Bench(run)
    try:
        bench.start()
        measure(bench)
    finally:
        bench.stop()
        shutil.rmtree(run, ignore_errors=True)


if __name__ == "__main__":
    main()
