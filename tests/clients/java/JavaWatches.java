import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** Watches of every kind: they fire once, in order with the replies, and also for what was missed meanwhile. */
final class JavaWatches {
    private final String servers;
    private final String root;
    private final boolean exact;

    /**
     * @param exact whether a watch must not fire for nothing after a reconnect. In a mount it may: what the client
     *     has seen of that cluster its request does not tell, and an event too many is better than one lost.
     */
    JavaWatches(String servers, String root, boolean exact) {
        this.servers = servers;
        this.root = root;
        this.exact = exact;
    }

    void addTo(Suite suite) throws InterruptedException {
        suite.check("one_shot_watches_fire_once", this::oneShot);
        suite.check("an_event_comes_before_the_reply_that_shows_it", this::eventBeforeReply);
        suite.check("persistent_and_recursive_watches_go_on_firing", this::persistent);
        suite.check("removed_watches_do_not_fire", this::removed);
        suite.check("watches_fire_after_a_reconnect_for_what_was_missed", this::missed);
        suite.check("hundreds_of_watches_survive_a_reconnect", this::hundreds);
    }

    private static final class Log implements Watcher {
        private final List<String> events = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() != Event.EventType.None) {
                events.add(event.getType() + " " + event.getPath());
            }
        }

        void expect(String... expected) throws Exception {
            Suite.eventually(expected.length + " events, there are " + events, () -> events.size() >= expected.length);
            Suite.equal(List.of(expected), List.copyOf(events), "events");
        }
    }

    private static void create(ZooKeeper client, String path) throws Exception {
        client.create(path, "0".getBytes(UTF_8), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    /** A write whose outcome a lost connection may leave open; it is repeated until it is known to be done. */
    private static void reconnect(String servers, ZooKeeper client, String path) throws Exception {
        Sessions.move(servers, client);
        Suite.eventually("it writes again", () -> {
            try {
                client.setData(path, new byte[0], -1);
                return true;
            } catch (KeeperException.ConnectionLossException e) {
                return false;
            }
        });
    }

    private void oneShot() throws Exception {
        ZooKeeper writer = Sessions.connect(servers);
        ZooKeeper reader = Sessions.connect(servers);
        String path = root + "/one-shot";
        create(writer, path);
        Sessions.sync(reader, path);
        Log data = new Log();
        Log exists = new Log();
        Log children = new Log();
        reader.getData(path, data, null);
        reader.exists(path + "/child", exists);
        reader.getChildren(path, children);
        for (int i = 0; i < 2; i++) {
            writer.setData(path, new byte[0], -1);
            create(writer, path + "/child");
            writer.delete(path + "/child", -1);
        }
        Sessions.sync(reader, path);
        data.expect("NodeDataChanged " + path);
        exists.expect("NodeCreated " + path + "/child");
        children.expect("NodeChildrenChanged " + path);
        writer.close();
        reader.close();
    }

    private void eventBeforeReply() throws Exception {
        ZooKeeper writer = Sessions.connect(servers);
        ZooKeeper reader = Sessions.connect(servers);
        String path = root + "/before";
        create(writer, path);
        Sessions.sync(reader, path);
        for (int i = 0; i < 50; i++) {
            List<String> seen = Collections.synchronizedList(new ArrayList<>());
            CountDownLatch done = new CountDownLatch(1);
            byte[] before = reader.getData(path, event -> seen.add("event"), null);
            writer.setData(path, ("n" + i).getBytes(UTF_8), -1);
            reader.sync(path, (code, p, context) -> { }, null);
            reader.getData(path, false, (code, p, context, after, stat) -> {
                seen.add(java.util.Arrays.equals(before, after) ? "old" : "new");
                done.countDown();
            }, null);
            Suite.that(done.await(20, TimeUnit.SECONDS), "a reply within 20 s");
            // On the leader a sync does not wait for what the leader itself has not applied yet: the old value is legal there. What is never
            // legal is the new value before the event.
            Suite.that(!"new".equals(seen.get(0)), "round " + i + ": " + seen);
        }
        writer.close();
        reader.close();
    }

    private void persistent() throws Exception {
        ZooKeeper writer = Sessions.connect(servers);
        // Two clients, because a server keeps one mode per path and session: the second would replace the first.
        ZooKeeper reader = Sessions.connect(servers);
        ZooKeeper other = Sessions.connect(servers);
        String path = root + "/persistent";
        create(writer, path);
        Sessions.sync(reader, path);
        Sessions.sync(other, path);
        Log one = new Log();
        Log all = new Log();
        reader.addWatch(path, one, AddWatchMode.PERSISTENT);
        other.addWatch(path, all, AddWatchMode.PERSISTENT_RECURSIVE);
        writer.setData(path, new byte[0], -1);
        create(writer, path + "/a");
        create(writer, path + "/a/b");
        writer.setData(path, new byte[0], -1);
        writer.delete(path + "/a/b", -1);
        all.expect("NodeDataChanged " + path, "NodeCreated " + path + "/a", "NodeCreated " + path + "/a/b",
                "NodeDataChanged " + path, "NodeDeleted " + path + "/a/b");
        one.expect("NodeDataChanged " + path, "NodeChildrenChanged " + path, "NodeDataChanged " + path);
        writer.close();
        reader.close();
        other.close();
    }

    private void removed() throws Exception {
        ZooKeeper writer = Sessions.connect(servers);
        ZooKeeper reader = Sessions.connect(servers);
        String path = root + "/removed";
        create(writer, path);
        Sessions.sync(reader, path);
        Log data = new Log();
        Log children = new Log();
        reader.getData(path, data, null);
        reader.getChildren(path, children);
        reader.removeWatches(path, data, Watcher.WatcherType.Data, false);
        JavaClient.fails(Code.NOWATCHER, () -> reader.removeWatches(path, data, Watcher.WatcherType.Data, false));
        writer.setData(path, new byte[0], -1);
        create(writer, path + "/child");
        Sessions.sync(reader, path);
        children.expect("NodeChildrenChanged " + path);
        data.expect("DataWatchRemoved " + path);
        writer.close();
        reader.close();
    }

    private void missed() throws Exception {
        ZooKeeper writer = Sessions.connect(servers);
        ZooKeeper reader = Sessions.connect(servers);
        String folder = root + "/missed";
        create(writer, folder);
        for (String name : List.of("changed", "deleted", "parent", "tree", "quiet", "own")) {
            create(writer, folder + "/" + name);
        }
        Sessions.sync(reader, folder);
        Log one = new Log();
        Log recursive = new Log();
        Log quiet = new Log();
        reader.getData(folder + "/changed", one, null);
        reader.getData(folder + "/deleted", one, null);
        reader.exists(folder + "/created", one);
        reader.getChildren(folder + "/parent", one);
        reader.getData(folder + "/quiet", quiet, null);
        reader.addWatch(folder + "/tree", recursive, AddWatchMode.PERSISTENT_RECURSIVE);

        Sessions.move(servers, reader);
        writer.setData(folder + "/changed", new byte[0], -1);
        writer.delete(folder + "/deleted", -1);
        create(writer, folder + "/created");
        create(writer, folder + "/parent/child");
        reconnect(servers, reader, folder + "/own");

        List<String> expected = List.of("NodeChildrenChanged " + folder + "/parent", "NodeCreated " + folder + "/created",
                "NodeDataChanged " + folder + "/changed", "NodeDeleted " + folder + "/deleted");
        Suite.eventually("four events, there are " + one.events, () -> one.events.size() >= 4);
        List<String> events = new ArrayList<>(one.events);
        events.sort(null);
        if (exact) {
            Suite.equal(expected, events, "events");
            quiet.expect();
        } else {
            Suite.equal(paths(expected), paths(events), "what the events are about");
        }
        writer.setData(folder + "/quiet", new byte[0], -1);
        quiet.expect("NodeDataChanged " + folder + "/quiet");
        create(writer, folder + "/tree/later");
        Suite.eventually("the recursive watch is alive",
                () -> recursive.events.contains("NodeCreated " + folder + "/tree/later"));
        writer.close();
        reader.close();
    }

    /** The events' paths; when a watch fires for nothing, its event's type can be another than it would have been. */
    private static Set<String> paths(List<String> events) {
        return events.stream().map(event -> event.substring(event.indexOf(' ') + 1)).collect(Collectors.toSet());
    }

    private void hundreds() throws Exception {
        ZooKeeper writer = Sessions.connect(servers);
        ZooKeeper reader = Sessions.connect(servers);
        // Paths this long make the client split its watches over several requests of 128 KiB.
        String folder = root + "/" + "f".repeat(600);
        create(writer, folder);
        int count = 400;
        for (int i = 0; i < count; i++) {
            create(writer, folder + "/" + i);
        }
        Sessions.sync(reader, folder);
        Log log = new Log();
        for (int i = 0; i < count; i++) {
            reader.getData(folder + "/" + i, log, null);
        }
        reconnect(servers, reader, folder);
        if (exact) {
            Suite.equal(List.of(), List.copyOf(log.events), "nothing has changed: events");
        }
        for (int i = 0; i < count; i++) {
            writer.setData(folder + "/" + i, new byte[0], -1);
        }
        Suite.eventually("every watch fires, " + count, () -> log.events.size() >= count);
        Sessions.sync(reader, folder);
        Suite.equal(count, log.events.size(), "each fires once: events");
        Suite.equal(count, Set.copyOf(log.events).size(), "each fires once: different events");
        writer.close();
        reader.close();
    }
}
