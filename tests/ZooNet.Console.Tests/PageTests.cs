using System.Text;
using Bunit;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.WebConsole.Pages;

namespace ZooNet.WebConsole.Tests;

public sealed class PageTests : IDisposable
{
    private readonly BunitContext _context = new();

    public void Dispose() => _context.Dispose();

    [Fact]
    public void The_picture_marks_mounts_that_close_a_cycle_and_clusters_that_nobody_watches()
    {
        var us = Samples.Status("us", ["eu", "ap"], [Samples.Mount("/mnt/eu", "eu"), Samples.Mount("/mnt/ap", "ap")],
            cycle: ["view us", "view eu", "cluster us", "cluster eu"]);
        var eu = Samples.Status("eu", ["us"], [Samples.Mount("/mnt/us", "us")], cycle: ["view us", "view eu", "cluster us", "cluster eu"]);

        var page = _context.Render<FederationPage>(p => p.Add(x => x.View, Samples.View(us, eu)));

        Assert.Equal(3, page.FindAll("g.node").Count);
        Assert.Equal(2, page.FindAll("g.edge.cycle").Count);
        Assert.Contains("ap:/apps on /mnt/ap", Assert.Single(page.FindAll("g.edge.plain")).TextContent);
        Assert.Contains("no proxy is watched", Assert.Single(page.FindAll("g.node.unwatched")).TextContent);
        Assert.Contains("A cycle of mounts is closed", page.Find(".lead").TextContent);
    }

    [Fact]
    public void A_cluster_that_is_down_is_told_since_when_why_and_what_it_costs()
    {
        var us = Samples.Status("us", ["eu"], [Samples.Mount("/mnt/eu", "eu")], down: ["eu"]);

        var page = _context.Render<FederationPage>(p => p.Add(x => x.View, Samples.View(us)));

        Assert.Single(page.FindAll("g.edge.down"));
        var trouble = page.Find("section[aria-labelledby=trouble]").TextContent;
        Assert.Contains("us can't reach eu since 1970-01-01 00:00:00Z: no route to host", trouble);
        Assert.Contains("for /mnt/eu fail or wait", trouble);
    }

    [Fact]
    public void A_proxy_that_does_not_answer_is_shown_as_down_with_what_it_said_last()
    {
        var view = new FederationView([new RegionView("us", "us",
            [Samples.Proxy(Samples.Status("us", [], []), error: "us-1 does not answer")])], [], default);

        var page = _context.Render<FederationPage>(p => p.Add(x => x.View, view));

        Assert.Contains("us-1 does not answer; last heard", page.Find("section[aria-labelledby=proxies]").TextContent);
        Assert.Contains("serves nobody", page.Find("g.node.bad").TextContent);
    }

