using ZooNet.Protocol;

namespace ZooNet.Server.Quorum;

/// <summary>
/// One list for all znodes with equal ACLs: there are few different ones, and many znodes (source: <c>ReferenceCountedACLCache</c>). One
/// owner; it keeps at most some thousands, and beyond that each znode has its own.
/// </summary>
internal sealed class AclLists
{
    private const int MaxLists = 10_000;

    private readonly Dictionary<IReadOnlyList<Acl>, IReadOnlyList<Acl>> _lists = new(ByEntries.Instance) { [Acl.Open] = Acl.Open };

    /// <summary>The list to use instead of an equal one.</summary>
    public IReadOnlyList<Acl> Shared(IReadOnlyList<Acl> list)
    {
        if (_lists.TryGetValue(list, out var known))
        {
            return known;
        }
        if (_lists.Count < MaxLists)
        {
            _lists[list] = list;
        }
        return list;
    }

    private sealed class ByEntries : IEqualityComparer<IReadOnlyList<Acl>>
    {
        public static ByEntries Instance { get; } = new();

        public bool Equals(IReadOnlyList<Acl>? x, IReadOnlyList<Acl>? y) =>
            ReferenceEquals(x, y) || (x is not null && y is not null && x.SequenceEqual(y));

        public int GetHashCode(IReadOnlyList<Acl> list)
        {
            var hash = default(HashCode);
            foreach (var acl in list)
            {
                hash.Add(acl);
            }
            return hash.ToHashCode();
        }
    }
}
