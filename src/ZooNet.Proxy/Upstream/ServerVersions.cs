using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace ZooNet.Proxy.Upstream;

/// <summary>
/// Which ZooKeeper the home servers run, as they say it themselves to the four-letter word <c>srvr</c>: clients choose features by it.
/// Asked when it is first wanted, kept for each server for a minute, and never waited for longer than two seconds. Thread-safe.
/// </summary>
/// <param name="home">The home cluster's servers.</param>
/// <param name="time">The clock.</param>
public sealed class ServerVersions(ServerPool home, TimeProvider time) : IDisposable
{
    private const string Prefix = "Zookeeper version: ";

    /// <summary>Bytes of an answer that are looked at: the version is its first line.</summary>
    private const int MaxAnswer = 512;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(1);

    /// <summary>How long a server that did not tell is left alone.</summary>
    private static readonly TimeSpan KeptUnknownFor = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _asking = new(1, 1);
    private readonly Dictionary<string, (string? Version, long Until)> _kept = [];

    /// <summary>The version of the home server that clients' links go to.</summary>
    /// <returns>As the server writes it, <c>3.8.0-5a02a05, built on 2022-02-25 08:49 UTC</c>; null if it can't be known.</returns>
    public async Task<string?> OfHomeAsync()
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
            var address = home.Current?.Address ?? (await home.AddressesAsync(limit.Token) is [var first, ..] ? first : null);
            if (address is null || !IPEndPoint.TryParse(address, out var endpoint))
            {
                return null;
            }
            if (_kept.TryGetValue(address, out var kept) && time.GetTimestamp() < kept.Until)
            {
                return kept.Version;
            }
            var version = await AskAsync(endpoint, limit.Token);
            if (_kept.Count >= 64)
            {
                // Addresses come and go with names.
                _kept.Clear();
            }
            var keptFor = version is null ? KeptUnknownFor : KeptFor;
            _kept[address] = (version, time.GetTimestamp() + (long)(keptFor.TotalSeconds * time.TimestampFrequency));
            return version;
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
    /// The version in an answer to <c>srvr</c>; null if there is none, as in the answer of a server that does not allow the word.
    /// </summary>
    internal static string? Parse(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf((byte)'\n');
        var line = Encoding.ASCII.GetString(end < 0 ? answer : answer[..end]).TrimEnd('\r');
        if (!line.StartsWith(Prefix, StringComparison.Ordinal) || line.Length == Prefix.Length || line.Any(c => c is < ' ' or > '~'))
        {
            return null;
        }
        return line[Prefix.Length..].TrimEnd();
    }

    private async Task<string?> AskAsync(IPEndPoint server, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await home.OpenAsync(server, cancellationToken);
            await stream.WriteAsync("srvr"u8.ToArray(), cancellationToken);
            var answer = new byte[MaxAnswer];
            var length = 0;
            while (length < answer.Length && !answer.AsSpan(0, length).Contains((byte)'\n'))
            {
                var received = await stream.ReadAsync(answer.AsMemory(length), cancellationToken);
                if (received == 0)
                {
                    break;
                }
                length += received;
            }
            return Parse(answer.AsSpan(0, length));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or AuthenticationException or IOException)
        {
            return null;
        }
    }
}
