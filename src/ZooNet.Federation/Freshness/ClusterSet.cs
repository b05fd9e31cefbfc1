using System.Numerics;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// A set of a region's clusters, by their ordinals: 0, home, to <see cref="Region.MaxClusters"/> - 1. An immutable value.
/// </summary>
public readonly record struct ClusterSet
{
    private readonly ulong _bits;

    private ClusterSet(ulong bits) => _bits = bits;

    /// <summary>Every cluster that there can be.</summary>
    public static ClusterSet All => new(ulong.MaxValue);

    /// <summary>Whether nothing is in it.</summary>
    public bool IsEmpty => _bits == 0;

    /// <summary>How many clusters are in it.</summary>
    public int Count => BitOperations.PopCount(_bits);

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
        return count == Region.MaxClusters ? All : new((1UL << count) - 1);
    }

    /// <summary>Whether a cluster is in it.</summary>
    public bool Contains(int cluster) => (_bits >> cluster & 1) != 0;

    /// <summary>The set with a cluster.</summary>
    public ClusterSet With(int cluster) => new(_bits | 1UL << cluster);

    /// <summary>The set without a cluster.</summary>
    public ClusterSet Without(int cluster) => new(_bits & ~(1UL << cluster));

    /// <summary>What is in this set and in another one.</summary>
    public ClusterSet And(ClusterSet other) => new(_bits & other._bits);

    /// <summary>What is in this set and not in another one.</summary>
    public ClusterSet Except(ClusterSet other) => new(_bits & ~other._bits);

    /// <summary>Walks over it, lowest ordinal first.</summary>
    public Enumerator GetEnumerator() => new(_bits);

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

    /// <summary>Walks over a set.</summary>
    public ref struct Enumerator
    {
        private ulong _rest;

        internal Enumerator(ulong bits) => _rest = bits;

        /// <summary>The ordinal of the cluster at which it is.</summary>
        public int Current { get; private set; }

        /// <summary>Goes on to the next cluster; false if there is none.</summary>
        public bool MoveNext()
        {
            if (_rest == 0)
            {
                return false;
            }
            Current = BitOperations.TrailingZeroCount(_rest);
            _rest &= _rest - 1;
            return true;
        }
    }
}
