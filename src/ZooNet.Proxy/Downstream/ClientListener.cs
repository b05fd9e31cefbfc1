using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
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
        var peer = connection.RemoteEndPoint as IPEndPoint ?? new IPEndPoint(IPAddress.None, 0);
        var address = Plain(peer.Address);
        var isBalancer = path.IsBalancer(address);
        var counted = isBalancer ? null : address;
        if (!path.Admits(address, path.Limits.TryEnter(counted)))
        {
            connection.Abort();
            return;
        }
        var isCounted = true;
        try
        {
            var socket = ((RawConnection)connection).TakeSocket();
            if (isBalancer)
            {
                if (await ReadHeaderAsync(socket, peer) is not { } client)
                {
                    socket.Dispose();
                    return;
                }
                peer = client;
                address = Plain(client.Address);
                if (!path.Admits(address, path.Limits.TryName(address)))
                {
                    isCounted = false;
                    socket.Dispose();
                    return;
                }
                counted = address;
            }
            await ServeAsync(socket, peer);
        }
        finally
        {
            if (isCounted)
            {
                path.Limits.Leave(counted);
            }
        }
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <summary>Whose connection a balancer passes on; null if it does not say so properly.</summary>
    private async Task<IPEndPoint?> ReadHeaderAsync(Socket socket, IPEndPoint peer)
    {
        try
        {
            using var limit = new CancellationTokenSource(HandshakeLimit);
            return await ProxyHeader.ReadAsync(socket, limit.Token) ?? peer;
        }
        catch (Exception e) when (e is InvalidDataException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            path.LogNoProxyHeader(peer.Address, e is InvalidDataException ? e.Message : "its PROXY header did not come");
            return null;
        }
    }

    private async Task ServeAsync(Socket socket, IPEndPoint from)
    {
        Wire wire;
        string? name = null;
        if (certificates is null)
        {
            wire = new SocketWire(socket);
        }
        else if (await GreetAsync(socket) is { } stream)
        {
            wire = new TlsWire(stream);
            name = (stream.RemoteCertificate as X509Certificate2)?.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
        }
        else
        {
            return;
        }
        var share = path.Throttle?.Enter(Plain(from.Address), path.NowMs);
        try
        {
            var client = new DownstreamConnection($"/{from}", path, path.RulesOf(Plain(from.Address), name), share);
            await ServeAsync(client, wire);
        }
        finally
        {
            if (share is not null)
            {
                path.Throttle!.Leave(share);
            }
        }
    }

    private async Task ServeAsync(DownstreamConnection client, Wire wire)
    {
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
