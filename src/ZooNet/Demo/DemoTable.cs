using System.Globalization;
using Spectre.Console;
using ZooNet.Bench;

namespace ZooNet.Demo;

/// <summary>The table at the end: one column for each way to do it. Every number was measured in this run.</summary>
internal static class DemoTable
{
    /// <summary>Lays it out.</summary>
    /// <param name="direct">Latencies of a client with a connection to each cluster, one of them across the WAN.</param>
    /// <param name="modes">The proxies' modes.</param>
    public static Table Of(IReadOnlyDictionary<OperationKind, LatencyHistogram> direct, IReadOnlyList<ModeResult> modes)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn(new TableColumn(""));
        foreach (var column in modes.Select(m => m.Mode.Column).Prepend("no proxy"))
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))).RightAligned());
        }

        Row("operations of the mixed load", "", m => Count(m.Load.Operations));
        Row("  seconds they took", "", m => m.Load.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture));
        Latency("median read at home", OperationKind.HomeRead);
        Latency("median write at home", OperationKind.HomeWrite);
        Latency("median read of the mount", OperationKind.MountedRead);
        Latency("median write to the mount", OperationKind.MountedWrite);
        table.AddEmptyRow();
        Row("reads of the mount that waited for a barrier", "", m => Count(m.Load.Barriers.Needed));
        Row("  of them, sharing another's", "", m => Count(m.Load.Barriers.Shared));
        Row("reads that needed none", "", m => m.Mode.IsConsistent ? Count(Saved(m.Load.Barriers)) : "not asked");
        Saving("  nothing done at home before", b => b.NothingElsewhere);
        Saving("  observer already refreshed", b => b.Covered);
        Saving("  learned only what is private", b => b.Private);
        Saving("  no cycle can close", b => b.NotCoupled);
        table.AddEmptyRow();
        Verdict("two writers: both read the old value", m => (m.TwoWriters.BothOld, $"{m.TwoWriters.BothOld} of {m.TwoWriters.Rounds}"));
        Verdict("operations that fit no single order", m => (m.Load.InCycles, Count(m.Load.InCycles)));
        return table;

        void Row(string name, string noProxy, Func<ModeResult, string> cell) =>
            table.AddRow([new Text(name), new Text(noProxy), .. modes.Select(m => new Text(cell(m)))]);

        void Saving(string name, Func<BarrierCounts, long> count)
        {
            if (modes.Any(m => m.Mode.IsConsistent && count(m.Load.Barriers) > 0))
            {
                Row(name, "", m => m.Mode.IsConsistent ? Count(count(m.Load.Barriers)) : "");
            }
        }

        void Latency(string name, OperationKind kind) => Row(name, Milliseconds(direct[kind]), m => Milliseconds(m.Load.Latencies[kind]));

        void Verdict(string name, Func<ModeResult, (int Found, string Text)> cell) => table.AddRow([new Text(name), new Text(""), .. modes.Select(m =>
        {
            var (found, text) = cell(m);
            return new Text(text, new Style(found == 0 ? Color.Green : Color.Red));
        })]);
    }

    private static long Saved(BarrierCounts b) => b.NothingElsewhere + b.Covered + b.Private + b.NotCoupled;

    private static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(LatencyHistogram histogram) =>
        histogram.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{histogram.Percentile(0.5).TotalMilliseconds:0.00} ms");
}
