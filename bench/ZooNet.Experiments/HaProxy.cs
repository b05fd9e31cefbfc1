using System.Net.Sockets;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// HAProxy in TCP mode in front of some servers, as one would run it instead of ZooNet; with TLS and client certificates on either side
/// where it is given some.
/// </summary>
internal sealed class HaProxy : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly string _folder;

    private HaProxy(ChildProcess process, string folder, ServerAddress address)
    {
        _process = process;
        _folder = folder;
        Address = address;
    }

    public ServerAddress Address { get; }

    public int ProcessId => _process.Id;

    public static async Task<HaProxy> StartAsync(IReadOnlyList<ServerAddress> addresses, IReadOnlyList<string>? launcher = null,
        CertificateFiles? clients = null, CertificateFiles? servers = null)
    {
        var folder = OwnedFolder.Create("haproxy");
        var address = new ServerAddress("127.0.0.1", FreePorts.Take());
        var file = Path.Combine(folder, "haproxy.cfg");
        var tls = servers is null ? "" : $" ssl crt {servers.Both} ca-file {servers.Authority} verify required verifyhost localhost";
        await File.WriteAllTextAsync(file, $"""
            global
                maxconn 8000
            defaults
                mode tcp
                timeout connect 5s
                timeout client 1h
                timeout server 1h
            listen zookeeper
                bind {address}{(clients is null ? "" : $" ssl crt {clients.Both} ca-file {clients.Authority} verify required")}
                balance leastconn
            {string.Join('\n', addresses.Select((server, i) => $"    server zk{i} {server}{tls}"))}

            """);
        IReadOnlyList<string> command = [.. launcher ?? [], "haproxy", "-db", "-f", file];
        var haProxy = new HaProxy(ChildProcess.Start(Path.Combine(folder, "log"), command[0], command.Skip(1)), folder, address);
        for (var attempt = 0; ; attempt++)
        {
            using var probe = new TcpClient();
            try
            {
                await probe.ConnectAsync(address.Host, address.Port);
                return haProxy;
            }
            catch (SocketException) when (attempt < 100 && !haProxy._process.HasExited)
            {
                await Task.Delay(50);
            }
            catch (SocketException)
            {
                var log = haProxy._process.Output;
                await haProxy.DisposeAsync();
                throw new InvalidOperationException($"haproxy does not run: {log}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
