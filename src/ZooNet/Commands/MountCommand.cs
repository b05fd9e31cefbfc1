using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Control;

namespace ZooNet.Commands;

/// <summary><c>zoonet mount</c>.</summary>
public static class MountCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var source = new Argument<string>("SOURCE") { Description = "What to mount: CLUSTER:/path, a znode of a cluster among the proxy's remotes." };
        var path = new Argument<string>("PATH") { Description = "Where: a znode without children, or one that is yet to be made. Its parents are made, too." };
        var options = new Option<string[]>("-o", "--options")
        {
            Description = $"Options, separated by commas: {MountOptionsText.Allowed}.",
            HelpName = "OPTIONS",
            DefaultValueFactory = _ => [],
        };
        var force = new Option<bool>("--force") { Description = "Use the mount though not every region has acknowledged it. Until they have, they may read inconsistently." };
        var dryRun = new Option<bool>("--dry-run")
        {
            Description =
            "Change nothing: say what would refuse it, what barriers it would bring, and who must acknowledge it."
        };
        var admin = AdminClient.AdminOption();
        source.Validators.Add(result =>
        {
            if (MountRequest.ParseSource(result.GetValueOrDefault<string>(), out _, out _) is { } why)
            {
                result.AddError(why);
            }
        });
        path.Validators.Add(PathRules.AddErrors);
        options.Validators.Add(result =>
        {
            if (MountOptionsText.Parse(string.Join(',', result.GetValueOrDefault<string[]>() ?? []), out _, out _) is { } why)
            {
                result.AddError(why);
            }
        });
        var command = new Command("mount", "Mount a znode of another cluster, for every client of the region.") { source, path, options,
            force, dryRun, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            if (parsed.GetValue(dryRun))
            {
                var asked = new DryRunBody(parsed.GetValue(source), parsed.GetValue(path),
                    string.Join(',', parsed.GetValue(options) ?? []));
                return DryRun.Write(await client.PostAsync<DryRunReply>("/api/v1/dry-run", asked, cancellationToken));
            }
            var body = new MountBody(parsed.GetValue(source), parsed.GetValue(path), string.Join(',', parsed.GetValue(options) ?? []), parsed.GetValue(force));
            var reply = await client.PostAsync<MountReply>("/api/v1/mounts", body, cancellationToken);
            if (!reply.Complete)
            {
                throw new CommandFailedException(reply.Message);
            }
            Output.Line(reply.Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Options of a mount:
              ro                 writes are refused with NOAUTH
              relaxed            when the other cluster is lost, only the request fails; unsafe for locks (default: strict)
              auth=none          clients' credentials are not shown to the other cluster (default: auth=forward)
              auth=address       clients' addresses are shown to it, too, where the proxy itself is its observer
              consistency=none   reads never wait for a barrier (default: consistency=region, as the proxy is configured)
              create             make the path in the other cluster if it is not there

            Examples:
              zoonet mount eu:/apps /mnt/eu
              zoonet mount eu:/apps /mnt/eu --dry-run
              zoonet mount eu:/config /config/eu -o ro,relaxed
              zoonet mount eu:/ /mnt/all-of-eu -o ro --admin http://10.0.0.5:9181

            """);
    }
}

/// <summary>Checks of path arguments before a proxy is asked.</summary>
internal static class PathRules
{
    public static void AddErrors(System.CommandLine.Parsing.ArgumentResult result)
    {
        var path = result.GetValueOrDefault<string>();
        if (ZnodePath.Validate(path) is { } why)
        {
            result.AddError($"'{path}' is no znode path: {why}");
        }
    }
}
