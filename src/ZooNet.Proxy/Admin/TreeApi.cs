using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;

namespace ZooNet.Proxy.Admin;

/// <summary>The roaming trees at the admin endpoint: what <c>zoonet tree</c> asks.</summary>
internal static class TreeApi
{
    public static void MapTreeApi(this IEndpointRouteBuilder api)
    {
        api.MapGet("/trees", async (TreeCommands commands, CancellationToken token) => new TreeList(await commands.ListAsync(token)));
        api.MapGet("/trees/{name}", async (string name, TreeCommands commands, CancellationToken token) => Legal(name)
            ?? (await commands.ShowAsync(name, token) is { } tree ? Results.Ok(tree)
                : Results.Problem($"there is no roaming tree '{name}' that this proxy's home is a zone of",
                    statusCode: StatusCodes.Status404NotFound)));
        api.MapPost("/trees", async (TreeBody body, TreeCommands commands, AuditLog audit, HttpContext context, CancellationToken token) =>
        {
            var outcome = await commands.CreateAsync(body.Name, body.Zones ?? [], body.Arbiter, body.Owner, body.Policy, body.DryRun,
                token);
            if (!body.DryRun)
            {
                audit.Changed(context, "tree create", body.Name, null, $"{string.Join(",", body.Zones ?? [])} ({body.Arbiter})",
                    outcome.Message);
            }
            return ResultOf(outcome);
        });
        api.MapPost("/trees/{name}/owner", async (string name, OwnerBody body, TreeCommands commands, AuditLog audit, HttpContext context,
            CancellationToken token) =>
        {
            if (Legal(name) is { } bad)
            {
                return bad;
            }
            var outcome = await commands.MoveAsync(name, body.Zone, token);
            audit.Changed(context, "tree move", name, null, body.Zone, outcome.Message);
            return ResultOf(outcome);
        });
        api.MapPost("/trees/{name}/policy", async (string name, PolicyBody body, TreeCommands commands, AuditLog audit, HttpContext context,
            CancellationToken token) =>
        {
            if (Legal(name) is { } bad)
            {
                return bad;
            }
            var outcome = await commands.SetPolicyAsync(name, body.Policy, token);
            audit.Changed(context, "tree policy", name, null, body.Policy, outcome.Message);
            return ResultOf(outcome);
        });
        api.MapPost("/trees/{name}/repair", (string name, bool? dryRun, TreeCommands commands, AuditLog audit, HttpContext context,
            CancellationToken token) => ChangeAsync("tree repair", name, null, dryRun ?? false, commands.RepairAsync, audit, context, token));
        api.MapDelete("/trees/{name}", (string name, bool? dryRun, TreeCommands commands, AuditLog audit, HttpContext context,
            CancellationToken token) => ChangeAsync("tree delete", name, name, dryRun ?? false, commands.DeleteAsync, audit, context, token));
    }

    private static async Task<IResult> ChangeAsync(string what, string name, string? before, bool dryRun,
        Func<string, bool, CancellationToken, Task<TreeOutcome>> change, AuditLog audit, HttpContext context, CancellationToken token)
    {
        if (Legal(name) is { } bad)
        {
            return bad;
        }
        var outcome = await change(name, dryRun, token);
        if (!dryRun)
        {
            audit.Changed(context, what, name, before, null, outcome.Message);
        }
        return ResultOf(outcome);
    }

    private static IResult? Legal(string name) =>
        TreeRules.CheckName(name) is { } why ? Results.Problem(why, statusCode: StatusCodes.Status400BadRequest) : null;

    private static IResult ResultOf(TreeOutcome outcome) => outcome.Refusal switch
    {
        null => Results.Ok(new TreeReply(outcome.Message)),
        RefusalKind.Invalid => Results.Problem(outcome.Message, statusCode: StatusCodes.Status400BadRequest),
        RefusalKind.NotFound => Results.Problem(outcome.Message, statusCode: StatusCodes.Status404NotFound),
        RefusalKind.Conflict => Results.Problem(outcome.Message, statusCode: StatusCodes.Status409Conflict),
        _ => Results.Problem(outcome.Message, statusCode: StatusCodes.Status503ServiceUnavailable),
    };
}

/// <summary>Body of <c>POST /api/v1/trees</c>.</summary>
/// <param name="Name">The tree's name.</param>
/// <param name="Zones">The clusters that take part.</param>
/// <param name="Arbiter">The zone that keeps the record of who owns it.</param>
/// <param name="Owner">Who owns it first; null for the proxy's home.</param>
/// <param name="DryRun">True to change nothing.</param>
/// <param name="Policy">Who moves it, and when; null: it is pinned.</param>
public sealed record TreeBody(string? Name, IReadOnlyList<string>? Zones, string? Arbiter, string? Owner, bool DryRun = false,
    string? Policy = null);

/// <summary>Body of <c>POST /api/v1/trees/NAME/owner</c>.</summary>
/// <param name="Zone">The zone that is to own it.</param>
public sealed record OwnerBody(string? Zone);

/// <summary>Body of <c>POST /api/v1/trees/NAME/policy</c>.</summary>
/// <param name="Policy">Who moves it, and when.</param>
public sealed record PolicyBody(string? Policy);

/// <summary>What came of a command.</summary>
/// <param name="Message">One sentence.</param>
public sealed record TreeReply(string Message);

/// <summary>The trees.</summary>
/// <param name="Trees">By name.</param>
public sealed record TreeList(IReadOnlyList<TreeInfo> Trees);
