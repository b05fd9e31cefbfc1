using System.Net.Sockets;
using System.Text;

namespace ZooNet.Cli;

/// <summary>Tells whether an address that does not answer as an admin endpoint is one where ZooKeeper clients connect.</summary>
internal static class ClientPort
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Asks the address a four-letter word.</summary>
    /// <returns>What listens there, in words; null where it is nothing that knows ZooKeeper's words.</returns>
    public static async Task<string?> WhatListensAsync(Uri url)
    {
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(url.Host, url.Port, limit.Token);
            await socket.SendAsync("srvr"u8.ToArray(), limit.Token);
            var answer = new byte[1024];
            var length = 0;
            while (length < answer.Length && await socket.ReceiveAsync(answer.AsMemory(length), limit.Token) is > 0 and var received)
            {
                length += received;
            }
            var text = Encoding.ASCII.GetString(answer, 0, length);
            return text.Contains("through ZooNet", StringComparison.Ordinal) ? "where clients of a ZooNet proxy connect"
                : text.StartsWith("Zookeeper version", StringComparison.Ordinal) ? "a ZooKeeper server's client port"
                : text.StartsWith("srvr is not executed", StringComparison.Ordinal)
                    || text.StartsWith("This ZooKeeper instance", StringComparison.Ordinal) ? "where ZooKeeper clients connect"
                : null;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return null;
        }
    }
}
