using System.CommandLine;
using System.Text;
using ZooNet.Cli;
using ZooNet.Client;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;

namespace ZooNet.Commands;

/// <summary><c>zoonet repair</c>.</summary>
public static class RepairCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>A folder that somebody has filled is listed all the same.</summary>
    private const int LongestReply = 1024 * 1024 * 1024;

    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var file = new Option<string?>("--config",
            "-c")
        { Description = "The configuration of a proxy, a JSON file. Default: ZOONET_CONFIG.", HelpName = "FILE" };
        var only = new Option<string?>("--cluster")
        {
            Description = "Only this cluster. Default: home and all remotes.",
            HelpName = "NAME"
        };
        var auth = new Option<string[]>("--auth")
        {
            Description = "Credentials that may change what the secret may not: digest:super:PASSWORD. May be given several times.",
            HelpName = "SCHEME:CREDENTIALS",
            DefaultValueFactory = _ => [],
        };
        var dryRun = new Option<bool>("--dry-run") { Description = "Say what would be done, and do nothing." };
        var trust = new Option<bool>("--trust-trees")
        {
            Description = "Let roaming trees that others could write stay as they are, and give them back to the secret.",
        };
        auth.Validators.Add(result =>
        {
            if ((result.GetValueOrDefault<string[]>() ?? []).Any(a => a.IndexOf(':') < 1))
            {
                result.AddError("--auth is SCHEME:CREDENTIALS, as in digest:super:PASSWORD");
            }
        });
        var command = new Command("repair", "Put the proxies' own znodes in order, in every cluster that a proxy knows.") { file, only,
            auth, dryRun, trust };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var config = Load(parsed.GetValue(file));
            var clusters = config.Clusters.Where(c => parsed.GetValue(only) is not { } name || c.Name == name).ToList();
            if (clusters.Count == 0)
            {
                var known = string.Join(", ", config.Clusters.Select(c => c.Name));
                throw new CommandFailedException(
                    $"the configuration knows no cluster '{parsed.GetValue(only)}'; it knows {known}", ExitCodes.BadUsage);
            }
            var failed = 0;
            foreach (var cluster in clusters)
            {
                failed += cluster.IsTree ? InTree(cluster) : await RepairAsync(cluster, config, parsed.GetValue(auth) ?? [],
                    parsed.GetValue(dryRun), parsed.GetValue(trust), cancellationToken);
            }
            return failed == 0 ? ExitCodes.Ok
                : throw new CommandFailedException($"{failed} of these could not be done, and nothing in such a tree is used");
        });
        return command.WithExamples("""
            A proxy uses nothing in a tree that others could write, and says so in 'zoonet status'. This gives the tree back to the proxies'
            secret. What others could have put there is deleted, unless a proxy has signed or sealed it. It talks to the clusters itself:
            no proxy need be running.

            Examples:
              zoonet repair --config us.json --dry-run
              zoonet repair --config us.json --cluster us --auth digest:super:secret

            """);
    }

    private static ProxyConfig Load(string? file)
    {
        file ??= Environment.GetEnvironmentVariable("ZOONET_CONFIG");
        var result = ProxyConfigLoader.Load(string.IsNullOrEmpty(file) ? null : file);
        return result.Config ?? throw new CommandFailedException($"the configuration can't be used: {string.Join("; ", result.Errors)}",
            ExitCodes.BadUsage);
    }

    /// <summary>A roaming tree lies in its zones; what the proxies keep inside it only a proxy that serves it can reach.</summary>
    private static int InTree(ClusterConfig tree)
    {
        Output.Line($"{tree.Name}: a roaming tree, whose znodes are its zones'; what is inside is put in order by a proxy that serves it: "
            + $"zoonet tree repair {tree.Name}");
        return 0;
    }

    private static async Task<int> RepairAsync(ClusterConfig cluster, ProxyConfig config, string[] auth, bool dryRun, bool trust,
        CancellationToken cancellationToken)
    {
        var secret = new ProxySecret(config);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        ZooKeeperClient client;
        try
        {
            client = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
            {
                Servers = [.. cluster.InOrder.Select(a => new ServerAddress(a.Host, a.Port))],
                Auth = [.. secret.Credentials, .. auth.Select(Credentials)],
                AttemptTimeout = config.ConnectTimeout,
                Tls = cluster.Tls is { } tls ? tls.OptionsFor : null,
                MaxReplyLength = LongestReply,
            }, limit.Token);
        }
        catch (Exception e) when (e is KeeperException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            var servers = string.Join(", ", cluster.InOrder);
            throw new CommandFailedException($"the cluster '{cluster.Name}' can't be reached ({servers}); nothing was changed there");
        }
        await using (client)
        {
            var steps = await new TreeRepair(client, cluster, config, secret, dryRun, trust).RunAsync(cancellationToken);
            if (steps.Count == 0)
            {
                Output.Line($"{cluster.Name}: in order");
            }
            foreach (var step in steps)
            {
                Output.Line($"{cluster.Name}: {(dryRun ? "would " : "")}{step.What}{(step.Error is null ? "" : $": {step.Error}")}");
            }
            return steps.Count(s => s.Error is not null);
        }
    }

    private static AuthCredentials Credentials(string text)
    {
        var colon = text.IndexOf(':');
        return new AuthCredentials(text[..colon], Encoding.UTF8.GetBytes(text[(colon + 1)..]));
    }
}
