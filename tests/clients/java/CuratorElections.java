import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;

/** Curator's two ways to choose a leader. */
final class CuratorElections {
    private final Region region;

    CuratorElections(Region region) {
        this.region = region;
    }

    void addTo(Suite suite) throws InterruptedException {
        suite.check("leader_latch_has_one_leader_and_a_successor", this::latchHasOneLeaderAndASuccessor);
        suite.check("leader_latch_passes_on_when_the_leaders_session_ends", this::latchPassesOn);
        suite.check("leader_latch_recovers_after_a_reconnect", this::latchRecoversAfterAReconnect);
        suite.check("leader_selector_gives_everyone_a_turn_alone", this::selectorGivesEveryoneATurn);
        suite.check("leader_selector_passes_on_when_the_leaders_session_ends", this::selectorPassesOn);
    }

    private List<LeaderLatch> latches(Region.Clients clients, String name) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (CuratorFramework client : clients.list()) {
            LeaderLatch latch = new LeaderLatch(client, region.root + "/" + name, "candidate-" + latches.size());
            latch.start();
            latches.add(latch);
        }
        return latches;
    }

    private static LeaderLatch leaderOf(List<LeaderLatch> latches) throws Exception {
        Suite.eventually("one leads", () -> latches.stream().anyMatch(LeaderLatch::hasLeadership));
        Suite.equal(1L, latches.stream().filter(LeaderLatch::hasLeadership).count(), "leaders");
        return latches.stream().filter(LeaderLatch::hasLeadership).findFirst().orElseThrow();
    }

    private void latchHasOneLeaderAndASuccessor() throws Exception {
        try (Region.Clients clients = region.connect(3)) {
            List<LeaderLatch> latches = latches(clients, "latch");
            while (!latches.isEmpty()) {
                LeaderLatch leader = leaderOf(latches);
                for (LeaderLatch one : latches) {
                    Suite.eventually("everyone sees all", () -> one.getParticipants().size() == latches.size());
                    Suite.eventually("everyone sees the leader", () -> one.getLeader().getId().equals(leader.getId()));
                }
                leader.close();
                latches.remove(leader);
            }
        }
    }

    private void latchPassesOn() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            List<LeaderLatch> latches = latches(clients, "latch-ends");
            LeaderLatch leader = leaderOf(latches);
            LeaderLatch other = latches.get(1 - latches.indexOf(leader));
            region.kill(clients.get(latches.indexOf(leader)));
            Suite.that(other.await(20, TimeUnit.SECONDS), "the other leads");
            Suite.eventually("the first is a candidate again", () -> other.getParticipants().size() == 2);
            Suite.that(!leader.hasLeadership() || !other.hasLeadership(), "two lead");
            for (LeaderLatch latch : latches) {
                latch.close();
            }
        }
    }

    private void latchRecoversAfterAReconnect() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            List<LeaderLatch> latches = latches(clients, "latch-reconnect");
            LeaderLatch leader = leaderOf(latches);
            region.reconnect(clients.get(latches.indexOf(leader)));
            // Curator gives leadership up when it is suspended, and takes it again, by whoever is first in line.
            leaderOf(latches);
            Suite.eventually("both are candidates", () -> leader.getParticipants().size() == 2);
            for (LeaderLatch latch : latches) {
                latch.close();
            }
        }
    }

    private void selectorGivesEveryoneATurn() throws Exception {
        AtomicInteger leaders = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        ConcurrentHashMap<Integer, Integer> turns = new ConcurrentHashMap<>();
        try (Region.Clients clients = region.connect(3)) {
            List<LeaderSelector> selectors = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                int number = i;
                LeaderSelector selector = selector(clients.get(i), "selector", () -> {
                    most.accumulateAndGet(leaders.incrementAndGet(), Math::max);
                    turns.merge(number, 1, Integer::sum);
                    Thread.sleep(5);
                    leaders.decrementAndGet();
                });
                selector.autoRequeue();
                selector.start();
                selectors.add(selector);
            }
            Suite.eventually("everyone has led twice",
                    () -> turns.size() == 3 && turns.values().stream().allMatch(count -> count >= 2));
            selectors.forEach(LeaderSelector::close);
        }
        Suite.equal(1, most.get(), "most leaders at a time");
    }

    private void selectorPassesOn() throws Exception {
        CountDownLatch firstLeads = new CountDownLatch(1);
        CountDownLatch firstIsInterrupted = new CountDownLatch(1);
        CountDownLatch secondLeads = new CountDownLatch(1);
        try (Region.Clients clients = region.connect(2)) {
            LeaderSelector first = selector(clients.get(0), "selector-ends", () -> {
                firstLeads.countDown();
                try {
                    Thread.sleep(60_000);
                } finally {
                    firstIsInterrupted.countDown();
                }
            });
            LeaderSelector second = selector(clients.get(1), "selector-ends", secondLeads::countDown);
            first.start();
            Suite.that(firstLeads.await(20, TimeUnit.SECONDS), "the first leads");
            second.start();
            region.kill(clients.get(0));
            Suite.that(secondLeads.await(20, TimeUnit.SECONDS), "the second leads");
            Suite.that(firstIsInterrupted.await(20, TimeUnit.SECONDS), "the first was told to stop");
            first.close();
            second.close();
        }
    }

    private LeaderSelector selector(CuratorFramework client, String name, Suite.Check whileLeading) {
        return new LeaderSelector(client, region.root + "/" + name, Executors.newSingleThreadExecutor(),
                new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework leader) throws Exception {
                        whileLeading.run();
                    }
                });
    }
}
