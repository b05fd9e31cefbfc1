using ZooNet.Federation.Freshness;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>
/// Replies that do not tell since when they have been so: before such a one costs a barrier it is asked when the nearest list of children,
/// or ACL, changed. The client has read home and the mount, and either's server has covered what the other cluster showed by then,
/// which is 7.
/// </summary>
public sealed class DatingTests
{
    private readonly ScriptedHost _host = new();
    private int _xid;

    private ScriptedLink Home => _host.Links[0];

    private ScriptedLink Remote => _host.Links[1];

    [Fact]
    public void A_znode_that_has_long_been_gone_costs_no_barrier_however_far_its_server_has_moved()
    {
        Begin();
        FindNothing("/folder/gone", zxid: 20);
        Ask("/mnt/a");

        Assert.Equal((OpCode.Exists, "/folder"), (Home.Operations.Last(), Home.LastPath));
        Assert.Equal("/apps/first", Remote.LastPath);
        ReplyStat(Home, zxid: 21, pzxid: 6);

        Assert.Equal("/apps/a", Remote.LastPath);
        Assert.Empty(_host.Barriers);
        // The client sees nothing of it.
        _host.Reply(Remote, _xid, Data(5));
        Assert.Equal(_xid, ReplyHeader.Read(_host.ToClient[^1].AsSpan(4)).Xid);
    }

    [Fact]
    public void A_date_holds_for_all_that_is_not_there_in_one_folder()
    {
        Begin();
        FindNothing("/folder/gone", zxid: 20);
        FindNothing("/folder/never", zxid: 22);
        Ask("/mnt/a");
        Assert.Single(Home.Operations, OpCode.Exists);
        ReplyStat(Home, zxid: 23, pzxid: 6);
        Assert.Equal("/apps/a", Remote.LastPath);
    }

    [Fact]
    public void What_may_have_gone_lately_costs_a_barrier()
    {
        Begin();
        FindNothing("/folder/gone", zxid: 20);
        Ask("/mnt/a");
        ReplyStat(Home, zxid: 21, pzxid: 15);
        Assert.Same(Remote.Link.Server, Assert.Single(_host.Barriers).Server);
        _host.FinishBarrier();
        Assert.Equal("/apps/a", Remote.LastPath);
    }

    [Fact]
    public void Where_the_folder_is_not_there_either_the_next_one_above_is_asked()
    {
        Begin();
        FindNothing("/no/folder/gone", zxid: 20);
        Ask("/mnt/a");
        Assert.Equal("/no/folder", Home.LastPath);
        _host.Reply(Home, 0, zxid: 20, error: ErrorCode.NoNode);
        Assert.Equal("/no", Home.LastPath);
        _host.Reply(Home, 0, zxid: 20, error: ErrorCode.NoNode);
        Assert.Equal("/", Home.LastPath);
        ReplyStat(Home, zxid: 20, pzxid: 7);
        Assert.Equal("/apps/a", Remote.LastPath);
        Assert.Empty(_host.Barriers);
    }

    [Fact]
    public void Nobody_is_asked_where_a_barrier_is_needed_anyway()
    {
        Begin();
        FindNothing("/folder/gone", zxid: 20);
        Ask("/x");
        _host.Reply(Home, _xid, Data(18), zxid: 20);
        Ask("/mnt/a");
        Assert.Single(_host.Barriers);
        Assert.DoesNotContain(OpCode.Exists, Home.Operations);
    }

    [Fact]
    public void A_server_that_does_not_answer_in_a_second_is_not_waited_for()
    {
        Begin();
        FindNothing("/folder/gone", zxid: 20);
        Ask("/mnt/a");
        Assert.Empty(_host.Barriers);
        _host.NowMs += 500;
        _host.Session.Tick();
        Assert.Empty(_host.Barriers);
        _host.NowMs += 600;
        _host.Session.Tick();
        Assert.Single(_host.Barriers);
        // Its answer comes when the read waits for the barrier: it does not let it go.
        ReplyStat(Home, zxid: 21, pzxid: 6);
        _host.Session.Tick();
        Assert.NotEqual("/apps/a", Remote.LastPath);
        _host.FinishBarrier();
        Assert.Equal("/apps/a", Remote.LastPath);
    }

    [Fact]
    public void A_server_of_another_region_is_not_asked_for_the_barrier_at_home_is_nearer()
    {
        Begin(far: true);
        Ask("/mnt/gone");
        _host.Reply(Remote, _xid, zxid: 20, error: ErrorCode.NoNode);
        Ask("/x");
        Assert.Same(Home.Link.Server, Assert.Single(_host.Barriers).Server);
        Assert.DoesNotContain(OpCode.Exists, Remote.Operations);
    }

    [Fact]
    public void What_is_not_there_in_a_mount_is_asked_of_its_cluster_in_its_own_terms()
    {
        Begin();
        Ask("/mnt/gone");
        _host.Reply(Remote, _xid, zxid: 20, error: ErrorCode.NoNode);
        Ask("/x");
        Assert.Equal((OpCode.Exists, "/apps"), (Remote.Operations.Last(), Remote.LastPath));
        ReplyStat(Remote, zxid: 21, pzxid: 7);
        Assert.Equal("/x", Home.LastPath);
        Assert.Empty(_host.Barriers);
    }

