using ZooNet.Simulation.Checking;

namespace ZooNet.Integration.Histories;

/// <summary>What the judge of histories makes of small ones, written by hand.</summary>
public sealed class RecordedHistoryTests
{
    private readonly HistoryRecorder _recorder = new();
    private readonly Dictionary<string, List<LoggedChange>> _committed = new() { ["us"] = [], ["eu"] = [] };
    private readonly List<LoggedChange> _uncertainInEu = [];

    [Fact]
    public void Two_clients_that_miss_each_others_write_are_a_cycle()
    {
        Made("us", 1, "a");
        Made("eu", 1, "b");
        Wrote(process: 1, "us", 2, "a");
        Wrote(process: 2, "eu", 2, "b");
        Read(process: 1, "eu", 1, "b");
        Read(process: 2, "us", 1, "a");
        Assert.Equal(4, Judge().FindCycle(realTime: false).Count);
    }

    [Fact]
    public void One_client_that_misses_the_others_write_came_first()
    {
        Made("us", 1, "a");
        Made("eu", 1, "b");
        Wrote(process: 1, "us", 2, "a");
        Wrote(process: 2, "eu", 2, "b");
        Read(process: 1, "eu", 2, "b");
        Read(process: 2, "us", 1, "a");
        Assert.Empty(Judge().FindCycle(realTime: false));
    }

    [Fact]
    public void Writes_against_real_time_are_a_cycle_only_where_real_time_counts()
    {
        Made("us", 1, "a");
        Made("eu", 1, "b");
        Wrote(process: 1, "us", 2, "a");
        Assert.True(SpinWait.SpinUntil(() => _recorder.Now > _recorder.History.Ops[0].End, TimeSpan.FromSeconds(1)));
        Wrote(process: 2, "eu", 2, "b");
        // The other way round than they were made.
        Read(process: 3, "eu", 2, "b");
        Read(process: 3, "us", 1, "a");
        var history = Judge();
        Assert.Empty(history.FindCycle(realTime: false));
        Assert.NotEmpty(history.FindCycle(realTime: true));
    }

    [Fact]
    public void A_write_that_was_lost_with_its_connection_counts_where_the_log_has_it()
    {
        Made("us", 1, "a");
        Made("eu", 1, "b");
        var lost = _recorder.Begin(1, "us", OpKind.Write, "a");
        _committed["us"].Add(new LoggedChange(2, "a", Lists: false, Exists: true, lost.Id));
        Wrote(process: 2, "eu", 2, "b");
        Read(process: 3, "us", 2, "a");
        Read(process: 3, "eu", 1, "b");
        Read(process: 2, "us", 1, "a");
        var history = Judge();
        Assert.Equal(1, history.Unanswered);
        Assert.NotEmpty(history.FindCycle(realTime: false));
    }

    [Fact]
    public void A_missing_znode_has_the_one_place_where_the_log_has_it_missing()
    {
        Made("eu", 1, "x");
        Deleted(process: 1, "eu", 2, "x");
        Wrote(process: 1, "eu", 3, "x", creates: true);
        Read(process: 2, "eu", 1, "x");
        var missing = Missed(process: 2, "eu", "x");
        Assert.Empty(Judge().Contradictions);
        Assert.Equal(2, missing.Position);
    }

    [Fact]
    public void A_missing_znode_that_was_missing_twice_has_no_place()
    {
        Made("eu", 1, "x");
        Deleted(process: 1, "eu", 2, "x");
        Wrote(process: 1, "eu", 3, "x", creates: true);
        Deleted(process: 1, "eu", 4, "x");
        Read(process: 2, "eu", 1, "x");
        var missing = Missed(process: 2, "eu", "x");
        Assert.Empty(Judge().Contradictions);
        Assert.Equal(-1, missing.Position);
    }

    [Fact]
    public void A_znode_missing_before_its_delete_was_begun_is_a_contradiction()
    {
        Made("eu", 1, "x");
        Read(process: 2, "eu", 1, "x");
        var missing = Missed(process: 2, "eu", "x");
        Assert.True(SpinWait.SpinUntil(() => _recorder.Now > missing.End, TimeSpan.FromSeconds(1)));
        Deleted(process: 1, "eu", 2, "x");
        Assert.Single(Judge().Contradictions);
    }

    [Fact]
    public void A_delete_that_may_not_have_been_committed_leaves_a_missing_znode_without_a_place()
    {
        Made("eu", 1, "x");
        Read(process: 2, "eu", 1, "x");
        var missing = Missed(process: 2, "eu", "x");
        _uncertainInEu.Add(new LoggedChange(2, "x", Lists: true, Exists: false, -1));
        Assert.Empty(Judge().Contradictions);
        Assert.Equal(-1, missing.Position);
    }

    [Fact]
    public void An_acknowledged_write_that_no_log_has_is_a_contradiction()
    {
        Made("us", 1, "a");
        var write = _recorder.Begin(1, "us", OpKind.Write, "a");
        _recorder.End(write, new Observation(2, 0, null));
        Assert.Single(Judge().Contradictions);
    }

    private RecordedHistory Judge() => new(_recorder, _committed.ToDictionary(c => c.Key, c => new TransactionLogs(c.Value, c.Key == "eu" ? _uncertainInEu : [])));

    private void Made(string cluster, long zxid, string key) => _committed[cluster].Add(new LoggedChange(zxid, key, Lists: true, Exists: true, -1));

    private void Wrote(int process, string cluster, long zxid, string key, bool creates = false) => Change(process, cluster, zxid, key, creates, exists: true);

    private void Deleted(int process, string cluster, long zxid, string key) => Change(process, cluster, zxid, key, lists: true, exists: false);

    private void Change(int process, string cluster, long zxid, string key, bool lists, bool exists)
    {
        var op = _recorder.Begin(process, cluster, OpKind.Write, key);
        _committed[cluster].Add(new LoggedChange(zxid, key, lists, exists, op.Id));
        _recorder.End(op, new Observation(zxid, 0, null));
    }

    private void Read(int process, string cluster, long zxid, string key) => _recorder.End(_recorder.Begin(process, cluster, OpKind.Read, key), new Observation(zxid, 0, null));

    private Op Missed(int process, string cluster, string key)
    {
        var op = _recorder.Begin(process, cluster, OpKind.Read, key);
        _recorder.End(op, new Observation(0, 0, null));
        return op;
    }
}
