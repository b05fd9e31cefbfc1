using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// Clients whose requests have bytes changed, cut out, doubled or cut off, at home and in a mount that may be read-only, under rules for
/// paths or without. Each request is answered in its turn, or its client's connection is closed; and no mutation leads out of the mount, to
/// its path at home, past its being read-only, or past the rules. ZOONET_FUZZ is the number of mutated frames (20,000 without it),
/// ZOONET_FUZZ_SEED makes it others.
/// </summary>
public sealed class RequestFuzzTests
{
    [Fact]
    public void A_mutated_request_is_answered_in_its_turn_or_closes_and_never_goes_where_its_client_may_not() =>
        FuzzedSession.PlayAll(mutatesRequests: true);

    /// <summary>What runs have found.</summary>
    [Theory]
    [InlineData(OpCode.Delete)]
    [InlineData(OpCode.Check)]
    public void What_was_found_once_stays_found_a_multiRead_that_holds_a_write_goes_to_no_server(OpCode part)
    {
        var host = new ScriptedHost(new MountOptions(ReadOnly: true));
        host.Attach();
        host.Links[0].Sent.Clear();

        host.Request(1, OpCode.MultiRead, w =>
        {
            new MultiHeader(part, false, -1).Write(w);
            new PathVersionRequest("/mnt/x", -1).Write(w);
            MultiHeader.End.Write(w);
        });

        Assert.Single(host.Links);
        Assert.Empty(host.Links[0].Sent);
        var reply = ReplyHeader.Read(host.ToClient[^1].AsSpan(4));
        Assert.Equal((1, ErrorCode.MarshallingError), (reply.Xid, reply.Error));
    }
}
