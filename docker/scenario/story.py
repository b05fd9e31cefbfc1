#!/usr/bin/env python3
"""The story that docker/three-regions.yaml and docker/two-regions.yaml play: it does what its text says, and checks it.

Every line that begins with "+" is a claim that held, every line with "!" one that did not. Exit code: 0 if all held.
The applications are kazoo and Curator clients as anybody writes them. They know their region's proxies and nothing else.
"""
import os
import socket
import subprocess
import sys
import threading
import time

from kazoo.exceptions import KazooException
from kazoo.protocol.states import KazooState
from kazoo.recipe.lock import Lock

from demo import (ALL_PROXIES, PATIENCE, PROXIES, REGIONS, SESSION, App, chapter, claim, finish, gather, is_ready, median, mount, ms,
                  prometheus, say, timed, until, wan)

# The region that is neither us nor cut off from us, if there is one, else eu itself.
THIRD = REGIONS[-1]
EU_SERVERS = os.environ.get("EU_SERVERS", "").split()


def mount_all():
    chapter(2, "Each region mounts the /apps of %s" % ("the two others" if len(REGIONS) > 2 else "the other"))
    held = [mount(region, other + ":/apps", "/mnt/" + other, "create") for region in REGIONS for other in REGIONS if other != region]
    claim(all(held), "all %d mounts are active at all %d proxies" % (len(held), len(ALL_PROXIES)))


def configure(apps):
    chapter(3, "Configuration: eu writes at home, everybody reads it under /mnt/eu and is told when it changes")
    eu = apps["eu"]
    eu.create("eu", "/config", "v1")
    told = {}
    for app in apps.values():
        def changed(event, app=app):
            told[app.region] = time.monotonic()
        app.zk.sync(app.path("eu", "/config"))  # It was written in another region a moment ago.
        app.zk.get(app.path("eu", "/config"), watch=changed)
    start = time.monotonic()
    eu.set("eu", "/config", "v2")
    until(lambda: len(told) == len(REGIONS), 10)
    claim(len(told) == len(REGIONS), "all were told of v2: "
          + ", ".join("%s after %s" % (r, ms(told[r] - start)) for r in REGIONS if r in told))
    seen = {r: apps[r].get("eu", "/config") for r in REGIONS}
    claim(set(seen.values()) == {"v2"}, "all read v2")
    for region in REGIONS:
        app = apps[region]
        if region == "eu":
            continue
        app.zk.ensure_path(app.path("eu", "/from-" + region))
        near = median([timed(lambda: app.get("eu", "/config")) for _ in range(50)])
        write = median([timed(lambda: app.set("eu", "/from-" + region, "x")) for _ in range(5)])
        home = median([timed(lambda: app.zk.exists("/")) for _ in range(50)])
        say("   %s    median read at home %s, of the mount %s; median write to the mount %s" % (region, ms(home), ms(near), ms(write)))
        claim(near * 3 < write, "%s reads eu's data from its own region, and writes it across the WAN" % region)


