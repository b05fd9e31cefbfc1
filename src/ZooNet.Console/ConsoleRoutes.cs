using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using ZooNet.Proxy.Admin;
using ZooNet.WebConsole.Pages;

namespace ZooNet.WebConsole;

/// <summary>The pages: each asks what it shows, and renders it.</summary>
internal static class ConsoleRoutes
{
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/", FederationAsync);
        app.MapGet("/mounts", (string? like, int? page, HttpContext context, ConsoleOptions options, ProxyWatch watch) =>
            MountsAsync(context, options, watch, like: like, page: page ?? 0));
        app.MapPost("/mounts", ChangeMountsAsync);
        app.MapGet("/path", PathAsync);
        app.MapGet("/sessions", SessionsAsync);
        NamespaceRoutes.Map(app);
        app.MapGet("/live", () => "ok");
        app.MapGet("/console.css", () => Asset("console.css", "text/css"));
        app.MapGet("/console.js", () => Asset("console.js", "text/javascript"));
    }

    private static async Task<IResult> FederationAsync(string? focus, HttpContext context, ProxyWatch watch) =>
        Page<FederationPage>(context, new()
        {
            ["View"] = await watch.LookAsync(IsFollowing(context), context.RequestAborted),
            ["Focus"] = focus,
        });

    private static async Task<IResult> MountsAsync(
        HttpContext context,
        ConsoleOptions options,
        ProxyWatch watch,
        string? notice = null,
        bool failed = false,
        string? region = null,
        DryRunBody? asked = null,
        DryRunReply? preview = null,
        string? like = null,
        int page = 0)
    {
        var view = await watch.LookAsync(IsFollowing(context), context.RequestAborted);
        var histories = await Task.WhenAll(view.Regions.Where(r => r.Best.Error is null).Select(async r =>
            (r.Name, History: await TryAsync(() =>
            watch.AskAsync<MountHistory>(r.Best, HttpMethod.Get, "/api/v1/history", null, context.RequestAborted)))));
        IReadOnlyList<(string, ProxyEvent)> history = [.. histories.SelectMany(h => (h.History?.Changes ?? []).Select(c => (h.Name, c)))
            .OrderByDescending(c => c.c.Time).Take(100)];
        return Page<MountsPage>(context, new()
        {
            ["View"] = view,
            ["ReadOnly"] = IsReadOnly(context),
            ["Notice"] = notice,
            ["Failed"] = failed,
            ["Region"] = region,
            ["Asked"] = asked,
            ["Preview"] = preview,
            ["Like"] = like,
            ["Page"] = Math.Max(0, page),
            ["History"] = history,
        });
    }

    private static async Task<IResult> ChangeMountsAsync(HttpContext context, ConsoleOptions options, ProxyWatch watch)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var (region, action) = (form["region"].ToString(), form["action"].ToString());
        var asked = new DryRunBody(action.EndsWith("unmount", StringComparison.Ordinal) ? null
            : form["source"].ToString(), form["path"], form["options"]);
        try
        {
            var proxy = ProxyOf(await watch.LookAsync(IsFollowing(context), context.RequestAborted), region);
            MustChange(options, proxy, "mounts");
            if (action.StartsWith("preview", StringComparison.Ordinal))
            {
                var preview = await watch.AskAsync<DryRunReply>(proxy, HttpMethod.Post, "/api/v1/dry-run", asked, context.RequestAborted);
                return await MountsAsync(context, options, watch, region: region, asked: asked, preview: preview);
            }
            var reply = asked.Source is null
                ? await watch.AskAsync<MountReply>(proxy, HttpMethod.Delete,
                    "/api/v1/mounts" + string.Join('/', asked.Path!.Split('/').Select(Uri.EscapeDataString)), null, context.RequestAborted)
                : await watch.AskAsync<MountReply>(proxy, HttpMethod.Post, "/api/v1/mounts",
                    new MountBody(asked.Source, asked.Path, asked.Options), context.RequestAborted);
            return await MountsAsync(context, options, watch, reply.Message, !reply.Complete, region);
        }
        catch (ProxyRefusedException e)
        {
            return await MountsAsync(context, options, watch, e.Message, true, region, asked);
        }
    }

    private static async Task<IResult> PathAsync(string? region, string? path, bool? read, NamespaceRoutes.Visit visit)
    {
        var (context, watch) = (visit.Context, visit.Watch);
        var view = await watch.LookAsync(IsFollowing(context), context.RequestAborted);
        var replies = new List<(string, ResolveReply)>();
        string? notice = null;
        ReadSeen? seen = null;
        if (!string.IsNullOrEmpty(path) && view.Regions.FirstOrDefault(r => r.Name == region) is { } found)
        {
            foreach (var proxy in found.Proxies)
            {
                try
                {
                    replies.Add((proxy.Name, await watch.AskAsync<ResolveReply>(
                        proxy, HttpMethod.Get, $"/api/v1/resolve?path={Uri.EscapeDataString(path)}", null, context.RequestAborted)));
                }
                catch (ProxyRefusedException e)
                {
                    notice = e.Message;
                }
            }
            // Read once: a page that follows goes on showing what it has shown.
            if (read == true && !IsFollowing(context))
            {
                try
                {
                    seen = await ReadAsync(visit, ProxyOf(view, region), path);
                }
                catch (Exception e) when (e is ProxyRefusedException or Client.KeeperException or OperationCanceledException)
                {
                    notice = e.Message;
                }
            }
        }
        return Page<PathPage>(context, new()
        {
            ["View"] = view,
            ["Notice"] = notice,
            ["Region"] = region,
            ["Path"] = path,
            ["Replies"] = replies,
            ["Seen"] = seen,
        });
    }

    /// <summary>Reads a znode as a client of a proxy, and has the proxy tell what it did for that.</summary>
    private static async Task<ReadSeen> ReadAsync(NamespaceRoutes.Visit visit, ProxyView proxy, string path)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(visit.Aborted);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        var client = await visit.ClientAsync(proxy);
        var trace = $"/api/v1/traces/0x{client.SessionId:x}";
        await visit.Watch.AskAsync<object?>(proxy, HttpMethod.Get, trace + "?ask=true", null, limit.Token);
        var began = Stopwatch.GetTimestamp();
        string answer;
        try
        {
            var read = await client.GetDataAsync(path, cancellationToken: limit.Token);
            answer = $"{read.Data?.Length ?? 0} bytes, version {read.Stat.Version}";
        }
        catch (Client.KeeperException e)
        {
            answer = e.Message;
        }
        var took = Stopwatch.GetElapsedTime(began);
        var steps = (await visit.Watch.AskAsync<TraceReply>(proxy, HttpMethod.Get, trace, null, limit.Token)).Steps;
        return new ReadSeen(proxy.Name, answer, took.TotalMilliseconds, steps);
    }

    private static async Task<IResult> SessionsAsync(HttpContext context, ProxyWatch watch)
    {
        var view = await watch.LookAsync(IsFollowing(context), context.RequestAborted);
        var (lists, errors) = (new List<SessionList>(), new List<string>());
        foreach (var (list, error) in await Task.WhenAll(view.Proxies.Select(AskAsync)))
        {
            if (list is not null)
            {
                lists.Add(list);
            }
            else
            {
                errors.Add(error!);
            }
        }
        return Page<SessionsPage>(context, new() { ["Lists"] = lists, ["Errors"] = errors });

        async Task<(SessionList? List, string? Error)> AskAsync(ProxyView proxy)
        {
            try
            {
                // One that is known not to answer is not waited for again.
                return proxy.Error is { } down ? (null, down) : (await watch.AskAsync<SessionList>(proxy, HttpMethod.Get,
                    "/api/v1/sessions?limit=100", null, context.RequestAborted), null);
            }
            catch (ProxyRefusedException e)
            {
                return (null, e.Message);
            }
        }
    }

    /// <summary>Whether a page asks that shows the last reading already.</summary>
    private static bool IsFollowing(HttpContext context) => context.Request.Headers.ContainsKey("X-Console-Live");

    /// <summary>Whether this visitor gets pages without buttons, everywhere.</summary>
    public static bool IsReadOnly(HttpContext context) => context.RequestServices.GetRequiredService<ConsoleOptions>().ReadOnly
        // Inside a proxy visitors have shown tokens of their own.
        || context.Items[typeof(AdminAccess)] is AdminAccess.Viewer;

    /// <summary>Refuses what the pages have no buttons for.</summary>
    /// <exception cref="ProxyRefusedException">Nothing may be changed.</exception>
    public static void MustChange(ConsoleOptions options, ProxyView proxy, string what)
    {
        if (options.ReadOnly)
        {
            throw new ProxyRefusedException($"this console only shows; start it without --read-only to change {what}");
        }
        if (!proxy.MayChange)
        {
            throw new ProxyRefusedException($"this console's token is one to look; give it one of the role 'admin' to change {what}");
        }
    }

    /// <summary>The proxy of a region that is asked.</summary>
    /// <exception cref="ProxyRefusedException">None answers.</exception>
    public static ProxyView ProxyOf(FederationView view, string? region)
    {
        if (view.Regions.FirstOrDefault(r => r.Name == region) is not { } found)
        {
            var known = string.Join(", ", view.Regions.Select(r => r.Name).DefaultIfEmpty("none"));
            throw new ProxyRefusedException($"no proxy of a region '{region}' is known here; known are {known}");
        }
        return found.Best.Error is { } error ? throw new ProxyRefusedException($"no proxy of {region} answers: {error}") : found.Best;
    }

    private static async Task<T?> TryAsync<T>(Func<Task<T>> work)
        where T : class
    {
        try
        {
            return await work();
        }
        catch (ProxyRefusedException)
        {
            return null;
        }
    }

    /// <summary>A page, never kept by the browser.</summary>
    public static RazorComponentResult<T> Page<T>(HttpContext context, Dictionary<string, object?> parameters)
        where T : Microsoft.AspNetCore.Components.IComponent
    {
        context.Response.Headers.CacheControl = "no-store";
        parameters["Base"] = BaseOf(context);
        return new RazorComponentResult<T>(parameters);
    }

    /// <summary>What paths begin with in the browser, whether the server in front takes it off or not.</summary>
    public static string BaseOf(HttpContext context) => context.RequestServices.GetRequiredService<ConsoleOptions>().BasePath;

    private static IResult Asset(string name, string type) =>
        Results.Stream(typeof(ConsoleRoutes).Assembly.GetManifestResourceStream(name)!, type);
}
