using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>They look at the memory of the whole process, to which other tests must not add meanwhile.</summary>
[CollectionDefinition(nameof(KeptRequestsTests), DisableParallelization = true)]
public sealed class KeptRequestsAlone;

/// <summary>What is kept of a client's requests in a mount until they are answered: it is little, or the client is read no more.</summary>
[Collection(nameof(KeptRequestsTests))]
public sealed class KeptRequestsTests
{
    private const int Requests = 200;

    [Theory]
    [InlineData(OpCode.MultiRead, OpCode.GetData)]
    [InlineData(OpCode.Multi, OpCode.Check)]
    public void Of_reads_and_of_writes_of_many_znodes_in_one_mount_that_are_under_way_nothing_is_kept(OpCode op, OpCode part)
    {
        var host = Mounted();
        // Both parts begin with a path; a check has a version behind it, and a getData a flag.
        var frame = Frames.Request(2, op, w => Operations(w, 2000, part, (x, i) =>
        {
            x.WriteString($"/mnt/node{i}");
            if (part == OpCode.Check)
            {
                x.WriteInt(-1);
            }
            else
            {
                x.WriteBool(false);
            }
        }));
        host.Session.ClientFrame(frame);
        if (op.IsWrite())
        {
            host.Session.RecordSaved(1, saved: true);
        }
        host.Links[1].Sent.Clear();
        var kept = GrowthOf(() =>
        {
            for (var i = 0; i < Requests; i++)
            {
                host.Session.ClientFrame(frame);
                Assert.Single(host.Links[1].Sent);
                host.Links[1].Sent.Clear();
            }
        });
        Assert.True(host.Session.WantsClientFrames);
        Assert.InRange(kept, long.MinValue, Requests * frame.Length / 10);
        GC.KeepAlive(host);
    }

    [Theory]
    [InlineData(OpCode.Multi)]
    [InlineData(OpCode.GetData)]
    [InlineData(OpCode.AddWatch)]
    [InlineData(OpCode.RemoveWatches)]
    public void A_client_of_whose_requests_much_is_kept_is_read_no_more_until_some_are_answered(OpCode op)
    {
        var host = Mounted();
        host.Request(2, op, Large(op));
        host.Session.RecordSaved(1, saved: true);
        var sent = 1;
        for (; host.Session.WantsClientFrames && sent < 100; sent++)
        {
            host.Request(2 + sent, op, Large(op));
        }
        // Each is 100,000 characters, of which one or two bytes are kept.
        Assert.InRange(sent, 2, 3);
        Assert.Equal(sent, host.Links[1].Sent.Count);

        host.Reply(host.Links[1], 2, error: ErrorCode.NoNode);
        Assert.True(host.Session.WantsClientFrames);
        Assert.Null(host.Closed);
    }

    [Fact]
    public void What_was_kept_of_requests_that_are_lost_with_their_link_counts_no_more()
    {
        var host = Mounted(relaxed: true);
        for (var i = 2; host.Session.WantsClientFrames; i++)
        {
            host.Request(i, OpCode.GetData, Large(OpCode.GetData));
        }
        host.Session.LinkDown(host.Links[1], "the test says so");
        Assert.Null(host.Closed);
        Assert.True(host.Session.WantsClientFrames);
    }

    private static ScriptedHost Mounted(bool relaxed = false)
    {
        var host = new ScriptedHost(new() { Order = relaxed ? MountOrder.Relaxed : MountOrder.Strict, Barriers = false });
        host.Attach(session: 0);
        // Home has shown where it stands, and the mount has a link.
        host.Request(1, OpCode.Exists, new PathWatchRequest("/", false).Write);
        host.Reply(host.Links[0], 1, error: ErrorCode.NoNode);
        host.Request(1, OpCode.Exists, new PathWatchRequest("/mnt", false).Write);
        host.Answer(host.Links[1], ScriptedHost.RemoteSession);
        host.Reply(host.Links[1], 1, error: ErrorCode.NoNode);
        host.Links[1].Sent.Clear();
        Assert.Null(host.Closed);
        return host;
    }

    private static Action<JuteWriter> Large(OpCode op)
    {
        var path = "/mnt/" + new string('x', 100_000);
        return op switch
        {
            OpCode.Multi => w => Operations(w, 1, OpCode.Create,
                (x, _) => new CreateRequest(path, [], [.. Acl.Open], CreateFlags.Ephemeral).Write(x, OpCode.Create)),
            OpCode.GetData => new PathWatchRequest(path, true).Write,
            _ => new PathKindRequest(path, 1).Write,
        };
    }

    private static void Operations(JuteWriter writer, int count, OpCode op, Action<JuteWriter, int> body)
    {
        for (var i = 0; i < count; i++)
        {
            new MultiHeader(op, false, -1).Write(writer);
            body(writer, i);
        }
        MultiHeader.End.Write(writer);
    }

    private static long GrowthOf(Action work)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        work();
        return GC.GetTotalMemory(forceFullCollection: true) - before;
    }
}
