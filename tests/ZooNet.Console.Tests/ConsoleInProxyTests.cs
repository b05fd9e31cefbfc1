using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Tests;

namespace ZooNet.WebConsole.Tests;

/// <summary>A console on a proxy's own admin endpoint.</summary>
public sealed class ConsoleInProxyTests : IAsyncLifetime
{
    private const string Admin = "0123456789abcdef-admin";
    private const string View = "0123456789abcdef-view";

    private TwoRegions _regions = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task A_proxy_shows_itself_and_those_that_are_listed_and_mounts()
    {
        var eu = await _regions.StartProxyAsync(c => TwoRegions.InEu(c) with { ProxyId = "eu-1" });
        await using var proxy = await StartAsync(c => c with
        {
            ProxyId = "us-1",
            Console = [new HostPort("127.0.0.1", eu.Host.AdminEndPoint.Port)],
        });
        using var http = new HttpClient { BaseAddress = new Uri($"http://{proxy.AdminEndPoint}") };

        var page = await http.GetStringAsync("/console");
        Assert.Contains("us-1", page);
        Assert.Contains("eu-1", page);
        Assert.Contains("href=\"/console/mounts\"", page);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/console/console.js")).StatusCode);
        Assert.Contains("frame-ancestors 'none'",
            Assert.Single((await http.GetAsync("/console/namespace?region=us&path=/")).Headers.GetValues("Content-Security-Policy")));
        var mounted = await PostAsync(http, "/console/mounts",
            new() { ["region"] = "us", ["source"] = "eu:/apps", ["path"] = "/mnt/eu", ["action"] = "mount" });
        Assert.Contains("eu:/apps is mounted on /mnt/eu", mounted);
        // What tools ask is where it was.
        Assert.Contains("/mnt/eu", await http.GetStringAsync("/api/v1/mounts"));
    }

    [Fact]
    public async Task A_visitor_with_a_token_to_look_gets_no_buttons_and_changes_nothing()
    {
        await using var proxy = await StartAsync(c => c with { Console = [], AdminTokens = [Admin], ViewTokens = [View] });
        using var http = new HttpClient { BaseAddress = new Uri($"http://{proxy.AdminEndPoint}") };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", View);

        Assert.DoesNotContain("<button", await http.GetStringAsync("/console/mounts"));
        Assert.DoesNotContain("value=\"set\"", await http.GetStringAsync("/console/namespace?region=us&path=/"));
        var refused = await http.PostAsync("/console/namespace", new FormUrlEncodedContent(
            new Dictionary<string, string> { ["region"] = "us", ["path"] = "/", ["child"] = "x", ["action"] = "create" }));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.False((await (await _regions.ConnectAsync(_regions.Us.Address)).ExistsAsync("/x")).Exists);

        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Admin);
        Assert.Contains("<button", await http.GetStringAsync("/console/mounts"));
    }

    [Fact]
    public async Task A_proxy_that_was_not_asked_for_a_console_has_none()
    {
        await using var proxy = await StartAsync(c => c);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{proxy.AdminEndPoint}") };

        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/console/")).StatusCode);
    }

    [Theory]
    [InlineData("true", 0)]
    [InlineData("us-2:9181,eu-1", 2)]
    [InlineData("false", null)]
    [InlineData(null, null)]
    public void The_key_console_is_true_or_the_admin_endpoints_of_others(string? value, int? others)
    {
        var read = Load(value is null ? [] : [("console", value)]);

        Assert.Empty(read.Errors);
        Assert.Equal(others, read.Config!.Console?.Count);
        Assert.True(others != 2 || read.Config.Console![1] == new HostPort("eu-1", 9181));
    }

    [Fact]
    public void A_console_that_could_not_ask_its_own_proxy_is_refused()
    {
        var read = Load([("console", "true"), ("adminTls:certificate", "cert.pem"), ("adminTls:key", "key.pem")]);

        Assert.Contains(read.Errors, e => e.ToString().Contains("can't be together with 'adminTls'"));
    }

    private static ConfigResult Load(IEnumerable<(string Key, string Value)> more)
    {
        var flags = new Dictionary<string, string>
        {
            ["region"] = "us",
            ["listen"] = "127.0.0.1:2281",
            ["home:cluster"] = "us",
            ["home:servers"] = "127.0.0.1:2181",
        };
        foreach (var (key, value) in more)
        {
            flags[key] = value;
        }
        return ProxyConfigLoader.Load(null, flags);
    }

    private static async Task<string> PostAsync(HttpClient http, string path, Dictionary<string, string> form)
    {
        using var response = await http.PostAsync(path, new FormUrlEncodedContent(form));
        return WebUtility.HtmlDecode(await response.Content.ReadAsStringAsync());
    }

    private async Task<ProxyHost> StartAsync(Func<ProxyConfig, ProxyConfig> change)
    {
        var proxy = ConsoleInProxy.Host(change(_regions.Config()), logging => logging.SetMinimumLevel(LogLevel.None));
        await proxy.StartAsync();
        var running = new RunningProxy(proxy);
        await TwoRegions.Eventually(async () => (await running.Http.GetAsync("/ready")).IsSuccessStatusCode && running.IsUp(1));
        return proxy;
    }
}
