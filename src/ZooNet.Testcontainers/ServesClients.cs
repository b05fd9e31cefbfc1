using System.Net.Sockets;
using System.Text;
using DotNet.Testcontainers.Configurations;
using DotNet.Testcontainers.Containers;

namespace ZooNet.Testcontainers;

/// <summary>
/// Waits until the client port answers <c>srvr</c> with a mode. A server that has no leader answers too, and says that it serves nobody.
/// </summary>
internal sealed class ServesClients : IWaitUntil
{
    private const int LongestAnswer = 16 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<bool> UntilAsync(IContainer container)
    {
        using var timeout = new CancellationTokenSource(Patience);
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(container.Hostname, container.GetMappedPublicPort(ZooKeeperBuilder.ClientPort), timeout.Token)
                .ConfigureAwait(false);
            var stream = client.GetStream();
            await stream.WriteAsync("srvr"u8.ToArray(), timeout.Token).ConfigureAwait(false);
            var answer = new byte[LongestAnswer];
            var length = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, timeout.Token)
                .ConfigureAwait(false);
            return Encoding.UTF8.GetString(answer, 0, length).Contains("Mode:", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return false; // Not yet: it is starting.
        }
    }
}
