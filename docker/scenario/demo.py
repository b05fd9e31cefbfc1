"""What the stories of the demos share: saying and claiming, the admin endpoints, the WAN, the engine, and applications.

Every line that begins with "+" is a claim that held, every line with "!" one that did not.
"""
import http.client
import json
import logging
import os
import re
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError
from kazoo.protocol.states import KazooState

REGIONS = os.environ.get("REGIONS", "us eu ap").split()
PROXIES = {region: ["%s-proxy-%d" % (region, n) for n in (1, 2)] for region in REGIONS}
ALL_PROXIES = [proxy for region in REGIONS for proxy in PROXIES[region]]
PATIENCE = 120
SESSION = 20
GIBIBYTE = 1 << 30
# The oldest that the demos were tried with.
OLDEST = {"engine": (20, 10), "Compose": (1, 29)}
# What is published on this machine, and the variable that moves it.
PORTS = {2281: "US_PORT", 2282: "EU_PORT", 2283: "AP_PORT", 9181: "US_ADMIN_PORT", 9182: "EU_ADMIN_PORT", 9183: "AP_ADMIN_PORT",
         9180: "CONSOLE_PORT", 9090: "PROMETHEUS_PORT", 3000: "GRAFANA_PORT"}
began = time.monotonic()
failures = 0
# What becomes of connections is the story's to tell.
logging.getLogger("kazoo").addHandler(logging.NullHandler())


def say(text=""):
    print(text, flush=True)


def chapter(number, title):
    say()
    say("%d. %s   (%d s)" % (number, title, time.monotonic() - began))


def claim(held, text):
    global failures
    failures += 0 if held else 1
    say("   %s %s" % ("+" if held else "!", text))


def finish():
    """Says how it came out, and returns the exit code."""
    say()
    say("The story took %d s. %s" % (time.monotonic() - began, "Everything came out as its text says." if failures == 0
        else "%d of its claims did not hold: see the lines with '!'." % failures))
    return 0 if failures == 0 else 1


def until(condition, seconds=PATIENCE, every=0.1):
    """Waits for a condition; returns the seconds that it took, or None if it did not come true in time."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        try:
            if condition():
                return time.monotonic() - start
        except (OSError, KazooException, ValueError, http.client.HTTPException):
            pass  # Not yet: the other side is starting, or has lost its connection.
        time.sleep(every)
    return None


def ms(seconds):
    return "%.0f ms" % (seconds * 1000)


def timed(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def median(values):
    return sorted(values)[len(values) // 2]


def ask(method, url, body=None, timeout=60):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.loads(response.read() or b"null")


def admin(proxy, method, path, body=None):
    return ask(method, "http://%s:9181%s" % (proxy, path), body)


def is_ready(proxy):
    return admin(proxy, "GET", "/ready") is not None


def wan(a, b, order):
    """Orders something of the links between two regions, both ways."""
    for one, other in ((a, b), (b, a)):
        ask("POST", "http://wan-%s-%s:9191/%s" % (one, other, order))


def prometheus(query):
    """The value of a query that gives one number, else None."""
    found = ask("GET", "http://prometheus:9090/api/v1/query?" + urllib.parse.urlencode({"query": query}))["data"]["result"]
    return float(found[0]["value"][1]) if found else None


class Engine:
    """The container engine, over its socket: kills and starts containers of this project."""

    def __init__(self):
        self.socket = os.environ.get("ENGINE_SOCKET", "/var/run/docker.sock")
        self.project = None
        try:
            labels = self.call("GET", "/containers/%s/json" % socket.gethostname())["Config"]["Labels"]
            self.project = labels["com.docker.compose.project"]
            self.versions = {"engine": self.call("GET", "/version")["Version"], "Compose": labels.get("com.docker.compose.version", "")}
        except (OSError, KeyError, ValueError, http.client.HTTPException) as e:
            self.reason = str(e)

    def call(self, method, path):
        connection = http.client.HTTPConnection("engine")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(self.socket)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        if response.status >= 300:
            raise ValueError("%s %s: %d %s" % (method, path, response.status, body[:200].decode()))
        return json.loads(body) if body else None

    def containers(self, service=None):
        labels = ["com.docker.compose.project=" + self.project]
        if service:
            labels.append("com.docker.compose.service=" + service)
        return self.call("GET", "/containers/json?all=1&filters=" + urllib.parse.quote(json.dumps({"label": labels})))

    def order(self, service, what):
        for container in self.containers(service):
            self.call("POST", "/containers/%s/%s" % (container["Id"], what))

    def kill(self, service):
        self.order(service, "kill")

    def start(self, service):
        self.order(service, "start")

    def too_old(self):
        """A sentence for each part that is older than what the demos were tried with."""
        for part, version in self.versions.items():
            numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
            if numbers and numbers < OLDEST[part]:
                yield "%s %s is older than %s, the oldest that this was tried with: update it if something is wrong below" % (
                    part, version, ".".join(map(str, OLDEST[part])))

    def ended(self):
        """A sentence for each container of the demo that should run and does not, with what the engine knows of it."""
        for container in self.containers():
            state = self.call("GET", "/containers/%s/json" % container["Id"])["State"]
            if state["Running"] or state["Status"] == "exited" and state["ExitCode"] == 0 or state["Status"] == "created" and not state["Error"]:
                continue
            service = container["Labels"]["com.docker.compose.service"]
            taken = re.search(r":(\d+)(?: failed: port is already allocated|: bind: address already in use)", state["Error"])
            if state["OOMKilled"]:
                yield "%s was ended for want of memory: give the engine more%s" % (
                    service, ", or play docker/two-regions.yaml" if len(REGIONS) > 2 else "")
            elif taken:
                port = int(taken.group(1))
                yield "%s can't be started: port %d of this machine is in use. Free it, or move it: %s=%d docker compose … up -d" % (
                    service, port, PORTS.get(port, "the variable of the port, see docker/README.md,"), port + 10000)
            else:
                yield "%s ended with %d %s; see: docker compose logs %s" % (service, state["ExitCode"], state["Error"], service)


class App:
    """An application of one region: a kazoo client of the region's two proxies, which notes what happens to its session."""

    def __init__(self, region):
        self.region = region
        self.states = []
        self.memberships = []
        self.zk = KazooClient(hosts=",".join(p + ":2281" for p in PROXIES[region]), timeout=SESSION, randomize_hosts=False,
                              connection_retry={"max_tries": -1, "delay": 0.1, "max_delay": 1})
        self.zk.add_listener(self.changed)
        self.zk.start(timeout=PATIENCE)

    def changed(self, state):
        # As an application does: who comes back with another session has no ephemerals, and joins again.
        if state == KazooState.CONNECTED and KazooState.LOST in self.states[-2:]:
            self.zk.handler.spawn(self.join_again)
        self.states.append(state)

    def path(self, cluster, rest):
        """Where a cluster's /apps is for this application: at home, or under the mount."""
        return ("/apps" if cluster == self.region else "/mnt/" + cluster) + rest

    def get(self, cluster, rest):
        return self.zk.get(self.path(cluster, rest))[0].decode()

    def set(self, cluster, rest, text):
        self.zk.set(self.path(cluster, rest), text.encode())

    def create(self, cluster, rest, text="", **options):
        self.zk.create(self.path(cluster, rest), text.encode(), **options)

    def join(self, cluster, rest):
        self.memberships.append((cluster, rest))
        self.create(cluster, rest, ephemeral=True)

    def join_again(self):
        for cluster, rest in self.memberships:
            try:
                self.zk.retry(self.create, cluster, rest, ephemeral=True)
            except NodeExistsError:
                pass


