import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** Plain ZooKeeper clients, and what a second holder of a session's id and password can do to them. */
final class Sessions {
    static final int TIMEOUT_MS = 10_000;
    private static final int CLOSE_SESSION = -11;

    private Sessions() {
    }

    static ZooKeeper connect(String servers) throws Exception {
        return connect(servers, event -> { });
    }

    static ZooKeeper connect(String servers, Watcher watcher) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(servers, TIMEOUT_MS, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
            watcher.process(event);
        });
        Suite.that(connected.await(20, TimeUnit.SECONDS), "no connection to " + servers + " in 20 s");
        return client;
    }

    /** Makes the node and what is missing above it. */
    static void ensure(ZooKeeper client, String path) throws Exception {
        for (int slash = path.indexOf('/', 1);; slash = path.indexOf('/', slash + 1)) {
            try {
                client.create(slash < 0 ? path : path.substring(0, slash), new byte[0],
                        ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            } catch (KeeperException.NodeExistsException e) {
                // It was there, which is as good.
            }
            if (slash < 0) {
                return;
            }
        }
    }

    /** Waits until the client reads at least what anyone had written before this call. */
    static void sync(ZooKeeper client, String path) throws Exception {
        CompletableFuture<Integer> synced = new CompletableFuture<>();
        client.sync(path, (code, p, context) -> synced.complete(code), null);
        Suite.equal(0, synced.get(20, TimeUnit.SECONDS), "sync");
    }

    /** Ends the session for good, as its owner would: attaches and closes it, until nobody can attach any more. */
    static void kill(String servers, ZooKeeper victim) throws Exception {
        ByteBuffer close = ByteBuffer.allocate(12).putInt(8).putInt(1).putInt(CLOSE_SESSION);
        Suite.eventually("the session has ended", () -> attach(servers, victim, close.array()) == 0);
    }

    /**
     * Moves the session away from its owner's connection and lets go of it, so that its owner loses the
     * connection, at the latest with its next write, and must come back to the same session. It is tried again
     * when the owner, coming back at once, gets in between: a server then drops either of the two.
     */
    static void move(String servers, ZooKeeper victim) throws Exception {
        Suite.eventually("the session moves", () -> attach(servers, victim, new byte[0]) > 0);
    }

    /**
     * Sends a ConnectRequest for the session, and what is to follow it, over a connection of its own. Returns the
     * timeout in the reply, which is 0 for a session that is over, or -1 when there was no reply.
     */
    private static int attach(String servers, ZooKeeper victim, byte[] following) {
        String server = servers.split(",")[0];
        int colon = server.lastIndexOf(':');
        byte[] password = victim.getSessionPasswd();
        ByteBuffer request = ByteBuffer.allocate(4 + 4 + 8 + 4 + 8 + 4 + password.length + 1 + following.length);
        request.putInt(request.capacity() - 4 - following.length);
        request.putInt(0).putLong(0); // protocol version, last zxid seen
        request.putInt(TIMEOUT_MS).putLong(victim.getSessionId()).putInt(password.length).put(password);
        request.put((byte) 0).put(following); // not read-only
        try (Socket socket = new Socket(server.substring(0, colon), Integer.parseInt(server.substring(colon + 1)))) {
            socket.setSoTimeout(2_000);
            socket.getOutputStream().write(request.array());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            in.readInt(); // length
            in.readInt(); // protocol version
            return in.readInt();
        } catch (IOException e) {
            return -1;
        }
    }
}