def lock(apps):
    chapter(4, "A lock in eu, taken by kazoo in us and by Curator in %s: both count under it" % THIRD)
    rounds = 8
    us, third = apps["us"], apps[THIRD]
    us.create("eu", "/counter", "0")
    program = subprocess.Popen(["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", "/scenario:/usr/share/java/*", "CuratorCounter",
                                ",".join(p + ":2281" for p in PROXIES[THIRD]), third.path("eu", "/lock"), third.path("eu", "/counter"),
                                str(rounds)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    mutex = KazooLockLikeCurator(us.zk, us.path("eu", "/lock"))
    for _ in range(rounds):
        with mutex:
            us.set("eu", "/counter", str(int(us.get("eu", "/counter")) + 1))
    out, err = program.communicate(timeout=PATIENCE)
    if program.returncode != 0:
        say("   Curator said: " + err.strip()[-500:])
    third.zk.sync(third.path("eu", "/counter"))  # The last step may have been kazoo's, in another region.
    total = third.get("eu", "/counter")
    claim(total == str(2 * rounds), "%s steps were counted, %d by kazoo and %d by Curator: none was lost" % (total, rounds, rounds))


class KazooLockLikeCurator(Lock):
    """kazoo's lock with Curator's names: Curator takes a contender whose name has no "lock-" for a later one than its own."""

    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


def membership(apps):
    chapter(5, "Membership: each application has an ephemeral in eu's /apps/members")
    apps["eu"].zk.ensure_path("/apps/members")
    for app in apps.values():
        app.join("eu", "/members/" + app.region)
    for app in apps.values():
        app.zk.sync(app.path("eu", "/members"))
    claim(all(members(app) == sorted(REGIONS) for app in apps.values()), "each region sees %d members" % len(REGIONS))


def members(app):
    return sorted(app.zk.get_children(app.path("eu", "/members")))


def all_there(app):
    return until(lambda: members(app) == sorted(REGIONS), 60) is not None


def cut(apps):
    chapter(6, "The WAN between us and eu is cut, both ways, for 6 s; sessions last %d s" % SESSION)
    us = apps["us"]
    mark = len(us.states)
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
    claim(apps[THIRD].get("eu", "/config") == "v2", "%s reads eu as before" % THIRD)
    wan("us", "eu", "heal")
    took = until(lambda: us.get("eu", "/config") == "v2", 60)
    claim(took is not None, "healed: us reads eu again" + ("" if took is None else " after %s" % ms(took)))
    claim(KazooState.LOST not in us.states[mark:], "us did not lose its session")
    claim(all_there(us), "the %d members are there" % len(REGIONS))


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
    claim(KazooState.LOST not in us.states[mark:], "us did not lose its session")
    claim(all_there(us), "the %d members are there" % len(REGIONS))
    engine.start("us-observer-eu")
    back = until(lambda: near_again(us), 120, every=1)
    claim(back is not None, "the observer is back, and reads are near again" + ("" if back is None else " after %d s" % back))


def near_again(app):
    return median([timed(lambda: app.get("eu", "/config")) for _ in range(5)]) < 0.04


def kill_leader(engine, apps):
    chapter(8, "The leader of eu's three servers is killed")
    marks = {app.region: len(app.states) for app in apps.values()}
    leader = leader_of_eu()
    engine.kill(leader)
    for app in apps.values():
        took = until(lambda: app.zk.set(app.path("eu", "/config"), b"v3") is not None, 60)
        claim(took is not None, "%s writes eu's data again" % app.region + ("" if took is None else " after %s" % ms(took)))
    claim(all(KazooState.LOST not in app.states[marks[app.region]:] for app in apps.values()), "nobody lost a session")
    claim(all(all_there(app) for app in apps.values()), "the %d members are there" % len(REGIONS))
    engine.start(leader)
    back = until(lambda: mode(leader) is not None, 60, every=0.5)
    claim(back is not None, "%s is back" % leader)


def leader_of_eu():
    found = []
    until(lambda: found.extend(server for server in EU_SERVERS if mode(server) == "leader") or found, 30)
    return found[0]


def mode(server):
    """What a server says it is: "leader", "follower", or None where nobody answers."""
    try:
        with socket.create_connection((server, 2180 + int(server[-1])), 5) as connection:
            connection.sendall(b"srvr")
            answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    except OSError:
        return None
    return next((line.split()[1] for line in answer.splitlines() if line.startswith("Mode: ")), None)


def watch_metrics():
    chapter(9, "What Prometheus saw")
    took = until(lambda: prometheus("sum(zoonet_ready)") == len(ALL_PROXIES), 30)
    claim(took is not None, "%d proxies are ready" % len(ALL_PROXIES))
    inserted = prometheus("sum(zoonet_barriers_inserted_total)") or 0
    elided = prometheus("sum(zoonet_barriers_elided_total)") or 0
    claim(inserted + elided > 0, "reads of mounts: %d needed a barrier, %d needed none" % (inserted, elided))
    failed = prometheus("sum(zoonet_barriers_failed_total)") or 0
    say("   barriers that failed while the WAN was cut: %d" % failed)


def main():
    say("ZooNet: the regions %s, each on a network of its own, with a WAN between each two." % ", ".join(REGIONS))
    engine = gather()
    mount_all()
    apps = {region: App(region) for region in REGIONS}
    try:
        configure(apps)
        lock(apps)
        membership(apps)
        cut(apps)
        if engine.project:
            kill_proxy(engine, apps)
            (kill_leader if EU_SERVERS else kill_observer)(engine, apps)
        else:
            say()
            say("   Killing a proxy and a server is left out: the engine's socket can't be used (%s)." % engine.reason)
        watch_metrics()
    finally:
        threads = [threading.Thread(target=app.zk.stop, daemon=True) for app in apps.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
