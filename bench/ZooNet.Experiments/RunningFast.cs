namespace ZooNet.Experiments;

/// <summary>How ensembles run when they are measured: the tests' flags are for a quick start, these for a steady one.</summary>
internal static class RunningFast
{
    public static IReadOnlyList<string> Jvm { get; } = ["-XX:TieredStopAtLevel=4", "-Xmx512m", "-Dzookeeper.preAllocSize=65536"];
}
