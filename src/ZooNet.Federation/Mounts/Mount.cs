using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Federation.Mounts;

/// <summary>
/// Whether the requests of a mount may be in doubt on their own when its cluster is lost (docs/consistency.md, "The guarantee").
/// </summary>
public enum MountOrder
{
    /// <summary>
    /// The prefix property holds: a request for another cluster waits until nothing is outstanding at the previous one, and
    /// a request that fails by connection loss takes the client's connection with it.
    /// </summary>
    Strict,

    /// <summary>Order holds within each cluster only; a request for a lost cluster fails alone. Unsafe for locks.</summary>
    Relaxed,
}

/// <summary>What of a client's identity the other cluster is told.</summary>
public enum MountAuth
{
    /// <summary>Nothing: the cluster sees the proxy.</summary>
    None,

    /// <summary>The credentials that it has added, and its certificate where the proxy itself observes the cluster.</summary>
    Forward,

    /// <summary>Its address, too, where the proxy itself observes the cluster.</summary>
    Address,
}

/// <summary>The options of one mount.</summary>
/// <param name="ReadOnly">Writes are refused with NOAUTH, in order.</param>
/// <param name="Order">Strict or relaxed.</param>
/// <param name="Auth">What the cluster is told of who a client is.</param>
/// <param name="Barriers">False for a mount with <c>consistency=none</c>: its reads never wait for a barrier.</param>
public sealed record MountOptions(bool ReadOnly = false, MountOrder Order = MountOrder.Strict, MountAuth Auth = MountAuth.Forward,
    bool Barriers = true)
{
    /// <summary>Read-write, strict, credentials forwarded.</summary>
    public static MountOptions Default { get; } = new();
}

/// <summary>
/// One mount: a local path that stands for a path in another cluster. Immutable. Made by the control plane from its
/// record; everything that routing needs per request is computed here once.
/// </summary>
public sealed class Mount
{
    /// <summary>Makes a mount.</summary>
    /// <param name="path">Local path: legal, and not "/".</param>
    /// <param name="cluster">Ordinal of the remote cluster, from 1; 0 is home.</param>
    /// <param name="clusterName">Name of the remote cluster.</param>
    /// <param name="remotePath">Path there; "/" is legal.</param>
    /// <param name="options">Its options.</param>
    /// <param name="suspended">Whether requests for it wait.</param>
    public Mount(string path, int cluster, string clusterName, string remotePath, MountOptions options, bool suspended = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(cluster, 1);
        if (ZnodePath.Validate(path) is { } why || path.Length == 1)
        {
            throw new ArgumentException($"'{path}' can't be a mount point", nameof(path));
        }
        if (ZnodePath.Validate(remotePath) is not null)
        {
            throw new ArgumentException($"'{remotePath}' is no znode path", nameof(remotePath));
        }
        Path = path;
        Cluster = cluster;
        ClusterName = clusterName;
        RemotePath = remotePath;
        Options = options;
        IsSuspended = suspended;
        PathUtf8 = Encoding.UTF8.GetBytes(path);
        RemoteUtf8 = Encoding.UTF8.GetBytes(remotePath);
    }

    /// <summary>The mount point in the region's namespace.</summary>
    public string Path { get; }
    /// <summary>Ordinal of the remote cluster.</summary>
    public int Cluster { get; }
    /// <summary>Name of the remote cluster.</summary>
    public string ClusterName { get; }
    /// <summary>What the mount point stands for there.</summary>
    public string RemotePath { get; }
    /// <summary>The options.</summary>
    public MountOptions Options { get; }

    /// <summary>True while the mount may not be used yet and its mount point must not show either: requests for it wait.</summary>
    public bool IsSuspended { get; }

    /// <summary>
    /// What happened to its requests. A mount that did not change keeps its object, and so its counters, from table to table.
    /// </summary>
    public MountCounters Counters { get; } = new();

    internal byte[] PathUtf8 { get; }
    internal byte[] RemoteUtf8 { get; }

    /// <summary>True where the remote path is the root, which ends in the '/' that other paths do not have.</summary>
    internal bool RemoteIsRoot => RemotePath.Length == 1;

    /// <summary>Translates a local path at or under the mount point.</summary>
    public string ToRemote(string localPath)
    {
        var rest = localPath[Path.Length..];
        return RemoteIsRoot ? rest.Length == 0 ? "/" : rest : RemotePath + rest;
    }

    /// <summary>Translates a remote path at or under the mount's remote path; null where it lies elsewhere.</summary>
    public string? ToLocal(string remotePath)
    {
        if (!ZnodePath.IsAtOrUnder(remotePath, RemotePath))
        {
            return null;
        }
        return Path + (RemoteIsRoot ? remotePath.Length == 1 ? "" : remotePath : remotePath[RemotePath.Length..]);
    }

    /// <summary>True where both stand for the same thing with the same options.</summary>
    public bool IsSameAs(Mount other) => Path == other.Path && Cluster == other.Cluster && RemotePath == other.RemotePath && Options == other.Options;

    /// <inheritdoc/>
    public override string ToString() => $"{ClusterName}:{RemotePath} on {Path}";
}