    [Fact]
    public void A_picture_of_a_hundred_regions_has_room_for_each()
    {
        var names = Enumerable.Range(0, 100).Select(i => $"r{i}").ToList();

        var layout = new GraphLayout(names);

        var places = names.Select(n => layout[n]).ToList();
        Assert.All(places, p => Assert.InRange(p.X, layout.NodeWidth / 2, layout.Width - layout.NodeWidth / 2));
        for (var i = 0; i < places.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                var apart = Math.Abs(places[i].X - places[j].X) > layout.NodeWidth * 0.9
                    || Math.Abs(places[i].Y - places[j].Y) > layout.NodeHeight * 0.9;
                Assert.True(apart, $"{names[i]} lies upon {names[j]}");
            }
        }
    }

    [Fact]
    public void Mounts_show_rates_from_two_readings_and_none_where_a_proxy_has_restarted()
    {
        var before = Samples.Status("us", ["eu"], [Samples.Mount("/a", "eu", 10), Samples.Mount("/b", "eu", 10)]);
        var now = Samples.Status("us", ["eu"], [Samples.Mount("/a", "eu", 35), Samples.Mount("/b", "eu", 3)]);
        var view = new FederationView([new RegionView("us", "us", [Samples.Proxy(now, before)])], [], default);

        var page = _context.Render<MountsPage>(p => p.Add(x => x.View, view));

        Assert.Equal(["12.5", "–"], page.FindAll("tbody tr").Select(row => row.QuerySelectorAll("td.n")[0].TextContent));
    }

    [Fact]
    public void A_console_that_only_shows_has_no_buttons()
    {
        var view = Samples.View(Samples.Status("us", ["eu"], [Samples.Mount("/mnt/eu", "eu")]));
        var znode = new ZnodeView("text"u8.ToArray(), new Stat(), [], null);

        var mounts = _context.Render<MountsPage>(p => p.Add(x => x.View, view).Add(x => x.ReadOnly, true));
        var znodes = _context.Render<NamespacePage>(p =>
            p.Add(x => x.View, view).Add(x => x.ReadOnly, true).Add(x => x.Path, "/x").Add(x => x.Znode, znode));

        Assert.Empty(mounts.FindAll("button"));
        Assert.Equal(["Go", "Ask as this user"], znodes.FindAll("button").Select(b => b.TextContent));
        Assert.All(znodes.FindAll("textarea"), t => Assert.True(t.HasAttribute("readonly")));
    }

    [Fact]
    public void A_preview_that_is_refused_shows_every_reason_and_no_button_to_go_on()
    {
        var dry = new DryRunReply(false, "eu:/x can't be mounted on /y", ["no such znode", "not empty"], [], [], false, "none", [], []);

        var page = _context.Render<MountsPage>(p => p.Add(x => x.View, Samples.View(Samples.Status("us", [], [])))
            .Add(x => x.Preview, dry).Add(x => x.Asked, new DryRunBody("eu:/x", "/y")));

        var preview = page.Find(".preview");
        Assert.Equal(["no such znode", "not empty"], preview.QuerySelectorAll("li").Select(li => li.TextContent));
        Assert.Empty(preview.QuerySelectorAll("button"));
    }

    [Fact]
    public void A_path_is_resolved_step_by_step_with_the_reason_for_its_barrier()
    {
        var reply = new ResolveReply("/mnt/eu/x", "/mnt/eu", "eu", "/apps/x", "eu:2181", true, "us is known up to 0x5");

        var page = _context.Render<PathPage>(p => p.Add(x => x.View, Samples.View(Samples.Status("us", [], [])))
            .Add(x => x.Region, "us").Add(x => x.Replies, [("us-1", reply)]));

        Assert.Contains("us is known up to 0x5", page.Find(".steps .barrier").TextContent);
        Assert.Contains("eu:/apps/x", page.Find(".steps").TextContent);
    }

    [Fact]
    public void Sessions_show_what_each_client_waits_for()
    {
        var session = new SessionInfo("/10.0.0.1:40000", "0x1", 10_000, default, 1, 1, 2, "a barrier at eu:2181 (eu) before /mnt/eu",
            [new LinkInfo("us", "ready", "us:2181", "0x1", 0, null, null, "0x5"),
                new LinkInfo("eu", "connecting", null, null, 0, 3, 0, "0x0")]);

        var page = _context.Render<SessionsPage>(p => p.Add(x => x.Lists, [new SessionList("us", "us-1", 7, 1, [session])]));

        Assert.Contains("7 clients, 1 waiting; the first 1 are shown", page.Find(".muted").TextContent);
        Assert.Contains("a barrier at eu:2181 (eu) before /mnt/eu", page.Find("tbody").TextContent);
        Assert.Contains("connecting, 3 watches", page.Find("tbody").TextContent);
    }

    [Fact]
    public void Many_children_are_paged_and_mounts_among_them_are_marked()
    {
        var znode = new ZnodeView([0xff, 0xfe], new Stat(), [.. Enumerable.Range(0, 250).Select(i => $"n{i:000}")], null);

        var page = _context.Render<NamespacePage>(p => p.Add(x => x.View, Samples.View(Samples.Status("us", [], []))).Add(x => x.Path, "/a")
            .Add(x => x.Znode, znode).Add(x => x.Page, 2).Add(x => x.Mounts, new Dictionary<string, string> { ["/a/n249"] = "eu:/apps" }));

        Assert.Equal(50, page.FindAll(".children li").Count);
        Assert.Contains("mount of eu:/apps", page.FindAll(".children li")[^1].TextContent);
        Assert.Contains("Page 3 of 3", page.Find(".pages").TextContent);
        Assert.Equal("FFFE", page.Find("pre").TextContent);
    }

    [Fact]
    public void What_a_znode_holds_is_never_markup()
    {
        var evil = "<script>alert(1)</script>";
        var znode = new ZnodeView(Encoding.UTF8.GetBytes(evil), new Stat(), [evil], evil);

        var page = _context.Render<NamespacePage>(p =>
            p.Add(x => x.View, Samples.View(Samples.Status("us", [], []))).Add(x => x.Path, "/a").Add(x => x.Znode, znode));

        Assert.DoesNotContain(page.FindAll("main script"), _ => true);
        Assert.Equal(evil, page.Find("textarea[rows='8']").TextContent);
    }

    [Fact]
    public void A_region_whose_token_may_only_look_has_no_buttons_and_the_others_keep_theirs()
    {
        var (us, eu) = (Samples.Status("us", ["eu"], [Samples.Mount("/mnt/eu", "eu")]),
            Samples.Status("eu", ["us"], [Samples.Mount("/mnt/us", "us")]));
        var view = new FederationView([new RegionView("us", "us", [Samples.Proxy(us) with { MayChange = false }]),
            new RegionView("eu", "eu", [Samples.Proxy(eu)])], [], default);

        var page = _context.Render<MountsPage>(p => p.Add(x => x.View, view));

        Assert.Equal("Unmount /mnt/us of eu", Assert.Single(page.FindAll("td button")).GetAttribute("aria-label"));
        Assert.Equal(["eu"], page.FindAll("option").Select(o => o.TextContent));
    }

    [Fact]
    public void Of_many_clusters_arrows_are_drawn_for_what_is_wrong_and_for_the_one_that_was_chosen()
    {
        var statuses = Enumerable.Range(0, 100).Select(i => Samples.Status($"r{i}", [$"r{(i + 1) % 100}"],
            [.. Enumerable.Range(0, 10).Select(m => Samples.Mount($"/m{m}", $"r{(i + 1) % 100}"))],
            down: i == 7 ? ["r8"] : null)).ToArray();

        var all = _context.Render<FederationPage>(p => p.Add(x => x.View, Samples.View(statuses)));
        var one = _context.Render<FederationPage>(p => p.Add(x => x.View, Samples.View(statuses)).Add(x => x.Focus, "r50"));

        Assert.Equal(100, all.FindAll("g.node").Count);
        Assert.Single(all.FindAll("g.edge.down"));
        Assert.Empty(all.FindAll("g.edge.plain"));
        Assert.Equal("r7", all.Find("section[aria-labelledby=reads] tbody td").TextContent);
        Assert.Equal(2, one.FindAll("g.edge.plain").Count);
        Assert.Equal(["r49", "r50"],
            one.FindAll("section[aria-labelledby=reads] tbody tr").Select(r => r.QuerySelector("td")!.TextContent));
    }

    [Fact]
    public void A_thousand_mounts_are_paged_and_can_be_looked_for()
    {
        var view = Samples.View([.. Enumerable.Range(0, 100).Select(i => Samples.Status($"r{i:00}", ["eu"],
            [.. Enumerable.Range(0, 10).Select(m => Samples.Mount($"/m{m}", "eu"))]))]);

        var first = _context.Render<MountsPage>(p => p.Add(x => x.View, view));
        var some = _context.Render<MountsPage>(p => p.Add(x => x.View, view).Add(x => x.Like, "r42 "));

        Assert.Equal(100, first.FindAll("tbody tr").Count);
        Assert.Contains("Page 1 of 10", first.Find(".pages").TextContent);
        Assert.Equal(["r42"], some.FindAll("#live h2").Select(h => h.TextContent));
        Assert.Equal(10, some.FindAll("tbody tr").Count);
    }

    [Fact]
    public void Counters_of_a_proxy_that_was_started_anew_make_no_rate()
    {
        var before = Samples.Status("us", ["eu"], [Samples.Mount("/a", "eu", 10)]);
        var now = Samples.Status("us", ["eu"], [Samples.Mount("/a", "eu", 1_000_000)]) with
        {
            Started = DateTimeOffset.UnixEpoch.AddHours(1),
        };

        Assert.Null(Samples.Proxy(now, before).Rate("/a", t => t.Reads));
    }

    [Fact]
    public void Avoided_barriers_are_told_by_the_rule_that_avoided_them()
    {
        static MountInfo With(MountTraffic traffic) => Samples.Mount("/a", "eu") with { Traffic = traffic };
        var before = Samples.Status("us", ["eu"], [With(new MountTraffic(0, 0, 0, 0, 0, 0, 0, 0, 0))]);
        var now = Samples.Status("us", ["eu"], [With(new MountTraffic(0, 0, 0, 2, 4, 6, 8, 10, 12))]);
        var view = new FederationView([new RegionView("us", "us", [Samples.Proxy(now, before)])], [], default);

        var row = _context.Render<FederationPage>(p => p.Add(x => x.View, view)).Find("section[aria-labelledby=reads] tbody tr");

        Assert.Equal(["1", "1.5 ms", "1", "2", "3", "4", "5", "6"], row.QuerySelectorAll("td.n").Select(c => c.TextContent));
    }

    [Fact]
    public void A_proxy_of_another_version_is_marked()
    {
        var page = _context.Render<FederationPage>(p =>
            p.Add(x => x.View, Samples.View(Samples.Status("us", [], []) with { Version = "9.9" })));

        Assert.Contains("9.9the console is of", page.Find("section[aria-labelledby=proxies] tbody").TextContent);
    }
}
