using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet mounts</c>.</summary>
public static class MountsCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON, with the counters of each mount." };
        var admin = AdminClient.AdminOption();
        var command = new Command("mounts", "List the mounts of the region.") { json, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var list = await client.GetAsync<MountList>("/api/v1/mounts", cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(list));
            }
            else if (list.Mounts.Count == 0)
            {
                Output.Line("nothing is mounted");
            }
            else
            {
                Write(list.Mounts);
            }
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            States: active (in use), joining (not everybody has acknowledged it), leaving (not everybody has stopped using it),
            requested (written by hand, not yet taken on), error (a bad record, which is ignored).

            Examples:
              zoonet mounts
              zoonet mounts --json | jq '.mounts[] | select(.state != "active")'

            """);
    }

    internal static void Write(IReadOnlyList<MountInfo> mounts)
    {
        var table = Output.NewTable("source", "mount point", "options", "state", "cluster", "");
        foreach (var mount in mounts)
        {
            var note = mount.Error ?? (mount.WaitingFor.Count > 0 ? $"waiting for {string.Join(", ", mount.WaitingFor)}" : "");
            Output.AddRow(table, $"{mount.Cluster ?? "?"}:{mount.RemotePath ?? "?"}", mount.Path, mount.Options, mount.State, mount.Up ? "up" : mount.Error is null ? "down" : "", note);
        }
        Output.Write(table);
    }
}
