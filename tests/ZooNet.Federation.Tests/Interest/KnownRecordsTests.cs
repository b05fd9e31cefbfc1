using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

/// <summary>What a proxy of us knows of the records, and of each folder. Its view mounts eu.</summary>
public sealed class KnownRecordsTests
{
    private static readonly ViewRecord Us = Views.View("us", "us", "eu");

    private readonly KnownRecords _records = new("us", "us");

    [Fact]
    public void The_newest_record_of_a_view_counts_wherever_it_was_found()
    {
        Scan("us", Us with { Revision = 3 });
        Scan("eu", Us with { Revision = 2 });
        Assert.Equal(3, _records.Own!.Revision);
        Scan("eu", Us with { Revision = 4 });
        Assert.Equal(4, _records.Own!.Revision);
    }

    [Fact]
    public void Records_that_acknowledge_each_other_are_believed_together_and_not_alone()
    {
        Scan("us", Acknowledging("eu", "asia"));
        Assert.Empty(_records.All);
        Scan("eu", Acknowledging("asia", "eu"));
        Assert.Equal(["asia", "eu"], _records.All.Select(r => r.View).Order());
    }

    [Fact]
    public void A_folder_gets_what_is_newer_than_what_it_has_and_home_never_gets_the_own_record()
    {
        var eu = Views.View("eu", "eu");
        Scan("us", Us, eu);
        Assert.Equal(["eu", "us"], _records.ToStore("eu").Select(r => r.View).Order());
        _records.Stored("eu", eu);
        Assert.Equal(["us"], _records.ToStore("eu").Select(r => r.View));
        Scan("eu", Us with { Revision = 5 });
        Assert.Empty(_records.ToStore("us"));
    }

    [Fact]
    public void All_is_known_when_every_folder_of_the_own_view_was_scanned()
    {
        Scan("us", Us);
        Assert.False(_records.IsComplete);
        Scan("eu");
        Assert.True(_records.IsComplete);
    }

    [Fact]
    public void After_the_proxy_has_registered_anew_scans_count_that_begin_from_then_on()
    {
        Scan("us", Us);
        var early = _records.BeginScan("eu");
        _records.ScanAnew();
        _records.EndScan(early, [], null);
        Scan("us");
        Assert.False(_records.IsComplete);
        Scan("eu");
        Assert.True(_records.IsComplete);
    }

    [Fact]
    public void A_folder_that_is_another_one_has_nothing_and_was_not_scanned()
    {
        Scan("us", Us);
        Scan("eu", Us);
        Assert.Empty(_records.ToStore("eu"));
        _records.Lost("eu");
        Assert.False(_records.IsComplete);
        Assert.Equal(["us"], _records.ToStore("eu").Select(r => r.View));
    }

    [Fact]
    public void What_somebody_deletes_from_a_folder_is_stored_there_again_and_what_can_not_be_read_is_not_written_over()
    {
        var eu = Views.View("eu", "eu");
        Scan("us", Us, eu);
        Scan("eu", Us, eu);
        Assert.Empty(_records.ToStore("us"));
        Assert.Empty(_records.ToStore("eu"));
        _records.EndScan(_records.BeginScan("eu"), [eu], null, present: ["eu", "us"]);
        Assert.Empty(_records.ToStore("eu"));

        Scan("eu", eu);
        Assert.Equal([Us], _records.ToStore("eu"));
        Scan("us", Us);
        Assert.Equal([eu], _records.ToStore("us"));
        // The own record is home's truth, which is changed there by compare-and-set only.
        Scan("us");
        Assert.Equal([eu], _records.ToStore("us"));
        Assert.Equal(["eu", "us"], _records.All.Select(r => r.View).Order());
    }

    [Fact]
    public void What_somebody_puts_back_to_an_older_state_is_stored_there_again_and_what_is_known_stays()
    {
        Scan("us", Us with { Version = 3, Revision = 3 });
        Scan("eu", Us with { Version = 3, Revision = 3 });
        Assert.Empty(_records.ToStore("eu"));
        Scan("eu", Us with { Version = 2, Revision = 2 });
        Assert.Equal(3, Assert.Single(_records.ToStore("eu")).Version);
        Assert.Equal(3, _records.Own!.Version);
    }

    [Fact]
    public void What_was_written_while_a_folder_was_scanned_is_not_taken_for_deleted()
    {
        Scan("us", Us);
        var scan = _records.BeginScan("eu");
        _records.Stored("eu", Us);
        _records.EndScan(scan, [], null);
        Assert.Empty(_records.ToStore("eu"));
    }

    [Fact]
    public void A_scan_is_due_where_the_own_record_is_and_was_not_when_the_last_one_began()
    {
        Scan("us", Us);
        Assert.False(_records.IsScanDue("eu"));
        _records.Stored("eu", Us);
        Assert.True(_records.IsScanDue("eu"));
        Assert.False(_records.IsScannedAfterOwn("eu"));
        Scan("eu");
        Assert.False(_records.IsScanDue("eu"));
        Assert.True(_records.IsScannedAfterOwn("eu"));
    }

    [Fact]
    public void A_proxy_that_a_record_of_a_home_lists_and_that_is_not_registered_there_is_gone()
    {
        var eu = Views.View("eu", "eu") with { Proxies = [new("e1", new Dictionary<string, long>()), new("e2", new Dictionary<string, long>())] };
        _records.EndScan(_records.BeginScan("us"), [eu], live: []);
        Assert.False(_records.IsGone("e1"));
        _records.EndScan(_records.BeginScan("eu"), [eu], live: ["e2"]);
        Assert.True(_records.IsGone("e1"));
        Assert.False(_records.IsGone("e2"));
    }

    [Fact]
    public void Only_views_that_a_cluster_connects_with_the_own_one_are_connected()
    {
        Scan("us", Us, Views.View("eu", "eu"), Views.View("asia", "asia"));
        Assert.Equal(["eu", "us"], _records.ConnectedIn(new InterestGraph(_records.All)).Select(r => r.View).Order());
    }

    private static ViewRecord Acknowledging(string view, string other) =>
        Views.View(view, view) with { Proxies = [new("p", new Dictionary<string, long> { [other] = 1 })] };

    private void Scan(string cluster, params ViewRecord[] found) => _records.EndScan(_records.BeginScan(cluster), found, null);
}
