using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet resolve</c>.</summary>
public static class ResolveCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var path = new Argument<string>("PATH") { Description = "A path as clients of the proxy use it." };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var admin = AdminClient.AdminOption();
        path.Validators.Add(PathRules.AddErrors);
        var command = new Command("resolve", "Say which cluster owns a path, and whether reading it would need a barrier now.") { path, json, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var reply = await client.GetAsync<ResolveReply>($"/api/v1/resolve?path={Uri.EscapeDataString(parsed.GetValue(path)!)}", cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(reply));
                return ExitCodes.Ok;
            }
            Output.Line($"{reply.Cluster}:{reply.RemotePath}");
            Output.Line($"  {(reply.Mount is null ? "home" : $"mounted on {reply.Mount}")}{(reply.Server is null ? "" : $", read from {reply.Server}")}");
            Output.Line($"  a read would need {(reply.NeedsBarrier ? "a barrier" : "no barrier")}: {reply.Why}");
            if (reply.Owner is { } owner)
            {
                Output.Line($"  a write would go to {owner} now");
            }
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            The path need not exist. The barrier is judged for a client that has just seen all that the proxy knows of the other
            clusters; a client that has seen less may need none.

            Examples:
              zoonet resolve /mnt/eu/service/leader

            """);
    }
}
