using ZooNet.Federation.Mounts;

namespace ZooNet.Proxy.Control;

/// <summary>One record of the mount table, good or bad.</summary>
/// <param name="Name">Name of its znode.</param>
/// <param name="Version">Data version of its znode: a change names it, so that two proxies can't both make one.</param>
/// <param name="Path">The mount point, as far as it can be told.</param>
/// <param name="Record">What was read; null where it is no JSON.</param>
/// <param name="Mount">The mount; null for a bad record.</param>
/// <param name="Error">Why the record is bad; null for a good one.</param>
public sealed record MountEntry(string Name, int Version, string Path, MountRecord? Record, Mount? Mount, string? Error)
{
    /// <summary>How far the mount is; a bad record counts as requested, and so does one that no proxy has signed.</summary>
    public MountState State => Record is { } record && IsSigned ? record.State : MountState.Requested;

    /// <summary>Whether a proxy has written the record as it is.</summary>
    public bool IsSigned { get; init; }

    /// <summary>
    /// Whether requests for the mount wait while it is not in use, because it was before: its record has been changed by hand, or lets it
    /// join anew.
    /// Otherwise the znode at the mount point shows.
    /// </summary>
    public bool IsSuspended { get; init; }
}

/// <summary>The mount table as one reading found it. Immutable.</summary>
/// <param name="Entries">All records, by mount point.</param>
/// <param name="Table">The mounts that are in use: what requests are routed by.</param>
/// <param name="Version">Zxid of the newest change in it: the same on all proxies that show the same table.</param>
/// <param name="TableVersion">Data version of the table's znode: each change by a proxy raises it.</param>
public sealed record MountSnapshot(IReadOnlyList<MountEntry> Entries, MountTable Table, long Version, int TableVersion)
{
    /// <summary>Before the first reading.</summary>
    public static MountSnapshot Empty { get; } = new([], MountTable.Empty, 0, -1);

    /// <summary>The record of a mount point; null where there is none.</summary>
    public MountEntry? At(string path) => Entries.FirstOrDefault(e => e.Path == path);
}
