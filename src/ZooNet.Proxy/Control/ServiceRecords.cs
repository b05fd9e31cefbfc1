using System.Net;
using DnsClient;
using DnsClient.Protocol;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Control;

/// <summary>
/// Finds the servers of clusters that are configured with <c>srv</c>: DNS service records (RFC 2782), asked for again when their time to
/// live
/// is over. An answer that can't be had leaves the last one in force. Thread-safe.
/// </summary>
public sealed class ServiceRecords(ProxyConfig config, ClusterControls clusters, TimeProvider time, ILogger<ServiceRecords> logger)
    : IHostedService, IAsyncDisposable
{
    /// <summary>How often a name is asked for at most, whatever its time to live.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    /// <summary>How seldom, at least.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private const int MaxServers = 255;

    private readonly List<Loop> _loops = [];

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var named = clusters.All.Where(c => c.Cluster.Srv is not null).ToList();
        if (named.Count == 0)
        {
            return;
        }
        var client = new LookupClient(await OptionsAsync(cancellationToken));
        foreach (var control in named)
        {
            var loop = new Loop(token => AskAsync(client, control, token),
                e => logger.ServiceNotFound(control.Cluster.Srv!, control.Cluster.Name, e.Message), Shortest, TimeSpan.FromSeconds(30),
                    time);
            loop.Start();
            _loops.Add(loop);
        }
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var loop in _loops)
        {
            await loop.DisposeAsync();
        }
        _loops.Clear();
    }

    /// <summary>
    /// The servers in an answer: the lowest priority first, and among equals the greatest weight. A lone "." says that there are none.
    /// </summary>
    internal static IReadOnlyList<HostPort> Servers(IEnumerable<SrvRecord> records) =>
    [
        .. records.Where(r => r.Target.Value.Length > 1 && r.Port > 0)
            .OrderBy(r => r.Priority).ThenByDescending(r => r.Weight).ThenBy(r => r.Target.Value, StringComparer.Ordinal)
            .ThenBy(r => r.Port)
            .Select(r => new HostPort(r.Target.Value.TrimEnd('.').ToLowerInvariant(), r.Port)).Distinct().Take(MaxServers),
    ];

    private async Task<LookupClientOptions> OptionsAsync(CancellationToken cancellationToken)
    {
        var options = config.Dns is not { } server ? new LookupClientOptions()
            : new LookupClientOptions([.. (await Dns.GetHostAddressesAsync(server.Host, cancellationToken)).Select(a =>
                new IPEndPoint(a, server.Port))]);
        // The loop asks when it is time to; an answer that is kept beside it would only be older.
        options.UseCache = false;
        options.ThrowDnsErrors = true;
        options.Timeout = config.ConnectTimeout;
        return options;
    }

    private static async Task<TimeSpan> AskAsync(LookupClient client, ClusterControl control, CancellationToken cancellationToken)
    {
        var name = control.Cluster.Srv!;
        var records = (await client.QueryAsync(name, QueryType.SRV, cancellationToken: cancellationToken)).Answers.SrvRecords().ToList();
        var servers = Servers(records);
        if (servers.Count == 0)
        {
            throw new InvalidDataException("there is no such service record");
        }
        control.Addresses.Learn(servers, $"SRV {name}");
        var life = TimeSpan.FromSeconds(records.Min(r => r.InitialTimeToLive));
        return life < Shortest ? Shortest : life > Longest ? Longest : life;
    }
}
