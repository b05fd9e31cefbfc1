using System.CommandLine;
using System.Globalization;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet clusters</c>.</summary>
public static class ClustersCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var admin = AdminClient.AdminOption();
        var command = new Command("clusters", "List the clusters that a proxy knows, with their servers.") { json, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var clusters = await client.GetAsync<IReadOnlyList<ClusterServersInfo>>("/api/v1/clusters", cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(clusters));
                return ExitCodes.Ok;
            }
            var table = Output.NewTable("cluster", "server", "mode", "version", "connect", "links", "learned from", "");
            foreach (var cluster in clusters)
            {
                foreach (var server in cluster.Servers)
                {
                    var connect = server.RttMs is { } ms ? string.Create(CultureInfo.InvariantCulture, $"{ms:0.0} ms") : "";
                    Output.AddRow(table, cluster.Name, server.Address ?? server.Name, server.Mode, server.Version?.Split(',')[0], connect,
                        server.Links.ToString(CultureInfo.InvariantCulture), cluster.Source, server.Error);
                }
            }
            Output.Write(table);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            A cluster's servers are those of the configuration, those that its DNS service records name ('srv'), or those that it
            names itself in /zookeeper/config ('follow'). Each is asked what it is by the four-letter word srvr.

            Examples:
              zoonet clusters
              zoonet clusters --json | jq -r '.[].servers[].address'

            """);
    }
}
