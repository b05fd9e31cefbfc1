using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// The addresses behind host names. Each use asks the resolver again, and waits for it only so long: when it does not answer, or says to
/// try again, the last answer stands. So a resolver that hangs, or a name that is gone, delays nobody who can be reached. Thread-safe.
/// </summary>
/// <param name="time">Source of time.</param>
/// <param name="lookup">Asks the resolver; by default the system's.</param>
public sealed class HostNames(TimeProvider time, Func<string, Task<IPAddress[]>>? lookup = null)
{
    /// <summary>How long one use waits for the resolver. The question goes on, and its answer is there for the next use.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Func<string, Task<IPAddress[]>> _lookup = lookup ?? (host => Dns.GetHostAddressesAsync(host));
    private readonly ConcurrentDictionary<string, Name> _names = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The addresses of a host, in a fixed order: resolvers rotate their answers, and all sessions shall read through the same server.
    /// </summary>
    /// <param name="host">A name, or an address as text.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The addresses; empty if the name is not known, or nothing has been learned of it yet.</returns>
    public async Task<IReadOnlyList<IPAddress>> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }
        var name = _names.GetOrAdd(host, _ => new Name());
        try
        {
            await name.AskAsync(() => _lookup(host)).WaitAsync(Patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // What was known before has to do.
        }
        return name.Known;
    }

    /// <summary>Forgets the answers for all other names.</summary>
    internal void KeepOnly(IEnumerable<string> hosts)
    {
        var kept = hosts.ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var host in _names.Keys.Where(h => !kept.Contains(h)))
        {
            _names.TryRemove(host, out _);
        }
    }

    /// <summary>How many names are remembered.</summary>
    internal int Count => _names.Count;

    /// <summary>One name: the last answer, and the question that is under way.</summary>
    private sealed class Name
    {
        private readonly Lock _lock = new();
        private Task? _asking;

        public IReadOnlyList<IPAddress> Known { get; private set => Volatile.Write(ref field, value); } = [];

        /// <summary>Joins the question that is under way, or asks.</summary>
        public Task AskAsync(Func<Task<IPAddress[]>> lookup)
        {
            lock (_lock)
            {
                return _asking is { IsCompleted: false } asking ? asking : _asking = Task.Run(() => LearnAsync(lookup));
            }
        }

        private async Task LearnAsync(Func<Task<IPAddress[]>> lookup)
        {
            try
            {
                Known = [.. (await lookup()).OrderBy(address => address.ToString(), StringComparer.Ordinal)];
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData)
            {
                // The name is gone. It may be back at the next connect; the others are tried meanwhile.
                Known = [];
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // The resolver has no answer now, or the name is none that it can be asked for; the last one stands.
            }
        }
    }
}
