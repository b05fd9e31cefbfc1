using ZooNet.Proxy.Admin;

namespace ZooNet.WebConsole.Tests;

/// <summary>Answers of proxies that never were.</summary>
internal static class Samples
{
    public static MountInfo Mount(string path, string cluster, long reads = 0, string state = "active", string? error = null,
        params string[] waitingFor) =>
        new(path, cluster, "/apps", "rw", state, waitingFor, error, true, new MountTraffic(reads, 0, 0, 0, 0, 0, 0, 0, 0));

    public static StatusReply Status(string region, string[] remotes, MountInfo[] mounts, string[]? down = null, string[]? cycle = null) =>
        new(
        "0.1", region, $"{region}-1", DateTimeOffset.UnixEpoch, true, false, "sequential", "quorum", ["127.0.0.1:2181"], 3, 3, 90_000_000,
        [Cluster(region, true, true), .. remotes.Select(r => Cluster(r, false, down?.Contains(r) != true))],
        1, mounts, new MountTraffic(null, null, null, 0, 0, 0, 0, 0, 0),
        new GraphInfo("sequential", false, "", null, null, [], cycle is null ? [] : [cycle], [], []), []);

    public static ProxyView Proxy(StatusReply now, StatusReply? before = null, string? error = null) =>
        new(new Uri($"http://{now.ProxyId}:9181"), now, before, before is null ? 0 : 2, DateTimeOffset.UnixEpoch, error);

    public static FederationView View(params StatusReply[] regions) =>
        new([.. regions.Select(r => new RegionView(r.Region, r.Region, [Proxy(r)]))], [], DateTimeOffset.UnixEpoch);

    private static ClusterInfo Cluster(string name, bool home, bool up) =>
        new(name, home, up, DateTimeOffset.UnixEpoch, $"{name}:2181", false, 1.5, "closed", up ? null : "no route to host", 0, []);
}
