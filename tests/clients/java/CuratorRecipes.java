import org.apache.curator.framework.CuratorFramework;

/** Curator's recipes. Arguments: connect string, base path, [part of a check's name]. */
public final class CuratorRecipes {
    private CuratorRecipes() {
    }

    public static void main(String[] arguments) throws Exception {
        Region region = new Region(arguments[0], arguments[1]);
        Suite suite = new Suite(arguments.length > 2 ? arguments[2] : "");
        Region.Clients owner = region.connect(1);
        CuratorFramework client = owner.get(0);
        client.create().creatingParentsIfNeeded().forPath(region.root, new byte[0]);

        new CuratorLocks(region).addTo(suite);
        new CuratorElections(region).addTo(suite);
        new CuratorCaches(region).addTo(suite);
        new CuratorNodes(region).addTo(suite);
        new CuratorQueues(region).addTo(suite);
        // Last, so that its client has lived through everything above and its tracker has read the configuration.
        suite.check("ensemble_tracker_stays_on_the_given_addresses", () -> staysOnTheGivenAddresses(region, client));

        client.delete().deletingChildrenIfNeeded().forPath(region.root);
        owner.close();
        System.exit(suite.finish());
    }

    /**
     * Curator reads /zookeeper/config and replaces its connect string by what it finds there. Behind a proxy
     * that must not lead it to the servers.
     */
    private static void staysOnTheGivenAddresses(Region region, CuratorFramework client) throws Exception {
        region.reconnect(client);
        String current = client.getZookeeperClient().getCurrentConnectionString();
        for (String server : current.split(",")) {
            Suite.that(("," + region.servers + ",").contains("," + server + ","),
                    "the tracker left " + region.servers + " for " + current);
        }
        Suite.that(client.checkExists().forPath(region.root) != null, "the client still reads");
    }
}
