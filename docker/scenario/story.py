#!/usr/bin/env python3
"""The story that docker/three-regions.yaml plays: it does what its text says, and checks it.

Every line that begins with "+" is a claim that held, every line with "!" one that did not. Exit code: 0 if all held.
The applications are kazoo and Curator clients as anybody writes them. They know their region's proxies and nothing else.
"""
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.protocol.states import KazooState
from kazoo.recipe.lock import Lock

REGIONS = ["us", "eu", "ap"]
PROXIES = {region: ["%s-proxy-%d" % (region, n) for n in (1, 2)] for region in REGIONS}
PATIENCE = 120
began = time.monotonic()
failures = 0


def say(text=""):
    print(text, flush=True)


def chapter(number, title):
    say()
    say("%d. %s   (%d s)" % (number, title, time.monotonic() - began))


def claim(held, text):
    global failures
    failures += 0 if held else 1
    say("   %s %s" % ("+" if held else "!", text))


def until(condition, seconds=PATIENCE, every=0.1):
    """Waits for a condition; returns the seconds that it took, or None if it did not come true in time."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        try:
            if condition():
                return time.monotonic() - start
        except (OSError, KazooException, ValueError):
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
        self.socket = "/var/run/docker.sock"
        self.project = None
        try:
            mine = self.call("GET", "/containers/%s/json" % socket.gethostname())
            self.project = mine["Config"]["Labels"]["com.docker.compose.project"]
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

    def order(self, service, what):
        filters = json.dumps({"label": ["com.docker.compose.project=" + self.project, "com.docker.compose.service=" + service]})
        for container in self.call("GET", "/containers/json?all=1&filters=" + urllib.parse.quote(filters)):
            self.call("POST", "/containers/%s/%s" % (container["Id"], what))

    def kill(self, service):
        self.order(service, "kill")

    def start(self, service):
        self.order(service, "start")


class App:
    """An application of one region: a kazoo client of the region's two proxies, which notes what happens to its session."""

    def __init__(self, region):
        self.region = region
        self.states = []
        self.zk = KazooClient(hosts=",".join(p + ":2281" for p in PROXIES[region]), timeout=15, randomize_hosts=False,
                              connection_retry={"max_tries": -1, "delay": 0.1, "max_delay": 1})
        self.zk.add_listener(self.states.append)
        self.zk.start(timeout=PATIENCE)

    def path(self, cluster, rest):
        """Where a cluster's /apps is for this application: at home, or under the mount."""
        return ("/apps" if cluster == self.region else "/mnt/" + cluster) + rest

    def get(self, cluster, rest):
        return self.zk.get(self.path(cluster, rest))[0].decode()

    def set(self, cluster, rest, text):
        self.zk.set(self.path(cluster, rest), text.encode())

    def create(self, cluster, rest, text="", **options):
        self.zk.create(self.path(cluster, rest), text.encode(), **options)


def gather():
    chapter(1, "Three regions come up")
    for region in REGIONS:
        for proxy in PROXIES[region]:
            took = until(lambda: is_ready(proxy), every=0.5)
            if took is None:
                say("   ! %s is not ready after %d s; see: docker compose logs %s" % (proxy, PATIENCE, proxy))
                sys.exit(1)
    say("   six proxies are ready, %d s after the story began" % (time.monotonic() - began))


def mount():
    chapter(2, "Each region mounts the /apps of the two others")
    for region in REGIONS:
        for other in REGIONS:
            if other == region:
                continue
            body = {"source": other + ":/apps", "path": "/mnt/" + other, "options": "create"}
            took = until(lambda: admin(PROXIES[region][0], "POST", "/api/v1/mounts", body) is not None, every=1)
            say("   %s    zoonet mount %s:/apps /mnt/%s%s" % (region, other, other, "" if took is not None else "   FAILED"))
    def all_active():
        return all(m["state"] == "active" for r in REGIONS for p in PROXIES[r] for m in admin(p, "GET", "/api/v1/mounts")["mounts"]) \
            and all(len(admin(p, "GET", "/api/v1/mounts")["mounts"]) == 2 for r in REGIONS for p in PROXIES[r])
    took = until(all_active, every=0.5)
    claim(took is not None, "all six mounts are active at all six proxies")


