import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.recipes.leader.LeaderElectionSupport;
import org.apache.zookeeper.recipes.lock.LockListener;
import org.apache.zookeeper.recipes.lock.WriteLock;
import org.apache.zookeeper.recipes.queue.DistributedQueue;

/** ZooKeeper's own recipes (lock, election, queue). Arguments: connect string, base path, [part of a check's name]. */
public final class ZooKeeperRecipes {
    private final String servers;
    private final String root;

    private ZooKeeperRecipes(String servers, String root) {
        this.servers = servers;
        this.root = root;
    }

    public static void main(String[] arguments) throws Exception {
        String base = arguments[1].equals("/") ? "" : arguments[1];
        String root = base + "/zookeeper-recipes-" + UUID.randomUUID();
        ZooKeeperRecipes recipes = new ZooKeeperRecipes(arguments[0], root);
        Suite suite = new Suite(arguments.length > 2 ? arguments[2] : "");
        ZooKeeper client = Sessions.connect(arguments[0]);
        Sessions.ensure(client, root);

        suite.check("lock_goes_to_waiters_in_order", recipes::lockGoesToWaitersInOrder);
        suite.check("lock_never_has_two_owners", recipes::lockNeverHasTwoOwners);
        suite.check("lock_passes_on_when_its_owners_session_ends", recipes::lockPassesOnWhenItsOwnersSessionEnds);
        suite.check("lock_survives_a_reconnect_of_its_owner", recipes::lockSurvivesReconnect);
        suite.check("election_has_one_leader_and_a_successor", recipes::electionHasOneLeaderAndASuccessor);
        suite.check("election_goes_on_when_the_leaders_session_ends", recipes::electionGoesOnWhenTheLeadersSessionEnds);
        suite.check("queue_is_first_in_first_out", recipes::queueIsFirstInFirstOut);
        suite.check("queue_take_waits_for_an_offer", recipes::queueTakeWaitsForAnOffer);
        suite.check("queue_gives_each_element_to_one_consumer", recipes::queueGivesEachElementToOneConsumer);

        ZKUtil.deleteRecursive(client, root);
        client.close();
        System.exit(suite.finish());
    }

