using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using ZooNet.Bench;
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
    private sealed record Way(string Name, HaProxy Entry, int ProcessId);

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
                new("HAProxy", toHaProxy, haProxy.ProcessId), new("ZooNet, everything off", toOff, off.ProcessId),
                new("HAProxy, TLS", toHaProxyTls, haProxyTls.ProcessId), new("ZooNet, everything on", toOn, on.ProcessId),
                new("ZooNet, TLS alone", toTls, tls.ProcessId),
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
        var cells = (from window in options.Windows from read in options.Reads select (Window: window, Read: read)).ToArray();
        var rates = cells.ToDictionary(c => c, _ => ways.ToDictionary(w => w, _ => new Sample()));
        var cpu = cells.ToDictionary(c => c, _ => ways.ToDictionary(w => w, _ => new Sample()));
        // One round that is not counted lets all reach their steady state.
        for (var round = -1; round < options.Rounds; round++)
        {
            foreach (var cell in cells)
            {
                for (var i = 0; i < ways.Length; i++)
                {
                    var way = ways[(i + round + ways.Length) % ways.Length];
                    var report = (await BenchRun.RunAsync([new BenchOptions
                    {
                        Label = way.Name,
                        Servers = [way.Entry.Address],
                        Clients = options.Clients,
                        Window = cell.Window,
                        ReadShare = cell.Read / 100.0,
                        Warmup = TimeSpan.FromSeconds(Math.Min(1, options.Seconds / 3)),
                        Duration = TimeSpan.FromSeconds(options.Seconds),
                        CpuOf = [way.ProcessId],
                    }], null, cancellationToken))[0];
                    await log.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                        $"round {round + 1}/{options.Rounds}: {NameOf(cell)}: {way.Name}: {report.PerSecond:0}/s, "
                        + $"{report.Cpu[0].MicrosecondsPerRequest:0.0} µs CPU per request{(report.HasErrors ? ", ERRORS" : "")}"));
                    if (round >= 0)
                    {
                        rates[cell][way].Add(report.PerSecond);
                        cpu[cell][way].Add(report.Cpu[0].MicrosecondsPerRequest);
                    }
                }
            }
        }
        var table = new StringBuilder();
        table.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"{machine}; 1 voter, {options.Clients} clients, 1 KB, {options.Rounds} interleaved rounds of "
            + $"{options.Seconds:0.#} s. Median (smallest–largest).\n"));
        table.AppendLine("| load | way | requests per second | CPU µs per request | throughput ÷ everything off "
            + "| CPU ÷ everything off | throughput ÷ HAProxy | CPU ÷ HAProxy |");
        table.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var cell in cells)
        {
            var (haProxy, off, haProxyTls) = (ways[0], ways[1], ways[2]);
            foreach (var way in ways)
            {
                table.Append($"| {NameOf(cell)} | {way.Name} | {rates[cell][way].ToString("#,0")} ");
                table.Append($"| {cpu[cell][way].ToString("0.0")} ");
                var isOn = Array.IndexOf(ways, way) > 2;
                table.Append(isOn ? $"| {Over(rates, way, off)} | {Over(cpu, way, off)} " : "| | ");
                table.AppendLine(isOn ? $"| {Over(rates, way, haProxyTls)} | {Over(cpu, way, haProxyTls)} |"
                    : way == off ? $"| {Over(rates, off, haProxy)} | {Over(cpu, off, haProxy)} |" : "| | |");
            }

            string Over(Dictionary<(int Window, int Read), Dictionary<Way, Sample>> samples, Way one, Way other) =>
                samples[cell][one].Over(samples[cell][other]).ToString("0.00");
        }
        await log.WriteLineAsync($"\n{table}");
        options.Out.Create();
        await File.WriteAllTextAsync(Path.Combine(options.Out.FullName, "protected.md"), table.ToString(), cancellationToken);
    }

    private static string NameOf((int Window, int Read) cell) =>
        $"{(cell.Read == 100 ? "reads" : cell.Read == 0 ? "updates" : $"{cell.Read}% reads")}, window {cell.Window}";

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
