using BenchmarkDotNet.Attributes;
using ZooNet.Federation.Mounts;

namespace ZooNet.Benchmarks;

/// <summary>Finding the mount of a path, as mounts grow in number: the cost per request must not.</summary>
[MemoryDiagnoser]
public class RoutingBenchmarks
{
    private readonly byte[] _home = "/services/billing/nodes/n000042"u8.ToArray();
    private readonly byte[] _beside = "/mnt/other/billing/nodes/n000042"u8.ToArray();
    private readonly byte[] _mounted = "/mnt/c00/part0/nodes/n000042"u8.ToArray();
    private MountTable _table = MountTable.Empty;

    /// <summary>How many mounts there are, over 20 clusters.</summary>
    [Params(0, 1, 10, 100)]
    public int Mounts { get; set; }

    /// <summary>Builds the table.</summary>
    [GlobalSetup]
    public void Setup() => _table = new MountTable([.. Enumerable.Range(0, Mounts)
        .Select(i => new Mount($"/mnt/c{i % 20:d2}/part{i / 20}", 1 + i % 20, $"c{i % 20:d2}", $"/part{i / 20}", MountOptions.Default))]);

    /// <summary>A path that shares nothing with any mount point.</summary>
    [Benchmark(Baseline = true)]
    public Mount? Home_path() => _table.Find(_home);

    /// <summary>A home path beside the mount points.</summary>
    [Benchmark]
    public Mount? Path_beside_a_mount() => _table.Find(_beside);

    /// <summary>A path inside a mount.</summary>
    [Benchmark]
    public Mount? Mounted_path() => _table.Find(_mounted);
}
