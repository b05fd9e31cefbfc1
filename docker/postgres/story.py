"""The story that docker/postgres.yaml plays: it does what its text says, and checks it.

Every line that begins with "+" is a claim that held, every line with "!" one that did not. Exit code: 0 if all held.
What is checked is asked of PostgreSQL, of Patroni's own interface, and of eu's ensemble itself, past all proxies.
"""
import sys
import time

import psycopg2
from kazoo.client import KazooClient

from demo import PATIENCE, ask, chapter, claim, finish, gather, is_ready, ms, say, until

# The name of each member, where PostgreSQL listens, and Patroni.
MEMBERS = {"eu-pg-1": (5431, 8001), "us-pg-1": (5432, 8002), "us-pg-2": (5433, 8003)}
LEADER = "/service/orders/leader"


def connect(member):
    connection = psycopg2.connect(host=member, port=MEMBERS[member][0], user="postgres", password="of-the-demo", dbname="postgres",
                                  connect_timeout=3, options="-c statement_timeout=5000")
    connection.autocommit = True
    return connection


def query(member, text, *values):
    """The rows of a query at one member, or None if nobody answers there."""
    try:
        connection = connect(member)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
    except psycopg2.Error:
        return None


def cluster():
    """What Patroni says of its members, by name; asked of whoever answers."""
    for name, (_, port) in MEMBERS.items():
        try:
            return {m["name"]: m for m in ask("GET", "http://%s:%d/cluster" % (name, port), timeout=3)["members"]}
        except OSError:
            continue
    return {}


def leader_by_patroni():
    return next((name for name, member in cluster().items() if member["role"] == "leader"), None)


def replicas(leader):
    """Which members stream from the leader, as PostgreSQL says."""
    return sorted(row[0] for row in query(leader, "select application_name from pg_stat_replication where state = 'streaming'") or [])


def others(leader):
    return sorted(set(MEMBERS) - {leader})


def bootstrap(eu):
    chapter(2, "Patroni sets up PostgreSQL in eu, and the members in us copy it across the WAN")
    claim(until(lambda: eu.exists(LEADER) and eu.get(LEADER)[0] == b"eu-pg-1" and query("eu-pg-1", "select 1")) is not None,
          "eu's ensemble says who leads: eu-pg-1")
    took = until(lambda: replicas("eu-pg-1") == others("eu-pg-1"))
    claim(took is not None, "us-pg-1 and us-pg-2 stream from it")
    names = sorted(eu.get_children("/service/orders/members"))
    claim(names == sorted(MEMBERS), "all three are members, in eu's ensemble: %s" % ", ".join(names))


def nothing_at_home(us):
    """The mount point is an empty znode of us's own; what the members wrote went through the mount."""
    claim(us.get_children("/service") == [], "us's own ensemble has nothing of it")


def replicate():
    chapter(3, "A row that is written in eu is read in us")
    query("eu-pg-1", "create table orders (id int primary key, what text)")
    start = time.monotonic()
    query("eu-pg-1", "insert into orders values (1, 'from eu')")
    took = until(lambda: query("us-pg-1", "select what from orders") == [("from eu",)], 30, 0.01)
    claim(took is not None, "us-pg-1 has it" + ("" if took is None else " after %s" % ms(time.monotonic() - start)))


def kill_proxy(engine, eu):
    chapter(4, "A proxy of us is killed: Patroni goes on at the other one, and nobody else takes over")
    owners = {name: eu.exists("/service/orders/members/" + name).ephemeralOwner for name in ("us-pg-1", "us-pg-2")}
    engine.kill("us-proxy-1")
    time.sleep(20)  # Longer than a session lasts: who had lost its own would be gone by then.
    now = {name: eu.exists("/service/orders/members/" + name) for name in owners}
    claim(all(now[n] and now[n].ephemeralOwner == owner for n, owner in owners.items()),
          "after 20 s, with sessions of 15 s, both members in us have the sessions that they had")
    claim(leader_by_patroni() == "eu-pg-1", "eu-pg-1 leads as before")
    engine.start("us-proxy-1")
    claim(until(lambda: is_ready("us-proxy-1"), every=0.5) is not None, "the killed proxy is back and ready")


def kill_leader(engine, eu):
    chapter(5, "The leader is killed: a member in us takes over, by a lock in eu's ensemble")
    found = []
    engine.kill("eu-pg-1")
    start = time.monotonic()

    def writes():
        for name in ("us-pg-1", "us-pg-2"):
            if query(name, "insert into orders values (2, %s)", "from " + name) == []:
                found.append(name)
                return True
        return False

    took = until(writes, PATIENCE, 0.2)
    claim(took is not None, "PostgreSQL takes writes in us" + ("" if took is None else " after %.1f s" % (time.monotonic() - start)))
    if took is None:
        return None
    leader = found[0]
    owner = eu.exists("/service/orders/members/" + leader).ephemeralOwner
    claim(eu.get(LEADER)[0].decode() == leader and eu.exists(LEADER).ephemeralOwner == owner,
          "eu's ensemble says that %s leads, by the session that it has through the mount" % leader)
    claim(query(leader, "select count(*) from orders") == [(2,)], "the row from eu is there")
    return leader


def come_back(engine, leader):
    chapter(6, "The member in eu comes back, and follows")
    engine.start("eu-pg-1")
    took = until(lambda: replicas(leader) == others(leader))
    claim(took is not None, "both others stream from %s" % leader)
    claim(until(lambda: query("eu-pg-1", "select what from orders where id = 2") == [("from " + leader,)], 60) is not None,
          "eu-pg-1 reads what was written in us")


def main():
    say("ZooNet under Patroni: one PostgreSQL whose members are in us and in eu, with a WAN of 90 ms between the regions.")
    engine = gather("us's proxies come up")
    eu, us = KazooClient("eu-zk:2181", timeout=30), KazooClient("us-zk:2181", timeout=30)
    eu.start(PATIENCE)
    us.start(PATIENCE)
    bootstrap(eu)
    nothing_at_home(us)
    replicate()
    if engine.project:
        kill_proxy(engine, eu)
        leader = kill_leader(engine, eu)
        if leader:
            come_back(engine, leader)
    else:
        say()
        say("   Killing a proxy and the leader is left out: the engine's socket can't be used (%s)." % engine.reason)
    eu.stop()
    us.stop()
    return finish()


if __name__ == "__main__":
    sys.exit(main())
