namespace ZooNet.Demo.Tests;

/// <summary>The checker finds what no single order explains, and nothing else.</summary>
public sealed class HistoryCheckerTests
{
    private const string X = "us:/x";
    private const string Y = "eu:/y";

    private static Operation Write(int session, string key, long version) => new(session, key, true, version);

    private static Operation Read(int session, string key, long version) => new(session, key, false, version);

    [Fact]
    public void Two_writers_that_both_read_the_old_value_fit_no_order() =>
        Assert.Equal(4, HistoryChecker.CountInCycles([Write(1, X, 10), Read(1, Y, 5), Write(2, Y, 20), Read(2, X, 5)]));

    [Fact]
    public void Two_writers_of_whom_one_reads_the_new_value_fit_an_order() =>
        Assert.Equal(0, HistoryChecker.CountInCycles([Write(1, X, 10), Read(1, Y, 20), Write(2, Y, 20), Read(2, X, 5)]));

    [Fact]
    public void A_stale_read_alone_is_allowed() =>
        Assert.Equal(0, HistoryChecker.CountInCycles([Write(1, X, 10), Write(1, X, 11), Read(2, X, 10), Read(2, X, 10)]));

    [Fact]
    public void A_client_that_goes_back_fits_no_order() =>
        Assert.Equal(3, HistoryChecker.CountInCycles([Write(1, X, 10), Write(1, X, 11), Read(2, X, 11), Read(2, X, 10)]));

    [Fact]
    public void A_cycle_of_three_regions_without_any_symmetric_pair_is_found()
    {
        const string Z = "ap:/z";
        Assert.Equal(6, HistoryChecker.CountInCycles(
        [
            Write(1, X, 10), Read(1, Y, 1),
            Write(2, Y, 20), Read(2, Z, 1),
            Write(3, Z, 30), Read(3, X, 1),
        ]));
    }

    [Fact]
    public void Only_the_operations_on_the_cycle_are_counted() =>
        Assert.Equal(4, HistoryChecker.CountInCycles(
        [
            Read(1, X, 5), Write(1, X, 10), Read(1, Y, 5), Read(1, Y, 20),
            Write(2, Y, 20), Read(2, X, 5), Write(2, Y, 21),
            Read(3, Y, 21),
        ]));

    [Fact]
    public void A_long_history_needs_no_deep_stack()
    {
        const int Length = 200_000;
        var history = Enumerable.Range(1, Length).Select(i => i % 2 == 0 ? Read(1, X, i - 1) : Write(1, X, i)).ToArray();
        Assert.Equal(0, HistoryChecker.CountInCycles(history));
    }

    /// <summary>An obvious second opinion: try every order.</summary>
    [Fact]
    public void It_agrees_with_trying_every_order_on_random_small_histories()
    {
        var random = new Random(7);
        var (consistent, inconsistent) = (0, 0);
        for (var i = 0; i < 3000; i++)
        {
            var history = RandomHistory(random);
            var expected = HasOrder(history);
            Assert.True(expected == (HistoryChecker.CountInCycles(history) == 0), $"history {i}: {string.Join(", ", history)}");
            _ = expected ? consistent++ : inconsistent++;
        }
        Assert.True(consistent > 300 && inconsistent > 300, $"{consistent} consistent, {inconsistent} not: the histories test nothing");
    }

    private static Operation[] RandomHistory(Random random)
    {
        string[] keys = [X, Y];
        var written = keys.ToDictionary(k => k, _ => 0L);
        var shape = Enumerable.Range(0, 6).Select(i => (Session: i / 2, Key: keys[random.Next(2)], IsWrite: random.Next(2) == 0)).ToArray();
        // Versions are given out in a random order of the writes: zxids need not follow the sessions' numbers.
        var versions = new long[shape.Length];
        foreach (var i in Enumerable.Range(0, shape.Length).Where(i => shape[i].IsWrite).OrderBy(_ => random.Next()))
        {
            versions[i] = ++written[shape[i].Key];
        }
        return [.. shape.Select((s, i) => new Operation(s.Session, s.Key, s.IsWrite, s.IsWrite ? versions[i] : random.NextInt64(written[s.Key] + 1)))];
    }

    private static bool HasOrder(Operation[] history)
    {
        var sessions = history.GroupBy(o => o.Session).Select(g => g.ToArray()).ToArray();
        return Try(new int[sessions.Length], new Dictionary<string, long> { [X] = 0, [Y] = 0 });

        bool Try(int[] at, Dictionary<string, long> state)
        {
            if (at.Select((a, s) => a == sessions[s].Length).All(done => done))
            {
                return true;
            }
            for (var s = 0; s < sessions.Length; s++)
            {
                if (at[s] == sessions[s].Length)
                {
                    continue;
                }
                var operation = sessions[s][at[s]];
                // Writes of a key happen in the order of their versions; reads return the current one.
                if (operation.Version != state[operation.Key] + (operation.IsWrite ? 1 : 0))
                {
                    continue;
                }
                int[] next = [.. at];
                next[s]++;
                if (Try(next, new Dictionary<string, long>(state) { [operation.Key] = operation.Version }))
                {
                    return true;
                }
            }
            return false;
        }
    }
}
