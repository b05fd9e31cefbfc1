using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Tests;

namespace ZooNet.WebConsole.Tests;

/// <summary>A console over proxies of two regions, through its front door.</summary>
public sealed class ConsoleTests : IAsyncLifetime
{
    private const string Chromium = "/usr/bin/chromium";

    private TwoRegions _regions = null!;
    private RunningProxy _us = null!;
    private RunningProxy _eu = null!;
    private ConsoleHost _console = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
        _us = await _regions.StartProxyAsync(c => c with { ProxyId = "us-1" });
        _eu = await _regions.StartProxyAsync(c => TwoRegions.InEu(c) with { ProxyId = "eu-1" });
        (_console, _http) = await StartAsync(new ConsoleOptions { Proxies = [_us.Http.BaseAddress!, _eu.Http.BaseAddress!] });
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _console.DisposeAsync();
        await _regions.DisposeAsync();
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/mounts")]
    [InlineData("/path?region=us&path=/mnt/eu")]
    [InlineData("/sessions")]
    [InlineData("/namespace?region=us&path=/")]
    public async Task Every_page_answers_and_allows_nothing_from_elsewhere(string path)
    {
        using var response = await _http.GetAsync(path);
        var html = await response.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains("default-src 'none'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")));
        Assert.DoesNotContain("class=\"notice bad\"", html);
        Assert.DoesNotContain("//", html.Replace("<!--", "").Replace("http://www.w3.org", ""));
    }

    [Fact]
    public async Task Mounting_asks_first_and_then_mounts_and_unmounts()
    {
        var asked = new Dictionary<string, string> { ["region"] = "us", ["source"] = "eu:/apps", ["path"] = "/mnt/eu", ["options"] = "" };

        var preview = await PostAsync("/mounts", new(asked) { ["action"] = "preview-mount" });
        Assert.Contains("eu:/apps can be mounted on /mnt/eu", preview);
        Assert.Empty(await _us.MountsAsync());

        Assert.Contains("eu:/apps is mounted on /mnt/eu", await PostAsync("/mounts", new(asked) { ["action"] = "mount" }));
        Assert.Equal("active", Assert.Single(await _us.MountsAsync()).State);

        Assert.Contains("/mnt/eu can be unmounted", await PostAsync("/mounts", new(asked) { ["action"] = "preview-unmount" }));
        Assert.Contains("/mnt/eu is unmounted", await PostAsync("/mounts", new(asked) { ["action"] = "unmount" }));
        Assert.Empty(await _us.MountsAsync());
    }

    [Fact]
    public async Task Another_site_changes_nothing()
    {
        foreach (var (header, value) in new[] { ("Sec-Fetch-Site", "cross-site"), ("Origin", "http://elsewhere.example") })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post,
                "/regions/us/api/v1/mounts")
            { Content = JsonContent.Create(new MountBody("eu:/apps", "/mnt/eu", null)) };
            request.Headers.Add(header, value);
            Assert.Equal(HttpStatusCode.Forbidden, (await _http.SendAsync(request)).StatusCode);
        }
        Assert.Empty(await _us.MountsAsync());
    }

    [Fact]
    public async Task Tools_reach_every_region_and_every_proxy_through_the_console()
    {
        Assert.Equal("eu", (await _http.GetFromJsonAsync<StatusReply>("/regions/eu/api/v1/status"))!.Region);
        Assert.Equal("us-1", (await _http.GetFromJsonAsync<StatusReply>("/proxies/us-1/api/v1/status"))!.ProxyId);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync("/regions/nowhere/api/v1/status")).StatusCode);
    }

    [Fact]
    public async Task A_region_that_does_not_answer_is_shown_so_and_the_others_are_as_before()
    {
        await _eu.Host.StopAsync();

        await TwoRegions.Eventually(async () => (await _http.GetStringAsync("/")).Contains("eu-1 does not answer"));
        Assert.Contains("ready", await _http.GetStringAsync("/"));
        Assert.Contains("no proxy of eu answers", await _http.GetStringAsync("/namespace?region=eu&path=/"));
    }

    [Fact]
    public async Task Znodes_are_read_and_written_with_the_visitors_own_credentials()
    {
        var owner = await _regions.ConnectAsync(_regions.Us.Address, "alice:secret");
        await owner.CreateAsync("/hers", "old"u8.ToArray(), acl: [new Acl(31, "auth", "")]);

        Assert.Contains("NoAuth", await _http.GetStringAsync("/namespace?region=us&path=/hers"));
        await PostAsync("/namespace", new()
        {
            ["region"] = "us",
            ["path"] = "/hers",
            ["action"] = "login",
            ["user"] = "alice",
            ["password"] = "secret"
        });
        Assert.Contains(">old</textarea>", await _http.GetStringAsync("/namespace?region=us&path=/hers"));
        var written = await PostAsync("/namespace",
            new() { ["region"] = "us", ["path"] = "/hers", ["action"] = "set", ["version"] = "0", ["data"] = "new\r\nline" });
        Assert.Contains("/hers is written", written);
        Assert.Equal("new\nline"u8.ToArray(), (await owner.GetDataAsync("/hers")).Data);
        var late = await PostAsync("/namespace",
            new() { ["region"] = "us", ["path"] = "/hers", ["action"] = "set", ["version"] = "0", ["data"] = "late" });
        Assert.Contains("BadVersion", late);
        await PostAsync("/namespace", new() { ["region"] = "us", ["path"] = "/hers", ["action"] = "logout" });
        Assert.Contains("NoAuth", await _http.GetStringAsync("/namespace?region=us&path=/hers"));
    }

    [Fact]
    public async Task A_znode_is_deleted_only_by_who_means_it()
    {
        var client = await _regions.ConnectAsync(_regions.Us.Address);
        await PostAsync("/namespace", new() { ["region"] = "us", ["path"] = "/", ["action"] = "create", ["child"] = "mine" });
        Assert.True((await client.ExistsAsync("/mine")).Exists);

        var delete = new Dictionary<string, string> { ["region"] = "us", ["path"] = "/mine", ["action"] = "delete" };
        Assert.Contains("still there", await PostAsync("/namespace", delete));
        Assert.Contains("/mine is deleted", await PostAsync("/namespace", new(delete) { ["sure"] = "yes" }));
        Assert.False((await client.ExistsAsync("/mine")).Exists);
    }

    [Fact]
    public async Task A_console_that_only_shows_refuses_changes_and_works_below_a_path()
    {
        var (console, http) = await StartAsync(new ConsoleOptions
        {
            Proxies = [_us.Http.BaseAddress!],
            ReadOnly = true,
            BasePath = "/zoonet"
        });
        await using var ended = console;
        using var done = http;

        var page = await http.PostAsync("/zoonet/mounts", new FormUrlEncodedContent(
            new Dictionary<string, string> { ["region"] = "us", ["source"] = "eu:/apps", ["path"] = "/mnt/eu", ["action"] = "mount" }));

        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("this console only shows", WebUtility.HtmlDecode(html));
        Assert.Contains("href=\"/zoonet/console.css\"", html);
        Assert.Empty(await _us.MountsAsync());
    }

    [SkippableFact]
    public async Task A_browser_keeps_the_picture_up_to_date_and_breaks_no_rule_of_the_page()
    {
        Skip.IfNot(File.Exists(Chromium), "needs chromium (Debian: apt install chromium)");
        var profile = Directory.CreateTempSubdirectory("zoonet-chromium");
        try
        {
            // The page's own clock runs ahead five seconds, and waits for what the page fetches meanwhile.
            var start = new ProcessStartInfo(Chromium)
            {
                ArgumentList = { "--headless", "--no-sandbox", "--disable-gpu", $"--user-data-dir={profile.FullName}",
                    "--virtual-time-budget=5000", "--dump-dom", $"http://{_console.EndPoint}/" },
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var browser = Process.Start(start)!;
            var dom = browser.StandardOutput.ReadToEndAsync();
            var log = browser.StandardError.ReadToEndAsync();
            await browser.WaitForExitAsync();

            Assert.Contains("data-heard=", await dom);
            Assert.DoesNotContain("Content Security Policy", await log);
        }
        finally
        {
            profile.Delete(recursive: true);
        }
    }

    private static async Task<(ConsoleHost Console, HttpClient Http)> StartAsync(ConsoleOptions options)
    {
        var console = new ConsoleHost(options with
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Every = TimeSpan.FromMilliseconds(100)
        });
        await console.StartAsync();
        return (console, new HttpClient { BaseAddress = new Uri($"http://{console.EndPoint}") });
    }

    private async Task<string> PostAsync(string path, Dictionary<string, string> form)
    {
        using var response = await _http.PostAsync(path, new FormUrlEncodedContent(form));
        return WebUtility.HtmlDecode(await response.Content.ReadAsStringAsync());
    }
}
