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
    public override Task OnConnectedAsync(ConnectionContext connection)
    {
        var peer = connection.RemoteEndPoint as IPEndPoint ?? new IPEndPoint(IPAddress.None, 0);
        var address = Plain(peer.Address);
        var isBalancer = path.IsBalancer(address);
        if (!path.Admits(address, path.Limits.TryEnter(isBalancer ? null : address)))
        {
            connection.Abort();
            return Task.CompletedTask;
        }
        var socket = ((RawConnection)connection).TakeSocket();
        return isBalancer ? ServeBalancedAsync(socket, peer) : ServeAsync(socket, peer);
    }

    /// <summary>Serves a client that comes through a balancer, once that has said who it is.</summary>
    private async Task ServeBalancedAsync(Socket socket, IPEndPoint balancer)
    {
        if (await ReadHeaderAsync(socket, balancer) is not { } client)
        {
            socket.Dispose();
            path.Limits.Leave(null);
        }
        else if (path.Admits(Plain(client.Address), path.Limits.TryName(Plain(client.Address))))
        {
            await ServeAsync(socket, client);
        }
        else
        {
            socket.Dispose();
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

    /// <summary>
    /// Serves a client until it is gone. As long as it is there this is all that waits for it: each further method that did would cost
    /// every idle client as many bytes as its locals take.
    /// </summary>
    private async Task ServeAsync(Socket socket, IPEndPoint from)
    {
        var address = Plain(from.Address);
        RequestThrottle.Share? share = null;
        DownstreamConnection? client = null;
        try
        {
            Wire wire;
            X509Certificate2? certificate = null;
            if (certificates is null)
            {
                wire = new SocketWire(socket);
            }
            else if (await GreetAsync(socket) is { } stream)
            {
                wire = new TlsWire(stream);
                certificate = stream.RemoteCertificate as X509Certificate2;
            }
            else
            {
                return;
            }
            share = path.Throttle?.Enter(address, path.NowMs);
            var rules = path.RulesOf(address, certificate?.GetNameInfo(X509NameType.SimpleName, forIssuer: false));
            var subject = certificate is null ? null : CertificateSubject.Of(certificate);
            var made = new DownstreamConnection($"/{from}", path, rules, share, new(address, subject));
            if (!path.Add(made))
            {
                wire.Close();
                return;
            }
            client = made;
            await client.RunAsync(wire);
            await client.Over;
        }
        finally
        {
            if (client is not null)
            {
                path.Remove(client);
            }
            if (share is not null)
            {
                path.Throttle!.Leave(share);
            }
            path.Limits.Leave(address);
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
