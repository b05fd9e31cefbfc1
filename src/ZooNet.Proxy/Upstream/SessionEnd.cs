using ZooNet.Client;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Upstream;

/// <summary>How the session of a client ends that no proxy has served for too long.</summary>
internal static class SessionEnd
{
    /// <summary>
    /// For how long home must have been up, and no proxy have served a client, before its session counts as over: home ends it after its
    /// timeout, by a clock that runs on its leader.
    /// </summary>
    /// <param name="timeoutMs">The session's timeout in milliseconds.</param>
    public static TimeSpan Grace(int timeoutMs) => TimeSpan.FromMilliseconds(2L * timeoutMs) + TimeSpan.FromSeconds(10);

    /// <summary>Ends a session at home if it is not over yet. Returns when home refuses it, and so it certainly is.</summary>
    /// <exception cref="OperationCanceledException">Home did not say so in time.</exception>
    public static async Task EnsureAsync(ProxyConfig config, ClusterServers home, HomeSession session, TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(config.SessionTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        while (true)
        {
            var client = new ZooKeeperClient(new ZooKeeperClientOptions
            {
                Servers = LiveAddresses.Of(home),
                SessionId = session.Id,
                SessionPassword = session.Password,
                SessionTimeout = TimeSpan.FromMilliseconds(session.TimeoutMs),
                AttemptTimeout = config.ConnectTimeout,
                Tls = config.Home.Tls is { } tls ? tls.OptionsFor : null,
                TimeProvider = time,
            });
            try
            {
                await client.WaitConnectedAsync(limit.Token);
                await client.CloseAsync();
            }
            catch (KeeperException e) when (e.Code == ErrorCode.SessionExpired)
            {
                return;
            }
            finally
            {
                await client.DetachAsync();
            }
        }
    }
}
