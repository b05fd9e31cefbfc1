using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using ZooNet.Client;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Experiments;

/// <summary>
/// What protection costs at home: ZooNet with everything off, with TLS alone and with everything on, HAProxy without and with TLS on both
/// sides. The load
/// generator speaks no TLS: a HAProxy of its own in front of each way makes it, or passes the bytes on as they are where there is none. It
/// is the same for all, and its CPU is not counted. Every round measures all ways, in an order that rotates.
/// </summary>
internal sealed class ProtectedExperiment(HomeOptions options, TextWriter log)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var folder = OwnedFolder.Create("certificates");
        try
        {
            var files = WriteCertificates(folder);
            var securePort = FreePorts.Take();
            await using var ensemble = await RealEnsemble.StartAsync("us", new RealEnsembleOptions
            {
                Config = [$"secureClientPort={securePort}"],
                Jvm =
                [
                    .. RunningFast.Jvm,
                    "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
                    $"-Dzookeeper.ssl.keyStore.location={files.Both}",
                    $"-Dzookeeper.ssl.trustStore.location={files.Authority}",
                    "-Dzookeeper.ssl.clientAuth=need",
                ],
            });
            ServerAddress[] secure = [new("localhost", securePort)];
            await using var haProxy = await HaProxy.StartAsync(ensemble.Addresses);
            await using var haProxyTls = await HaProxy.StartAsync(secure, clients: files, servers: files);
            await using var off = await ProxyProcess.StartAsync(ProxyCluster.Home(ensemble), []);
            await using var tls = await ProxyProcess.StartAsync(new ProxyCluster("us", secure, []), [], TlsAlone(files, secure[0]));
            await using var on = await ProxyProcess.StartAsync(new ProxyCluster("us", secure, []), [], Everything(files, secure[0]));
            await using var toHaProxy = await HaProxy.StartAsync([haProxy.Address]);
            await using var toOff = await HaProxy.StartAsync([off.Address]);
            await using var toHaProxyTls = await HaProxy.StartAsync([haProxyTls.Address], servers: files);
            await using var toTls = await HaProxy.StartAsync([tls.Address], servers: files);
            await using var toOn = await HaProxy.StartAsync([on.Address], servers: files);
            Way[] ways =
            [
                new("HAProxy", toHaProxy.Address, haProxy.ProcessId), new("ZooNet, everything off", toOff.Address, off.ProcessId),
                new("HAProxy, TLS", toHaProxyTls.Address, haProxyTls.ProcessId), new("ZooNet, everything on", toOn.Address, on.ProcessId),
                new("ZooNet, TLS alone", toTls.Address, tls.ProcessId),
            ];
            await MeasureAsync(ways, cancellationToken);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task MeasureAsync(Way[] ways, CancellationToken cancellationToken)
    {
        var machine = Machine.Describe();
        var rounds = new Rounds(options, log);
        await rounds.RunAsync(ways, cancellationToken);
        var table = new StringBuilder();
        table.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"{machine}; 1 voter, {options.Clients} clients, 1 KB, {options.Rounds} interleaved rounds of "
            + $"{options.Seconds:0.#} s. Median (smallest–largest).\n"));
        table.AppendLine("| load | way | requests per second | CPU µs per request | throughput ÷ everything off "
            + "| CPU ÷ everything off | throughput ÷ HAProxy | CPU ÷ HAProxy |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var load in rounds.Loads)
        {
            var (haProxy, off, haProxyTls) = (ways[0], ways[1], ways[2]);
            foreach (var way in ways)
            {
                table.Append($"| {load.Name} | {way.Name} | {rounds[load, way].Rate.ToString("#,0")} ");
                table.Append($"| {rounds[load, way].Cpu.ToString("0.0")} ");
                var isOn = Array.IndexOf(ways, way) > 2;
                table.Append(isOn ? Over(load, way, off) : "| | ");
                table.AppendLine((isOn ? Over(load, way, haProxyTls) : way == off ? Over(load, off, haProxy) : "| | ") + "|");
            }
        }

        string Over(Load load, Way one, Way other) => $"| {rounds[load, one].Rate.Over(rounds[load, other].Rate).ToString("0.00")} "
            + $"| {rounds[load, one].Cpu.Over(rounds[load, other].Cpu).ToString("0.00")} ";
        await log.WriteLineAsync($"\n{table}");
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "protected.md"), table.ToString(), cancellationToken);
    }

    /// <summary>All that looks at a request or a connection; what is for the admin endpoint alone costs requests nothing.</summary>
    private static JsonObject Everything(CertificateFiles files, ServerAddress home)
    {
        var all = TlsAlone(files, home);
        all["limits"] = new JsonObject { ["connections"] = 1000, ["connectionsPerAddress"] = 1000, ["watches"] = 10_000 };
        all["throttle"] = 1_000_000;
        all["rules"] = new JsonObject
        {
            ["everybody"] = new JsonObject { ["path"] = "/", ["allow"] = "read" },
            ["secrets"] = new JsonObject { ["path"] = "/secrets", ["allow"] = "none" },
            ["networks"] = new JsonObject
            {
                ["path"] = "/batch",
                ["allow"] = "write",
                ["clients"] = new JsonArray("10.0.0.0/8", "cn:batch"),
            },
            ["bench"] = new JsonObject { ["path"] = "/zoonet-bench", ["allow"] = "write", ["clients"] = new JsonArray("cn:localhost") },
        };
        return all;
    }

    private static JsonObject TlsAlone(CertificateFiles files, ServerAddress home) => new()
    {
        ["tls"] = new JsonObject
        {
            ["certificate"] = files.Certificate,
            ["key"] = files.Key,
            ["clients"] = "require",
            ["clientAuthority"] = files.Authority,
        },
        ["home"] = new JsonObject
        {
            ["cluster"] = "us",
            ["servers"] = new JsonArray(home.ToString()),
            ["tls"] = new JsonObject { ["authority"] = files.Authority, ["certificate"] = files.Certificate, ["key"] = files.Key },
        },
    };

    private static CertificateFiles WriteCertificates(string folder)
    {
        using var authority = Certificates.Issue("CN=authority", null);
        using var own = Certificates.Issue("CN=localhost", authority);
        var files = new CertificateFiles(Path.Combine(folder, "authority.pem"), Path.Combine(folder, "own.pem"),
            Path.Combine(folder, "own.key"), Path.Combine(folder, "both.pem"));
        var (certificate, key) = (own.ExportCertificatePem() + "\n", own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(files.Authority, authority.ExportCertificatePem());
        File.WriteAllText(files.Certificate, certificate);
        File.WriteAllText(files.Key, key);
        File.WriteAllText(files.Both, key + certificate);
        return files;
    }
}

/// <summary>PEM files of one certificate, which everybody shows.</summary>
/// <param name="Authority">Who has signed it.</param>
/// <param name="Certificate">The certificate.</param>
/// <param name="Key">Its key.</param>
/// <param name="Both">Key and certificate in one.</param>
internal sealed record CertificateFiles(string Authority, string Certificate, string Key, string Both);
