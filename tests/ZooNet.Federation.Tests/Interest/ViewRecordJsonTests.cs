using System.Text;
using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

public sealed class ViewRecordJsonTests
{
    private static readonly ViewRecord Sample = new()
    {
        View = "us",
        Region = "us",
        Home = "us",
        Version = 7,
        Revision = 12,
        Mounts = [new("eu", "/apps", PublishedState.Joining), new("asia", "/", PublishedState.Left)],
        Proxies = [new("us-1", new Dictionary<string, long> { ["us"] = 7, ["eu"] = 3 }) { Reads = new Dictionary<string, string> { ["eu"] = "10.0.0.7:2181" } }, new("us-2", new Dictionary<string, long>())],
    };

    [Fact]
    public void A_record_reads_back_as_it_was_written()
    {
        var json = ViewRecordJson.Format(Sample);
        var read = ViewRecordJson.TryParse(json, "us", out var error);
        Assert.Null(error);
        Assert.Equal(json, ViewRecordJson.Format(read!));
        Assert.Equal(Sample.Mounts, read!.Mounts);
        Assert.Equal(3, read.Proxies[0].Acknowledged["eu"]);
        Assert.Equal("10.0.0.7:2181", read.Proxies[0].Reads!["eu"]);
        Assert.Null(read.Proxies[1].Reads);
    }

    [Fact]
    public void Its_form_is_readable_and_stays_as_it_is() => Assert.Equal(
        """{"format":1,"view":"us","region":"us","home":"us","version":7,"revision":12,"mounts":[{"cluster":"eu","remotePath":"/apps","state":"Joining"},{"cluster":"asia","remotePath":"/","state":"Left"}],"proxies":[{"id":"us-1","acknowledged":{"us":7,"eu":3},"reads":{"eu":"10.0.0.7:2181"}},{"id":"us-2","acknowledged":{}}]}""",
        Encoding.UTF8.GetString(ViewRecordJson.Format(Sample)));

    [Fact]
    public void Fields_of_a_later_version_are_ignored() =>
        Assert.NotNull(ViewRecordJson.TryParse("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[],"proxies":[],"colour":"red"}"""u8, "v", out _));

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"view":"v"}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[]}""")]
    [InlineData("""{"format":1,"view":"other","region":"v","home":"a","version":0,"revision":0,"mounts":[],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":null,"version":0,"revision":0,"mounts":[],"proxies":[]}""")]
    [InlineData("""{"format":2,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v/..","home":"a","version":0,"revision":0,"mounts":[],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":-1,"revision":0,"mounts":[],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":null,"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[null],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[{"cluster":"a","remotePath":"/","state":"Active"}],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[{"cluster":"b","remotePath":"x","state":"Active"}],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[{"cluster":"b","remotePath":"/","state":"Maybe"}],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"mounts":[{"cluster":"b","remotePath":"/","state":17}],"proxies":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"proxies":[{"id":"","acknowledged":{}}],"mounts":[]}""")]
    [InlineData("""{"format":1,"view":"v","region":"v","home":"a","version":0,"revision":0,"proxies":[{"id":"p","acknowledged":null}],"mounts":[]}""")]
    public void A_bad_record_is_an_error_that_names_the_view(string json)
    {
        Assert.Null(ViewRecordJson.TryParse(Encoding.UTF8.GetBytes(json), "v", out var error));
        Assert.Contains("'v'", error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_oversize_record_is_refused_before_it_is_read() =>
        Assert.Contains("are allowed", Error(new byte[ViewRecordJson.MaxBytes + 1]), StringComparison.Ordinal);

    [Fact]
    public void Too_many_mounts_are_refused()
    {
        var record = Sample with { Mounts = [.. Enumerable.Repeat(Sample.Mounts[0], ViewRecordJson.MaxMounts + 1)] };
        Assert.Null(ViewRecordJson.TryParse(ViewRecordJson.Format(record), "us", out var error));
        Assert.Contains("at most", error, StringComparison.Ordinal);
    }

    private static string Error(byte[] json)
    {
        Assert.Null(ViewRecordJson.TryParse(json, "v", out var error));
        return error!;
    }
}
