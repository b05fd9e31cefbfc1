using System.Collections.Frozen;
using System.Text;
using ZooNet.Protocol;

namespace ZooNet.Federation.Mounts;

/// <summary>
/// All mounts of a region: an immutable snapshot that is swapped whole when the table changes. Finding the mount of a
/// path costs the same for one mount as for a hundred: prefixes are looked up by hash, at the segment boundaries only,
/// and a path whose first segment holds no mount point is home after one look.
/// </summary>
public sealed class MountTable
{
    private readonly FrozenDictionary<string, Mount> _byPath;
    private readonly PrefixIndex _index;

    /// <summary>Makes a table.</summary>
    /// <param name="mounts">Mounts whose paths do not contain each other.</param>
    /// <param name="version">Rises with every change; 0 for the table before the first was read.</param>
    public MountTable(IReadOnlyCollection<Mount> mounts, long version = 0)
    {
        Mounts = [.. mounts.OrderBy(m => m.Path, StringComparer.Ordinal)];
        Version = version;
        _byPath = Mounts.ToFrozenDictionary(m => m.Path, StringComparer.Ordinal);
        foreach (var mount in Mounts)
        {
            for (var parent = ZnodePath.ParentOf(mount.Path); parent.Length > 0; parent = ZnodePath.ParentOf(parent))
            {
                if (_byPath.ContainsKey(parent))
                {
                    throw new ArgumentException($"{mount.Path} lies inside the mount {parent}", nameof(mounts));
                }
            }
        }
        _index = new PrefixIndex(Mounts);
    }

    /// <summary>No mounts.</summary>
    public static MountTable Empty { get; } = new([]);

    /// <summary>The mounts, by path.</summary>
    public IReadOnlyList<Mount> Mounts { get; }

    /// <summary>Which change of the table this is.</summary>
    public long Version { get; }

    /// <summary>True where nothing is mounted: every path is home's.</summary>
    public bool IsEmpty => Mounts.Count == 0;

    /// <summary>
    /// What a cluster is told of who a client is. The client has one session there for all its mounts of the cluster: what one of them
    /// says is not to be told, is not.
    /// </summary>
    public MountAuth AuthOf(int cluster) => Mounts.Where(m => m.Cluster == cluster).Select(m => m.Options.Auth).DefaultIfEmpty().Min();

    /// <summary>Whether a cluster is told the credentials that a client has added.</summary>
    public bool ForwardsAuth(int cluster) => AuthOf(cluster) != MountAuth.None;

    /// <summary>The mount whose mount point is exactly this path; null where there is none.</summary>
    public Mount? At(string path) => _byPath.GetValueOrDefault(path);

    /// <summary>The mount that a path lies in, by whole segments; null for a home path. Allocates nothing.</summary>
    /// <param name="path">UTF-8 as it came from the client; need not be a legal path.</param>
    public Mount? Find(ReadOnlySpan<byte> path) => _index.Find(path);

    /// <summary>The mount that a path lies in, by whole segments; null for a home path.</summary>
    public Mount? Find(string path) => Mounts.Count == 0 ? null : _index.Find(Encoding.UTF8.GetBytes(path));

    /// <summary>The mounts whose mount point lies strictly below a home path.</summary>
    public IEnumerable<Mount> Below(string path) => Mounts.Where(m => m.Path.Length > path.Length && ZnodePath.IsAtOrUnder(m.Path, path));

    /// <summary>Whether some mount point lies strictly below a home path.</summary>
    public bool AnyBelow(string path)
    {
        foreach (var mount in Mounts)
        {
            if (mount.Path.Length > path.Length && ZnodePath.IsAtOrUnder(mount.Path, path))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Open-addressed hash of mount points and of the shorter prefixes that lead to one.</summary>
    private sealed class PrefixIndex
    {
        private readonly Entry[] _slots;
        private readonly int _mask;
        private readonly int _longest;

        public PrefixIndex(IReadOnlyList<Mount> mounts)
        {
            var prefixes = new Dictionary<string, Mount?>(StringComparer.Ordinal);
            foreach (var mount in mounts)
            {
                for (var i = mount.Path.IndexOf('/', 1); i > 0; i = mount.Path.IndexOf('/', i + 1))
                {
                    prefixes.TryAdd(mount.Path[..i], null);
                }
                prefixes[mount.Path] = mount;
                _longest = Math.Max(_longest, mount.PathUtf8.Length);
            }
            var size = 4;
            while (size < prefixes.Count * 4)
            {
                size *= 2;
            }
            _slots = new Entry[size];
            _mask = size - 1;
            foreach (var (prefix, mount) in prefixes)
            {
                var bytes = Encoding.UTF8.GetBytes(prefix);
                var slot = (int)HashOf(bytes) & _mask;
                while (_slots[slot].Prefix is not null)
                {
                    slot = (slot + 1) & _mask;
                }
                _slots[slot] = new Entry(bytes, mount);
            }
        }

        public Mount? Find(ReadOnlySpan<byte> path)
        {
            if (_longest == 0 || path.Length < 2)
            {
                return null;
            }
            var end = 0;
            while (end < path.Length)
            {
                var next = path[(end + 1)..].IndexOf((byte)'/');
                end = next < 0 ? path.Length : end + 1 + next;
                if (end > _longest)
                {
                    return null;
                }
                var prefix = path[..end];
                var slot = (int)HashOf(prefix) & _mask;
                while (true)
                {
                    ref readonly var entry = ref _slots[slot];
                    if (entry.Prefix is null)
                    {
                        return null;
                    }
                    if (prefix.SequenceEqual(entry.Prefix))
                    {
                        if (entry.Mount is not null)
                        {
                            return entry.Mount;
                        }
                        break;
                    }
                    slot = (slot + 1) & _mask;
                }
            }
            return null;
        }

        private static uint HashOf(ReadOnlySpan<byte> bytes)
        {
            var hash = 2166136261u;
            foreach (var b in bytes)
            {
                hash = (hash ^ b) * 16777619u;
            }
            return hash ^ (hash >> 15);
        }

        private readonly record struct Entry(byte[]? Prefix, Mount? Mount);
    }
}
