import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCacheEvent;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;

/** Curator's caches: everything here is fed by watches, of each kind that there is. */
@SuppressWarnings("deprecation")
final class CuratorCaches {
    private final Region region;

    CuratorCaches(Region region) {
        this.region = region;
    }

    void addTo(Suite suite) throws InterruptedException {
        suite.check("path_children_cache_follows_its_children", this::pathChildrenCache);
        suite.check("path_children_cache_catches_up_after_a_reconnect", this::pathChildrenCacheCatchesUp);
        suite.check("curator_cache_follows_its_tree", this::curatorCache);
        suite.check("curator_cache_catches_up_after_a_reconnect", this::curatorCacheCatchesUp);
        suite.check("tree_cache_follows_its_tree", this::treeCache);
        suite.check("tree_cache_of_everything_is_filled_and_follows", this::treeCacheOfEverything);
        suite.check("node_cache_follows_its_node", this::nodeCache);
        suite.check("persistent_watcher_sees_every_change_once_and_in_order", this::persistentWatcher);
    }

    private void pathChildrenCache() throws Exception {
        String folder = region.root + "/path-cache";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().forPath(folder);
            writer.create().forPath(folder + "/old", bytes("1"));
            clients.get(0).sync().forPath(folder);
            PathChildrenCache cache = new PathChildrenCache(clients.get(0), folder, true);
            List<String> events = Collections.synchronizedList(new ArrayList<>());
            cache.getListenable().addListener((client, event) -> {
                if (event.getData() != null) {
                    events.add(event.getType() + " " + event.getData().getPath());
                }
            });
            cache.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            Suite.equal("1", text(cache.getCurrentData(folder + "/old").getData()), "the child that was there");
            writer.create().forPath(folder + "/new", bytes("2"));
            Suite.eventually("the new child is seen", () -> cache.getCurrentData(folder + "/new") != null);
            writer.setData().forPath(folder + "/old", bytes("3"));
            Suite.eventually("the change is seen",
                    () -> text(cache.getCurrentData(folder + "/old").getData()).equals("3"));
            writer.delete().forPath(folder + "/old");
            Suite.eventually("the deletion is seen", () -> cache.getCurrentData(folder + "/old") == null);
            Suite.eventually("three events", () -> events.size() == 3);
            Suite.equal(List.of(PathChildrenCacheEvent.Type.CHILD_ADDED + " " + folder + "/new",
                    PathChildrenCacheEvent.Type.CHILD_UPDATED + " " + folder + "/old",
                    PathChildrenCacheEvent.Type.CHILD_REMOVED + " " + folder + "/old"), events, "events");
            cache.close();
        }
    }

    private void pathChildrenCacheCatchesUp() throws Exception {
        String folder = region.root + "/path-cache-reconnect";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().forPath(folder);
            clients.get(0).sync().forPath(folder);
            PathChildrenCache cache = new PathChildrenCache(clients.get(0), folder, true);
            cache.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            region.reconnect(clients.get(0));
            for (int i = 0; i < 10; i++) {
                writer.create().forPath(folder + "/" + i);
            }
            Suite.eventually("all children are seen", () -> cache.getCurrentData().size() == 10);
            cache.close();
        }
    }

    private void curatorCache() throws Exception {
        String folder = region.root + "/curator-cache";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().creatingParentsIfNeeded().forPath(folder + "/a/b", bytes("1"));
            clients.get(0).sync().forPath(folder);
            CuratorCache cache = CuratorCache.build(clients.get(0), folder);
            List<String> events = Collections.synchronizedList(new ArrayList<>());
            Object[] ready = new Object[1];
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(node -> events.add("created " + node.getPath()))
                    .forChanges((before, after) -> events.add("changed " + after.getPath()))
                    .forDeletes(node -> events.add("deleted " + node.getPath()))
                    .afterInitialized().forInitialized(() -> ready[0] = cache).build());
            cache.start();
            Suite.eventually("the cache is filled", () -> ready[0] != null && cache.size() == 3);
            Suite.equal("1", text(cache.get(folder + "/a/b").orElseThrow().getData()), "a node deep in the tree");
            writer.create().forPath(folder + "/a/c", bytes("2"));
            Suite.eventually("the new node is seen", () -> cache.get(folder + "/a/c").isPresent());
            writer.setData().forPath(folder + "/a/b", bytes("3"));
            Suite.eventually("the change is seen",
                    () -> text(cache.get(folder + "/a/b").orElseThrow().getData()).equals("3"));
            writer.delete().forPath(folder + "/a/c");
            Suite.eventually("the deletion is seen", () -> cache.get(folder + "/a/c").isEmpty());
            Suite.eventually("three events", () -> events.size() == 3);
            Suite.equal(List.of("created " + folder + "/a/c", "changed " + folder + "/a/b",
                    "deleted " + folder + "/a/c"), events, "events");
            cache.close();
        }
    }

    private void curatorCacheCatchesUp() throws Exception {
        String folder = region.root + "/curator-cache-reconnect";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().forPath(folder);
            clients.get(0).sync().forPath(folder);
            CuratorCache cache = CuratorCache.build(clients.get(0), folder);
            cache.start();
            Suite.eventually("the cache is filled", () -> cache.size() == 1);
            region.reconnect(clients.get(0));
            writer.create().creatingParentsIfNeeded().forPath(folder + "/x/y/z");
            Suite.eventually("what was made since is seen", () -> cache.size() == 4);
            writer.delete().deletingChildrenIfNeeded().forPath(folder + "/x");
            Suite.eventually("what was deleted is gone", () -> cache.size() == 1);
            cache.close();
        }
    }

    private void treeCache() throws Exception {
        String folder = region.root + "/tree-cache";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().creatingParentsIfNeeded().forPath(folder + "/a/b", bytes("1"));
            clients.get(0).sync().forPath(folder);
            TreeCache cache = new TreeCache(clients.get(0), folder);
            cache.start();
            Suite.eventually("the tree is read", () -> cache.getCurrentData(folder + "/a/b") != null);
            writer.create().creatingParentsIfNeeded().forPath(folder + "/d/e/f", bytes("2"));
            Suite.eventually("a new branch is seen", () -> cache.getCurrentData(folder + "/d/e/f") != null);
            region.reconnect(clients.get(0));
            writer.delete().deletingChildrenIfNeeded().forPath(folder + "/a");
            Suite.eventually("a branch is gone", () -> cache.getCurrentData(folder + "/a") == null);
            Suite.equal(Collections.singleton("d"), cache.getCurrentChildren(folder).keySet(), "children");
            cache.close();
        }
    }

    private void treeCacheOfEverything() throws Exception {
        String folder = region.root + "/tree-cache-all";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().creatingParentsIfNeeded().forPath(folder + "/a/b", bytes("1"));
            clients.get(0).sync().forPath(folder);
            List<String> troubles = Collections.synchronizedList(new ArrayList<>());
            Object[] whole = new Object[1];
            TreeCache cache = new TreeCache(clients.get(0), "/");
            cache.getUnhandledErrorListenable().addListener((message, e) -> troubles.add(message + " " + e));
            cache.getListenable().addListener((client, event) -> {
                if (event.getType() == TreeCacheEvent.Type.INITIALIZED) {
                    whole[0] = event;
                }
            });
            cache.start();
            Suite.eventually("the whole tree is read", () -> whole[0] != null);
            Suite.equal("1", text(cache.getCurrentData(folder + "/a/b").getData()), "the data of a branch");
            Suite.that(cache.getCurrentData("/zookeeper/quota") != null, "ZooKeeper's own part is read");
            writer.create().creatingParentsIfNeeded().forPath(folder + "/d/e", bytes("2"));
            Suite.eventually("a new branch is seen", () -> cache.getCurrentData(folder + "/d/e") != null);
            writer.delete().deletingChildrenIfNeeded().forPath(folder + "/a");
            Suite.eventually("a branch is gone", () -> cache.getCurrentData(folder + "/a") == null);
            Suite.equal(Collections.emptyList(), troubles, "errors");
            cache.close();
        }
    }

    private void nodeCache() throws Exception {
        String path = region.root + "/node-cache";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            NodeCache cache = new NodeCache(clients.get(0), path);
            cache.start(true);
            Suite.that(cache.getCurrentData() == null, "there is no node yet");
            writer.create().forPath(path, bytes("1"));
            Suite.eventually("the node is seen", () -> cache.getCurrentData() != null);
            writer.setData().forPath(path, bytes("2"));
            Suite.eventually("the change is seen", () -> text(cache.getCurrentData().getData()).equals("2"));
            writer.delete().forPath(path);
            Suite.eventually("the deletion is seen", () -> cache.getCurrentData() == null);
            cache.close();
        }
    }

    private void persistentWatcher() throws Exception {
        String folder = region.root + "/persistent-watcher";
        try (Region.Clients clients = region.connect(2)) {
            CuratorFramework writer = clients.get(1);
            writer.create().forPath(folder);
            clients.get(0).sync().forPath(folder);
            PersistentWatcher watcher = new PersistentWatcher(clients.get(0), folder, true);
            List<String> events = Collections.synchronizedList(new ArrayList<>());
            Object[] ready = new Object[1];
            watcher.getListenable().addListener((WatchedEvent event) -> {
                if (event.getType() != EventType.None) {
                    events.add(event.getType() + " " + event.getPath());
                }
            });
            watcher.getResetListenable().addListener(() -> ready[0] = watcher);
            watcher.start();
            Suite.eventually("the watch is set", () -> ready[0] != null);
            List<String> expected = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                String path = folder + "/" + i;
                writer.create().forPath(path);
                writer.setData().forPath(path, bytes("x"));
                writer.delete().forPath(path);
                expected.add(EventType.NodeCreated + " " + path);
                expected.add(EventType.NodeDataChanged + " " + path);
                expected.add(EventType.NodeDeleted + " " + path);
            }
            Suite.eventually("all events are seen", () -> events.size() >= expected.size());
            Suite.equal(expected, events, "events");
            watcher.close();
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, UTF_8);
    }
}
