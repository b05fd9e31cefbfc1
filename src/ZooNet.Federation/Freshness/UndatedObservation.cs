using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// Something that a session saw in a cluster and that did not tell since when it has been so: that a znode is not there, say. Until it
/// is dated it counts as a change made where the server stood that showed it. A Stat asked for later dates it (docs/consistency.md,
/// "What does not tell since when").
/// </summary>
internal sealed class UndatedObservation
{
    private readonly byte[] _path;

    private UndatedObservation(int cluster, byte[] path, Undated undated, long zxid)
    {
        Cluster = cluster;
        _path = path;
        Undated = undated;
        Zxid = zxid;
    }

    /// <summary>The cluster's ordinal.</summary>
    public int Cluster { get; }

    /// <summary>What it shows; absence is dated like a listing, by the parent's list of children.</summary>
    public Undated Undated { get; }

    /// <summary>Where the server stood that showed it last.</summary>
    public long Zxid { get; private set; }

    /// <summary>The znode whose Stat dates it, in the cluster's own terms.</summary>
    public string Path => Encoding.UTF8.GetString(_path);

    /// <summary>Makes the observation of a reply that can be dated.</summary>
    /// <param name="cluster">The cluster's ordinal.</param>
    /// <param name="path">What was asked for.</param>
    /// <param name="evidence">What the reply shows; its <see cref="ReplyEvidence.Undated"/> is absence, children or a refusal.</param>
    public static UndatedObservation Of(int cluster, ReadOnlySpan<byte> path, in ReplyEvidence evidence) =>
        new(cluster, Dating(path, evidence.Undated).ToArray(), KindOf(evidence.Undated), evidence.Zxid);

    /// <summary>Whether a reply shows this again.</summary>
    public bool Is(int cluster, ReadOnlySpan<byte> path, in ReplyEvidence evidence) =>
        Cluster == cluster && Undated == KindOf(evidence.Undated) && Dating(path, evidence.Undated).SequenceEqual(_path);

    /// <summary>It was seen again.</summary>
    public void Again(long zxid) => Zxid = Math.Max(Zxid, zxid);

    /// <summary>
    /// Since when it has been so, by the Stat of <see cref="Path"/> or of the nearest ancestor that there is, read after it was seen.
    /// </summary>
    /// <param name="stat">The Stat.</param>
    /// <param name="region">Knows since when changed ACLs have been seen.</param>
    /// <param name="path">The znode that the Stat is of.</param>
    /// <param name="position">Where the server stood that showed the Stat.</param>
    /// <returns>A zxid at or behind the last change of what was seen.</returns>
    public long Since(in Stat stat, Region region, string path, long position)
    {
        var since = (Undated == Undated.Refusal && path == Path) || region.Omissions.DatesAbsenceByCreation ? stat.Czxid : stat.Pzxid;
        if (stat.Aversion != 0)
        {
            since = Math.Max(since, region.Acls.FirstSeen(Cluster, path, stat.Czxid, stat.Aversion, position));
        }
        // What changed after it was seen says nothing of it.
        return Math.Min(Zxid, since);
    }

    private static Undated KindOf(Undated undated) => undated == Undated.Absence ? Undated.Children : undated;

    /// <summary>The parent of what is not there; else the znode itself.</summary>
    private static ReadOnlySpan<byte> Dating(ReadOnlySpan<byte> path, Undated undated) =>
        undated != Undated.Absence ? path : path.LastIndexOf((byte)'/') is > 0 and var slash ? path[..slash] : "/"u8;
}