def gather(title="%d regions come up" % len(REGIONS)):
    """The first chapter: all proxies are ready, or the story ends with what is known of the reason."""
    chapter(1, title)
    engine = Engine()
    if engine.project:
        memory = engine.call("GET", "/info")["MemTotal"]
        if memory < 1.5 * GIBIBYTE * len(REGIONS):
            say("   The engine has %.1f GiB of memory. %d regions may need %.1f: close something, or expect that servers are ended."
                % (memory / GIBIBYTE, len(REGIONS), 1.5 * len(REGIONS)))
        for sentence in engine.too_old():
            say("   " + sentence)
    for proxy in ALL_PROXIES:
        if not becomes_ready(engine, proxy):
            say("   ! %s is not ready after %d s; see: docker compose logs %s" % (proxy, time.monotonic() - began, proxy))
            for sentence in engine.ended() if engine.project else []:
                say("   ! " + sentence)
            sys.exit(1)
    say("   %d proxies are ready, %d s after the story began" % (len(ALL_PROXIES), time.monotonic() - began))
    for sentence in engine.ended() if engine.project else []:
        claim(False, sentence)
    return engine


def becomes_ready(engine, proxy):
    """Whether a proxy becomes ready. That is given up early if the same containers have been down at ten looks in a row."""
    looks = []

    def ready():
        # The name of a container that is down is asked of servers far away, which takes its time.
        if any(sentence.startswith(proxy + " ") for sentence in looks[-1]):
            return False
        try:
            return is_ready(proxy)
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def settled():
        looks.append(sorted(engine.ended()) if engine.project else [])
        return ready() or looks[-1] and looks[-10:] == [looks[-1]] * 10

    return until(settled, every=0.5) is not None and ready()


def mount(region, source, path, options=None):
    """Mounts at a region's first proxy, and waits until every proxy of the region uses it; returns whether they do."""
    body = {"source": source, "path": path, "options": options}

    def done():
        return admin(PROXIES[region][0], "POST", "/api/v1/mounts", body) is not None

    def used():
        return all(any(m["path"] == path and m["state"] == "active" for m in admin(proxy, "GET", "/api/v1/mounts")["mounts"])
                   for proxy in PROXIES[region])

    answered = until(done, every=1)
    everywhere = None if answered is None else until(used)
    held = everywhere is not None
    say("   %s    zoonet mount %s %s   %s" % (region, source, path, "%.1f s, and %.1f s until both proxies use it" % (answered, everywhere)
        if held else "FAILED"))
    return held
