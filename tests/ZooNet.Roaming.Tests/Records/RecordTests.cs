using System.Text;
using ZooNet.Protocol;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Tree.Requests;

namespace ZooNet.Roaming.Tests.Records;

public sealed class RecordTests
{
    [Fact]
    public void Records_are_JSON_that_an_operator_can_read()
    {
        Assert.Equal("""{"epoch":2,"owner":"eu","isActive":false,"seal":{"epoch":1,"zone":"us"}}""",
            Text(new OwnerRecord(1, "us", true, null).MovedTo("eu").ToBytes()));
        Assert.Equal("""{"promised":3,"installed":2,"runs":[{"epoch":1,"zone":"us","start":0,"count":7}]}""",
            Text(new Ballot(3, 2, [new Run(1, "us", 0, 7)]).ToBytes()));
        Assert.Equal("""{"below":5}""", Text(new LogRecord(5).ToBytes()));
        Assert.Equal("""{"index":9,"folder":"9-a","pieces":1,"length":20}""", Text(new BaseRecord(9, "9-a", 1, 20).ToBytes()));
    }

    [Fact]
    public void Why_an_object_moved_stays_with_the_record_and_a_policy_with_the_tree()
    {
        var moved = new OwnerRecord(1, "us", true, null).MovedTo("eu", "it wrote most").Activate();
        Assert.Equal("""{"epoch":2,"owner":"eu","isActive":true,"why":"it wrote most"}""", Text(moved.ToBytes()));
        Assert.Equal(moved, OwnerRecord.Read("r", moved.ToBytes()));
        var tree = new TreeRecord(["eu", "us"], "us", "1", "majority");
        Assert.Equal("majority", TreeRecord.Read("t", tree.ToBytes()).Policy);
        Assert.Equal("""{"zones":["eu"],"arbiter":"eu","id":"1"}""", Text(new TreeRecord(["eu"], "eu", "1").ToBytes()));
    }

    [Theory]
    [InlineData("/a", true)]
    [InlineData("/zookeepers", true)]
    [InlineData("/zookeeper", false)]
    [InlineData("/zookeeper/zoonet/interests/us", false)]
    public void What_proxies_write_for_themselves_is_no_use_of_a_tree(string path, bool isUse)
    {
        var set = new JuteWriter();
        set.WriteString(path);
        Assert.Equal(isUse, Command.Write(new SessionName("us", 1), OpCode.SetData, set.Written.ToArray(), []).IsUse);
        var multi = new JuteWriter();
        multi.WriteInt((int)OpCode.Create);
        multi.WriteBool(false);
        multi.WriteInt(-1);
        multi.WriteString(path);
        Assert.Equal(isUse, Command.Write(new SessionName("us", 1), OpCode.Multi, multi.Written.ToArray(), []).IsUse);
        Assert.False(Command.EndSession(new SessionName("us", 1)).IsUse);
        Assert.False(Command.Reap("/a").IsUse);
        Assert.False(Command.Write(new SessionName("us", 1), OpCode.SetData, [], []).IsUse);
    }

