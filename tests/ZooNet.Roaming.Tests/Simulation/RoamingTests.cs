namespace ZooNet.Roaming.Tests.Simulation;

/// <summary>
/// Roaming trees under seeds. <c>ZOONET_SEEDS</c> says how many, <c>ZOONET_FIRST</c> which is the first, <c>ZOONET_THREADS</c> on how
/// many threads.
/// </summary>
public sealed class RoamingTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private const int Steps = 3000;

    [Fact]
    public void Whatever_fails_one_order_explains_all_and_nothing_is_lost_or_done_twice()
    {
        var total = Run(Missing.Nothing, Setting("ZOONET_SEEDS") ?? 300);
        output.WriteLine(total.ToString());
        Assert.True(total.Violation is null, total.Violation);
        // It did happen, in an average seed.
        Assert.True(total.Acknowledged > 30 * total.Seeds, $"{total}");
        Assert.True(total.Moves > 5 * total.Seeds, $"{total}");
        Assert.True(total.Trimmed > 10 * total.Seeds, $"{total}");
        Assert.True(total.Transactions > 0 || total.Seeds < 50, $"{total}");
    }

    [Theory]
    [InlineData("Seal")]
    [InlineData("SealOfTheLastActiveOwner")]
    [InlineData("InstallOnce")]
    [InlineData("ReadingTheRecordAgain")]
    [InlineData("WaitingUntilActive")]
    [InlineData("CheckOfTheAppend")]
    [InlineData("WaitingBeforeTrimming")]
    [InlineData("Barriers")]
    [InlineData("SealInBarriers")]
    [InlineData("NumbersOfWhatIsSentAgain")]
    public void Without_any_one_ingredient_a_violation_is_found(string missing)
    {
        var total = Run(Enum.Parse<Missing>(missing), 2000);
        output.WriteLine($"{total}: {total.Violation}");
        Assert.NotNull(total.Violation);
    }

    private static Total Run(Missing missing, int seeds)
    {
        var total = new Total();
        var first = Setting("ZOONET_FIRST") ?? 0;
        for (var seed = first; seed < first + seeds && total.Violation is null; seed += 64)
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = Setting("ZOONET_THREADS") ?? -1 };
            Parallel.For(seed, Math.Min(first + seeds, seed + 64), options, n =>
            {
                var world = new SimWorld(n, missing);
                string? found = null;
                try
                {
                    world.Run(Steps);
                }
                catch (Exception e) when (e is ViolationException or RoamingDataException)
                {
                    found = $"{world.Describe()}: {e.Message}";
                }
                total.Add(n, world, found);
            });
        }
        return total;
    }

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), out var value) && value > 0 ? value
        : null;

    /// <summary>What came of many seeds. Thread-safe.</summary>
    private sealed class Total
    {
        private readonly Lock _lock = new();
        private int _violatedBy = int.MaxValue;
        private long _entries;
        private long _snapshots;

        public int Seeds { get; private set; }
        public long Acknowledged { get; private set; }
        public long Moves { get; private set; }
        public long Transactions { get; private set; }
        public long Trimmed { get; private set; }

        /// <summary>The violation of the lowest seed: the answer is the same however many processors there are.</summary>
        public string? Violation { get; private set; }

        public void Add(int seed, SimWorld world, string? violation)
        {
            lock (_lock)
            {
                Seeds++;
                Acknowledged += world.Acknowledged;
                Moves += world.Moves;
                Transactions += world.Transactions;
                Trimmed += world.Trimmed;
                _entries += world.Truth.Logs.Values.Sum(l => l.Count);
                _snapshots += world.Snapshots;
                if (violation is not null && seed < _violatedBy)
                {
                    (_violatedBy, Violation) = (seed, violation);
                }
            }
        }

        public override string ToString() => $"{Seeds} seeds: {Acknowledged} operations acknowledged, {_entries} entries, {Moves} moves, "
            + $"{Transactions} transactions, {_snapshots} snapshots, {Trimmed} entries trimmed";
    }
}
