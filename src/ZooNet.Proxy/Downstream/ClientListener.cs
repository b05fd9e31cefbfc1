using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.AspNetCore.Connections;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Downstream;

/// <summary>Takes clients' connections from Kestrel.</summary>
/// <param name="path">Where they go.</param>
/// <param name="certificates">What they are greeted with; null for plain TCP.</param>
internal sealed class ClientListener(DataPath path, ServerCertificates? certificates) : ConnectionHandler
{
    /// <summary>How long a client may take for the handshake of TLS.</summary>
    private static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var from = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
        if (!path.Admits(from))
        {
            connection.Abort();
            return;
        }
        try
        {
            await ServeAsync(connection);
        }
        finally
        {
            path.Limits.Leave(from);
        }
    }

    private async Task ServeAsync(ConnectionContext connection)
    {
        var socket = ((RawConnection)connection).TakeSocket();
        Wire wire;
        if (certificates is null)
        {
            wire = new SocketWire(socket);
        }
        else if (await GreetAsync(socket) is { } stream)
        {
            wire = new TlsWire(stream);
        }
        else
        {
            return;
        }
        var client = new DownstreamConnection(connection.RemoteEndPoint is { } remote ? $"/{remote}" : "/unknown", path);
        if (!path.Add(client))
        {
            wire.Close();
            return;
        }
        try
        {
            await client.RunAsync(wire);
            await client.Over;
        }
        finally
        {
            path.Remove(client);
        }
    }

    private async Task<SslStream?> GreetAsync(Socket socket)
    {
        socket.Blocking = true;
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            using var limit = new CancellationTokenSource(HandshakeLimit);
            await stream.AuthenticateAsServerAsync(certificates!.Current, limit.Token);
            return stream;
        }
        catch (Exception e) when (e is AuthenticationException or IOException or SocketException or OperationCanceledException
            or ObjectDisposedException or InvalidOperationException)
        {
            path.LogHandshakeFailed(e.InnerException?.Message ?? e.Message);
            await stream.DisposeAsync();
            return null;
        }
    }
}
