using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Which ZooKeeper the home servers run, and how many znodes they hold, as they say it themselves to the four-letter word <c>srvr</c>:
/// clients choose features by the one, and tools miss the other. Asked when it is first wanted, kept for each server for a minute, and
/// never waited for longer than two seconds. Thread-safe.
/// </summary>
/// <param name="home">The home cluster's servers.</param>
/// <param name="time">The clock.</param>
public sealed class ServerVersions(ServerPool home, TimeProvider time) : IDisposable
{
    private const string Prefix = "Zookeeper version: ";

    private const string CountPrefix = "Node count: ";

    /// <summary>Bytes of an answer that are looked at: it has nine lines.</summary>
    private const int MaxAnswer = 512;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(1);

    /// <summary>How long a server that did not tell is left alone.</summary>
    private static readonly TimeSpan KeptUnknownFor = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _asking = new(1, 1);
    private readonly Dictionary<string, (HomeServer? Told, long Until)> _kept = [];

    /// <summary>What the home server tells that clients' links go to; at most a minute old.</summary>
    /// <returns>Null if it can't be known.</returns>
    public async Task<HomeServer?> OfHomeAsync()
    {
        using var limit = new CancellationTokenSource(Limit, time);
        try
        {
            // One question at a time: whoever comes meanwhile takes its answer.
            await _asking.WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        try
        {
            IPEndPoint? endpoint = null;
            var address = home.Current?.Address;
            if (address is null || !IPEndPoint.TryParse(address, out endpoint))
            {
                // No link has been made yet, or the proxy's own observer is asked: which release its ensemble runs the others know.
                address = (await home.AddressesAsync(limit.Token)).FirstOrDefault(a => IPEndPoint.TryParse(a, out endpoint));
            }
            if (address is null || endpoint is null)
            {
                return null;
            }
            if (_kept.TryGetValue(address, out var kept) && time.GetTimestamp() < kept.Until)
            {
                return kept.Told;
            }
            var told = await AskAsync(endpoint, limit.Token);
            if (_kept.Count >= 64)
            {
                // Addresses come and go with names.
                _kept.Clear();
            }
            var keptFor = told is null ? KeptUnknownFor : KeptFor;
            _kept[address] = (told, time.GetTimestamp() + (long)(keptFor.TotalSeconds * time.TimestampFrequency));
            return told;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return null;
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _asking.Dispose();

    /// <summary>
    /// An answer to <c>srvr</c>; null if there is no version in it, as in the answer of a server that does not allow the word.
    /// </summary>
    internal static HomeServer? Parse(ReadOnlySpan<byte> answer)
    {
        var lines = Encoding.ASCII.GetString(answer).Split('\n', StringSplitOptions.TrimEntries);
        var line = lines[0];
        if (!line.StartsWith(Prefix, StringComparison.Ordinal) || line.Length == Prefix.Length || line.Any(c => c is < ' ' or > '~'))
        {
            return null;
        }
        var count = lines.FirstOrDefault(l => l.StartsWith(CountPrefix, StringComparison.Ordinal))?[CountPrefix.Length..];
        return new HomeServer(line[Prefix.Length..],
            long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var znodes) ? znodes : null);
    }

    private async Task<HomeServer?> AskAsync(IPEndPoint server, CancellationToken cancellationToken)
    {
        var answer = new byte[MaxAnswer];
        var length = 0;
        try
        {
            await using var stream = await home.OpenAsync(server, cancellationToken);
            await stream.WriteAsync("srvr"u8.ToArray(), cancellationToken);
            // The server closes the connection behind it.
            while (length < answer.Length && await stream.ReadAsync(answer.AsMemory(length), cancellationToken) is > 0 and var received)
            {
                length += received;
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or AuthenticationException or IOException)
        {
            // What has come so far is looked at.
        }
        return Parse(answer.AsSpan(0, length));
    }
}

/// <summary>What a server tells of itself.</summary>
/// <param name="Version">As the server writes it, <c>3.8.0-5a02a05, built on 2022-02-25 08:49 UTC</c>.</param>
/// <param name="NodeCount">How many znodes it holds; null where it does not say.</param>
public sealed record HomeServer(string Version, long? NodeCount);