    [Fact]
    public void Records_are_read_as_they_were_written_and_unknown_members_are_ignored()
    {
        var record = new OwnerRecord(2, "eu", false, new SealPlace(1, "us"));
        Assert.Equal(record, OwnerRecord.Read("r", record.ToBytes()));
        Assert.Equal(record, OwnerRecord.Read("r", Encoding.UTF8.GetBytes(Text(record.ToBytes())[..^1] + ""","copies":["ap"]}""")));
        var ballot = new Ballot(3, 2, [new Run(1, "us", 0, 7)]);
        Assert.Equivalent(ballot, Ballot.Read("b", ballot.ToBytes()), strict: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("""{"epoch":2,"owner":"eu","isActive":true,"seal":{"epoch":1,"zone":"us"}}""")]
    [InlineData("""{"epoch":2,"owner":"eu","isActive":false}""")]
    [InlineData("""{"epoch":2,"owner":"eu","isActive":false,"seal":{"epoch":2,"zone":"us"}}""")]
    public void A_damaged_record_is_refused_and_named(string content)
    {
        var error = Assert.Throws<RoamingDataException>(() => OwnerRecord.Read("/records/a", Encoding.UTF8.GetBytes(content)));
        Assert.Contains("/records/a", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"promised":1,"installed":2,"runs":[]}""")]
    [InlineData("""{"promised":2,"installed":2}""")]
    [InlineData("""{"promised":3,"installed":3"""
        + ""","runs":[{"epoch":1,"zone":"u","start":0,"count":7},{"epoch":2,"zone":"e","start":8,"count":1}]}""")]
    [InlineData("""{"promised":2,"installed":2,"runs":[{"epoch":2,"zone":"us","start":0,"count":7}]}""")]
    public void A_ballot_that_contradicts_itself_is_refused(string content) =>
        Assert.Throws<RoamingDataException>(() => Ballot.Read("/objects/a", Encoding.UTF8.GetBytes(content)));

    [Fact]
    public void The_bytes_of_an_entry_stay_what_they_are()
    {
        var entry = new Entry("us", 7, 3, 9, 1_700_000_000_000,
            [Command.Write(new SessionName("us", 0x10), OpCode.Delete, [1, 2], [new Identity("ip", "10.0.0.1")]), Command.EndProxy(4)]);
        Assert.Equal("5A4E52010000000275730000000000000007000000000000000300000000000000090000018BCFE5680000000002000000010000000275"
            + "73000000000000001000000002000000020102000000010000000269700000000831302E302E302E310000000000000000000000030000"
            + "000000000000000000000000000000000000000000000000000000000004E5E02BA5", Convert.ToHexString(entry.ToBytes()));
        Assert.Equal(entry.ToBytes(), Entry.Read("e", entry.ToBytes()).ToBytes());
    }

    [Fact]
    public void Every_kind_of_command_is_read_as_it_was_written()
    {
        foreach (var command in (Command[])[Command.Nothing, Command.EndProxy(1), Command.EndSession(new SessionName("x", 1)),
            Command.Reap("/"), SmallTree.Set("/a", "")])
        {
            var bytes = SmallTree.EntryOf(1, 1, command).ToBytes();
            Assert.Equal(bytes, Entry.Read("e", bytes).ToBytes());
        }
    }

    [Fact]
    public void An_entry_in_which_any_byte_has_changed_is_refused()
    {
        var bytes = SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1")).ToBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var damaged = bytes.ToArray();
            damaged[i] ^= 0x20;
            Assert.Throws<RoamingDataException>(() => Entry.Read("e", damaged));
            Assert.Throws<RoamingDataException>(() => Entry.Read("e", bytes[..i]));
        }
    }

    [Fact]
    public void An_entry_with_no_command_with_too_many_or_too_long_ones_is_refused()
    {
        Assert.Throws<RoamingDataException>(() => SmallTree.EntryOf(1, 1).ToBytes());
        Assert.Throws<RoamingDataException>(() => SmallTree.EntryOf(1, 1, [.. Enumerable.Repeat(Command.Nothing,
            Entry.MaxCommands + 1)]).ToBytes());
        var error = Assert.Throws<RoamingDataException>(() => SmallTree.EntryOf(1, 1, SmallTree.Create("/a", new string('x',
            Entry.MaxLength))).ToBytes());
        Assert.Contains("too long", error.Message, StringComparison.Ordinal);
        Assert.False(new Sender("x", 1, 0).TryAdd(SmallTree.Create("/a", new string('x', Entry.MaxLength)), null));
    }

    [Fact]
    public void A_snapshot_is_the_copy_and_goes_on_as_it_would_have()
    {
        var copy = new ObjectCopy();
        copy.StandAt(new Place(1, 0));
        copy.Apply(SmallTree.EntryOf(1, 1, SmallTree.Create("/a", "1"), SmallTree.Create("/a/e-", "", CreateFlags.EphemeralSequential,
            session: 3)));
        copy.Apply(SmallTree.EntryOf(2, 1, Command.EndProxy(5), SmallTree.Set("/", "root")));
        var read = Snapshot.Read("s", Snapshot.Write(copy));
        Assert.Equal(Snapshot.Write(copy), Snapshot.Write(read));
        foreach (var both in (ObjectCopy[])[copy, read])
        {
            both.Apply(SmallTree.EntryOf(1, 3, SmallTree.Create("/a/e-", "", CreateFlags.EphemeralSequential, session: 4),
                Command.EndSession(new SessionName("x", 3))));
        }
        Assert.Equal(copy.Digest, read.Digest);
        Assert.Equal(Snapshot.Write(copy), Snapshot.Write(read));
        Assert.NotNull(read.Tree.Find("/a/e-0000000001"));
        Assert.Null(read.Tree.Find("/a/e-0000000000"));
    }

    [Fact]
    public void A_damaged_snapshot_is_refused()
    {
        var bytes = Snapshot.Write(new ObjectCopy());
        for (var i = 0; i < bytes.Length; i++)
        {
            var damaged = bytes.ToArray();
            damaged[i] ^= 1;
            Assert.Throws<RoamingDataException>(() => Snapshot.Read("s", damaged));
        }
    }

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);
}
