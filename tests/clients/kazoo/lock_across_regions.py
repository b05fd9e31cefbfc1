#!/usr/bin/python3
"""kazoo clients of several regions that take one lock, which all regions see at the same path.

    lock_across_regions.py --regions A,B --regions C,D --path /shared/lock --until FILE [--clients N]

Every client takes kazoo's Lock again and again until the file --until is there. Whoever holds it reads a count, waits a
little and writes one more, without looking at versions: two holders at a time would lose one. Prints PASS or FAIL for

    no two clients hold the lock at a time, the count is the number of turns, every client has had a turn after half of
    them, no session is lost and no operation fails.

Exit code: 0 if nothing failed.
"""
import argparse
import logging
import os
import random
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState
from kazoo.recipe.lock import Lock

failures = 0


def claim(held, name, why=""):
    global failures
    failures += 0 if held else 1
    print("%s %s%s" % ("PASS" if held else "FAIL", name, "" if held else ": " + str(why)), flush=True)


class Turns:
    """What all contenders, in one process, know of who holds the lock."""

    def __init__(self):
        self.guard = threading.Lock()
        self.holders, self.together, self.taken = [], [], []

    def enter(self, name):
        with self.guard:
            self.holders.append(name)
            if len(self.holders) > 1:
                self.together.append(tuple(self.holders))
            self.taken.append(name)

    def leave(self, name):
        with self.guard:
            self.holders.remove(name)


class Contender:
    """One client, and a thread that takes the lock."""

    def __init__(self, name, hosts, path, turns):
        self.name, self.path, self.turns = name, path, turns
        self.errors, self.lost, self.longest = [], 0, 0.0
        self.stop = False
        self.client = KazooClient(hosts=hosts, timeout=10, randomize_hosts=True)
        self.client.add_listener(self.changed)
        self.client.start(timeout=30)
        self.thread = threading.Thread(target=self.work, daemon=True)

    def changed(self, state):
        if state != KazooState.CONNECTED and not self.stop:
            self.lost += 1

    def work(self):
        while not self.stop:
            try:
                self.take()
            except Exception as e:  # pylint: disable=broad-except
                self.errors.append("%s: %s: %s" % (self.name, type(e).__name__, e))
                time.sleep(0.1)

    def take(self):
        lock = Lock(self.client, self.path, self.name)
        began = time.monotonic()
        if not lock.acquire(timeout=60):
            raise RuntimeError("no turn within 60 s")
        self.longest = max(self.longest, time.monotonic() - began)
        self.turns.enter(self.name)
        try:
            count, _ = self.client.get(self.path + "-count")
            time.sleep(random.random() * 0.005)
            self.client.set(self.path + "-count", str(int(count) + 1).encode())
        finally:
            # Before the release leaves: what comes after is no longer claimed.
            self.turns.leave(self.name)
            lock.release()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", action="append", required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--until", required=True)
    parser.add_argument("--clients", type=int, default=3, help="of each region")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)

    turns = Turns()
    contenders = [Contender("region%d-%d" % (r, i), hosts, options.path, turns)
                  for r, hosts in enumerate(options.regions) for i in range(options.clients)]
    contenders[0].client.create(options.path + "-count", b"0")
    for contender in contenders:
        contender.client.sync(options.path + "-count")
        contender.thread.start()
    while not os.path.exists(options.until):
        time.sleep(0.05)
    for contender in contenders:
        contender.stop = True
    for contender in contenders:
        contender.thread.join(90)

    hanging = [c.name for c in contenders if c.thread.is_alive()]
    claim(not hanging, "every client has come to an end", hanging)
    claim(not turns.together, "no two clients hold the lock at a time", turns.together[:5])
    contenders[0].client.sync(options.path + "-count")
    count = int(contenders[0].client.get(options.path + "-count")[0])
    claim(count == len(turns.taken), "the count is the number of turns", "%d, not %d" % (count, len(turns.taken)))
    late = set(turns.taken[len(turns.taken) // 2:])
    starved = [c.name for c in contenders if c.name not in late]
    claim(not starved, "every client has had a turn in the second half", starved)
    errors = [e for c in contenders for e in c.errors]
    claim(not errors, "no operation fails", errors[:5])
    lost = [(c.name, c.lost) for c in contenders if c.lost]
    claim(not lost, "no connection is lost", lost)
    print("%d turns; longest wait for one: %.1f s" % (len(turns.taken), max(c.longest for c in contenders)))
    for contender in contenders:
        contender.client.stop()
        contender.client.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
