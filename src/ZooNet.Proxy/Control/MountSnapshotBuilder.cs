using System.Text.Json;
using ZooNet.Federation.Mounts;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>One child of the mounts' znode, as it was read, with its ACL.</summary>
internal readonly record struct RawRecord(string Name, byte[]? Data, Stat Stat, IReadOnlyList<Acl> Acl);

/// <summary>
/// Makes a snapshot of raw records. A bad record costs itself only. Every proxy comes to the same result: of two mounts that
/// overlap the older one stands.
/// </summary>
internal static class MountSnapshotBuilder
{
    public static MountSnapshot Build(IReadOnlyList<RawRecord> records, ProxyConfig config, ProxySecret secret, MountSnapshot before,
        long version, int tableVersion)
    {
        var entries = new List<MountEntry>();
        var points = new List<string>();
        foreach (var raw in records.OrderBy(r => r.Stat.Czxid).ThenBy(r => r.Name, StringComparer.Ordinal))
        {
            var entry = Read(raw, config, secret, before);
            if (entry.Mount is { } mount)
            {
                if (points.FirstOrDefault(p => ZnodePath.IsAtOrUnder(mount.Path, p) || ZnodePath.IsAtOrUnder(p, mount.Path)) is { } other)
                {
                    entry = entry with { Mount = null, Error = $"overlaps the older mount on {other}; unmount one of them" };
                }
                else
                {
                    points.Add(mount.Path);
                }
            }
            entries.Add(entry);
        }
        var table = new MountTable([.. entries.Where(e => e.State == MountState.Active && e.Mount is not null).Select(e => e.Mount!)], version);
        return new MountSnapshot([.. entries.OrderBy(e => e.Path, StringComparer.Ordinal)], table, version, tableVersion);
    }

    private static MountEntry Read(RawRecord raw, ProxyConfig config, ProxySecret secret, MountSnapshot before)
    {
        var path = ZooNetTree.MountPointOf(raw.Name);
        if (!secret.KeepsOthersOut(raw.Acl))
        {
            return new MountEntry(raw.Name, raw.Stat.Version, path, null, null,
                $"others than the proxies can change its znode: its ACL is {TreeInspection.TextOf(raw.Acl)}; make it with auth::cdrwa");
        }
        MountRecord record;
        try
        {
            record = MountRecord.Parse(raw.Data);
        }
        catch (JsonException e)
        {
            return new MountEntry(raw.Name, raw.Stat.Version, path, null, null, $"its record is no JSON object of a mount: {e.Message}");
        }
        var error = Check(raw.Name, path, record, config, out var options);
        if (error is not null)
        {
            return new MountEntry(raw.Name, raw.Stat.Version, path, record, null, error);
        }
        var cluster = config.FindCluster(record.Cluster!)!;
        // A mount that did not change stays the same object: its counters go on, and sessions see that it is the same.
        var mount = before.Table.At(path) is { } known && known.Cluster == cluster.Ordinal && known.RemotePath == record.RemotePath
            && known.Options == options
            ? known
            : new Mount(path, cluster.Ordinal, cluster.Name, record.RemotePath!, options);
        var isSigned = record.IsSigned(raw.Name, secret);
        var wasInUse = before.At(path) is { Mount: not null } old && (old.State == MountState.Active || old.IsSuspended);
        return new MountEntry(raw.Name, raw.Stat.Version, path, record, mount, null)
        {
            IsSigned = isSigned,
            IsSuspended = isSigned ? record is { Held: true, State: MountState.Joining } : wasInUse,
        };
    }

    private static string? Check(string name, string path, MountRecord record, ProxyConfig config, out MountOptions options)
    {
        options = MountOptions.Default;
        if (ZooNetTree.NameOf(path) != name || (record.Path ?? path) != path)
        {
            return $"its znode's name and its path '{record.Path}' differ; name it {(record.Path is ['/', ..] ? ZooNetTree.NameOf(record.Path) : "as its mount point, with %2F for '/'")}";
        }
        return MountRules.CheckMountPoint(path)
            ?? (record.Cluster is null ? "its record names no 'cluster'" : null)
            ?? MountRules.CheckCluster(record.Cluster!, config)
            ?? (record.RemotePath is null ? "its record names no 'remotePath'" : null)
            ?? MountRules.CheckRemotePath(record.RemotePath!)
            ?? MountOptionsText.Parse(record.Options, out options, out _);
    }
}