def configure(apps):
    chapter(3, "Configuration: eu writes at home, everybody reads it under /mnt/eu and is told when it changes")
    eu = apps["eu"]
    eu.create("eu", "/config", "v1")
    told = {}
    for app in apps.values():
        def changed(event, app=app):
            told[app.region] = time.monotonic()
        app.zk.get(app.path("eu", "/config"), watch=changed)
    start = time.monotonic()
    eu.set("eu", "/config", "v2")
    until(lambda: len(told) == 3, 10)
    claim(len(told) == 3, "all were told of v2: " + ", ".join("%s after %s" % (r, ms(told[r] - start)) for r in REGIONS if r in told))
    seen = {r: apps[r].get("eu", "/config") for r in REGIONS}
    claim(set(seen.values()) == {"v2"}, "all read v2")
    for region in ("us", "ap"):
        app = apps[region]
        near = median([timed(lambda: app.get("eu", "/config")) for _ in range(50)])
        write = median([timed(lambda: app.set("eu", "/from-" + region, "x")) for _ in range(5)]) \
            if app.zk.ensure_path(app.path("eu", "/from-" + region)) else 0
        home = median([timed(lambda: app.zk.exists("/")) for _ in range(50)])
        say("   %s    median read at home %s, of the mount %s; median write to the mount %s" % (region, ms(home), ms(near), ms(write)))
        claim(near * 3 < write, "%s reads eu's data from its own region, and writes it across the WAN" % region)


