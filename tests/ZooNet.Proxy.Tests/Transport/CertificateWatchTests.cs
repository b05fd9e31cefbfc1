using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Transport;

namespace ZooNet.Proxy.Tests.Transport;

/// <summary>Certificates end while a proxy runs, and its log says so before and after.</summary>
public sealed class CertificateWatchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-certificates-").FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly Lines _log = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_is_shown_to_clients_and_to_clusters_is_warned_of_before_its_end_and_an_error_after_it_once_a_day()
    {
        var (client, key) = Write("clients", 30);
        var (eu, euKey) = Write("eu", 20);
        var config = new ProxyConfig
        {
            Region = "us",
            Listen = [],
            Home = new ClusterConfig("us", 0, [], [new HostPort("127.0.0.1", 1)]),
            Remotes =
            [
                new ClusterConfig("eu", 1, [], [new HostPort("127.0.0.1", 2)])
                {
                    Tls = new UpstreamTls(new UpstreamTlsConfig(eu, eu, euKey, null, true), _time),
                },
            ],
            Tls = new TlsConfig(client, key),
        };
        var watch = new CertificateWatch(config, _time, _log);

        Pass(5);
        Assert.Empty(_log.All);
        Pass(3);
        Assert.All(_log.All, l => Assert.Matches("Warning: the certificate in .*eu.pem \\(for eu\\) ends at", l));
        Assert.InRange(_log.All.Count, 2, 3);
        Pass(13);
        Assert.Contains(_log.All, l => l.StartsWith("Error", StringComparison.Ordinal) && l.Contains("(for eu) ended at"));
        Assert.Contains(_log.All, l => l.StartsWith("Warning", StringComparison.Ordinal) && l.Contains("(for clients) ends at"));
        Assert.InRange(_log.All.Count, 16, 24);

        // It is replaced in time.
        Write("clients", 400);
        var before = _log.All.Count(l => l.Contains("(for clients)"));
        Pass(20);
        Assert.Equal(before, _log.All.Count(l => l.Contains("(for clients)")));

        void Pass(int days)
        {
            for (var quarter = 0; quarter < days * 4; quarter++)
            {
                _time.Advance(TimeSpan.FromHours(6));
                watch.Look();
            }
        }
    }

    private (string Certificate, string Key) Write(string name, int days)
    {
        using var certificate = TestCertificates.Issue($"CN={name}", null, days: days);
        var (file, key) = (Path.Combine(_folder, $"{name}.pem"), Path.Combine(_folder, $"{name}.key"));
        TestCertificates.Write(certificate, file, key);
        return (file, key);
    }

    private sealed class Lines : ILogger<CertificateWatch>
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Add($"{logLevel}: {formatter(state, exception)}");
    }
}
