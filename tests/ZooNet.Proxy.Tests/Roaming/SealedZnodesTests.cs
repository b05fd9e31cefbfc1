using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;

namespace ZooNet.Proxy.Tests.Roaming;

/// <summary>What is sealed of what a zone keeps, and where it can be opened.</summary>
public sealed class SealedZnodesTests
{
    private const string Tree = "/zookeeper/zoonet/roaming/orders";

    private readonly SealedZnodes _sealed = new(new ProxySecret("zoonet:the-secret"));

    [Theory]
    [InlineData($"{Tree}/log/o/3/e-", $"{Tree}/log/o/3/e-0000000007", true)]
    [InlineData($"{Tree}/snapshots/o/12-ab/p-000001", $"{Tree}/snapshots/o/12-ab/p-000001", true)]
    [InlineData($"{Tree}/log/o/3", $"{Tree}/log/o/3", false)]
    [InlineData($"{Tree}/records/e-1", $"{Tree}/records/e-1", false)]
    [InlineData($"{Tree}/objects/p-1", $"{Tree}/objects/p-1", false)]
    [InlineData(Tree, Tree, false)]
    public void Entries_and_pieces_of_snapshots_are_sealed_and_records_are_not(string written, string read, bool isSealed)
    {
        var data = "what a client wrote"u8.ToArray();
        var kept = _sealed.Seal("us", written, data)!;
        Assert.Equal(isSealed, !kept.AsSpan().SequenceEqual(data));
        Assert.Equal(data, _sealed.Open("us", read, kept));
        Assert.Null(_sealed.Seal("us", written, null));
        Assert.Null(_sealed.Open("us", read, null));
    }

    [Fact]
    public void What_no_holder_of_the_secret_wrote_at_that_place_is_nothing()
    {
        const string entry = $"{Tree}/log/o/3/e-0000000007";
        var data = "what a client wrote"u8.ToArray();
        var kept = _sealed.Seal("us", entry, data)!;

        Assert.Equal([], _sealed.Open("eu", entry, kept)!);
        Assert.Equal([], _sealed.Open("us", $"{Tree}/log/o/4/e-0000000007", kept)!);
        Assert.Equal([], _sealed.Open("us", entry, data)!);
        Assert.Equal([], new SealedZnodes(new ProxySecret("zoonet:another")).Open("us", entry, kept)!);
        Assert.Equal(data, new SealedZnodes(new ProxySecret("zoonet:newer", "zoonet:the-secret")).Open("us", entry, kept));
    }
}