    [Fact]
    public void A_changed_ACL_counts_as_new_when_it_is_first_seen_and_not_again()
    {
        Begin();
        Ask("/x");
        _host.Reply(Home, _xid, Data(5, aversion: 2), zxid: 20);
        Ask("/mnt/a");
        Assert.Single(_host.Barriers);
        _host.FinishBarrier();
        _host.Reply(Remote, _xid, Data(5));

        Ask("/x");
        _host.Reply(Home, _xid, Data(5, aversion: 2), zxid: 30);
        Ask("/mnt/a");
        Assert.Single(_host.Barriers);
        _host.Reply(Remote, _xid, Data(5));

        // Changed once more.
        Ask("/x");
        _host.Reply(Home, _xid, Data(5, aversion: 3), zxid: 40);
        Ask("/mnt/a");
        Assert.Equal(2, _host.Barriers.Count);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void A_refusal_is_dated_by_the_creation_of_the_znode_until_its_ACL_has_changed(int aversion, bool barrier)
    {
        Begin();
        Ask("/secret");
        _host.Reply(Home, _xid, zxid: 20, error: ErrorCode.NoAuth);
        Ask("/mnt/a");
        Assert.Equal("/secret", Home.LastPath);
        ReplyStat(Home, zxid: 21, pzxid: 15, aversion);
        Assert.Equal(barrier, _host.Barriers.Count == 1);
    }

    [Fact]
    public void Parts_of_several_reads_are_dated_each()
    {
        Begin();
        _host.Request(++_xid, OpCode.MultiRead, writer =>
        {
            new MultiHeader(OpCode.GetChildren, false, -1).Write(writer);
            new PathWatchRequest("/list", false).Write(writer);
            new MultiHeader(OpCode.GetData, false, -1).Write(writer);
            new PathWatchRequest("/folder/gone", false).Write(writer);
            MultiHeader.End.Write(writer);
        });
        _host.Reply(Home, _xid, writer =>
        {
            new MultiHeader(OpCode.GetChildren, false, 0).Write(writer);
            writer.WriteStrings(["a"]);
            MultiHeader.WriteErrorResult(writer, ErrorCode.NoNode);
            MultiHeader.End.Write(writer);
        }, zxid: 20);
        Ask("/mnt/a");
        Assert.Equal(2, Home.Operations.Count(o => o == OpCode.Exists));
        ReplyStat(Home, zxid: 20, pzxid: 6);
        Assert.NotEqual("/apps/a", Remote.LastPath);
        ReplyStat(Home, zxid: 20, pzxid: 6);
        Assert.Equal("/apps/a", Remote.LastPath);
        Assert.Empty(_host.Barriers);
    }

    [Fact]
    public void More_folders_than_are_remembered_cost_a_barrier_and_nothing_else()
    {
        Begin();
        for (var i = 0; i <= Frontier.MaxObservations; i++)
        {
            FindNothing($"/folder{i}/gone", zxid: 20 + i);
        }
        Ask("/mnt/a");
        Assert.Single(_host.Barriers);
        _host.FinishBarrier();
        Assert.Equal("/apps/a", Remote.LastPath);
    }

    [Theory]
    [InlineData(Frontier.MaxPathLength, 0)]
    [InlineData(Frontier.MaxPathLength + 1, 1)]
    public void A_path_that_is_too_long_to_be_remembered_costs_a_barrier_and_nothing_else(int length, int barriers)
    {
        Begin();
        FindNothing("/folder/" + new string('x', length - "/folder/".Length), zxid: 20);
        Ask("/mnt/a");
        Assert.Equal(barriers, _host.Barriers.Count);
        if (barriers == 0)
        {
            ReplyStat(Home, zxid: 21, pzxid: 6);
        }
        else
        {
            _host.FinishBarrier();
        }
        Assert.Equal("/apps/a", Remote.LastPath);
    }

    private void Begin(bool far = false)
    {
        _host.Attach(session: 0);
        Ask("/x");
        _host.Reply(Home, _xid, Data(5));
        Ask("/mnt/a");
        _host.Answer(Remote, ScriptedHost.RemoteSession, far);
        _host.FinishBarrier();
        _host.Reply(Remote, _xid, Data(5));
        Ask("/x");
        _host.FinishBarrier();
        _host.Reply(Home, _xid, Data(5));
        _host.Barriers.Clear();
        Home.Sent.Clear();
        Remote.Sent.Clear();
        Ask("/mnt/first");
        _host.Reply(Remote, _xid, Data(5));
    }

    private void FindNothing(string path, long zxid)
    {
        Ask(path);
        _host.Reply(Home, _xid, zxid: zxid, error: ErrorCode.NoNode);
    }

    private void Ask(string path) => _host.Request(++_xid, OpCode.GetData, new PathWatchRequest(path, false).Write);

    private void ReplyStat(ScriptedLink link, long zxid, long pzxid, int aversion = 0) =>
        _host.Reply(link, 0, StatOf(czxid: 4, pzxid, aversion).Write, zxid);

    private static Action<JuteWriter> Data(long zxid, int aversion = 0) => writer =>
    {
        writer.WriteBytes("x"u8);
        StatOf(zxid, zxid, aversion).Write(writer);
    };

    private static Stat StatOf(long czxid, long pzxid, int aversion) => new(czxid, czxid, 0, 0, 0, 0, aversion, 0, 1, 0, pzxid);
}
