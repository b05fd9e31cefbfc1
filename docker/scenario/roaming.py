"""The story that docker/roaming.yaml plays: it does what its text says, and checks it.

Every line that begins with "+" is a claim that held, every line with "!" one that did not. Exit code: 0 if all held.
The applications are kazoo clients as anybody writes them. They know their region's proxies and nothing else.
"""
import sys
import threading
import time

from kazoo.protocol.states import KazooState

from demo import App, admin, chapter, claim, finish, gather, is_ready, median, mount, ms, say, timed, until

TREE = "/shared/orders"
PROXY = "us-proxy-1"


def order(method, path, body):
    """Gives an order to a proxy until it is carried out: right after the start one may say that something is not up yet."""
    return until(lambda: admin(PROXY, method, path, body) is not None, every=1)


def create():
    chapter(2, "A tree that us and eu share, owned by us first; each region mounts it at " + TREE)
    made = order("POST", "/api/v1/trees", {"name": "orders", "zones": ["us", "eu"], "arbiter": "us", "owner": "us"})
    say("   us    zoonet tree create orders --zones us,eu --arbiter us --owner us")
    claim(made is not None, "the tree is there")
    claim(all([mount(region, "orders:/", TREE) for region in ("us", "eu")]), "it is mounted at all proxies")


def writes(app):
    return median([timed(lambda: app.zk.set(TREE + "/" + app.region, b"x")) for _ in range(9)])


def compare(number, apps, owner, other):
    chapter(number, "%s owns the tree: there a write is a vote of its own servers, in %s it crosses the WAN" % (owner, other))
    here, there = writes(apps[owner]), writes(apps[other])
    say("   median write in %s %s, in %s %s" % (owner, ms(here), other, ms(there)))
    claim(here * 2 < there, "%s writes near, and %s far" % (owner, other))


def move(number, apps, zone):
    """Moves the tree while both regions write into it."""
    chapter(number, "The tree moves to %s, while both regions write into it" % zone)
    folder = TREE + "/to-" + zone
    apps["us"].zk.ensure_path(folder)
    apps["eu"].zk.sync(folder)
    stop, made, slowest = threading.Event(), {}, {}

    def work(app):
        made[app.region], slowest[app.region] = [], 0
        while not stop.is_set():
            began = time.monotonic()
            made[app.region].append(app.zk.create(folder + "/order-", app.region.encode(), sequence=True))
            slowest[app.region] = max(slowest[app.region], time.monotonic() - began)

    threads = [threading.Thread(target=work, args=(app,)) for app in apps.values()]
    for thread in threads:
        thread.start()
    time.sleep(1)
    began = time.monotonic()
    moved = order("POST", "/api/v1/trees/orders/owner", {"zone": zone})
    say("   us    zoonet tree move orders %s" % zone)
    claim(moved is not None, "moved after %s" % ms(time.monotonic() - began))
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join(60)
    answered = sorted(made["us"] + made["eu"])
    claim(len(set(answered)) == len(answered) and min(len(m) for m in made.values()) > 0,
          "%d orders were made in us and %d in eu, each with a number of its own; the longest took %s"
          % (len(made["us"]), len(made["eu"]), ms(max(slowest.values()))))
    for app in apps.values():
        app.zk.sync(folder)
        there = sorted(folder + "/" + name for name in app.zk.get_children(folder))
        claim(there == answered, "%s sees every one of them, and no other" % app.region)


def kill_proxy(engine, apps, number):
    chapter(number, "The proxy that the application in us is connected to is killed")
    us = apps["us"]
    session, mark = us.zk.client_id[0], len(us.states)
    us.zk.create(TREE + "/here", ephemeral=True)
    engine.kill(PROXY)
    took = until(lambda: us.zk.set(TREE + "/us", b"y") is not None, 60)
    claim(took is not None, "the application writes at the other proxy" + ("" if took is None else " after %s" % ms(took)))
    claim(us.zk.client_id[0] == session and KazooState.LOST not in us.states[mark:], "with its session")
    apps["eu"].zk.sync(TREE)
    claim(apps["eu"].zk.exists(TREE + "/here") is not None, "and eu sees its ephemeral in the tree")
    engine.start(PROXY)
    claim(until(lambda: is_ready(PROXY), every=0.5) is not None, "the killed proxy is back and ready")


def main():
    say("ZooNet: a roaming tree of us and eu, with a WAN of 90 ms between the two.")
    engine = gather()
    create()
    apps = {region: App(region) for region in ("us", "eu")}
    for app in apps.values():
        app.zk.create(TREE + "/" + app.region, b"")
    compare(3, apps, "us", "eu")
    move(4, apps, "eu")
    compare(5, apps, "eu", "us")
    move(6, apps, "us")
    if engine.project:
        kill_proxy(engine, apps, 7)
    for app in apps.values():
        app.zk.stop()
    return finish()


if __name__ == "__main__":
    sys.exit(main())
