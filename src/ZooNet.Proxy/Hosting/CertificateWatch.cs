using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Hosting;

/// <summary>
/// Looks at the ends of all certificates that the proxy shows, to clients, at the admin endpoint and to servers, for as long as it runs:
/// one that ends within two weeks is a warning, one that has ended an error, once a day each.
/// </summary>
/// <param name="config">Where they are.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where it is told.</param>
internal sealed class CertificateWatch(ProxyConfig config, TimeProvider time, ILogger<CertificateWatch> logger)
    : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan Warning = TimeSpan.FromDays(14);
    private static readonly TimeSpan TellAgain = TimeSpan.FromDays(1);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, (DateTime End, DateTimeOffset At)> _told = new(StringComparer.Ordinal);
    private Loop? _loop;

    /// <summary>The certificates that are configured: what each is for, its file, and when it ends.</summary>
    public static IEnumerable<(string Use, string File, Func<DateTime?> End)> Of(ProxyConfig config)
    {
        foreach (var (use, tls) in new[] { ("clients", config.Tls), ("admin", config.AdminTls) })
        {
            if (tls is not null)
            {
                yield return (use, tls.Certificate, () => ServerCertificates.EndOf(tls));
            }
        }
        foreach (var cluster in config.Clusters)
        {
            foreach (var (use, tls) in new[] { (cluster.Name, cluster.Tls), ($"{cluster.Name}.observer", cluster.Observer.Tls) })
            {
                if (tls?.Config.Certificate is { } file)
                {
                    yield return (use, file, () => tls.End);
                }
            }
        }
    }

    /// <summary>When a certificate ends; null while its files are being replaced.</summary>
    public static DateTime? Read(Func<DateTime?> end)
    {
        try
        {
            return end();
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (Of(config).Any())
        {
            _loop = new Loop(LookAsync, logger.CertificatesNotLookedAt, LookAgain, LookAgain, time);
            _loop.Start();
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _loop?.DisposeAsync() ?? default;

    private Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        Look();
        return Task.FromResult(LookAgain);
    }

    /// <summary>Looks once, and tells what is news.</summary>
    internal void Look()
    {
        var now = time.GetUtcNow();
        foreach (var (use, file, end) in Of(config))
        {
            if (Read(end) is { } ends && ends < now.UtcDateTime + Warning && IsNews(use, ends, now))
            {
                if (ends <= now.UtcDateTime)
                {
                    logger.CertificateExpired(file, use, ends);
                }
                else
                {
                    logger.CertificateExpires(file, use, ends);
                }
            }
        }
        foreach (var cluster in config.Clusters)
        {
            foreach (var tls in new[] { cluster.Tls, cluster.Observer.Tls })
            {
                if (tls?.Problem is { } problem && IsNews($"{cluster.Name} {problem}", default, now))
                {
                    logger.CertificatesOfClusterNotLoaded(cluster.Name, problem);
                }
            }
        }
    }

    private bool IsNews(string what, DateTime end, DateTimeOffset now)
    {
        if (_told.TryGetValue(what, out var told) && told.End == end && now - told.At < TellAgain && end > told.At == end > now)
        {
            return false;
        }
        _told[what] = (end, now);
        return true;
    }
}
