import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/** Curator's nodes, counters and barriers, and its transactions. */
final class CuratorNodes {
    private final Region region;

    CuratorNodes(Region region) {
        this.region = region;
    }

    void addTo(Suite suite) throws InterruptedException {
        suite.check("persistent_node_comes_back", this::persistentNodeComesBack);
        suite.check("ephemeral_nodes_owner_is_the_clients_session", this::ephemeralOwner);
        suite.check("group_member_sees_the_group", this::groupMember);
        suite.check("shared_count_is_shared_and_versioned", this::sharedCount);
        suite.check("atomic_long_loses_no_increment", this::atomicLong);
        suite.check("barrier_holds_until_it_is_removed", this::barrier);
        suite.check("double_barrier_lets_all_in_and_out_together", this::doubleBarrier);
        suite.check("transaction_is_all_or_nothing", this::transaction);
    }

    private void persistentNodeComesBack() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            PersistentNode node = new PersistentNode(clients.get(0), CreateMode.EPHEMERAL, false,
                    region.root + "/persistent-node", "mine".getBytes(UTF_8));
            node.start();
            Suite.that(node.waitForInitialCreate(20, TimeUnit.SECONDS), "made in 20 s");
            String path = node.getActualPath();
            CuratorFramework other = clients.get(1);
            other.sync().forPath(path);
            Stat first = other.checkExists().forPath(path);
            other.delete().forPath(path);
            Suite.eventually("it is back after a deletion", () -> isNewer(other.checkExists().forPath(path), first));
            Stat second = other.checkExists().forPath(path);
            region.kill(clients.get(0));
            Suite.eventually("it is back in a new session", () -> isNewer(other.checkExists().forPath(path), second));
            Suite.that(other.checkExists().forPath(path).getEphemeralOwner() != second.getEphemeralOwner(),
                    "its owner is the new session");
            Suite.equal("mine", new String(other.getData().forPath(path), UTF_8), "its data");
            node.close();
            Suite.eventually("it goes when it is closed", () -> other.checkExists().forPath(path) == null);
        }
    }

    private static boolean isNewer(Stat now, Stat before) {
        return now != null && now.getCzxid() > before.getCzxid();
    }

    private void ephemeralOwner() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework owner = clients.get(0);
            String path = region.root + "/owned";
            Stat made = new Stat();
            owner.create().storingStatIn(made).withMode(CreateMode.EPHEMERAL).forPath(path);
            long session = owner.getZookeeperClient().getZooKeeper().getSessionId();
            Suite.equal(session, made.getEphemeralOwner(), "the owner in the create's reply");
            Suite.equal(session, owner.checkExists().forPath(path).getEphemeralOwner(), "the owner as it reads itself");
            clients.get(1).sync().forPath(path);
            Suite.equal(session, clients.get(1).checkExists().forPath(path).getEphemeralOwner(),
                    "the owner as another client reads it");
            owner.close();
            Suite.eventually("it goes with its owner", () -> clients.get(1).checkExists().forPath(path) == null);
        }
    }

    private void groupMember() throws Exception {
        try (Region.Clients clients = region.connect(3)) {
            List<GroupMember> members = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                GroupMember member = new GroupMember(clients.get(i), region.root + "/group", "member-" + i);
                member.start();
                members.add(member);
            }
            for (GroupMember member : members) {
                Suite.eventually("everyone sees three", () -> member.getCurrentMembers().size() == 3);
            }
            members.get(0).close();
            Suite.eventually("the others see two", () -> members.get(1).getCurrentMembers().keySet()
                    .equals(Set.of("member-1", "member-2")));
            region.kill(clients.get(1));
            Suite.eventually("a lost member comes back", () -> members.get(2).getCurrentMembers().size() == 2
                    && members.get(1).getCurrentMembers().size() == 2);
            members.get(1).close();
            members.get(2).close();
        }
    }

    private void sharedCount() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            SharedCount mine = new SharedCount(clients.get(0), region.root + "/count", 7);
            SharedCount other = new SharedCount(clients.get(1), region.root + "/count", 7);
            mine.start();
            other.start();
            Suite.equal(7, other.getCount(), "the seed");
            VersionedValue<Integer> stale = other.getVersionedValue();
            mine.setCount(8);
            Suite.eventually("the other sees 8", () -> other.getCount() == 8);
            Suite.that(!other.trySetCount(stale, 9), "a stale version is refused");
            Suite.that(other.trySetCount(other.getVersionedValue(), 10), "the current version is accepted");
            Suite.eventually("the first sees 10", () -> mine.getCount() == 10);
            mine.close();
            other.close();
        }
    }

    private void atomicLong() throws Exception {
        try (Region.Clients clients = region.connect(3)) {
            List<CompletableFuture<Void>> running = new ArrayList<>();
            for (CuratorFramework client : clients.list()) {
                DistributedAtomicLong number =
                        new DistributedAtomicLong(client, region.root + "/atomic", new RetryNTimes(1000, 1));
                running.add(CuratorLocks.inBackground(() -> {
                    for (int i = 0; i < 20; i++) {
                        Suite.that(number.increment().succeeded(), "incremented");
                    }
                }));
            }
            for (CompletableFuture<Void> one : running) {
                one.get(50, TimeUnit.SECONDS);
            }
            AtomicValue<Long> sum = new DistributedAtomicLong(
                    clients.get(0), region.root + "/atomic", new RetryNTimes(1000, 1)).add(0L);
            Suite.equal(60L, sum.postValue(), "the sum");
        }
    }

    private void barrier() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            String path = region.root + "/barrier";
            DistributedBarrier setter = new DistributedBarrier(clients.get(0), path);
            DistributedBarrier waiter = new DistributedBarrier(clients.get(1), path);
            setter.setBarrier();
            clients.get(1).sync().forPath(path);
            Suite.that(!waiter.waitOnBarrier(300, TimeUnit.MILLISECONDS), "it holds");
            CompletableFuture<Void> waiting = CuratorLocks.inBackground(
                    () -> Suite.that(waiter.waitOnBarrier(30, TimeUnit.SECONDS), "through in 30 s"));
            setter.removeBarrier();
            waiting.get(40, TimeUnit.SECONDS);
        }
    }

    private void doubleBarrier() throws Exception {
        AtomicInteger arrived = new AtomicInteger();
        AtomicInteger leaving = new AtomicInteger();
        List<CompletableFuture<Void>> running = new ArrayList<>();
        try (Region.Clients clients = region.connect(3)) {
            for (CuratorFramework client : clients.list()) {
                DistributedDoubleBarrier barrier =
                        new DistributedDoubleBarrier(client, region.root + "/double-barrier", 3);
                running.add(CuratorLocks.inBackground(() -> {
                    Thread.sleep(50L * arrived.get());
                    arrived.incrementAndGet();
                    Suite.that(barrier.enter(30, TimeUnit.SECONDS), "in after 30 s");
                    Suite.equal(3, arrived.get(), "nobody is in before all have come: arrived");
                    leaving.incrementAndGet();
                    Suite.that(barrier.leave(30, TimeUnit.SECONDS), "out after 30 s");
                    Suite.equal(3, leaving.get(), "nobody is out before all leave: leaving");
                }));
            }
            for (CompletableFuture<Void> one : running) {
                one.get(50, TimeUnit.SECONDS);
            }
        }
    }

    private void transaction() throws Exception {
        try (Region.Clients clients = region.connect(1)) {
            CuratorFramework client = clients.get(0);
            String path = region.root + "/transaction";
            List<CuratorTransactionResult> results = client.transaction().forOperations(
                    client.transactionOp().create().forPath(path, "1".getBytes(UTF_8)),
                    client.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath(path + "/s-"),
                    client.transactionOp().setData().withVersion(0).forPath(path, "2".getBytes(UTF_8)),
                    client.transactionOp().check().withVersion(1).forPath(path));
            Suite.equal(path, results.get(0).getResultPath(), "the first result's path");
            Suite.equal(path + "/s-0000000000", results.get(1).getResultPath(), "the sequential node's path");
            Suite.equal(1, results.get(2).getResultStat().getVersion(), "the version after the change");
            try {
                client.transaction().forOperations(
                        client.transactionOp().create().forPath(path + "/never"),
                        client.transactionOp().check().withVersion(99).forPath(path),
                        client.transactionOp().delete().forPath(path));
                throw new AssertionError("the transaction went through");
            } catch (KeeperException.BadVersionException expected) {
                Suite.equal(3, expected.getResults().size(), "results of the failed transaction");
            }
            Suite.that(client.checkExists().forPath(path + "/never") == null, "nothing of it was done");
        }
    }
}
