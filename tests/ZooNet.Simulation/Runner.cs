using System.Collections.Concurrent;
using System.Text;
using ZooNet.Simulation.Checking;

namespace ZooNet.Simulation;

/// <summary>What came of many seeds of one scenario.</summary>
internal sealed record Outcome(int Seeds, int SequentialViolations, int OrderedViolations, long Reads, long Barriers, string FirstSequential, string FirstOrdered)
{
    public double BarriersPerRead => Reads == 0 ? 0 : (double)Barriers / Reads;
}

/// <summary>Runs seeds on all processors.</summary>
internal static class Runner
{
    /// <summary>How many seeds to run: what ZOONET_SEEDS says, or what fits the normal test run.</summary>
    public static int Seeds(int normally) => int.TryParse(Environment.GetEnvironmentVariable("ZOONET_SEEDS"), out var seeds) && seeds > 0 ? seeds : normally;

    public static Outcome Run(Scenario scenario, int seeds, int first = 0, bool untilSequential = false)
    {
        var sequential = 0;
        var ordered = 0;
        var reads = 0L;
        var barriers = 0L;
        var found = new ConcurrentDictionary<string, (int Seed, string Text)>();
        Parallel.For(first, first + seeds, (seed, loop) =>
        {
            World world;
            IReadOnlyList<Op> sc, osc;
            try
            {
                world = new World(scenario, seed);
                (sc, osc) = world.Run();
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed} of {scenario} broke: {e.Message}", e);
            }
            Interlocked.Add(ref reads, world.Reads);
            Interlocked.Add(ref barriers, world.Barriers);
            if (sc.Count > 0)
            {
                Interlocked.Increment(ref sequential);
                Keep("sequential", seed, world, sc);
                if (untilSequential)
                {
                    loop.Stop();
                }
            }
            if (osc.Count > 0)
            {
                Interlocked.Increment(ref ordered);
                Keep("ordered", seed, world, osc);
            }
        });
        return new Outcome(seeds, sequential, ordered, reads, barriers, Text("sequential"), Text("ordered"));

        void Keep(string kind, int seed, World world, IReadOnlyList<Op> cycle) => found.AddOrUpdate(kind, _ => (seed, Describe(seed, world, cycle)),
            (_, old) => old.Seed < seed ? old : (seed, Describe(seed, world, cycle)));

        string Text(string kind) => found.TryGetValue(kind, out var value) ? value.Text : "";
    }

    private static string Describe(int seed, World world, IReadOnlyList<Op> cycle)
    {
        var text = new StringBuilder();
        text.AppendLine($"seed {seed}, {world.Topology}, policy {world.Scenario.Policy}, mutation {world.Scenario.Mutation}: each of these must come before the next, and the last before the first:");
        foreach (var op in cycle)
        {
            text.AppendLine($"  {op}");
        }
        return text.ToString();
    }
}
