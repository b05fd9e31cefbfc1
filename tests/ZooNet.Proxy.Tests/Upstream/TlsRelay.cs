using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace ZooNet.Proxy.Tests.Upstream;

/// <summary>A secure client port before a server that has none: it demands client certificates of an authority.</summary>
internal sealed class TlsRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly IPEndPoint _target;
    private readonly X509Certificate2 _own;
    private readonly X509Certificate2 _authority;
    private readonly Task _accepting;

    private TlsRelay(IPEndPoint target, X509Certificate2 own, X509Certificate2 authority)
    {
        (_target, _own, _authority) = (target, own, authority);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public static TlsRelay Start(IPEndPoint target, X509Certificate2 own, X509Certificate2 authority) => new(target, own, authority);

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The subjects of those that were let in.</summary>
    public ConcurrentQueue<string> Subjects { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var relays = new List<Task>();
        try
        {
            while (true)
            {
                relays.Add(RelayAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            await Task.WhenAll(relays);
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using var accepted = client;
        using var server = new TcpClient();
        try
        {
            await using var secure = new SslStream(client.GetStream());
            await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ServerCertificate = _own,
                ClientCertificateRequired = true,
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    RevocationMode = X509RevocationMode.NoCheck,
                    CustomTrustStore = { _authority },
                },
            }, _stop.Token);
            Subjects.Enqueue(secure.RemoteCertificate!.Subject);
            await server.ConnectAsync(_target, _stop.Token);
            var plain = server.GetStream();
            await Task.WhenAny(secure.CopyToAsync(plain, _stop.Token), plain.CopyToAsync(secure, _stop.Token));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // The other end is told by the end of the connection.
        }
    }
}
