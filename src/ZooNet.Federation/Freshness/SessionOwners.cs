using System.Collections.Concurrent;

namespace ZooNet.Federation.Freshness;

/// <summary>
/// Maps a session of a remote cluster to the home session of the client that owns it, as far as this proxy knows.
/// Thread-safe.
/// </summary>
public sealed class SessionOwners
{
    private readonly ConcurrentDictionary<(int Cluster, long RemoteSession), long> _owners = new();

    /// <summary>Takes note of an owner.</summary>
    public void Add(int cluster, long remoteSession, long homeSession) => _owners[(cluster, remoteSession)] = homeSession;

    /// <summary>Forgets a remote session.</summary>
    public void Remove(int cluster, long remoteSession) => _owners.TryRemove((cluster, remoteSession), out _);

    /// <summary>The home session of a remote session's client; the remote session itself where it is not known.</summary>
    public long HomeOf(int cluster, long remoteSession) =>
        _owners.TryGetValue((cluster, remoteSession), out var home) ? home : remoteSession;
}
