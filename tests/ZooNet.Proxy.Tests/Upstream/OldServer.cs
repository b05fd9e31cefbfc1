using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>
/// Makes a server one of before 3.6: an operation that came later gets Unimplemented at once, before what was asked first, and the
/// connection is closed, as ZooKeeper 3.5.10 was seen to do.
/// </summary>
internal sealed class OldServer : IAsyncDisposable
{
    private static readonly OpCode[] Unknown =
        [OpCode.AddWatch, OpCode.SetWatches2, OpCode.MultiRead, OpCode.GetEphemerals, OpCode.GetAllChildrenNumber, OpCode.WhoAmI];

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint _server;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    public OldServer(IPEndPoint server)
    {
        _server = server;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(_server, _stop.Token);
                var back = server.GetStream().CopyToAsync(client.GetStream(), _stop.Token);
                await ForwardAsync(client.GetStream(), server.GetStream());
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                // Either side is gone: so are both.
            }
        }
    }

    private async Task ForwardAsync(NetworkStream from, NetworkStream to)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            var frame = new byte[4];
            await from.ReadExactlyAsync(frame, _stop.Token);
            Array.Resize(ref frame, 4 + BinaryPrimitives.ReadInt32BigEndian(frame));
            await from.ReadExactlyAsync(frame.AsMemory(4), _stop.Token);
            if (!isFirst && frame.Length >= 12 && Unknown.Contains((OpCode)BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(8))))
            {
                var reply = new byte[20];
                BinaryPrimitives.WriteInt32BigEndian(reply, 16);
                frame.AsSpan(4, 4).CopyTo(reply.AsSpan(4));
                BinaryPrimitives.WriteInt64BigEndian(reply.AsSpan(8), -1);
                BinaryPrimitives.WriteInt32BigEndian(reply.AsSpan(16), (int)ErrorCode.Unimplemented);
                await from.WriteAsync(reply, _stop.Token);
                from.Socket.Shutdown(SocketShutdown.Send);
                await from.CopyToAsync(Stream.Null, _stop.Token);
                return;
            }
            await to.WriteAsync(frame, _stop.Token);
        }
    }
}
