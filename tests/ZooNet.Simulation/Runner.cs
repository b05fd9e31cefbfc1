using System.Text;
using ZooNet.Simulation.Checking;

namespace ZooNet.Simulation;

/// <summary>What came of many seeds of one scenario. Thread-safe.</summary>
internal sealed class Outcome
{
    private readonly Lock _lock = new();
    private (int Length, int Seed, string Text) _sequential = (int.MaxValue, 0, "");
    private (int Length, int Seed, string Text) _ordered = (int.MaxValue, 0, "");

    public int Seeds { get; private set; }
    public int SequentialViolations { get; private set; }
    public int OrderedViolations { get; private set; }
    public long Operations { get; private set; }
    public long Reads { get; private set; }
    public long Barriers { get; private set; }
    public long AgreedCopies { get; private set; }
    public long MountsJoined { get; private set; }
    public long MountsLeft { get; private set; }

    public double BarriersPerRead => Reads == 0 ? 0 : (double)Barriers / Reads;

    /// <summary>The shortest violation of sequential consistency: seed, topology, history.</summary>
    public string ShortestSequential => _sequential.Text;

    /// <summary>The shortest violation of ordered sequential consistency.</summary>
    public string ShortestOrdered => _ordered.Text;

    public void Add(int seed, World world, IReadOnlyList<Op> sequential, IReadOnlyList<Op> ordered)
    {
        lock (_lock)
        {
            Seeds++;
            SequentialViolations += sequential.Count > 0 ? 1 : 0;
            OrderedViolations += ordered.Count > 0 ? 1 : 0;
            Operations += world.History.Ops.Count;
            Reads += world.Reads;
            Barriers += world.Barriers;
            AgreedCopies += world.AgreedCopies;
            MountsJoined += world.MountChanges.Joined;
            MountsLeft += world.MountChanges.Left;
            Keep(ref _sequential, seed, world, sequential);
            Keep(ref _ordered, seed, world, ordered);
        }
    }

    private static void Keep(ref (int Length, int Seed, string Text) best, int seed, World world, IReadOnlyList<Op> cycle)
    {
        if (cycle.Count > 0 && (cycle.Count, seed).CompareTo((best.Length, best.Seed)) < 0)
        {
            best = (cycle.Count, seed, Describe(seed, world, cycle));
        }
    }

    private static string Describe(int seed, World world, IReadOnlyList<Op> cycle)
    {
        var text = new StringBuilder();
        text.AppendLine($"seed {seed}, {world.Topology}, policy {world.Scenario.Policy}, mutation {world.Scenario.Mutation}: each of these must come before the next, and the last before the first:");
        foreach (var op in cycle)
        {
            text.AppendLine($"  {op}");
        }
        foreach (var note in world.Notes)
        {
            text.AppendLine($"  at {note}");
        }
        return text.ToString();
    }
}

/// <summary>Runs seeds on all processors, or on as many as ZOONET_THREADS says.</summary>
internal static class Runner
{
    private const int Batch = 256;

    /// <summary>How many seeds to run: what ZOONET_SEEDS says, or what fits the normal test run.</summary>
    public static int Seeds(int normally) => Setting("ZOONET_SEEDS") ?? normally;

    /// <summary>Runs seeds one after the other.</summary>
    /// <param name="scenario">Everything but the seed.</param>
    /// <param name="seeds">How many.</param>
    /// <param name="until">Stops after the batch of seeds with which this comes true: the answer is the same however many processors
    /// there are.</param>
    /// <param name="first">The first seed, where ZOONET_FIRST does not say another.</param>
    public static Outcome Run(Scenario scenario, int seeds, Func<Outcome, bool>? until = null, int first = 0)
    {
        var total = new Outcome();
        var end = (first = Setting("ZOONET_FIRST") ?? first) + seeds;
        for (; first < end && until?.Invoke(total) != true; first += Batch)
        {
            Parallel.For(first, Math.Min(end, first + Batch), new ParallelOptions { MaxDegreeOfParallelism = Setting("ZOONET_THREADS") ?? -1 }, seed =>
            {
                try
                {
                    var world = new World(scenario, seed);
                    var (sequential, ordered) = world.Run();
                    total.Add(seed, world, sequential, ordered);
                }
                catch (Exception e)
                {
                    throw new InvalidOperationException($"seed {seed} of {scenario} broke: {e.Message}", e);
                }
            });
        }
        return total;
    }

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), out var value) && value > 0 ? value : null;
}
