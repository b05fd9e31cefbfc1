using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.Time.Testing;
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
    public async Task Commands_of_a_clusters_own_servers_are_asked_through_the_console_without_our_token()
    {
        await using var server = await OtherProxy.StartAsync(context =>
            $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString} auth={context.Request.Headers.Authorization}");
        var (console, http) = await StartAsync(new ConsoleOptions
        {
            Proxies = [_us.Http.BaseAddress!],
            Token = "0123456789abcdef",
            AdminServers = new Dictionary<string, IReadOnlyList<Uri>> { ["eu"] = [server.Url] },
        });
        await using var ended = console;
        using var done = http;
        http.DefaultRequestHeaders.Authorization = new("Bearer", "of-the-visitor");

        Assert.Equal("GET /commands/monitor?x=1 auth=", await http.GetStringAsync("/clusters/eu/commands/monitor?x=1"));
        Assert.False((await http.PostAsync("/clusters/eu/commands/restore", null)).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/clusters/nowhere/commands/monitor")).StatusCode);
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
        // A server in front may take the path off, too.
        Assert.Contains("href=\"/zoonet/console.css\"", await http.GetStringAsync("/sessions"));
        Assert.Empty(await _us.MountsAsync());
    }

    [Fact]
    public async Task A_token_that_may_only_look_gets_pages_without_buttons_and_refusals()
    {
        const string Token = "0123456789abcdef-look";
        var proxy = await _regions.StartProxyAsync(c => c with { ProxyId = "us-2", ViewTokens = [Token] });
        var (console, http) = await StartAsync(new ConsoleOptions { Proxies = [proxy.Http.BaseAddress!], Token = Token });
        await using var ended = console;
        using var done = http;

        Assert.DoesNotContain("<button", await http.GetStringAsync("/mounts"));
        Assert.DoesNotContain("value=\"set\"", await http.GetStringAsync("/namespace?region=us&path=/"));
        foreach (var (page, action) in new[] { ("/mounts", "mount"), ("/namespace", "create") })
        {
            var answer = await http.PostAsync(page, new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["region"] = "us",
                ["source"] = "eu:/apps",
                ["path"] = "/",
                ["child"] = "x",
                ["action"] = action,
            }));
            Assert.Contains("token is one to look", WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync()));
        }
        Assert.False((await (await _regions.ConnectAsync(_regions.Us.Address)).ExistsAsync("/x")).Exists);
    }

    [Theory]
    [InlineData("""{"version":"9.9","region":"xx","proxyId":"xx-1"}""")]
    [InlineData("""{"tables":[]}""")]
    [InlineData("<html>")]
    public async Task A_proxy_of_another_version_is_shown_as_not_understood_and_the_others_are_as_before(string answer)
    {
        await using var other = await OtherProxy.StartAsync(answer);
        var (console, http) = await StartAsync(new ConsoleOptions { Proxies = [_us.Http.BaseAddress!, other.Url] });
        await using var ended = console;
        using var done = http;

        var html = await http.GetStringAsync("/");

        Assert.Contains("is not understood by this console", html);
        Assert.Contains("us-1", html);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/mounts")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/sessions")).StatusCode);
    }

    [Fact]
    public async Task What_was_seen_yesterday_is_not_shown_as_of_now_and_makes_no_rate()
    {
        var time = new FakeTimeProvider();
        using var watch = new ProxyWatch(new ConsoleOptions { Proxies = [_us.Http.BaseAddress!] }, time);
        await watch.StartAsync(CancellationToken.None);
        Assert.Null(Assert.Single((await watch.LookAsync(false, CancellationToken.None)).Proxies).Error);

        await watch.StopAsync(CancellationToken.None);
        time.Advance(TimeSpan.FromHours(8));
        Assert.Contains("us-1 has not been heard for 28800 s", Assert.Single(watch.Current.Proxies).Error);

        await watch.StartAsync(CancellationToken.None);
        using var seen = new CancellationTokenSource();
        var looking = watch.LookAsync(false, seen.Token);
        await TwoRegions.Eventually(() => Task.FromResult(watch.Current.Proxies.Single().Error is null));
        await seen.CancelAsync();
        _ = await looking;
        var fresh = watch.Current.Proxies.Single();
        Assert.NotNull(fresh.Before);
        Assert.Null(fresh.Rate("/", t => t.BarriersNeeded));
        await watch.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task An_acl_is_changed_only_by_who_may_and_only_if_nobody_else_has_meanwhile()
    {
        var client = await _regions.ConnectAsync(_regions.Us.Address);
        await client.CreateAsync("/app");
        var asked = new Dictionary<string, string> { ["region"] = "us", ["path"] = "/app", ["action"] = "set-acl", ["version"] = "0" };

        Assert.Contains("'x' in 'world:anyone:rx' is no permission",
            await PostAsync("/namespace", new(asked) { ["acl"] = "world:anyone:rx" }));
        Assert.Contains("The ACL of /app is written", await PostAsync("/namespace", new(asked) { ["acl"] = "world:anyone:r\r\n" }));
        Assert.Equal(new Acl(1, "world", "anyone"), Assert.Single((await client.GetAclAsync("/app")).AccessControl));
        Assert.Contains("NoAuth", await PostAsync("/namespace", new(asked) { ["acl"] = "world:anyone:cdrwa", ["version"] = "1" }));
    }

    [Fact]
    public async Task A_subtree_is_exported_and_imported_elsewhere_also_across_a_mount()
    {
        await _us.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_us.Host.ClientEndPoints[0]);
        await client.CreateAsync("/app", "text\n"u8.ToArray());
        await client.CreateAsync("/app/bytes", [0xff, 0x00]);
        await client.CreateAsync("/app/lease", flags: CreateFlags.Ephemeral);

        var file = await _http.GetByteArrayAsync("/namespace/export?region=us&path=/app");
        var done = await ImportAsync("/mnt/eu/copy", file);

        Assert.Contains("2 znodes are made below /mnt/eu/copy", done);
        var eu = await _regions.ConnectAsync(_regions.Eu.Address);
        Assert.Equal("text\n"u8.ToArray(), (await eu.GetDataAsync("/apps/copy")).Data);
        Assert.Equal([0xff, 0x00], (await eu.GetDataAsync("/apps/copy/bytes")).Data);
        Assert.Contains("0 znodes are made below /mnt/eu/copy, 0 written over, 2 that were there left",
            await ImportAsync("/mnt/eu/copy", file));
        Assert.Contains("nothing was changed", await ImportAsync("/mnt/eu/other", "{}"u8.ToArray()));
        Assert.False((await eu.ExistsAsync("/apps/other")).Exists);
    }

    [Fact]
    public async Task A_subtree_is_searched_by_a_part_of_a_name_or_an_expression()
    {
        var client = await _regions.ConnectAsync(_regions.Us.Address);
        foreach (var path in new[] { "/a", "/a/b", "/a/b/Needle-1", "/a/needle-22", "/a/other" })
        {
            await client.CreateAsync(path);
        }

        var part = await _http.GetStringAsync("/namespace?region=us&path=/&deep=true&like=needle");
        var expression = await _http.GetStringAsync($"/namespace?region=us&path=/&deep=true&like={Uri.EscapeDataString(@"/^\w+-\d\d$/")}");

        Assert.Contains(">/a/b/Needle-1</a>", part);
        Assert.Contains(">/a/needle-22</a>", part);
        Assert.DoesNotContain(">/a/b/Needle-1</a>", expression);
        Assert.Contains(">/a/needle-22</a>", expression);
        Assert.Contains("is no regular expression", await _http.GetStringAsync("/namespace?region=us&path=/&deep=true&like=/(/"));
    }

    [Fact]
    public async Task Deleting_with_everything_below_asks_twice_and_spares_what_is_mounted()
    {
        await _us.MountAsync("eu:/apps", "/mnt/eu");
        var client = await _regions.ConnectAsync(_us.Host.ClientEndPoints[0]);
        foreach (var path in new[] { "/old", "/old/a", "/old/a/b" })
        {
            await client.CreateAsync(path);
        }
        var asked = new Dictionary<string, string> { ["region"] = "us", ["path"] = "/old", ["action"] = "delete-all" };

        Assert.Contains("<strong>2</strong> below it", await PostAsync("/namespace", asked));
        Assert.Contains("<strong>2</strong> below it", await PostAsync("/namespace", new(asked) { ["typed"] = "/odl" }));
        Assert.True((await client.ExistsAsync("/old/a/b")).Exists);
        Assert.Contains("/old and all below are deleted, 3 znodes", await PostAsync("/namespace", new(asked) { ["typed"] = "/old" }));
        Assert.False((await client.ExistsAsync("/old")).Exists);
        Assert.Contains("eu:/apps is mounted on /mnt/eu",
            await PostAsync("/namespace", new(asked) { ["path"] = "/mnt", ["typed"] = "/mnt" }));
        Assert.True((await client.ExistsAsync("/mnt/eu")).Exists);
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

    private async Task<string> ImportAsync(string path, byte[] file)
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("us"), "region" },
            { new StringContent(path), "path" },
            { new ByteArrayContent(file), "file", "tree.json" },
        };
        using var response = await _http.PostAsync("/namespace/import", form);
        return WebUtility.HtmlDecode(await response.Content.ReadAsStringAsync());
    }

    private async Task<string> PostAsync(string path, Dictionary<string, string> form)
    {
        using var response = await _http.PostAsync(path, new FormUrlEncodedContent(form));
        return WebUtility.HtmlDecode(await response.Content.ReadAsStringAsync());
    }
}
