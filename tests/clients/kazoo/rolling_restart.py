#!/usr/bin/python3
"""Fifty kazoo clients that go on working while somebody restarts the servers or proxies that they are connected to.

    rolling_restart.py --hosts A,B --places /,/mnt/eu --until FILE [--ready FILE] [--clients N]

In each place every client has an ephemeral znode and a watch on a configuration that changes all the time; it reads
and writes a znode of its own, and takes a lock that ten share. It begins, makes the file --ready, works until the file
--until is there, and then checks that nobody has lost anything:

    no session was lost, every ephemeral is the one that was made at the start, every client has seen the last
    configuration, every count under a lock is the number of times that it was taken, and no operation has ended with
    another error than the loss of a connection, which kazoo's own retries hide.

Prints PASS or FAIL for each, and the longest time for which a client had no answer. Exit code: 0 if nothing failed.
"""
import argparse
import logging
import os
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, ConnectionClosedError, NodeExistsError, OperationTimeoutError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState
from kazoo.recipe.lock import Lock
from kazoo.retry import KazooRetry

LOST_CONNECTION = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError, KazooTimeoutError)
PER_LOCK = 10
failures = 0


def claim(held, name, why=""):
    global failures
    failures += 0 if held else 1
    print("%s %s%s" % ("PASS" if held else "FAIL", name, "" if held else ": " + str(why)), flush=True)


def join(place, name):
    return place.rstrip("/") + "/" + name


class Worker:
    """One client, with a thread that does something at each place in turn."""

    def __init__(self, number, hosts, places, timeout):
        self.number, self.places = number, places
        self.lost, self.errors, self.longest, self.operations = 0, [], 0.0, 0
        self.seen = {place: None for place in places}
        self.taken = {place: 0 for place in places}
        self.client = KazooClient(hosts=hosts, timeout=timeout, randomize_hosts=True, connection_retry=KazooRetry(max_tries=-1, max_delay=0.5),
                                  command_retry=KazooRetry(max_tries=-1, max_delay=0.5))
        self.client.add_listener(self.changed)

    def changed(self, state):
        if state == KazooState.LOST:
            self.lost += 1

    def start(self):
        self.client.start(timeout=60)
        self.session = self.client.client_id[0]
        self.lost = 0
        self.made = {}
        for place in self.places:
            self.client.retry(self.client.create, join(place, "ephemeral-%d" % self.number), b"", ephemeral=True)
            self.made[place] = self.client.retry(self.client.exists, join(place, "ephemeral-%d" % self.number)).czxid
            self.client.retry(self.client.create, join(place, "own-%d" % self.number), b"0")
            self.client.DataWatch(join(place, "configuration"), lambda data, stat, event, place=place: self.saw(place, data))
        self.stop = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def saw(self, place, data):
        self.seen[place] = data

    def work(self):
        count = 0
        while not self.stop:
            for place in self.places:
                count += 1
                try:
                    began = time.monotonic()
                    self.client.retry(self.client.set, join(place, "own-%d" % self.number), str(count).encode())
                    read, _ = self.client.retry(self.client.get, join(place, "own-%d" % self.number))
                    self.longest = max(self.longest, time.monotonic() - began)
                    if read != str(count).encode():
                        self.errors.append("own znode in %s is %r, not %d" % (place, read, count))
                    self.operations += 2
                    self.under_lock(place)
                except LOST_CONNECTION:
                    pass
                except Exception as e:  # pylint: disable=broad-except
                    self.errors.append("%s in %s: %r" % (type(e).__name__, place, e))
            time.sleep(0.05)

    def under_lock(self, place):
        """Adds one to a count that only the holder of the lock may touch. Whether the holder's write was done is read again if that is not known."""
        group = self.number // PER_LOCK
        lock = Lock(self.client, join(place, "lock-%d" % group), str(self.number))
        if not lock.acquire(timeout=30):
            return
        try:
            path = join(place, "count-%d" % group)
            data, stat = self.client.retry(self.client.get, path)
            wanted = int(data) + 1
            while True:
                try:
                    self.client.set(path, str(wanted).encode(), stat.version)
                    break
                except LOST_CONNECTION:
                    # Done or not: only we may write, so what is there says it.
                    now, stat = self.client.retry(self.client.get, path)
                    if int(now) == wanted:
                        break
            self.taken[place] += 1
        finally:
            while True:
                try:
                    lock.release()
                    break
                except LOST_CONNECTION:
                    time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", required=True)
    parser.add_argument("--places", default="/")
    parser.add_argument("--until", required=True)
    parser.add_argument("--ready")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--timeout", type=float, default=30)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    places = options.places.split(",")

    writer = KazooClient(hosts=options.hosts, timeout=options.timeout, command_retry=KazooRetry(max_tries=-1, max_delay=0.5),
                         connection_retry=KazooRetry(max_tries=-1, max_delay=0.5))
    writer.start(timeout=60)
    for place in places:
        for name in ["configuration"] + ["count-%d" % i for i in range((options.clients + PER_LOCK - 1) // PER_LOCK)]:
            try:
                writer.retry(writer.create, join(place, name), b"0")
            except NodeExistsError:
                writer.retry(writer.set, join(place, name), b"0")
    workers = [Worker(i, options.hosts, places, options.timeout) for i in range(options.clients)]
    for worker in workers:
        worker.start()
    if options.ready:
        open(options.ready, "w").close()

    version = 0
    while not os.path.exists(options.until):
        version += 1
        for place in places:
            writer.retry(writer.set, join(place, "configuration"), str(version).encode())
        time.sleep(0.2)
    for worker in workers:
        worker.stop = True
    for worker in workers:
        worker.thread.join(120)

    last = str(version).encode()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(w.seen[p] != last for w in workers for p in places):
        time.sleep(0.1)
    check(writer, workers, places, last)
    for worker in workers:
        worker.client.stop()
        worker.client.close()
    writer.stop()
    writer.close()
    return 1 if failures else 0


def check(writer, workers, places, last):
    alive = [w for w in workers if w.thread.is_alive()]
    claim(not alive, "every client has come to an end", "%d of %d hang" % (len(alive), len(workers)))
    lost = [w.number for w in workers if w.lost or w.client.client_id[0] != w.session]
    claim(not lost, "no session is lost", lost)
    errors = [e for w in workers for e in w.errors]
    claim(not errors, "no error but lost connections", errors[:5])
    for place in places:
        where = " in %s" % place
        gone = []
        for worker in workers:
            stat = writer.retry(writer.exists, join(place, "ephemeral-%d" % worker.number))
            if stat is None or stat.ephemeralOwner != worker.session or stat.czxid != worker.made[place]:
                gone.append(worker.number)
        claim(not gone, "every ephemeral is the one that was made" + where, gone)
        behind = [w.number for w in workers if w.seen[place] != last]
        claim(not behind, "every client has seen the last configuration" + where, behind)
        counts = sorted({w.number // PER_LOCK for w in workers})
        for group in counts:
            data, _ = writer.retry(writer.get, join(place, "count-%d" % group))
            taken = sum(w.taken[place] for w in workers if w.number // PER_LOCK == group)
            claim(int(data) == taken, "count %d is the number of times that the lock was taken%s" % (group, where), "%s, not %d" % (data, taken))
    print("longest pause of a client: %.1f s; %d operations, lock taken %d times" % (
        max(w.longest for w in workers), sum(w.operations for w in workers), sum(sum(w.taken.values()) for w in workers)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
