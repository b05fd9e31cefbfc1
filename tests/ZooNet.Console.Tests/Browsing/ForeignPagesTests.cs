using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Tests;

namespace ZooNet.WebConsole.Tests.Browsing;

/// <summary>
/// Pages that are none of the proxy's, open in the browser of an operator on its host, who needs no token there: what they ask of the admin
/// endpoint and of the console on it.
/// </summary>
[Collection(ThreeRegionsCollection.Name)]
public sealed class ForeignPagesTests(ThreeRegions regions) : IAsyncLifetime
{
    private const string Mount = """{"source":"eu:/apps","path":"/pwned","options":"create"}""";

    private TwoRegions _clusters = null!;
    private ProxyHost _host = null!;
    private RunningProxy _proxy = null!;
    private WebApplication _evil = null!;

    public async Task InitializeAsync()
    {
        _clusters = await TwoRegions.StartAsync();
        await (await _clusters.ConnectAsync(_clusters.Eu.Address)).CreateAsync("/apps");
        _host = ConsoleInProxy.Host(_clusters.Config() with { Console = [] }, logging => logging.SetMinimumLevel(LogLevel.None));
        await _host.StartAsync();
        _proxy = new RunningProxy(_host);
        await TwoRegions.Eventually(async () => (await _proxy.Http.GetAsync("/ready")).IsSuccessStatusCode && _proxy.IsUp(1));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o => o.Listen(IPAddress.Loopback, 0));
        _evil = builder.Build();
        _evil.MapGet("/", () => Results.Content($"""
            <form method=post action="{Admin("127.0.0.1")}/console/mounts">
            <input name=region value=us><input name=source value=eu:/apps><input name=path value=/pwned>
            <button name=action value=mount>Win</button></form>
            """, "text/html"));
        await _evil.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _evil.DisposeAsync();
        await _host.DisposeAsync();
        await _clusters.DisposeAsync();
    }

    [SkippableFact]
    public async Task A_page_whose_name_was_turned_to_the_loopback_reads_and_changes_nothing()
    {
        Skip.IfNot(Browser.IsThere, "there is no chromium");
        var page = await regions.Browser.NewPageAsync();
        var opened = await page.GotoAsync($"{Admin("rebound.example")}/console/");
        Assert.Equal(403, opened!.Status);

        // To the browser all of this is the page's own site: nothing but the proxy itself stands in its way.
        var statuses = await page.EvaluateAsync<int[]>("""
            async mount => {
                const asked = [
                    ['GET', '/api/v1/mounts'], ['GET', '/api/v1/status'], ['GET', '/console/namespace?region=us&path=/'],
                    ['POST', '/api/v1/mounts', mount, 'application/json'], ['POST', '/api/v1/mounts', mount, 'text/plain'],
                    ['DELETE', '/api/v1/mounts/mnt'],
                    ['POST', '/console/mounts', 'region=us&source=eu:/apps&path=/pwned&action=mount', 'application/x-www-form-urlencoded'],
                ];
                const statuses = [];
                for (const [method, path, body, type] of asked) {
                    statuses.push((await fetch(path, { method, body, headers: type ? { 'Content-Type': type } : {} })).status);
                }
                return statuses;
            }
            """, Mount);

        Assert.Equal(7, statuses.Length);
        Assert.All(statuses, status => Assert.Equal(403, status));
        Assert.Empty(await _proxy.MountsAsync());
        // The same page under a name of the endpoint's own is served: it was the name that was refused.
        Assert.Equal(200, (await page.GotoAsync($"{Admin("localhost")}/console/"))!.Status);
        await page.Context.CloseAsync();
    }

    [SkippableFact]
    public async Task A_page_of_another_site_changes_nothing_and_is_told_nothing()
    {
        Skip.IfNot(Browser.IsThere, "there is no chromium");
        var page = await regions.Browser.NewPageAsync();
        await page.GotoAsync($"http://evil.example:{new Uri(_evil.Urls.First()).Port}/");

        // A request that a page may send without asking first, with what the endpoint reads as JSON.
        var sent = await page.RunAndWaitForResponseAsync(() => page.EvaluateAsync(
            "([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', body }).then(r => r.type)",
            new[] { $"{Admin("127.0.0.1")}/api/v1/mounts", Mount }), r => r.Url.EndsWith("/api/v1/mounts", StringComparison.Ordinal));
        Assert.Equal(403, sent.Status);
        Assert.Equal("refused", await page.EvaluateAsync<string>(
            "url => fetch(url).then(r => 'read ' + r.status, () => 'refused')", $"{Admin("127.0.0.1")}/api/v1/mounts"));
        var form = await page.RunAndWaitForResponseAsync(() => page.GetByText("Win").ClickAsync(),
            r => r.Url.EndsWith("/console/mounts", StringComparison.Ordinal));
        Assert.Equal(403, form.Status);

        Assert.Empty(await _proxy.MountsAsync());
        await page.Context.CloseAsync();
    }

    private string Admin(string host) => $"http://{host}:{_proxy.Host.AdminEndPoint.Port}";
}