    private List<ZooKeeper> connect(int count) throws Exception {
        List<ZooKeeper> clients = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            clients.add(Sessions.connect(servers));
        }
        return clients;
    }

    private static void close(List<ZooKeeper> clients) throws Exception {
        for (ZooKeeper client : clients) {
            client.close();
        }
    }

    private void lockGoesToWaitersInOrder() throws Exception {
        List<ZooKeeper> clients = connect(3);
        List<WriteLock> locks = new ArrayList<>();
        for (ZooKeeper client : clients) {
            WriteLock lock = new WriteLock(client, root + "/order", ZooDefs.Ids.OPEN_ACL_UNSAFE);
            Suite.equal(locks.isEmpty(), lock.lock(), "the lock is had at once by the first only");
            locks.add(lock);
        }
        for (int i = 0; i < locks.size(); i++) {
            WriteLock turn = locks.get(i);
            Suite.eventually("waiter " + i + " owns the lock", turn::isOwner);
            for (WriteLock later : locks.subList(i + 1, locks.size())) {
                Suite.that(!later.isOwner(), "a later waiter owns the lock at the same time");
            }
            Suite.that(turn.getId().contains("x-" + clients.get(i).getSessionId() + "-"), "its id names its session");
            turn.unlock();
        }
        close(clients);
    }

    private void lockNeverHasTwoOwners() throws Exception {
        List<ZooKeeper> clients = connect(4);
        AtomicInteger owners = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicInteger turns = new AtomicInteger();
        List<CompletableFuture<Void>> running = new ArrayList<>();
        for (ZooKeeper client : clients) {
            running.add(CompletableFuture.runAsync(() -> {
                try {
                    for (int i = 0; i < 5; i++) {
                        lockOnce(client, owners, most);
                        turns.incrementAndGet();
                    }
                    // The session must not linger: the others wait for whatever it holds.
                    client.close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }, task -> new Thread(task).start()));
        }
        for (CompletableFuture<Void> one : running) {
            one.get(50, TimeUnit.SECONDS);
        }
        Suite.equal(20, turns.get(), "turns");
        Suite.equal(1, most.get(), "most owners at a time");
    }

    private void lockOnce(ZooKeeper client, AtomicInteger owners, AtomicInteger most) throws Exception {
        CompletableFuture<Void> acquired = new CompletableFuture<>();
        WriteLock lock = new WriteLock(client, root + "/contended", ZooDefs.Ids.OPEN_ACL_UNSAFE, new LockListener() {
            @Override
            public void lockAcquired() {
                acquired.complete(null);
            }

            @Override
            public void lockReleased() {
                // Nothing waits for it.
            }
        });
        // The recipe sets no useful watch when the waiter before it goes while it looks, and must then be asked again.
        Suite.eventually("the lock is acquired", () -> {
            lock.lock();
            try {
                acquired.get(50, TimeUnit.MILLISECONDS);
                return true;
            } catch (TimeoutException e) {
                return false;
            }
        });
        most.accumulateAndGet(owners.incrementAndGet(), Math::max);
        Thread.sleep(2);
        owners.decrementAndGet();
        // At once: a watch that fires between the two would take the lock anew, unasked, with a znode that the session's next
        // lock may wait behind, for ever.
        synchronized (lock) {
            lock.unlock();
            lock.close();
        }
    }

    private void lockPassesOnWhenItsOwnersSessionEnds() throws Exception {
        List<ZooKeeper> clients = connect(2);
        WriteLock first = new WriteLock(clients.get(0), root + "/ends", ZooDefs.Ids.OPEN_ACL_UNSAFE);
        WriteLock second = new WriteLock(clients.get(1), root + "/ends", ZooDefs.Ids.OPEN_ACL_UNSAFE);
        Suite.that(first.lock(), "the first owns the lock");
        Suite.that(!second.lock(), "the second waits");
        Sessions.kill(servers, clients.get(0));
        Suite.eventually("the second owns the lock", second::isOwner);
        second.unlock();
        close(clients);
    }

    private void lockSurvivesReconnect() throws Exception {
        List<ZooKeeper> clients = connect(2);
        WriteLock first = new WriteLock(clients.get(0), root + "/reconnect", ZooDefs.Ids.OPEN_ACL_UNSAFE);
        WriteLock second = new WriteLock(clients.get(1), root + "/reconnect", ZooDefs.Ids.OPEN_ACL_UNSAFE);
        Suite.that(first.lock(), "the first owns the lock");
        Suite.that(!second.lock(), "the second waits");
        long session = clients.get(0).getSessionId();
        Sessions.move(servers, clients.get(0));
        // A write finds out about the move; it may fail with the connection, and the next one goes through.
        Suite.eventually("the first can write again", () -> {
            try {
                clients.get(0).setData(root + "/reconnect", new byte[] {1}, -1);
                return true;
            } catch (KeeperException.ConnectionLossException e) {
                return false;
            }
        });
        Suite.equal(session, clients.get(0).getSessionId(), "the session");
        Suite.that(clients.get(0).exists(first.getId(), false) != null, "the lock's node is still there");
        Suite.that(!second.isOwner(), "the second still waits");
        first.unlock();
        Suite.eventually("the second owns the lock", second::isOwner);
        close(clients);
    }

    private LeaderElectionSupport candidate(ZooKeeper client, String folder, String name) {
        LeaderElectionSupport election = new LeaderElectionSupport();
        election.setZooKeeper(client);
        election.setRootNodeName(folder);
        election.setHostName(name);
        election.start();
        return election;
    }

    /** The recipe lists the candidates and then reads the first, which may have gone in between. */
    private static boolean leads(LeaderElectionSupport candidate, String name) throws Exception {
        try {
            return name.equals(candidate.getLeaderHostName());
        } catch (KeeperException.NoNodeException e) {
            return false;
        }
    }

    private void electionHasOneLeaderAndASuccessor() throws Exception {
        List<ZooKeeper> clients = connect(3);
        String folder = root + "/election";
        clients.get(0).create(folder, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<LeaderElectionSupport> candidates = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            candidates.add(candidate(clients.get(i), folder, "candidate-" + i));
        }
        for (int i = 0; i < 3; i++) {
            String expected = "candidate-" + i;
            for (LeaderElectionSupport one : candidates.subList(i, 3)) {
                Suite.eventually(expected + " leads", () -> leads(one, expected));
            }
            candidates.get(i).stop();
        }
        close(clients);
    }

    private void electionGoesOnWhenTheLeadersSessionEnds() throws Exception {
        List<ZooKeeper> clients = connect(2);
        String folder = root + "/election-ends";
        clients.get(0).create(folder, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        candidate(clients.get(0), folder, "first");
        LeaderElectionSupport second = candidate(clients.get(1), folder, "second");
        List<LeaderElectionSupport.EventType> events = new ArrayList<>();
        second.addListener(event -> {
            synchronized (events) {
                events.add(event);
            }
        });
        Suite.eventually("the first leads", () -> leads(second, "first"));
        Sessions.kill(servers, clients.get(0));
        Suite.eventually("the second is told that it leads", () -> {
            synchronized (events) {
                return events.contains(LeaderElectionSupport.EventType.ELECTED_COMPLETE);
            }
        });
        Suite.eventually("the second leads", () -> leads(second, "second"));
        second.stop();
        close(clients);
    }

    private void queueIsFirstInFirstOut() throws Exception {
        List<ZooKeeper> clients = connect(2);
        DistributedQueue in = new DistributedQueue(clients.get(0), root + "/fifo", null);
        DistributedQueue out = new DistributedQueue(clients.get(1), root + "/fifo", null);
        in.offer("first".getBytes(UTF_8));
        for (int i = 0; i < 20; i++) {
            in.offer(("item-" + i).getBytes(UTF_8));
        }
        // The other client may be connected to a server that lags; in a region it reads after a sync.
        Sessions.sync(clients.get(1), root);
        Suite.equal("first", new String(out.peek(), UTF_8), "peek");
        Suite.equal("first", new String(out.element(), UTF_8), "element");
        Suite.equal("first", new String(out.remove(), UTF_8), "remove");
        for (int i = 0; i < 20; i++) {
            Suite.equal("item-" + i, new String(out.poll(), UTF_8), "poll");
        }
        Suite.that(out.poll() == null, "an empty queue polls null");
        try {
            out.element();
            throw new AssertionError("an empty queue has no element");
        } catch (NoSuchElementException expected) {
            // What the recipe documents.
        }
        close(clients);
    }

    private void queueTakeWaitsForAnOffer() throws Exception {
        List<ZooKeeper> clients = connect(2);
        DistributedQueue out = new DistributedQueue(clients.get(0), root + "/take", null);
        CompletableFuture<String> taken = CompletableFuture.supplyAsync(() -> {
            try {
                return new String(out.take(), UTF_8);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        Suite.eventually("take has made the queue", () -> clients.get(1).exists(root + "/take", false) != null);
        Suite.that(!taken.isDone(), "take waits");
        new DistributedQueue(clients.get(1), root + "/take", null).offer("late".getBytes(UTF_8));
        Suite.equal("late", taken.get(20, TimeUnit.SECONDS), "taken");
        close(clients);
    }

    private void queueGivesEachElementToOneConsumer() throws Exception {
        List<ZooKeeper> clients = connect(4);
        // Made before, because consumers that make it at the same time fail: the recipe does not expect it.
        clients.get(0).create(root + "/shared", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        for (ZooKeeper client : clients) {
            Sessions.sync(client, root + "/shared");
        }
        DistributedQueue in = new DistributedQueue(clients.get(0), root + "/shared", null);
        List<CompletableFuture<List<String>>> consumers = new ArrayList<>();
        for (ZooKeeper client : clients.subList(1, 4)) {
            DistributedQueue out = new DistributedQueue(client, root + "/shared", null);
            consumers.add(CompletableFuture.supplyAsync(() -> {
                List<String> taken = new ArrayList<>();
                try {
                    for (int i = 0; i < 10; i++) {
                        taken.add(new String(out.take(), UTF_8));
                    }
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
                return taken;
            }, task -> new Thread(task).start()));
        }
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            expected.add("item-" + (10 + i));
            in.offer(("item-" + (10 + i)).getBytes(UTF_8));
        }
        List<String> all = new ArrayList<>();
        for (CompletableFuture<List<String>> consumer : consumers) {
            all.addAll(consumer.get(50, TimeUnit.SECONDS));
        }
        all.sort(null);
        Suite.equal(expected, all, "what the consumers took together");
        close(clients);
    }
}
