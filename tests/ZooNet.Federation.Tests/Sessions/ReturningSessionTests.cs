using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Sessions;

/// <summary>What a session has learned through a mount it knows when the mount is gone, and on another proxy too.</summary>
public sealed class ReturningSessionTests
{
    private readonly ScriptedHost _host = new();

    [Fact]
    public void A_session_that_returns_after_the_last_unmount_reads_home_behind_a_barrier()
    {
        _host.Region.Mounts = MountTable.Empty;
        _host.Attach();
        var home = _host.Links[0];

        _host.Request(1, OpCode.GetData, new PathWatchRequest("/x", false).Write);
        Assert.Empty(home.Operations);

        var (server, ticket) = Assert.Single(_host.Barriers);
        server.BarrierDone(ticket, succeeded: true);
        Assert.Equal([OpCode.GetData], home.Operations);
    }

    [Fact]
    public void A_new_session_has_learned_nothing_and_pays_nothing()
    {
        _host.Region.Mounts = MountTable.Empty;
        _host.Attach(session: 0);
        _host.Request(1, OpCode.GetData, new PathWatchRequest("/x", false).Write);
        Assert.Equal([OpCode.GetData], _host.Links[0].Operations);
        Assert.Empty(_host.Barriers);
    }
}
