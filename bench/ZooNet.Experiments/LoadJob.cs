using System.Text.Json;
using System.Text.Json.Nodes;
using ZooNet.Bench;

namespace ZooNet.Experiments;

/// <summary>One measurement for a <see cref="LoadProcess"/>, a line of JSON.</summary>
/// <param name="Load">What to do.</param>
/// <param name="Admin">The admin endpoint of the proxy whose barriers are counted; null where there is none.</param>
internal sealed record LoadJob(BenchOptions Load, Uri? Admin)
{
    /// <summary>
    /// The load process's side: takes one job after another from <paramref name="jobs"/> and answers each with a line, the report or
    /// <c>{"failed": reason}</c>, until there are no more. Sessions stay open from one job to the next.
    /// </summary>
    public static async Task ServeAsync(TextReader jobs, TextWriter reports, CancellationToken cancellationToken)
    {
        using var sessions = new LoadSessions(TimeProvider.System);
        var metrics = new Dictionary<Uri, ProxyMetrics>();
        while (await jobs.ReadLineAsync(cancellationToken) is { } line)
        {
            string answer;
            try
            {
                var job = JsonSerializer.Deserialize<LoadJob>(line)!;
                if (job.Admin is not null && !metrics.ContainsKey(job.Admin))
                {
                    metrics[job.Admin] = new ProxyMetrics(job.Admin);
                }
                var report = await BenchRun.RunAsync([job.Load], job.Admin is null ? null : metrics[job.Admin].BarriersAsync, cancellationToken, sessions);
                answer = JsonNode.Parse(report[0].ToJson())!.ToJsonString();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                answer = new JsonObject { ["failed"] = e.ToString() }.ToJsonString();
            }
            await reports.WriteLineAsync(answer);
            await reports.FlushAsync(cancellationToken);
        }
        foreach (var one in metrics.Values)
        {
            one.Dispose();
        }
    }
}
