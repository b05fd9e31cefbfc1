using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet top</c>.</summary>
public static class TopCommand
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(200);

    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var every = new Option<double>("--every", "-n")
        {
            Description = "Seconds from one picture to the next.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 1
        };
        var once = new Option<bool>("--once") { Description = "Print one picture, with the rates of one interval, and end." };
        var admin = AdminClient.AdminOption();
        every.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is var seconds && !(seconds >= Shortest.TotalSeconds && seconds <= 3600))
            {
                result.AddError($"--every {seconds.ToString(CultureInfo.InvariantCulture)} is not allowed; give 0.2 to 3600 seconds");
            }
        });
        var command = new Command("top", "Show live what a proxy does: clusters, rates of each mount, who waits for what.") { every, once,
            admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var pause = TimeSpan.FromSeconds(parsed.GetValue(every));
            var before = await Sample.TakeAsync(client, cancellationToken);
            if (parsed.GetValue(once) || Console.IsOutputRedirected)
            {
                await Task.Delay(pause, cancellationToken);
                foreach (var part in Picture(before, await Sample.TakeAsync(client, cancellationToken)))
                {
                    Output.Write(part);
                }
                return ExitCodes.Ok;
            }
            await AnsiConsole.Live(new Text("")).StartAsync(async live =>
            {
                while (!cancellationToken.IsCancellationRequested)
                {
                    await Task.Delay(pause, cancellationToken);
                    var now = await Sample.TakeAsync(client, cancellationToken);
                    live.UpdateTarget(new Rows(Picture(before, now)));
                    before = now;
                }
            });
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Examples:
              zoonet top
              zoonet top --every 5 --admin http://10.0.0.5:9181

            """);
    }

    private static Table[] Picture(Sample before, Sample now)
    {
        var (status, seconds) = (now.Status, (now.Taken - before.Taken).TotalSeconds);
        var head = Output.NewTable("region", "proxy", "state", "sessions", "waiting", "memory");
        Output.AddRow(head, status.Region, status.ProxyId, status.Ready ? "ready"
            : "NOT READY", Text(now.Sessions.Total), Text(now.Sessions.Waiting), $"{status.ResidentBytes / 1048576} MiB");
        var clusters = Output.NewTable("cluster", "state", "rtt", "sessions", "");
        foreach (var c in status.Clusters)
        {
            var rtt = c is { Up: true, RttMs: { } ms } ? string.Create(CultureInfo.InvariantCulture, $"{ms:0.0} ms") : "";
            Output.AddRow(clusters, c.Name, c.Up ? "up" : "down", rtt, Text(c.Sessions), StatusCommand.NoteOf(c) ?? "");
        }
        var mounts = Output.NewTable("mount", "state", "reads/s", "writes/s", "barriers/s", "avoided/s", "failed/s");
        AddMount("/", "", before.Status.HomeTraffic, status.HomeTraffic);
        foreach (var m in status.Mounts)
        {
            AddMount(m.Path, m.State, before.Status.Mounts.FirstOrDefault(b => b.Path == m.Path)?.Traffic, m.Traffic);
        }
        var sessions = Output.NewTable("client", "session", "outstanding", "waits for");
        foreach (var s in now.Sessions.Sessions.Where(s => s.WaitsFor is not null))
        {
            Output.AddRow(sessions, s.Client, s.Session, Text(s.Outstanding), s.WaitsFor);
        }
        return sessions.Rows.Count > 0 ? [head, clusters, mounts, sessions] : [head, clusters, mounts];

        void AddMount(string path, string state, MountTraffic? was, MountTraffic? traffic)
        {
            if (traffic is not null)
            {
                Output.AddRow(mounts, path, state, Rate(t => t.Reads), Rate(t => t.Writes), Rate(t => t.BarriersNeeded),
                    Rate(t => t.AvoidedNothingNew + t.AvoidedNotCoupled + t.AvoidedNoInterestChange), Rate(t => t.BarriersFailed));
            }

            string Rate(Func<MountTraffic, long?> of) => of(traffic!) is not { } count ? ""
                : ((count - ((was is null ? null : of(was)) ?? 0)) / seconds).ToString("0.#", CultureInfo.InvariantCulture);
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    private sealed record Sample(StatusReply Status, SessionList Sessions, DateTimeOffset Taken)
    {
        public static async Task<Sample> TakeAsync(AdminClient client, CancellationToken cancellationToken) => new(
            await client.GetAsync<StatusReply>("/api/v1/status", cancellationToken),
            await client.GetAsync<SessionList>("/api/v1/sessions?limit=20", cancellationToken),
            TimeProvider.System.GetUtcNow());
    }
}
