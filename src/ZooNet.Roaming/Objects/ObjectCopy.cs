using System.Text;
using ZooNet.Protocol;
using ZooNet.Roaming.Records;
using ZooNet.Tree;
using ZooNet.Tree.Requests;
using ZooNet.Tree.Transactions;

namespace ZooNet.Roaming.Objects;

/// <summary>A place in an object's log: before the entry <paramref name="Number"/> of an epoch.</summary>
/// <param name="Epoch">The epoch; 0 before the first one.</param>
/// <param name="Number">The number that the ensemble gives the entry.</param>
internal readonly record struct Place(long Epoch, int Number);

/// <summary>What became of a command in a copy.</summary>
/// <param name="Proxy">Whose it was.</param>
/// <param name="Number">Its running number there.</param>
/// <param name="Result">What it did; null where it had no effect: applied before, out of turn, or of a proxy that was forgotten.</param>
/// <param name="Zxid">The position of its effect in the object's own order; 0 without one.</param>
/// <param name="Change">What it changed, for who keeps the same znodes elsewhere; null where it changed none.</param>
internal readonly record struct Outcome(long Proxy, long Number, TxnResult? Result, long Zxid, ObjectChange? Change = null);

/// <summary>What a command does to the znodes.</summary>
/// <param name="Session">Whose it is: the owner of what it makes, or whose znodes go.</param>
/// <param name="Txn">The change.</param>
internal sealed record ObjectChange(SessionName Session, Txn Txn);

/// <summary>
/// A copy of an object: its znodes as its log makes them, whichever zones held the parts of the log. Every copy that has applied the same
/// entries is the same, to the digest. A command has an effect once: it must carry its proxy's next number, else it has none. Not
/// thread-safe.
/// </summary>
internal sealed class ObjectCopy
{
    /// <summary>The most proxies that are remembered; of more the one that has not written for longest is forgotten.</summary>
    public const int MaxProxies = 1024;

    private readonly Preparer _preparer;

    /// <summary>Makes the copy of an empty object: its own znode, open to everybody.</summary>
    public ObjectCopy()
    {
        foreach (var path in (string[])["/zookeeper/config", "/zookeeper/quota", "/zookeeper"])
        {
            Tree.Apply(default, new DeleteTxn(path));
        }
        _preparer = new Preparer(Tree, extendedTypes: true);
    }

    /// <summary>The znodes. Read it; only <see cref="Apply"/> changes it.</summary>
    public DataTree Tree { get; } = new();

    /// <summary>How many entries were applied, over all epochs.</summary>
    public long Index { get; internal set; }

    /// <summary>The place of the next entry.</summary>
    public Place Next { get; private set; }

    /// <summary>What it has applied, in one number: copies at one index that differ here differ.</summary>
    public ulong Digest { get; internal set; }

    /// <summary>The time of the newest entry, in milliseconds since 1970; it does not go back.</summary>
    public long TimeMs { get; internal set; }

    /// <summary>A proxy that begins must have applied at least so much: below it, it may be one that was forgotten.</summary>
    public long Horizon { get; internal set; }

    /// <summary>Per proxy: the number of its last command that had an effect, and the index of the entry that held it.</summary>
    internal Dictionary<long, (long Number, long Index)> Proxies { get; } = [];

    /// <summary>Sessions that own ephemeral znodes here, and the number that stands for each in the tree.</summary>
    internal Dictionary<SessionName, long> Owners { get; } = [];

    /// <summary>The number for the next session that comes to own an ephemeral znode.</summary>
    internal long NextOwner { get; set; } = 1;

    /// <summary>The number of a proxy's last command that had an effect; 0 for none.</summary>
    public long AppliedOf(long proxy) => Proxies.TryGetValue(proxy, out var last) ? last.Number : 0;

    /// <summary>True where commands of this proxy can have an effect: it has begun, or may begin.</summary>
    public bool Takes(long proxy, long since) => Proxies.ContainsKey(proxy) || since >= Horizon;

    /// <summary>The client's session that owns an ephemeral znode; null for none.</summary>
    public SessionName? OwnerOf(Znode node) =>
        node.Owner == 0 ? null : Owners.First(o => o.Value == node.Owner).Key;

    /// <summary>Goes on in another epoch's log, the one before was read to its seal; or where a snapshot stands.</summary>
    internal void StandAt(Place next) => Next = next;

