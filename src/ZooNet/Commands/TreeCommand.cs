using System.CommandLine;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Roaming;

namespace ZooNet.Commands;

/// <summary><c>zoonet tree</c>.</summary>
public static class TreeCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Create() =>
        new Command("tree", "Roaming trees: namespaces whose owner moves between regions.")
        {
            Make(), List(), Show(), Move(), SetPolicy(), Repair(), Delete(),
        };

    private static Command Make()
    {
        var name = NameArgument();
        var zones = new Option<string[]>("--zones")
        {
            Description = "The clusters that take part, separated by commas; the home of the proxy that is asked is one of them.",
            HelpName = "ZONES",
            Required = true,
        };
        var arbiter = new Option<string>("--arbiter")
        {
            Description = "The zone whose ensemble keeps the record of who owns the tree.",
            HelpName = "ZONE",
            Required = true,
        };
        var owner = new Option<string?>("--owner")
        {
            Description = "The zone that owns the tree first. Default: the proxy's home.",
            HelpName = "ZONE",
        };
        var policy = new Option<string?>("--policy")
        {
            Description = "Who moves it, and when; see 'zoonet tree policy'. Default: pinned, it is moved by 'zoonet tree move' only.",
            HelpName = "POLICY",
        };
        var dryRun = DryRunOption();
        var admin = AdminClient.AdminOption();
        var command = new Command("create", "Make a tree.") { name, zones, arbiter, owner, policy, dryRun, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var list = string.Join(',', parsed.GetValue(zones) ?? []).Split(',', StringSplitOptions.RemoveEmptyEntries
                | StringSplitOptions.TrimEntries);
            var body = new TreeBody(parsed.GetValue(name), list, parsed.GetValue(arbiter), parsed.GetValue(owner), parsed.GetValue(dryRun),
                parsed.GetValue(policy));
            Output.Line((await client.PostAsync<TreeReply>("/api/v1/trees", body, cancellationToken)).Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            A tree is served by every proxy that has it among its remotes with 'tree: true', and mounted as a cluster is.
            A command that was interrupted is given again, with the same words.

            Examples:
              zoonet tree create orders --zones us,eu,ap --arbiter us
              zoonet tree create orders --zones us,eu --arbiter us --owner eu --dry-run
              zoonet tree create orders --zones us,eu --arbiter us --policy majority
              zoonet mount orders:/ /shared/orders

            """);
    }

    private static Command List()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var admin = AdminClient.AdminOption();
        var command = new Command("ls", "List the trees that the proxy's home is a zone of.") { json, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var list = await client.GetAsync<TreeList>("/api/v1/trees", cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(list));
            }
            else if (list.Trees.Count == 0)
            {
                Output.Line("there are no roaming trees");
            }
            else
            {
                Write(list.Trees);
            }
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Examples:
              zoonet tree ls
              zoonet tree ls --json | jq '.trees[].owner'

            """);
    }

    private static Command Show()
    {
        var name = NameArgument();
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var admin = AdminClient.AdminOption();
        var command = new Command("show", "Show one tree.") { name, json, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var tree = await client.GetAsync<TreeInfo>(UrlOf(parsed.GetValue(name)!), cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(AdminClient.ToJson(tree));
            }
            else
            {
                Write([tree]);
                if (tree.Why is { } why)
                {
                    Output.Line($"{tree.Owner} got it: {why}");
                }
            }
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Examples:
              zoonet tree show orders
              zoonet tree show orders --json

            """);
    }

    private static Command Move()
    {
        var name = NameArgument();
        var zone = new Argument<string>("ZONE") { Description = "The zone that is to own it." };
        var admin = AdminClient.AdminOption();
        var command = new Command("move", "Let another zone own a tree. Its clients notice nothing but the time that it takes.") { name,
            zone, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var reply = await client.PostAsync<TreeReply>($"{UrlOf(parsed.GetValue(name)!)}/owner",
                new OwnerBody(parsed.GetValue(zone)), cancellationToken);
            Output.Line(reply.Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Writes of the new owner's region commit at home from then on. A move that stands still is finished by giving the command
            again, or by any proxy that writes.

            Examples:
              zoonet tree move orders eu

            """);
    }

    private static Command SetPolicy()
    {
        var name = NameArgument();
        var policy = new Argument<string>("POLICY") { Description = "pinned, majority[,…] or consecutive=N[,…]." };
        var admin = AdminClient.AdminOption();
        var command = new Command("policy", "Say who moves a tree, and when.") { name, policy, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var reply = await client.PostAsync<TreeReply>($"{UrlOf(parsed.GetValue(name)!)}/policy",
                new PolicyBody(parsed.GetValue(policy)), cancellationToken);
            Output.Line(reply.Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            pinned          It is moved by 'zoonet tree move' only.
            majority        To the zone with more than half of the clients' writes, and a margin of them, in several windows in a row.
                            window=20s, windows=3, margin=0.1, writes=10 (windows with fewer say nothing), hold=10m (it stays for so long
                            after a move, twice as long if that did not pay), longest=24h (the most of that).
            consecutive=N   To the zone that wrote N times while no other one did; where several write by turns, to the center.
                            center=ZONE (the arbiter), hold=10s, longest=1h.

            Examples:
              zoonet tree policy orders majority
              zoonet tree policy orders majority,window=5s,windows=2,hold=1m
              zoonet tree policy orders consecutive=3,center=us
              zoonet tree policy orders pinned

            """);
    }

    private static Command Repair()
    {
        var name = NameArgument();
        var dryRun = DryRunOption();
        var admin = AdminClient.AdminOption();
        var command = new Command("repair", "Put the proxies' own znodes inside a tree in order, as 'zoonet repair' does in a cluster.")
        {
            name, dryRun, admin,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var url = $"{UrlOf(parsed.GetValue(name)!)}/repair" + (parsed.GetValue(dryRun) ? "?dryRun=true" : "");
            Output.Line((await client.PostAsync<TreeReply>(url, new object(), cancellationToken)).Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            Needed once when the secret is changed, with 'zoonet repair', before the old one is accepted no more.

            Examples:
              zoonet tree repair orders --dry-run
              zoonet tree repair orders

            """);
    }

    private static Command Delete()
    {
        var name = NameArgument();
        var dryRun = DryRunOption();
        var admin = AdminClient.AdminOption();
        var command = new Command("delete", "Delete a tree with all that is in it. It must not be mounted anywhere.") { name, dryRun,
            admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var url = UrlOf(parsed.GetValue(name)!) + (parsed.GetValue(dryRun) ? "?dryRun=true" : "");
            Output.Line((await client.DeleteAsync<TreeReply>(url, cancellationToken)).Message);
            return ExitCodes.Ok;
        });
        return command.WithExamples("""
            It is refused while any region has it mounted.

            Examples:
              zoonet tree delete orders --dry-run
              zoonet tree delete orders

            """);
    }

    private static Argument<string> NameArgument() => new("NAME") { Description = "The tree." };

    private static Option<bool> DryRunOption() => new("--dry-run")
    {
        Description = "Change nothing: say what would be done, or what refuses it.",
    };

    private static string UrlOf(string name) => $"/api/v1/trees/{Uri.EscapeDataString(name)}";

    private static void Write(IReadOnlyList<TreeInfo> trees)
    {
        var table = Output.NewTable("tree", "zones", "arbiter", "owner", "since", "epoch", "policy", "here", "entries", "");
        foreach (var tree in trees)
        {
            Output.AddRow(table, tree.Name, string.Join(",", tree.Zones), tree.Arbiter, tree.Moving ? $"{tree.Owner} (moving)"
                : tree.Owner ?? "?",
                tree.Since is { } since ? $"{since:u}" : "?",
                tree.Epoch?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?", tree.Policy ?? "?", tree.Serving ? "serving" : "not served",
                tree.Entries.ToString(System.Globalization.CultureInfo.InvariantCulture), tree.Problem ?? "");
        }
        Output.Write(table);
    }
}
