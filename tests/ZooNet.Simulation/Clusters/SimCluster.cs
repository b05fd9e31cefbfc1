using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Simulation.Clusters;

/// <summary>One committed change.</summary>
/// <param name="Path">The znode; null for a change that no read shows (a session, a barrier).</param>
/// <param name="Data">Its data; null where it is deleted.</param>
/// <param name="Creates">Whether the znode came to be.</param>
/// <param name="Write">Number of the client's operation in the history; -1 for none.</param>
internal sealed record SimChange(string? Path, byte[]? Data, bool Creates, int Write)
{
    /// <summary>The parent of what no other region mounts. It is in no list.</summary>
    public const string PrivateFolder = "/private";
    public const string PrivatePrefix = PrivateFolder + "/p";

    public bool IsPrivate => IsPrivatePath(Path);

    public bool ChangesList => ChangesChildren && !IsPrivate;

    /// <summary>Whether it changes its parent's children.</summary>
    public bool ChangesChildren => Path is not null && Opens is null && (Creates || Data is null);

    public static bool IsPrivatePath(string? path) => path?.StartsWith(PrivatePrefix, StringComparison.Ordinal) == true;

    /// <summary>A change that nobody sees: a session, a barrier, a write that failed.</summary>
    public static SimChange Nothing { get; } = new(null, null, false, -1);

    /// <summary>Where the znode's ACL changes and nothing else: whether it is open from now on. Nobody is told.</summary>
    public bool? Opens { get; init; }

    /// <summary>The session of an ephemeral znode that comes to be; 0 of any other.</summary>
    public long Owner { get; init; }

    /// <summary>What it changes, in the terms of the history.</summary>
    public string? Key => Opens is null ? Path : AclOf(Path!);

    /// <summary>What a history calls the ACL of a znode.</summary>
    public static string AclOf(string path) => path + "#acl";

    /// <summary>The record of the control plane that changes; null for none. No client reads these.</summary>
    public (string Folder, string Name)? Record { get; init; }

    /// <summary>What it holds from now on; null where it is deleted.</summary>
    public object? Value { get; init; }
}

/// <summary>A znode as one server has it.</summary>
internal sealed class SimNode
{
    public byte[] Data = [];
    public long Czxid;
    public long Mzxid;
    public int Version;
    public int Aversion;
    public long Owner;

    /// <summary>Whether its ACL lets clients do anything but change the ACL.</summary>
    public bool IsOpen = true;

    public Stat Stat => new(Czxid, Mzxid, 0, 0, Version, 0, Aversion, Owner, Data.Length, 0, Czxid);
}

/// <summary>A simulated cluster: the log that its leader has committed, and the servers that follow it.</summary>
internal sealed class SimCluster(string name)
{
    private long _nextSession;

    public string Name { get; } = name;
    public List<SimChange> Log { get; } = [];
    public List<SimServer> Servers { get; } = [];
    public HashSet<long> Sessions { get; } = [];

    /// <summary>When the leader last heard of each control session, by the id that its proxy is registered under.</summary>
    public Dictionary<string, int> Heard { get; } = new(StringComparer.Ordinal);

    /// <summary>The state after the last change of the log, by which writes are judged.</summary>
    public SimTree Head { get; } = new();

    public long Commit(SimChange change)
    {
        Log.Add(change);
        Head.Apply(change, Log.Count);
        return Log.Count;
    }

    /// <summary>Commits a change of a record of the control plane.</summary>
    public long Commit(string folder, string name, object? value) => Commit(SimChange.Nothing with { Record = (folder, name), Value = value });

    public long NewSession()
    {
        var id = ((long)(Name[^1] - 'A' + 1) << 32) + ++_nextSession;
        Sessions.Add(id);
        return id;
    }
}

/// <summary>Znodes below "/" and the private folder, and the last changes of those two's children.</summary>
internal sealed class SimTree
{
    private readonly Dictionary<string, SimNode> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedDictionary<string, object>> _records = new(StringComparer.Ordinal);

    public long Pzxid { get; private set; }

    public long PrivatePzxid { get; private set; }

    public IEnumerable<string> Names => _nodes.Keys.Where(path => !SimChange.IsPrivatePath(path));

    /// <summary>The ephemeral znodes of a session.</summary>
    public IEnumerable<string> OwnedBy(long session) => _nodes.Where(n => n.Value.Owner == session).Select(n => n.Key);

    public SimNode? Find(string path) => _nodes.GetValueOrDefault(path);

    /// <summary>A record of the control plane; null where there is none.</summary>
    public object? Record(string folder, string name) => Records(folder).GetValueOrDefault(name);

    /// <summary>The records in a folder, by name.</summary>
    public SortedDictionary<string, object> Records(string folder)
    {
        if (!_records.TryGetValue(folder, out var records))
        {
            _records[folder] = records = new(StringComparer.Ordinal);
        }
        return records;
    }

    public void Apply(SimChange change, long zxid)
    {
        if (change.Path is null)
        {
            if (change.Record is var (folder, name))
            {
                if (change.Value is { } value)
                {
                    Records(folder)[name] = value;
                }
                else
                {
                    Records(folder).Remove(name);
                }
            }
            return;
        }
        if (change.Path == AclNotice.Path)
        {
            return;
        }
        if (change.Opens is { } opens)
        {
            _nodes[change.Path].IsOpen = opens;
            _nodes[change.Path].Aversion++;
            return;
        }
        if (change.ChangesList)
        {
            Pzxid = zxid;
        }
        else if (change.ChangesChildren)
        {
            PrivatePzxid = zxid;
        }
        if (change.Data is null)
        {
            _nodes.Remove(change.Path);
            return;
        }
        if (change.Creates)
        {
            _nodes[change.Path] = new SimNode { Data = change.Data, Czxid = zxid, Mzxid = zxid, Owner = change.Owner };
            return;
        }
        var node = _nodes[change.Path];
        node.Data = change.Data;
        node.Mzxid = zxid;
        node.Version++;
    }
}
