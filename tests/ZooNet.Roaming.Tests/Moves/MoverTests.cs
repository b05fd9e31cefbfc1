using ZooNet.Protocol;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Tests.Moves;

public sealed class MoverTests
{
    private readonly SmallTree _tree = new();

    [Fact]
    public void A_created_object_is_active_in_its_zone_and_every_zone_has_a_ballot()
    {
        Assert.Equal(new OwnerRecord(1, "x", true, null), _tree.Record);
        Assert.True(_tree.BallotOf("x").IsOpen);
        Assert.All(SmallTree.Zones, zone => Assert.NotNull(_tree.BallotOf(zone)));
    }

    [Fact]
    public void After_a_move_the_old_zone_takes_no_entry_and_the_new_one_continues_its_log()
    {
        var old = _tree.Locate();
        Assert.Equal(ErrorCode.Ok, _tree.Append(old, SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1"))).Error);

        Assert.Equal(End.Done, _tree.Move("y").End);

        Assert.Equal(ErrorCode.BadVersion, _tree.Append(old, SmallTree.EntryOf(1, 2, SmallTree.Create("/late", "1"))).Error);
        var now = _tree.Locate();
        Assert.Equal(("y", 2, 1), (now.Zone, now.Epoch, now.Ballot.Start));
        Assert.Equal(ErrorCode.Ok, _tree.Append(now, SmallTree.EntryOf(1, 2, SmallTree.Set("/a", "2", 0))).Error);

        var copy = _tree.Follow(new Follower(SmallTree.Name)).Copy;
        Assert.Equal(1, copy.Tree.Find("/a")!.Version);
        Assert.Null(copy.Tree.Find("/late"));
    }

    [Fact]
    public void A_move_that_stopped_after_any_step_is_finished_by_somebody_else()
    {
        for (var steps = 1; ; steps++)
        {
            var tree = new SmallTree();
            tree.Append(tree.Locate(), SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1")));
            if (tree.Do(new Mover(tree.Layout, "x", SmallTree.Name, "y"), steps).End == End.Done)
            {
                Assert.True(steps > 6);
                return;
            }
            Assert.Equal(End.Done, tree.Do(new Mover(tree.Layout, "x", SmallTree.Name, null)).End);
            Assert.True(tree.Record.IsActive);
            Assert.NotNull(tree.Follow(new Follower(SmallTree.Name)).Copy.Tree.Find("/a"));
        }
    }

    [Fact]
    public void A_zone_that_overtakes_a_pending_move_seals_the_last_active_owner()
    {
        _tree.Append(_tree.Locate(), SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1")));
        // The record says that y owns it, and nothing else has happened.
        _tree.Do(new Mover(_tree.Layout, "x", SmallTree.Name, "y"), 2);
        Assert.Equal(new SealPlace(1, "x"), _tree.Record.Seal);

        Assert.Equal(End.Done, _tree.Move("z").End);

        Assert.Equal(("z", 3), (_tree.Record.Owner, _tree.Record.Epoch));
        Assert.Equal(3, _tree.BallotOf("x").Promised);
        Assert.Equal([new Run(1, "x", 0, 1)], _tree.BallotOf("z").Runs);
    }

    [Fact]
    public void The_old_owner_takes_an_object_back_that_was_installed_elsewhere_and_never_active()
    {
        _tree.Append(_tree.Locate(), SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1")));
        Stop("y");
        Assert.Equal(2, _tree.BallotOf("y").Installed);
        // Now x, up to its install; then z, which must find the run of epoch 1 among those that x has closed.
        Stop("x");
        Assert.Equal(3, _tree.BallotOf("x").Installed);
        Assert.Equal(End.Done, _tree.Move("z").End);
        Assert.Equal([new Run(1, "x", 0, 1)], _tree.BallotOf("z").Runs);

        void Stop(string zone)
        {
            foreach (var ask in new Mover(_tree.Layout, "x", SmallTree.Name, zone).Steps())
            {
                if (ask.Kind == AskKind.Write && ask.Writes[0].Path == _tree.Layout.Record(SmallTree.Name)
                    && OwnerRecord.Read("", ask.Writes[0].Data).IsActive)
                {
                    return;
                }
                if (ask.Kind != AskKind.Applied)
                {
                    _tree.Ensembles[ask.Zone].ExecuteAll(ask);
                }
            }
        }
    }

    [Fact]
    public void A_zone_that_lost_its_ballot_does_not_vote_and_says_so()
    {
        _tree.Ensembles["x"].Lose(_tree.Layout.Ballot(SmallTree.Name));
        var mover = _tree.Move("y");
        Assert.Equal(End.Refused, mover.End);
        Assert.Contains("lost data", mover.Reason, StringComparison.Ordinal);
        Assert.False(_tree.Record.IsActive);
    }

    [Fact]
    public void A_lost_reply_is_never_guessed_at()
    {
        var mover = new Mover(_tree.Layout, "x", SmallTree.Name, "y");
        var lost = 0;
        foreach (var ask in mover.Steps())
        {
            if (ask.Kind == AskKind.Applied)
            {
                continue;
            }
            // The first write that is lost was carried out, the second was not, and so on.
            var carriedOut = ask.Kind != AskKind.Write || lost % 2 == 0;
            if (carriedOut)
            {
                _tree.Ensembles[ask.Zone].ExecuteAll(ask);
            }
            if (ask.Kind == AskKind.Write && lost++ < 8)
            {
                ask.Error = ErrorCode.ConnectionLoss;
            }
        }
        Assert.Equal(End.Done, mover.End);
        Assert.Equal(("y", true), (_tree.Record.Owner, _tree.Record.IsActive));
        Assert.Equal(_tree.Record.Epoch, _tree.BallotOf("y").Installed);
    }

    [Fact]
    public void An_object_that_moves_too_often_without_a_snapshot_stays_until_there_is_one()
    {
        for (var i = 0; i < 100; i++)
        {
            _tree.Append(_tree.Locate(), SmallTree.EntryOf(1, i + 1, Command.Nothing));
            var mover = _tree.Move(i % 2 == 0 ? "y" : "x");
            if (mover.End == End.Refused)
            {
                Assert.Equal(Ballot.MaxRuns, i);
                Assert.Contains("snapshot", mover.Reason, StringComparison.Ordinal);
                return;
            }
        }
        Assert.Fail("it always moved");
    }

    [Fact]
    public void A_snapshot_lets_go_of_the_runs_before_it_and_a_fresh_copy_is_the_same()
    {
        long number = 1;
        for (var i = 0; i < 6; i++)
        {
            for (var k = 0; k < 5; k++)
            {
                Assert.Equal(ErrorCode.Ok, _tree.Append(_tree.Locate(), SmallTree.EntryOf(1, number++, SmallTree.Create($"/n{i}-{k}",
                    "x"))).Error);
            }
            _tree.Move(SmallTree.Zones[(i + 1) % 3]);
        }
        var copy = _tree.Follow(new Follower(SmallTree.Name)).Copy;
        var owner = _tree.Record.Owner;
        var data = Snapshot.Write(copy);
        Assert.Equal(End.Done, _tree.Do(new Snapshotter(_tree.Layout, owner, SmallTree.Name, copy.Index, data, 7)).End);
        Assert.Equal(End.Done, _tree.Do(new Trimmer(_tree.Layout, "x", SmallTree.Zones, SmallTree.Name)).End);
        Assert.DoesNotContain(SmallTree.Zones, z => _tree.Ensembles[z].Has(_tree.Layout.Log(SmallTree.Name, 1)));

        _tree.Append(_tree.Locate(), SmallTree.EntryOf(1, number, SmallTree.Create("/last", "x")));
        _tree.Move("y");
        Assert.Single(_tree.BallotOf("y").Runs);
        _tree.Follow(new Follower(SmallTree.Name));
        var old = new Follower(SmallTree.Name);
        old.Replace(copy);
        Assert.Equal(Snapshot.Write(_tree.Follow(old).Copy), Snapshot.Write(_tree.Follow(new Follower(SmallTree.Name)).Copy));
        Assert.Equal(31, old.Copy.Index);
    }

    [Fact]
    public void A_trim_that_has_no_snapshot_of_the_owner_deletes_nothing()
    {
        _tree.Append(_tree.Locate(), SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1")));
        _tree.Move("y");
        var copy = _tree.Follow(new Follower(SmallTree.Name)).Copy;
        _tree.Do(new Snapshotter(_tree.Layout, "z", SmallTree.Name, copy.Index, Snapshot.Write(copy), 7));
        Assert.Equal(End.Done, _tree.Do(new Trimmer(_tree.Layout, "x", SmallTree.Zones, SmallTree.Name)).End);
        Assert.True(_tree.Ensembles["x"].Has(_tree.Layout.Entry(SmallTree.Name, 1, 0)));
    }

    [Fact]
    public void A_transaction_happens_in_all_objects_or_in_none()
    {
        _tree.Do(new Creator(_tree.Layout, "x", SmallTree.Zones, "p", "y"));
        Assert.Equal(End.Done, _tree.Do(new Gatherer(_tree.Layout, "x", "x", ["p", SmallTree.Name])).End);
        var other = _tree.Do(new Locator(_tree.Layout, "x", "p")).Location!;
        TransactionPart[] parts =
        [
            new(SmallTree.Name, _tree.Locate(), new Place(1, 0), SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1"))),
            new("p", other, new Place(2, 0), SmallTree.EntryOf(1, 1, SmallTree.Create("/b", "1"))),
        ];
        var stale = new Transaction(_tree.Layout, parts).Steps().GetEnumerator();
        for (var i = 0; i < 2; i++)
        {
            stale.MoveNext();
            _tree.Ensembles["x"].Execute(stale.Current);
        }
        Assert.Equal(End.Done, _tree.Do(new Transaction(_tree.Layout, parts)).End);
        // It had looked before, and finds both places taken.
        stale.MoveNext();
        _tree.Ensembles["x"].Execute(stale.Current);
        Assert.Equal(ErrorCode.NodeExists, stale.Current.Error);
        Assert.Equal(1, _tree.Ensembles["x"].CreatesOf(_tree.Layout.Log("p", 2)));
        Assert.Equal(End.Overtaken, _tree.Do(new Transaction(_tree.Layout, parts)).End);
    }

    [Fact]
    public void Where_the_zone_has_promised_the_object_to_somebody_nothing_is_appended_whatever_version_was_read()
    {
        // The record names y, and x has promised; y is not active yet.
        _tree.Do(new Mover(_tree.Layout, "x", SmallTree.Name, "y"), 4);
        var late = new Location("x", 1, 2, _tree.BallotOf("x"));
        Assert.Equal((2, 1), (late.Ballot.Promised, late.Ballot.Installed));
        Assert.Throws<InvalidOperationException>(() => late.Append(_tree.Layout, SmallTree.Name, []));
        var part = new TransactionPart(SmallTree.Name, late, new Place(1, 0), SmallTree.EntryOf(1, 1, Command.Nothing));
        Assert.Equal(End.Overtaken, _tree.Do(new Transaction(_tree.Layout, [part])).End);
    }

    [Fact]
    public void Objects_of_several_owners_are_no_transaction()
    {
        _tree.Do(new Creator(_tree.Layout, "x", SmallTree.Zones, "p", "y"));
        var other = _tree.Do(new Locator(_tree.Layout, "x", "p")).Location!;
        var transaction = _tree.Do(new Transaction(_tree.Layout,
        [
            new(SmallTree.Name, _tree.Locate(), new Place(1, 0), SmallTree.EntryOf(1, 1, Command.Nothing)),
            new("p", other, new Place(1, 0), SmallTree.EntryOf(1, 1, Command.Nothing)),
        ]));
        Assert.Equal(End.Refused, transaction.End);
        Assert.Contains("several owners", transaction.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    public void A_name_that_is_no_znode_name_is_refused(string name) =>
        Assert.Throws<RoamingDataException>(() => _tree.Do(new Creator(_tree.Layout, "x", SmallTree.Zones, name, "x")));

    [Fact]
    public void An_owner_that_is_no_zone_of_the_tree_is_refused()
    {
        var creator = _tree.Do(new Creator(_tree.Layout, "x", SmallTree.Zones, "p", "mars"));
        Assert.Equal(End.Refused, creator.End);
        Assert.Contains("mars", creator.Reason, StringComparison.Ordinal);
    }
}