    /// <summary>What a write would do now, without doing it.</summary>
    public Txn Prepare(Command command) => _preparer.Prepare(command.Op, command.Body, command.Identities);

    /// <summary>Applies the next entry.</summary>
    /// <returns>What became of each command.</returns>
    public IReadOnlyList<Outcome> Apply(Entry entry)
    {
        var outcomes = new Outcome[entry.Commands.Count];
        TimeMs = Math.Max(TimeMs, entry.TimeMs);
        for (var i = 0; i < outcomes.Length; i++)
        {
            var number = entry.First + i;
            var begun = Proxies.TryGetValue(entry.Proxy, out var last);
            if ((begun || entry.Since >= Horizon) && number == last.Number + 1)
            {
                Proxies[entry.Proxy] = (number, Index);
                var result = Execute(entry.Commands[i], out var txn);
                outcomes[i] = new Outcome(entry.Proxy, number, result, Tree.LastZxid,
                    txn is null ? null : new ObjectChange(entry.Commands[i].Session, txn));
                AddToDigest(entry.Proxy, number, result);
            }
            else
            {
                outcomes[i] = new Outcome(entry.Proxy, number, null, 0);
            }
        }
        Index++;
        Next = Next with { Number = Next.Number + 1 };
        if (Proxies.Count > MaxProxies)
        {
            Forget(Proxies.MinBy(p => (p.Value.Index, p.Key)).Key);
        }
        return outcomes;
    }

    private TxnResult Execute(Command command, out Txn? txn)
    {
        var zxid = Tree.LastZxid + 1;
        txn = null;
        switch (command.Kind)
        {
            case CommandKind.Write:
                txn = _preparer.Prepare(command.Op, command.Body, command.Identities);
                return Tree.Apply(new TxnHeader(OwnsFrom(txn, command.Session), 0, zxid, TimeMs), txn);
            case CommandKind.EndSession:
                Owners.Remove(command.Session, out var owner);
                txn = CloseSessionTxn.Instance;
                return Tree.Apply(new TxnHeader(owner == 0 ? -1 : owner, 0, zxid, TimeMs), txn);
            case CommandKind.EndProxy:
                Forget(command.Proxy);
                Horizon = Index + 1;
                break;
            case CommandKind.Reap:
                var path = Encoding.UTF8.GetString(command.Body);
                txn = Tree.Find(path) is { } node && node.IsDue(TimeMs) ? _preparer.DeleteReapable(path) : new ErrorTxn(ErrorCode.NoNode);
                return Tree.Apply(new TxnHeader(0, 0, zxid, TimeMs), txn);
        }
        Tree.LastZxid = zxid;
        return new TxnResult(command.Op, ErrorCode.Ok);
    }

    /// <summary>The number that stands for the session, where the transaction makes it an owner; else 0.</summary>
    private long OwnsFrom(Txn txn, SessionName session)
    {
        var makes = txn switch
        {
            CreateTxn create => create.Kind == ZnodeKind.Ephemeral,
            MultiTxn multi => !multi.Txns.Any(t => t is ErrorTxn) && multi.Txns.Any(t => t is CreateTxn { Kind: ZnodeKind.Ephemeral }),
            _ => false,
        };
        if (!makes)
        {
            return 0;
        }
        if (!Owners.TryGetValue(session, out var owner))
        {
            Owners[session] = owner = NextOwner++;
        }
        return owner;
    }

    private void Forget(long proxy)
    {
        if (Proxies.Remove(proxy, out var last))
        {
            // Whatever it began with is not beyond the entry of its last command, so nothing of it that comes later passes for new.
            Horizon = Math.Max(Horizon, last.Index + 1);
        }
    }

    private void AddToDigest(long proxy, long number, TxnResult result)
    {
        void Add(ulong value) => Digest = ((Digest ^ value) * 0x9e37_79b9_7f4a_7c15) ^ (Digest >> 29);
        Add((ulong)proxy);
        Add((ulong)number);
        Add((ulong)Tree.LastZxid);
        AddResult(result);

        void AddResult(TxnResult one)
        {
            Add((ulong)(uint)one.Error);
            Add((ulong)one.Stat.Czxid);
            Add((ulong)(uint)one.Stat.Version);
            Add((ulong)(uint)one.Stat.Cversion);
            foreach (var c in one.Path ?? "")
            {
                Add(c);
            }
            foreach (var inner in one.Results ?? [])
            {
                AddResult(inner);
            }
        }
    }
}
