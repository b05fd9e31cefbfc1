using System.CommandLine;
using System.Globalization;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet status</c>.</summary>
public static class StatusCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var ready = new Option<bool>("--ready") { Description = "Print nothing, and end with 1 unless the proxy serves clients: for health checks." };
        var admin = AdminClient.AdminOption();
        var command = new Command("status", "Show a proxy: its clusters, what is down, its mounts and their barriers.") { json, ready, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var status = await client.GetAsync<StatusReply>("/api/v1/status", cancellationToken);
            if (parsed.GetValue(ready))
            {
                return status.Ready && !status.Draining
                    ? ExitCodes.Ok
                    : throw new CommandFailedException($"proxy {status.ProxyId} is not ready: {WhyNot(status)}");
            }
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(status));
            }
            else
            {
                Write(status);
            }
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Examples:
              zoonet status
              zoonet status --json | jq '.clusters[] | select(.up | not) | .name'

            """);
    }

    private static string WhyNot(StatusReply status) =>
        status.Draining ? "it drains"
        : status.Clusters.FirstOrDefault(cluster => cluster.Home && !cluster.Up) is { } home ? $"home cluster {home.Name} is down: {home.LastError}"
        : status.Problems.FirstOrDefault(p => !p.StartsWith("insecure", StringComparison.Ordinal)) is { } problem ? problem
        : "it has not read the mount table yet";

    /// <summary>What is wrong with a cluster; null for nothing.</summary>
    public static string? NoteOf(ClusterInfo cluster) => !cluster.Up ? $"since {cluster.Since:u}: {cluster.LastError}"
        : cluster.SilentMs is { } ms ? string.Create(CultureInfo.InvariantCulture, $"has not answered for {ms / 1000:0.0} s") : null;

    private static void Write(StatusReply status)
    {
        var state = status.Draining ? "draining" : status.Ready ? "ready" : "NOT READY";
        Output.Line($"proxy {status.ProxyId} of region {status.Region}: {state}, ZooNet {status.Version}, up since {status.Started:u}");
        Output.Line($"listening on {(status.Listen.Count == 0 ? "nothing" : string.Join(", ", status.Listen))}; {status.Sessions} sessions, {status.Connections} connections, {status.ResidentBytes / 1048576} MiB");
        Output.Line($"consistency {status.Consistency}, barrier {status.Barrier}");
        foreach (var problem in status.Problems)
        {
            Output.Line($"PROBLEM: {problem}");
        }
        Output.Line();
        var clusters = Output.NewTable("cluster", "role", "state", "server", "rtt", "circuit", "sessions", "");
        foreach (var c in status.Clusters)
        {
            var servers = c.Servers.Count > 0 ? string.Join(", ", c.Servers.Select(s => $"{s.Address} ({s.Links})")) : c.Server;
            var rtt = c.RttMs is { } ms && c.Up ? string.Create(CultureInfo.InvariantCulture, $"{ms:0.0} ms") : "";
            var note = NoteOf(c) ?? (c.Home || c.Observer ? "" : "not at an observer");
            Output.AddRow(clusters, c.Name, c.Home ? "home" : "remote", c.Up ? "up" : "down", servers, rtt, c.Circuit, c.Sessions.ToString(CultureInfo.InvariantCulture), note);
        }
        Output.Write(clusters);
        Output.Line();
        if (status.Graph is { } graph)
        {
            Write(graph);
        }
        if (status.Mounts.Count == 0)
        {
            Output.Line(status.Ready || status.Draining ? "nothing is mounted" : "what is mounted is not known");
            return;
        }
        MountsCommand.Write(status.Mounts);
        Output.Line();
        var traffic = Output.NewTable("mount", "reads", "writes", "barriers", "shared", "avoided", "failed");
        Add("/", status.HomeTraffic);
        foreach (var mount in status.Mounts.Where(m => m.Traffic is not null))
        {
            Add(mount.Path, mount.Traffic!);
        }
        Output.Write(traffic);

        void Add(string name, MountTraffic t) => Output.AddRow(traffic, name, Text(t.Reads), Text(t.Writes), Text(t.BarriersNeeded), Text(t.BarriersShared),
            Text(t.AvoidedNothingNew + t.AvoidedNotCoupled + t.AvoidedNoInterestChange), Text(t.BarriersFailed));
    }

    private static void Write(GraphInfo graph)
    {
        if (graph.MountsHeld is { } held)
        {
            Output.Line($"requests for mounts wait: {held}");
        }
        Output.Line($"{(graph.Coupled.Count == 0 ? "nothing is coupled" : $"coupled are {string.Join("; ", graph.Coupled.Select(pair => string.Join(" and ", pair)))}")}: {graph.Why}");
        if (graph.Watermark is { } watermark)
        {
            Output.Line($"private changes of home: {watermark}");
        }
        foreach (var component in graph.Components)
        {
            Output.Line($"a cycle joins {string.Join(", ", component)}");
        }
        foreach (var who in graph.Awaiting)
        {
            Output.Line($"waiting for {who}");
        }
        Output.Line();
        var views = Output.NewTable("view", "home", "reads", "joining", "proxies", "version", "");
        foreach (var view in graph.Views)
        {
            Output.AddRow(views, view.Name, view.Home, string.Join(", ", view.Reads), string.Join(", ", view.Joining),
                view.Proxies.Count.ToString(CultureInfo.InvariantCulture), view.Version.ToString(CultureInfo.InvariantCulture), view.Self ? "this one" : "");
        }
        Output.Write(views);
        Output.Line();
    }

    private static string Text(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";
}