def lock(apps):
    chapter(4, "A lock in eu, taken by kazoo in us and by Curator in ap: both count under it")
    rounds = 8
    us, ap = apps["us"], apps["ap"]
    us.create("eu", "/counter", "0")
    program = subprocess.Popen(["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", "/scenario:/usr/share/java/*", "CuratorCounter",
                                ",".join(p + ":2281" for p in PROXIES["ap"]), "/mnt/eu/lock", "/mnt/eu/counter", str(rounds)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    mutex = KazooLockLikeCurator(us.zk, us.path("eu", "/lock"))
    for _ in range(rounds):
        with mutex:
            us.set("eu", "/counter", str(int(us.get("eu", "/counter")) + 1))
    out, err = program.communicate(timeout=PATIENCE)
    if program.returncode != 0:
        say("   Curator said: " + err.strip()[-500:])
    ap.zk.sync(ap.path("eu", "/counter"))  # The last step may have been kazoo's, in another region.
    total = ap.get("eu", "/counter")
    claim(total == str(2 * rounds), "%s steps were counted, %d by kazoo and %d by Curator: none was lost" % (total, rounds, rounds))


class KazooLockLikeCurator(Lock):
    """kazoo's lock with Curator's names: Curator takes a contender whose name has no "lock-" for a later one than its own."""

    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


def membership(apps):
    chapter(5, "Membership: each application has an ephemeral in eu's /apps/members")
    apps["eu"].zk.ensure_path("/apps/members")
    for app in apps.values():
        app.create("eu", "/members/" + app.region, ephemeral=True)
    seen = [sorted(app.zk.get_children(app.path("eu", "/members"))) for app in apps.values()]
    claim(all(s == sorted(REGIONS) for s in seen), "each region sees three members")


def members(app):
    return sorted(app.zk.get_children(app.path("eu", "/members")))


def cut(apps):
    chapter(6, "The WAN between us and eu is cut, both ways, for 6 s; sessions last 15 s")
    us = apps["us"]
    before = list(us.states)
    wan("us", "eu", "cut?silent=true")
    start = time.monotonic()
    slowest, errors, reads = 0, 0, 0
    while time.monotonic() - start < 6:
        try:
            slowest = max(slowest, timed(lambda: us.zk.exists("/")))
            reads += 1
        except KazooException:
            errors += 1
        time.sleep(0.02)
    claim(errors == 0 and slowest < 1, "us went on at home: %d reads, %d errors, the slowest %s" % (reads, errors, ms(slowest)))
    reached = apps["ap"].get("eu", "/config")
    claim(reached == "v2", "ap reads eu as before")
    wan("us", "eu", "heal")
    took = until(lambda: us.get("eu", "/config") == "v2", 60)
    claim(took is not None, "healed: us reads eu again" + ("" if took is None else " after %s" % ms(took)))
    took = until(lambda: members(us) == sorted(REGIONS), 60)
    claim(took is not None and KazooState.LOST not in us.states[len(before):], "no session was lost, and the three members are there")


def kill_proxy(engine, apps):
    chapter(7, "The proxy that the application in us is connected to is killed")
    us = apps["us"]
    id_before = us.zk.client_id[0]
    mark = len(us.states)
    engine.kill("us-proxy-1")
    took = until(lambda: us.get("eu", "/config") == "v2", 60)
    claim(took is not None, "the application goes on at the other proxy" + ("" if took is None else " after %s" % ms(took)))
    claim(us.zk.client_id[0] == id_before and KazooState.LOST not in us.states[mark:], "with its session")
    claim(members(apps["eu"]) == sorted(REGIONS), "and its ephemeral in eu is there")
    engine.start("us-proxy-1")
    claim(until(lambda: is_ready("us-proxy-1"), every=0.5) is not None, "the killed proxy is back and ready")


def kill_observer(engine, apps):
    chapter(8, "The observer of eu that stands in us is killed")
    us = apps["us"]
    mark = len(us.states)
    near = median([timed(lambda: us.get("eu", "/config")) for _ in range(20)])
    engine.kill("us-observer-eu")
    took = until(lambda: us.get("eu", "/config") == "v2", 60)
    far = median([timed(lambda: us.get("eu", "/config")) for _ in range(10)])
    claim(took is not None, "us reads eu's own server across the WAN: median %s, and %s before" % (ms(far), ms(near)))
    claim(KazooState.LOST not in us.states[mark:] and members(us) == sorted(REGIONS), "no session and no member was lost")
    engine.start("us-observer-eu")
    back = until(lambda: near_again(us), 120, every=1)
    claim(back is not None, "the observer is back, and reads are near again" + ("" if back is None else " after %d s" % back))


def near_again(app):
    return median([timed(lambda: app.get("eu", "/config")) for _ in range(5)]) < 0.04


def watch_metrics():
    chapter(9, "What Prometheus saw")
    time.sleep(5)  # Two scrapes, so that what happened last is in it.
    ready = prometheus("sum(zoonet_ready)")
    claim(ready == 6, "six proxies are ready")
    inserted = prometheus("sum(zoonet_barriers_inserted_total)") or 0
    elided = prometheus("sum(zoonet_barriers_elided_total)") or 0
    claim(inserted + elided > 0, "reads of mounts: %d needed a barrier, %d needed none" % (inserted, elided))
    failed = prometheus("sum(zoonet_barriers_failed_total)") or 0
    say("   barriers that failed while the WAN was cut: %d" % failed)


def main():
    say("ZooNet: three regions, us, eu and ap, each on a network of its own, with a WAN between each two.")
    gather()
    mount()
    apps = {region: App(region) for region in REGIONS}
    try:
        configure(apps)
        lock(apps)
        membership(apps)
        cut(apps)
        engine = Engine()
        if engine.project:
            kill_proxy(engine, apps)
            kill_observer(engine, apps)
        else:
            say()
            say("   Killing a proxy and an observer is left out: the engine's socket can't be used (%s)." % engine.reason)
        watch_metrics()
    finally:
        threads = [threading.Thread(target=app.zk.stop, daemon=True) for app in apps.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    say()
    say("The story took %d s. %s" % (time.monotonic() - began, "Everything came out as its text says." if failures == 0
        else "%d of its claims did not hold: see the lines with '!'." % failures))
    return 0 if failures == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
