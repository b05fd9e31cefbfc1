import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;

/** Curator's queues. */
final class CuratorQueues {
    private final Region region;

    CuratorQueues(Region region) {
        this.region = region;
    }

    void addTo(Suite suite) throws InterruptedException {
        suite.check("distributed_queue_is_first_in_first_out", this::distributedQueue);
        suite.check("distributed_queue_with_a_lock_shares_the_work", this::lockedQueue);
        suite.check("priority_queue_takes_the_urgent_first", this::priorityQueue);
        suite.check("simple_queue_offers_and_takes", this::simpleQueue);
    }

    private static final class Strings implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes, UTF_8);
        }
    }

    private static final class Collector implements QueueConsumer<String> {
        private final BlockingQueue<String> taken;

        Collector(BlockingQueue<String> taken) {
            this.taken = taken;
        }

        @Override
        public void consumeMessage(String message) {
            taken.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {
            // The checks look at what is consumed only.
        }
    }

    private static List<String> take(BlockingQueue<String> taken, int count) throws InterruptedException {
        List<String> items = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String item = taken.poll(20, TimeUnit.SECONDS);
            Suite.that(item != null, "item " + i + " within 20 s");
            items.add(item);
        }
        return items;
    }

    private void distributedQueue() throws Exception {
        BlockingQueue<String> taken = new LinkedBlockingQueue<>();
        try (Region.Clients clients = region.connect(2)) {
            String path = region.root + "/queue";
            DistributedQueue<String> in =
                    QueueBuilder.builder(clients.get(0), null, new Strings(), path).buildQueue();
            DistributedQueue<String> out =
                    QueueBuilder.builder(clients.get(1), new Collector(taken), new Strings(), path).buildQueue();
            in.start();
            List<String> expected = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                in.put("item-" + i);
                in.flushPuts(20, TimeUnit.SECONDS);
                expected.add("item-" + i);
            }
            out.start();
            Suite.equal(expected, take(taken, 20), "what came out");
            in.put("later");
            Suite.equal(List.of("later"), take(taken, 1), "what came out");
            in.close();
            out.close();
        }
    }

    private void lockedQueue() throws Exception {
        BlockingQueue<String> taken = new LinkedBlockingQueue<>();
        try (Region.Clients clients = region.connect(3)) {
            List<DistributedQueue<String>> consumers = new ArrayList<>();
            for (CuratorFramework client : clients.list().subList(1, 3)) {
                DistributedQueue<String> out = QueueBuilder
                        .builder(client, new Collector(taken), new Strings(), region.root + "/locked-queue")
                        .lockPath(region.root + "/locked-queue-locks").buildQueue();
                out.start();
                consumers.add(out);
            }
            DistributedQueue<String> in = QueueBuilder
                    .builder(clients.get(0), null, new Strings(), region.root + "/locked-queue")
                    .lockPath(region.root + "/locked-queue-locks").buildQueue();
            in.start();
            List<String> expected = new ArrayList<>();
            for (int i = 10; i < 30; i++) {
                in.put("item-" + i);
                expected.add("item-" + i);
            }
            List<String> items = take(taken, 20);
            items.sort(null);
            Suite.equal(expected, items, "what the consumers took together");
            Suite.eventually("the queue is empty",
                    () -> clients.get(0).getChildren().forPath(region.root + "/locked-queue").isEmpty());
            for (DistributedQueue<String> out : consumers) {
                out.close();
            }
            in.close();
            Suite.that(taken.isEmpty(), "nothing was taken twice");
        }
    }

    private void priorityQueue() throws Exception {
        BlockingQueue<String> taken = new LinkedBlockingQueue<>();
        try (Region.Clients clients = region.connect(2)) {
            String path = region.root + "/priority-queue";
            DistributedPriorityQueue<String> in =
                    QueueBuilder.builder(clients.get(0), null, new Strings(), path).buildPriorityQueue(0);
            in.start();
            in.put("later", 5);
            in.put("urgent", -5);
            in.put("now", 0);
            in.flushPuts(20, TimeUnit.SECONDS);
            DistributedPriorityQueue<String> out = QueueBuilder
                    .builder(clients.get(1), new Collector(taken), new Strings(), path).buildPriorityQueue(0);
            clients.get(1).sync().forPath(path);
            out.start();
            Suite.equal(List.of("urgent", "now", "later"), take(taken, 3), "what came out");
            in.close();
            out.close();
        }
    }

    private void simpleQueue() throws Exception {
        try (Region.Clients clients = region.connect(2)) {
            SimpleDistributedQueue in = new SimpleDistributedQueue(clients.get(0), region.root + "/simple-queue");
            SimpleDistributedQueue out = new SimpleDistributedQueue(clients.get(1), region.root + "/simple-queue");
            for (int i = 0; i < 10; i++) {
                Suite.that(in.offer(("item-" + i).getBytes(UTF_8)), "offered");
            }
            clients.get(1).sync().forPath(region.root);
            for (int i = 0; i < 10; i++) {
                Suite.equal("item-" + i, new String(out.take(), UTF_8), "taken");
            }
            Suite.that(out.poll(300, TimeUnit.MILLISECONDS) == null, "an empty queue polls null");
        }
    }
}
