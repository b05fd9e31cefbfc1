using ZooNet.Client;

namespace ZooNet.Bench;

/// <summary>
/// What load to make, in the shape of the ZooNet paper's system test: each client draws a cluster, sends a burst of requests to it,
/// and draws again; each request is a read or an update of a random znode.
/// </summary>
public sealed record BenchOptions
{
    /// <summary>A proxy or a ZooKeeper server; clients are spread over several in turn.</summary>
    public required IReadOnlyList<ServerAddress> Servers { get; init; }

    /// <summary>Path under which local data lie; "/" where they are the cluster's own.</summary>
    public string Local { get; init; } = "/";

    /// <summary>Paths under which remote data lie, such as mount points; none for an all-local load.</summary>
    public IReadOnlyList<string> Remotes { get; init; } = [];

    /// <summary>Name of the run in the report.</summary>
    public string Label { get; init; } = "";

    /// <summary>Connections, each with a session of its own.</summary>
    public int Clients { get; init; } = 8;

    /// <summary>Most requests outstanding per client.</summary>
    public int Window { get; init; } = 16;

    /// <summary>Share of reads, 0 to 1.</summary>
    public double ReadShare { get; init; } = 0.5;

    /// <summary>Share of draws that choose the local cluster, 0 to 1. Where there are no remotes all do.</summary>
    public double LocalShare { get; init; } = 1;

    /// <summary>Requests to one cluster before drawing again.</summary>
    public int Burst { get; init; } = 1;

    /// <summary>Bytes of a znode's data.</summary>
    public int Size { get; init; } = 1024;

    /// <summary>Znodes per cluster.</summary>
    public int Znodes { get; init; } = 1000;

    /// <summary>
    /// Requests per second of all clients together, at even intervals; 0 for a closed loop, in which every reply makes room for the next
    /// request.
    /// </summary>
    public double Rate { get; init; }

    /// <summary>How long to run before measuring.</summary>
    public TimeSpan Warmup { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long to measure.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Name of the znode below each cluster's path that holds the benchmark's znodes.</summary>
    public string Root { get; init; } = "zoonet-bench";

    /// <summary>Where the random draws begin; the same seed draws the same requests.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Processes whose CPU time is to be reported per request.</summary>
    public IReadOnlyList<int> CpuOf { get; init; } = [];
}
