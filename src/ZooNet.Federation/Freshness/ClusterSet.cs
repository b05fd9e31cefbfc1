using System.Numerics;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// A set of a region's clusters, by their ordinals: 0, home, to <see cref="Region.MaxClusters"/> - 1. An immutable value. The first 64
/// clusters take a word; only a set that holds others has an array, which no later set changes.
/// </summary>
public readonly struct ClusterSet : IEquatable<ClusterSet>
{
    private const int WordBits = 64;

    private readonly ulong _first;
    // The words behind the first, without empty ones at the end; null if there are none.
    private readonly ulong[]? _others;

    private ClusterSet(ulong first, ulong[]? others)
    {
        _first = first;
        _others = others;
    }

    /// <summary>Every cluster that there can be.</summary>
    public static ClusterSet All { get; } = First(Region.MaxClusters);

    /// <summary>Whether nothing is in it.</summary>
    public bool IsEmpty => _first == 0 && _others is null;

    /// <summary>How many clusters are in it.</summary>
    public int Count
    {
        get
        {
            var count = BitOperations.PopCount(_first);
            for (var i = 1; i < Words; i++)
            {
                count += BitOperations.PopCount(Word(i));
            }
            return count;
        }
    }

    private int Words => 1 + (_others?.Length ?? 0);

    /// <summary>The set of some clusters.</summary>
    /// <param name="clusters">Their ordinals.</param>
    public static ClusterSet Of(params ReadOnlySpan<int> clusters)
    {
        var set = default(ClusterSet);
        foreach (var cluster in clusters)
        {
            set = set.With(cluster);
        }
        return set;
    }

    /// <summary>The set of a region's clusters.</summary>
    /// <param name="count">How many there are, home included.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are more than a region can have.</exception>
    public static ClusterSet First(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Region.MaxClusters);
        var others = count > WordBits ? new ulong[(count - 1) / WordBits] : null;
        for (var cluster = WordBits; cluster < count; cluster++)
        {
            others![(cluster / WordBits) - 1] |= 1UL << (cluster % WordBits);
        }
        return new(count >= WordBits ? ulong.MaxValue : (1UL << count) - 1, others);
    }

    /// <summary>Whether a cluster is in it.</summary>
    public bool Contains(int cluster) => (Word(cluster / WordBits) >> (cluster % WordBits) & 1) != 0;

    /// <summary>The set with a cluster.</summary>
    public ClusterSet With(int cluster) => cluster < WordBits ? new(_first | 1UL << cluster, _others)
        : Contains(cluster) ? this : Combine(this, Single(cluster), static (a, b) => a | b);

    /// <summary>The set without a cluster.</summary>
    public ClusterSet Without(int cluster) => cluster < WordBits ? new(_first & ~(1UL << cluster), _others)
        : Contains(cluster) ? Except(Single(cluster)) : this;

    /// <summary>What is in this set and in another one.</summary>
    public ClusterSet And(ClusterSet other) => _others is null || other._others is null ? new(_first & other._first, null)
        : Combine(this, other, static (a, b) => a & b);

    /// <summary>What is in this set and not in another one.</summary>
    public ClusterSet Except(ClusterSet other) => _others is null || other._others is null ? new(_first & ~other._first, _others)
        : Combine(this, other, static (a, b) => a & ~b);

    /// <summary>Walks over it, lowest ordinal first.</summary>
    public Enumerator GetEnumerator() => new(this);

    /// <inheritdoc/>
    public bool Equals(ClusterSet other) => _first == other._first && _others.AsSpan().SequenceEqual(other._others);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ClusterSet other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_first, _others?[^1] ?? 0);

    /// <summary>Whether the same clusters are in both.</summary>
    public static bool operator ==(ClusterSet left, ClusterSet right) => left.Equals(right);

    /// <summary>Whether a cluster is in one and not in the other.</summary>
    public static bool operator !=(ClusterSet left, ClusterSet right) => !left.Equals(right);

    /// <inheritdoc/>
    public override string ToString()
    {
        var ordinals = new List<int>();
        foreach (var cluster in this)
        {
            ordinals.Add(cluster);
        }
        return $"{{{string.Join(", ", ordinals)}}}";
    }

    private ulong Word(int index) => index == 0 ? _first : _others is { } others && index <= others.Length ? others[index - 1] : 0;

    private static ClusterSet Single(int cluster)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(cluster, Region.MaxClusters);
        var others = new ulong[cluster / WordBits];
        others[^1] = 1UL << (cluster % WordBits);
        return new(0, others);
    }

    private static ClusterSet Combine(ClusterSet a, ClusterSet b, Func<ulong, ulong, ulong> word)
    {
        var words = Math.Max(a.Words, b.Words);
        while (words > 1 && word(a.Word(words - 1), b.Word(words - 1)) == 0)
        {
            words--;
        }
        var others = words > 1 ? new ulong[words - 1] : null;
        for (var i = 1; i < words; i++)
        {
            others![i - 1] = word(a.Word(i), b.Word(i));
        }
        return new(word(a._first, b._first), others);
    }

    /// <summary>Walks over a set.</summary>
    public ref struct Enumerator
    {
        private readonly ClusterSet _set;
        private int _word;
        private ulong _rest;

        internal Enumerator(ClusterSet set)
        {
            _set = set;
            _rest = set._first;
        }

        /// <summary>The ordinal of the cluster at which it is.</summary>
        public int Current { get; private set; }

        /// <summary>Goes on to the next cluster; false if there is none.</summary>
        public bool MoveNext()
        {
            while (_rest == 0)
            {
                if (++_word >= _set.Words)
                {
                    return false;
                }
                _rest = _set.Word(_word);
            }
            Current = (_word * WordBits) + BitOperations.TrailingZeroCount(_rest);
            _rest &= _rest - 1;
            return true;
        }
    }
}
