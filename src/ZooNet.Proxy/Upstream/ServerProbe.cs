using System.Net;
using System.Net.Sockets;
using System.Text;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Upstream;

/// <summary>Asks a server what it is, by the four-letter word <c>srvr</c>.</summary>
internal static class ServerProbe
{
    private const int MaxAnswer = 4096;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Asks every address behind a name. Takes two seconds at most.</summary>
    public static async Task<IReadOnlyList<Answer>> AskAsync(HostPort name, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(Limit, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            IPAddress[] addresses = IPAddress.TryParse(name.Host, out var literal) ? [literal]
                : await Dns.GetHostAddressesAsync(name.Host, limit.Token);
            return await Task.WhenAll(addresses.Select(a => AskAsync(name, new IPEndPoint(a, name.Port), time, limit.Token)));
        }
        catch (Exception e) when (e is SocketException || e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return [new Answer(name.ToString(), null, null, null, null, e is SocketException ? "the name is not known"
                : "the name is not resolved")];
        }
    }

    private static async Task<Answer> AskAsync(HostPort name, IPEndPoint server, TimeProvider time, CancellationToken cancellationToken)
    {
        var found = new Answer(name.ToString(), server.ToString(), null, null, null, null);
        try
        {
            using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            var began = time.GetTimestamp();
            await socket.ConnectAsync(server, cancellationToken);
            found = found with { RoundTrip = time.GetElapsedTime(began) };
            await socket.SendAsync("srvr"u8.ToArray(), cancellationToken);
            var answer = new byte[MaxAnswer];
            var length = 0;
            while (length < answer.Length && await socket.ReceiveAsync(answer.AsMemory(length), cancellationToken) is > 0 and var received)
            {
                length += received;
            }
            var mode = Encoding.ASCII.GetString(answer, 0, length).Split('\n').FirstOrDefault(l => l.StartsWith("Mode: ",
                StringComparison.Ordinal));
            return mode is null ? found with { Error = "does not answer srvr" }
                : found with
                {
                    Mode = mode["Mode: ".Length..].Trim(),
                    Version = ServerVersions.Parse(answer.AsSpan(0, length))?.Version,
                };
        }
        catch (SocketException e)
        {
            return found with { Error = e.SocketErrorCode.ToString() };
        }
        catch (OperationCanceledException)
        {
            return found with { Error = "no answer" };
        }
    }

    /// <summary>What is known of one address.</summary>
    public sealed record Answer(string Name, string? Address, string? Mode, string? Version, TimeSpan? RoundTrip, string? Error);
}
