using System.Diagnostics;
using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Experiments;

/// <summary>Many sessions that do nothing but stay alive, as most sessions do.</summary>
internal sealed class IdleSessions : IAsyncDisposable
{
    private const int TimeoutMs = 40_000;
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(10);
    private readonly List<Socket> _sockets = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _pinging = Task.CompletedTask;

    public int Count => _sockets.Count;

    /// <summary>Opens sessions, so many at the same time.</summary>
    /// <returns>How long each took from connect to its session, sorted.</returns>
    public async Task<TimeSpan[]> OpenAsync(ServerAddress server, int count, int atOnce)
    {
        var took = new TimeSpan[count];
        var sockets = new Socket[count];
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (i, cancellationToken) =>
        {
            var began = Stopwatch.GetTimestamp();
            sockets[i] = await OpenAsync(server, cancellationToken);
            took[i] = Stopwatch.GetElapsedTime(began);
        });
        _sockets.AddRange(sockets);
        if (_pinging.IsCompleted)
        {
            _pinging = PingAsync();
        }
        return [.. took.Order()];
    }

    /// <summary>Sessions whose connection the server has not closed.</summary>
    public int Alive => _sockets.Count(socket => !socket.Poll(0, SelectMode.SelectRead) || socket.Available > 0);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pinging.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }
    }

    private static async Task<Socket> OpenAsync(ServerAddress server, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(server.Host, server.Port, cancellationToken);
            var writer = new JuteWriter(64);
            new ConnectRequest(0, 0, TimeoutMs, 0, new byte[SessionPassword.Length], false).WriteFrame(writer);
            await socket.SendAsync(writer.WrittenMemory, cancellationToken);
            var frame = new byte[64];
            for (var got = 0; got < 41;)
            {
                var read = await socket.ReceiveAsync(frame.AsMemory(got), cancellationToken);
                got += read > 0 ? read : throw new IOException($"{server} closed the connection instead of giving a session");
            }
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task PingAsync()
    {
        var writer = new JuteWriter(16);
        var mark = writer.BeginFrame();
        new RequestHeader(Xids.Ping, OpCode.Ping).Write(writer);
        writer.EndFrame(mark);
        var replies = new byte[4096];
        while (true)
        {
            await Task.Delay(PingEvery, _stop.Token);
            foreach (var socket in _sockets.ToArray())
            {
                try
                {
                    await socket.SendAsync(writer.WrittenMemory, _stop.Token);
                    while (socket.Available > 0)
                    {
                        await socket.ReceiveAsync(replies, _stop.Token);
                    }
                }
                catch (SocketException)
                {
                    // Alive tells.
                }
            }
        }
    }
}
