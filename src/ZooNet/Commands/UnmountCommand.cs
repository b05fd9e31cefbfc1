using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet unmount</c>.</summary>
public static class UnmountCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var path = new Argument<string>("PATH") { Description = "The mount point." };
        var force = new Option<bool>("--force") { Description = "Do not wait for proxies of the region that have not confirmed to have stopped using it." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Change nothing: say what would come of it." };
        var admin = AdminClient.AdminOption();
        path.Validators.Add(PathRules.AddErrors);
        var command = new Command("unmount", "Unmount, for every client of the region. What is mounted is not touched.") { path, force,
            dryRun, admin };
        command.Aliases.Add("umount");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            if (parsed.GetValue(dryRun))
            {
                return DryRun.Write(await client.PostAsync<DryRunReply>("/api/v1/dry-run", new DryRunBody(null, parsed.GetValue(path)),
                    cancellationToken));
            }
            var url = AdminClient.MountUrl(parsed.GetValue(path)!) + (parsed.GetValue(force) ? "?force=true" : "");
            var reply = await client.DeleteAsync<MountReply>(url, cancellationToken);
            if (!reply.Complete)
            {
                throw new CommandFailedException(reply.Message);
            }
            Output.Line(reply.Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            The znode at the mount point is removed if the mount had made it. Clients get NoNode from then on.

            Examples:
              zoonet unmount /mnt/eu

            """);
    }
}
