using ZooNet.Protocol;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Tests.Objects;

public sealed class ObjectCopyTests
{
    private readonly ObjectCopy _copy = new();

    [Fact]
    public void A_command_takes_effect_once_however_often_it_is_in_the_log()
    {
        _copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/q-", "", CreateFlags.PersistentSequential)));
        var again = _copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/q-", "", CreateFlags.PersistentSequential)));
        Assert.Null(again[0].Result);
        Assert.Equal(1, _copy.Tree.Root.ChildCount);
    }

    [Fact]
    public void A_command_out_of_turn_has_no_effect_and_is_taken_when_the_one_before_it_was()
    {
        Assert.Null(_copy.Apply(SmallTree.EntryOf(1, 2, SmallTree.Create("/b", "")))[0].Result);
        _copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/a", ""), SmallTree.Create("/b", "")));
        Assert.Equal(2, _copy.Tree.Root.ChildCount);
        Assert.Equal(2, _copy.AppliedOf(1));
    }

    [Fact]
    public void An_object_is_as_ZooKeeper_makes_it()
    {
        var outcomes = _copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1"), SmallTree.Create("/a", "1"), SmallTree.Set("/a",
            "2", 7), SmallTree.Set("/a", "2", 0)));
        Assert.Equal([ErrorCode.Ok, ErrorCode.NodeExists, ErrorCode.BadVersion, ErrorCode.Ok], outcomes.Select(o => o.Result!.Value.Error));
        var stat = _copy.Tree.Find("/a")!.Stat;
        // Also a write that fails has a zxid.
        Assert.Equal((1, 4, 1), (stat.Czxid, stat.Mzxid, stat.Version));
        Assert.Null(_copy.Tree.Find("/zookeeper"));
    }

    [Fact]
    public void The_end_of_a_session_takes_its_ephemeral_znodes_and_nobody_elses()
    {
        _copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/mine", "", CreateFlags.Ephemeral, session: 5),
            SmallTree.Create("/other", "", CreateFlags.Ephemeral, session: 5, zone: "y"), SmallTree.Create("/stays", "", session: 5)));
        Assert.Equal(new SessionName("x", 5), _copy.OwnerOf(_copy.Tree.Find("/mine")!));

        _copy.Apply(SmallTree.EntryOf(1, 4, Command.EndSession(new SessionName("x", 5)), Command.EndSession(new SessionName("z", 5))));

        Assert.Null(_copy.Tree.Find("/mine"));
        Assert.NotNull(_copy.Tree.Find("/other"));
        Assert.NotNull(_copy.Tree.Find("/stays"));
    }

    [Fact]
    public void Nothing_of_a_proxy_that_was_ended_has_an_effect_any_more()
    {
        _copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "")));
        _copy.Apply(SmallTree.EntryOf(2, 1, Command.EndProxy(1), Command.EndProxy(3)));
        Assert.Null(_copy.Apply(SmallTree.EntryOf(1, 2, SmallTree.Create("/late", "")))[0].Result);
        Assert.Null(_copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/late", "")))[0].Result);
        Assert.Null(_copy.Apply(SmallTree.EntryOf(3, 1, SmallTree.Create("/late", "")))[0].Result);
        Assert.False(_copy.Takes(1, 0));
        Assert.Equal(1, _copy.Tree.Root.ChildCount);

        // One that begins after that is a new one.
        var anew = SmallTree.EntryOf(4, 1, SmallTree.Create("/new", "")) with { Since = _copy.Index };
        Assert.NotNull(_copy.Apply(anew)[0].Result);
    }

    [Fact]
    public void Of_too_many_proxies_the_one_that_was_silent_for_longest_is_forgotten_and_can_do_no_harm()
    {
        for (var proxy = 1; proxy <= ObjectCopy.MaxProxies + 1; proxy++)
        {
            _copy.Apply(SmallTree.EntryOf(proxy, 1, Command.Nothing) with { Since = _copy.Index });
        }
        Assert.Equal(0, _copy.AppliedOf(1));
        Assert.Equal(1, _copy.AppliedOf(2));
        Assert.Null(_copy.Apply(SmallTree.EntryOf(1, 1, Command.Nothing))[0].Result);
    }

    [Fact]
    public void A_container_goes_when_it_is_empty_and_a_znode_with_a_time_to_live_when_the_log_says_that_it_is_over()
    {
        var container = new JuteWriter();
        new CreateRequest("/c", null, [.. Acl.Open], CreateFlags.Container).Write(container, OpCode.CreateContainer);
        var ttl = new JuteWriter();
        new CreateRequest("/t", null, [.. Acl.Open], CreateFlags.PersistentWithTtl, 500).Write(ttl, OpCode.CreateTtl);
        _copy.Apply(SmallTree.EntryOf(1, 1, Command.Write(default, OpCode.CreateContainer, container.Written.ToArray(), []),
            Command.Write(default, OpCode.CreateTtl, ttl.Written.ToArray(), []), Command.Reap("/c"), Command.Reap("/t")));
        Assert.Equal(2, _copy.Tree.Root.ChildCount);
        _copy.Apply(SmallTree.EntryOf(1, 5, Command.Reap("/t")) with { TimeMs = 1_501 });
        Assert.Null(_copy.Tree.Find("/t"));
        // Time does not go back, whatever a proxy's clock does.
        _copy.Apply(SmallTree.EntryOf(1, 6, SmallTree.Create("/x", "")) with { TimeMs = 3 });
        Assert.Equal(1_501, _copy.Tree.Find("/x")!.Ctime);
    }

    [Fact]
    public void What_a_seal_refused_is_sent_again_in_order_and_nothing_twice()
    {
        var sender = new Sender("x", 9, 0);
        for (var i = 0; i < 5; i++)
        {
            Assert.True(sender.TryAdd(SmallTree.Create($"/n{i}", ""), i));
        }
        var first = sender.Take(1, 2)!;
        var second = sender.Take(1, 2)!;
        Assert.Equal((1, 3, 1), (first.First, second.First, sender.Unsent));
        // The first is committed, its reply is lost; the second is refused.
        sender.SendAgain();
        var again = sender.Take(1)!;
        Assert.Equal((1, 5), (again.First, again.Commands.Count));
        var tags = new List<object?>();
        foreach (var entry in (Entry[])[first, again])
        {
            foreach (var outcome in _copy.Apply(entry))
            {
                if (sender.Applied(outcome, out var tag))
                {
                    tags.Add(tag);
                }
            }
        }
        Assert.Equal([0, 1, 2, 3, 4], tags);
        Assert.Equal(0, sender.Count);
        Assert.Equal(5, _copy.Tree.Root.ChildCount);
    }
}
