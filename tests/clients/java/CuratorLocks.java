import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;

/** Curator's locks and semaphores. */
final class CuratorLocks {
    private final Region region;

    CuratorLocks(Region region) {
        this.region = region;
    }

    void addTo(Suite suite) throws InterruptedException {
        suite.check("mutex_has_one_holder_at_a_time", this::mutexHasOneHolderAtATime);
        suite.check("mutex_is_reentrant_and_times_out", this::mutexIsReentrantAndTimesOut);
        suite.check("mutex_passes_on_when_its_holders_session_ends", this::mutexPassesOn);
        suite.check("mutex_is_still_held_after_a_reconnect", this::mutexIsStillHeldAfterAReconnect);
        suite.check("read_write_lock_lets_readers_in_together", this::readWriteLock);
        suite.check("semaphore_gives_as_many_leases_as_it_has", this::semaphore);
        suite.check("semaphore_mutex_and_multi_lock_exclude", this::multiLock);
    }

    private void mutexHasOneHolderAtATime() throws Exception {
        AtomicInteger holders = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        List<CompletableFuture<Void>> running = new ArrayList<>();
        try (Region.Clients clients = region.connect(4)) {
            for (CuratorFramework client : clients.list()) {
                running.add(inBackground(() -> {
                    InterProcessMutex mutex = new InterProcessMutex(client, region.root + "/mutex");
                    for (int i = 0; i < 10; i++) {
                        Suite.that(mutex.acquire(40, TimeUnit.SECONDS), "acquired in 40 s");
                        most.accumulateAndGet(holders.incrementAndGet(), Math::max);
                        Thread.sleep(1);
                        holders.decrementAndGet();
                        mutex.release();
                    }
                }));
            }
            for (CompletableFuture<Void> one : running) {
                one.get(50, TimeUnit.SECONDS);
            }
        }
        Suite.equal(1, most.get(), "most holders at a time");
    }

    private void mutexIsReentrantAndTimesOut() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            InterProcessMutex mine = new InterProcessMutex(clients.get(0), region.root + "/reentrant");
            InterProcessMutex other = new InterProcessMutex(clients.get(1), region.root + "/reentrant");
            mine.acquire();
            mine.acquire();
            mine.release();
            Suite.that(!other.acquire(300, TimeUnit.MILLISECONDS), "another cannot have it");
            // It asks another server than the one that the other's deletion went to.
            clients.get(0).sync().forPath(region.root);
            Suite.equal(1, mine.getParticipantNodes().size(), "who timed out has left the queue: participants");
            mine.release();
            Suite.that(other.acquire(20, TimeUnit.SECONDS), "another has it after the last release");
            other.release();
        }
    }

    private void mutexPassesOn() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            InterProcessMutex first = new InterProcessMutex(clients.get(0), region.root + "/passes-on");
            InterProcessMutex second = new InterProcessMutex(clients.get(1), region.root + "/passes-on");
            first.acquire();
            CompletableFuture<Void> waiting = inBackground(
                    () -> Suite.that(second.acquire(30, TimeUnit.SECONDS), "the second has it in 30 s"));
            Suite.eventually("both are in the queue", () -> first.getParticipantNodes().size() == 2);
            Suite.that(!waiting.isDone(), "the second waits");
            region.kill(clients.get(0));
            waiting.get(40, TimeUnit.SECONDS);
        }
    }

    private void mutexIsStillHeldAfterAReconnect() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            InterProcessMutex first = new InterProcessMutex(clients.get(0), region.root + "/reconnect");
            InterProcessMutex second = new InterProcessMutex(clients.get(1), region.root + "/reconnect");
            first.acquire();
            region.reconnect(clients.get(0));
            Suite.that(!second.acquire(300, TimeUnit.MILLISECONDS), "the second cannot have it");
            first.release();
            Suite.that(second.acquire(20, TimeUnit.SECONDS), "the second has it after the release");
            second.release();
        }
    }

    private void readWriteLock() throws Exception {
        try (Region.Clients clients = region.connect(3)) {
            List<InterProcessReadWriteLock> locks = new ArrayList<>();
            for (CuratorFramework client : clients.list()) {
                locks.add(new InterProcessReadWriteLock(client, region.root + "/read-write"));
            }
            Suite.that(locks.get(0).readLock().acquire(20, TimeUnit.SECONDS), "the first reader is in");
            Suite.that(locks.get(1).readLock().acquire(20, TimeUnit.SECONDS), "the second reader is in too");
            Suite.that(!locks.get(2).writeLock().acquire(300, TimeUnit.MILLISECONDS), "the writer must wait");
            locks.get(0).readLock().release();
            locks.get(1).readLock().release();
            Suite.that(locks.get(2).writeLock().acquire(20, TimeUnit.SECONDS), "the writer is in");
            Suite.that(!locks.get(0).readLock().acquire(300, TimeUnit.MILLISECONDS), "a reader must wait");
            locks.get(2).writeLock().release();
        }
    }

    private void semaphore() throws Exception {
        try (Region.Clients clients = region.connect(3)) {
            List<InterProcessSemaphoreV2> semaphores = new ArrayList<>();
            for (CuratorFramework client : clients.list()) {
                semaphores.add(new InterProcessSemaphoreV2(client, region.root + "/semaphore", 2));
            }
            Lease first = semaphores.get(0).acquire(20, TimeUnit.SECONDS);
            Lease second = semaphores.get(1).acquire(20, TimeUnit.SECONDS);
            Suite.that(first != null && second != null, "there are two leases");
            Suite.that(semaphores.get(2).acquire(300, TimeUnit.MILLISECONDS) == null, "there is no third");
            first.close();
            Lease third = semaphores.get(2).acquire(20, TimeUnit.SECONDS);
            Suite.that(third != null, "a returned lease is given again");
            second.close();
            third.close();
        }
    }

    private void multiLock() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            InterProcessMultiLock both = new InterProcessMultiLock(
                    clients.get(0), Arrays.asList(region.root + "/multi-a", region.root + "/multi-b"));
            InterProcessSemaphoreMutex one = new InterProcessSemaphoreMutex(clients.get(1), region.root + "/single");
            InterProcessSemaphoreMutex same = new InterProcessSemaphoreMutex(clients.get(0), region.root + "/single");
            InterProcessMutex part = new InterProcessMutex(clients.get(1), region.root + "/multi-b");
            Suite.that(both.acquire(20, TimeUnit.SECONDS), "both locks");
            Suite.that(!part.acquire(300, TimeUnit.MILLISECONDS), "one of them is taken");
            both.release();
            Suite.that(part.acquire(20, TimeUnit.SECONDS), "and free again");
            part.release();
            Suite.that(one.acquire(20, TimeUnit.SECONDS), "a semaphore mutex");
            Suite.that(!same.acquire(300, TimeUnit.MILLISECONDS), "which excludes");
            one.release();
        }
    }

    static CompletableFuture<Void> inBackground(Suite.Check body) {
        return CompletableFuture.runAsync(() -> {
            try {
                body.run();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }, task -> new Thread(task).start());
    }
}
