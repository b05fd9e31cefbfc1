using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

/// <summary>Proxy p of view us, which mounts eu, and a second one, q.</summary>
public sealed class CopyAgreementTests
{
    private static readonly ViewRecord Own = Views.View("us", "us", "eu") with { Version = 5 };

    private readonly CopyAgreement _agreement = new("us");

    public CopyAgreementTests() => _agreement.Want(Reading("a"));

    [Fact]
    public void A_proxy_alone_chooses_freely_and_is_one_copy()
    {
        var alone = With(P("a"));
        Assert.Null(_agreement.Allowed(alone, "p"));
        Assert.Null(_agreement.WhyMany(alone, "p"));
    }

    [Fact]
    public void Before_it_is_listed_it_reads_nothing()
    {
        Assert.Equal("", _agreement.Allowed(With(Q("a")), "p")!["eu"]);
        Assert.Equal("this proxy has not been listed yet", _agreement.WhyMany(With(Q("a")), "p"));
    }

    [Fact]
    public void Two_that_list_the_same_server_read_it_and_are_one_copy_when_both_have_acknowledged_that()
    {
        var agreed = With(P("a"), Q("a"));
        Assert.Equal("a", _agreement.Allowed(agreed, "p")!["eu"]);
        Assert.Contains("proxy q has not acknowledged", _agreement.WhyMany(agreed, "p"));
        Assert.Null(_agreement.WhyMany(With(P("a"), Q("a", acknowledged: 5)), "p"));
    }

    [Fact]
    public void One_that_lists_another_server_reads_it_when_the_others_know_and_couple_everything()
    {
        Assert.Equal("", _agreement.Allowed(With(P("a"), Q("b")), "p")!["eu"]);
        var known = With(P("a"), Q("b", acknowledged: 5));
        Assert.Equal("a", _agreement.Allowed(known, "p")!["eu"]);
        Assert.Contains("through different servers: p through a, q through b", _agreement.WhyMany(known, "p"));
    }

    [Fact]
    public void Until_then_it_stays_with_the_server_before()
    {
        Assert.Equal("a", _agreement.Allowed(With(P("a"), Q("a")), "p")!["eu"]);
        _agreement.Want(Reading("b"));
        Assert.Equal("a", _agreement.Allowed(With(P("b"), Q("a")), "p")!["eu"]);
        Assert.Equal("b", _agreement.Allowed(With(P("b"), Q("a", acknowledged: 5)), "p")!["eu"]);
    }

    [Fact]
    public void Who_is_about_to_leave_a_server_is_no_copy_any_more_before_the_record_says_so()
    {
        _agreement.Want(Reading("b"));
        Assert.Equal("this proxy is about to leave a, through which it reads eu",
            _agreement.WhyMany(With(P("a"), Q("a", acknowledged: 5)), "p"));
    }

    [Fact]
    public void Who_wants_to_read_nothing_there_stops_hearing_it_at_once()
    {
        Assert.Equal("a", _agreement.Allowed(With(P("a"), Q("a")), "p")!["eu"]);
        _agreement.Want(new Dictionary<string, string>());
        Assert.Equal("", _agreement.Allowed(With(P("a"), Q("a")), "p")!["eu"]);
    }

    [Fact]
    public void A_proxy_that_does_not_say_what_it_reads_may_read_anything()
    {
        var old = With(P("a"), new ViewProxy("q", new Dictionary<string, long>()));
        Assert.Equal("", _agreement.Allowed(old, "p")!["eu"]);
        Assert.Contains("proxy q does not say", _agreement.WhyMany(old, "p"));
    }

    [Theory]
    [InlineData("a", "a", "a", false)]
    [InlineData("a", "b", "b", true)]
    [InlineData(null, "b", "b", false)]
    [InlineData(null, "a", "b", true)]
    [InlineData("a", null, "a", true)]
    public void Others_must_take_note_unless_one_merely_joins_those_who_read_the_same(string? before, string? after, string other, bool changes)
    {
        Assert.Equal(changes, CopyAgreement.Changes(P(before), P(after), [P(after), Q(other)]));
        Assert.Equal(before == after, CopyAgreement.IsSame(P(before), P(after)));
    }

    private static ViewRecord With(params ViewProxy[] proxies) => Own with { Proxies = proxies };

    private static ViewProxy P(string? server) => new("p", new Dictionary<string, long> { ["us"] = 5 }) { Reads = Reading(server) };

    private static ViewProxy Q(string? server, long acknowledged = 4) =>
        new("q", new Dictionary<string, long> { ["us"] = acknowledged }) { Reads = Reading(server) };

    private static Dictionary<string, string> Reading(string? server) => server is null ? [] : new() { ["eu"] = server };
}
