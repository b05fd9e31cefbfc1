using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using Xunit.Abstractions;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Tests;

namespace ZooNet.WebConsole.Tests.Browsing;

/// <summary>
/// A console over a hundred regions with ten mounts each, whose proxies are only answers, and a browser that looks. With ZOONET_LONG it
/// looks for that many seconds.
/// </summary>
public sealed class LargeFederationTests(ITestOutputHelper output)
{
    private const int Regions = 100;
    private const int MountsEach = 10;
    private const long MostMemory = 300L * 1024 * 1024;

    private static readonly TimeSpan Long =
        TimeSpan.FromSeconds(int.TryParse(Environment.GetEnvironmentVariable("ZOONET_LONG"), out var seconds) ? seconds : 0);

    private static readonly LocatorAssertionsToHaveCountOptions Patient = new() { Timeout = 120_000 };
    private static readonly LocatorAssertionsToBeVisibleOptions Visible = new() { Timeout = Patient.Timeout };

    private int _broken = -1;

    [SkippableFact]
    public async Task A_hundred_regions_with_a_thousand_mounts_are_seen_and_followed_for_as_long_as_somebody_looks()
    {
        Skip.IfNot(Browser.IsThere, "needs chromium (Debian: apt install chromium)");
        var (app, urls) = await StartProxiesAsync();
        await using var proxies = app;
        await using var browser = await Browser.StartAsync();
        // How long it takes is told and not judged: what else the machine does is not known here.
        for (var i = 0; i < (Long > TimeSpan.Zero ? 5 : 1); i++)
        {
            // A new console has asked nobody yet, and a new visitor has nothing of the page.
            await using var other = await StartConsoleAsync(urls);
            var visitor = await browser.NewPageAsync();
            var asked = Stopwatch.GetTimestamp();
            await visitor.GotoAsync($"http://{other.EndPoint}/");
            await Assertions.Expect(visitor.Locator("g.node")).ToHaveCountAsync(Regions, Patient);
            output.WriteLine($"first picture after {Stopwatch.GetElapsedTime(asked).TotalSeconds:0.00} s");
            await visitor.Context.CloseAsync();
        }

        await using var console = await StartConsoleAsync(urls);
        var page = await browser.NewPageAsync();
        await page.GotoAsync($"http://{console.EndPoint}/mounts");
        await Assertions.Expect(page.Locator("tr", new() { HasText = "/mnt/r1" }).First).ToBeVisibleAsync(Visible);
        var began = Stopwatch.GetTimestamp();
        await using (var alone = new PlainBrowser(new Uri($"http://{console.EndPoint}/")))
        {
            await TwoRegions.Eventually(() => Task.FromResult(alone.MemoryOfTab() > 0));
            for (var told = TimeSpan.Zero; Stopwatch.GetElapsedTime(began) is var looked && looked < Long; await Task.Delay(1000))
            {
                if (looked >= told)
                {
                    output.WriteLine($"after {looked.TotalMinutes:0} min: a tab has {alone.MemoryOfTab() / 1048576.0:0} MiB");
                    told += TimeSpan.FromMinutes(5);
                }
            }
            var held = alone.MemoryOfTab();
            output.WriteLine($"at the end: a tab has {held / 1048576.0:0} MiB");
            Assert.InRange(held, 1, MostMemory);
        }

        // However long it was: what happens is seen.
        await page.GotoAsync($"http://{console.EndPoint}/");
        _broken = 42;
        await Assertions.Expect(page.GetByText("r42 can't reach r43 since").First).ToBeVisibleAsync(Visible);
        _broken = -1;
        await Assertions.Expect(page.GetByText("r42 can't reach r43 since")).ToHaveCountAsync(0, Patient);
        await Assertions.Expect(page.Locator("#stale")).ToHaveTextAsync("", new() { Timeout = Patient.Timeout });
    }

    private static async Task<ConsoleHost> StartConsoleAsync(IReadOnlyList<Uri> proxies)
    {
        var console = new ConsoleHost(new ConsoleOptions { Proxies = proxies, Listen = new IPEndPoint(IPAddress.Loopback, 0) });
        await console.StartAsync();
        return console;
    }

    /// <summary>One server at a hundred ports, each of which answers as the proxy of a region.</summary>
    private async Task<(WebApplication App, IReadOnlyList<Uri> Urls)> StartProxiesAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var endpoints = new List<ListenOptions>();
        builder.WebHost.ConfigureKestrel(k =>
        {
            for (var i = 0; i < Regions; i++)
            {
                k.Listen(IPAddress.Loopback, 0, endpoints.Add);
            }
        });
        var app = builder.Build();
        Dictionary<int, int> regionOf = [];
        app.Run(context => context.Response.WriteAsJsonAsync(StatusOf(regionOf[context.Connection.LocalPort]),
            JsonSerializerOptions.Web));
        await app.StartAsync();
        foreach (var (endpoint, region) in endpoints.Select((e, i) => (e, i)))
        {
            regionOf[endpoint.IPEndPoint!.Port] = region;
        }
        return (app, [.. endpoints.Select(e => new Uri($"http://{e.IPEndPoint}"))]);
    }

    /// <summary>Region i mounts its ten next ones; what it counts rises with time.</summary>
    private StatusReply StatusOf(int region)
    {
        var remotes = Enumerable.Range(1, MountsEach).Select(i => $"r{(region + i) % Regions}").ToArray();
        var reads = Environment.TickCount64 / 10;
        return Samples.Status($"r{region}", remotes, [.. remotes.Select(r => Samples.Mount($"/mnt/{r}", r, reads))],
            down: region == _broken ? [remotes[0]] : null);
    }
}
