using System.Diagnostics;
using System.Text.RegularExpressions;
using ZooNet.Proxy.Tests;

namespace ZooNet.WebConsole.Tests;

/// <summary>What is shipped for Prometheus and Grafana, against a proxy and Prometheus' own tool.</summary>
public sealed partial class DashboardTests
{
    private static readonly string Config = Path.Combine(Root(), "config");

    [Fact]
    public async Task Every_metric_that_the_dashboard_and_the_alerts_ask_for_is_one_that_proxies_give()
    {
        await using var regions = await TwoRegions.StartAsync();
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync();
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        var scrape = await proxy.Http.GetStringAsync("/metrics");
        var given = Given().Matches(scrape).Select(m => m.Groups[1].Value)
            // Of what this proxy has not: barriers so far, an observer of its own, TLS.
            .Concat(["zoonet_barrier_latency_seconds", "zoonet_observer_lag_transactions",
                "zoonet_certificate_not_after_seconds"]).ToHashSet();

        var asked = new[] { "grafana/dashboards/zoonet.json", "prometheus/alerts.yml" }
            .SelectMany(file => Asked().Matches(File.ReadAllText(Path.Combine(Config, file)))).Select(m => m.Groups[1].Value).ToHashSet();

        Assert.True(asked.Count > 15, $"only {asked.Count} metrics were found");
        Assert.Empty(asked.Except(given));
    }

    [SkippableTheory]
    [InlineData("check", "alerts.yml")]
    [InlineData("test", "alerts.test.yml")]
    public async Task Prometheus_takes_the_alerts_and_each_fires_when_it_is_caused(string command, string file)
    {
        await PromtoolAsync([command, "rules", file]);
    }

    [SkippableFact]
    public async Task Prometheus_finds_nothing_to_complain_of_in_what_a_proxy_tells()
    {
        await using var regions = await TwoRegions.StartAsync();
        await (await regions.ConnectAsync(regions.Eu.Address)).CreateAsync("/apps");
        var proxy = await regions.StartProxyAsync();
        await proxy.MountAsync("eu:/apps", "/mnt/eu");
        await (await regions.ConnectAsync(proxy.Host.ClientEndPoints[0])).GetDataAsync("/mnt/eu");

        await PromtoolAsync(["check", "metrics"], await proxy.Http.GetStringAsync("/metrics"));
    }

    private static async Task PromtoolAsync(string[] arguments, string input = "")
    {
        Skip.IfNot(File.Exists("/usr/bin/promtool"), "needs promtool (Debian: apt install prometheus)");
        using var tool = Process.Start(new ProcessStartInfo("/usr/bin/promtool", arguments)
        {
            WorkingDirectory = Path.Combine(Config, "prometheus"),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = tool.StandardOutput.ReadToEndAsync();
        var errors = tool.StandardError.ReadToEndAsync();
        await tool.StandardInput.WriteAsync(input);
        tool.StandardInput.Close();
        await tool.WaitForExitAsync();

        Assert.True(tool.ExitCode == 0, await output + await errors);
    }

    internal static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "ZooNet.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }
        return folder;
    }

    [GeneratedRegex(@"^# TYPE (\S+)", RegexOptions.Multiline)]
    private static partial Regex Given();

    [GeneratedRegex(@"\b((?:zoonet_[a-z_]+?|global_sessions|num_alive_connections|outstanding_requests|process_[a-z_]+))(?:_bucket)?(?=[\[{) ])")]
    private static partial Regex Asked();
}
