using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.WebConsole.Pages;

namespace ZooNet.WebConsole;

/// <summary>The pages: each asks what it shows, and renders it.</summary>
internal static class ConsoleRoutes
{
    private const string Cookie = "zoonet-visitor";

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/", FederationAsync);
        app.MapGet("/mounts", (HttpContext context, ConsoleOptions options, ProxyWatch watch) => MountsAsync(context, options, watch));
        app.MapPost("/mounts", ChangeMountsAsync);
        app.MapGet("/path", PathAsync);
        app.MapGet("/sessions", SessionsAsync);
        app.MapGet("/namespace", (string? region, string? path, string? like, int? page, HttpContext context, ConsoleOptions options,
            ProxyWatch watch, Visitors visitors) =>
            NamespaceAsync(region, path, like, page ?? 0, context, options, watch, visitors, null, false));
        app.MapPost("/namespace", ChangeNamespaceAsync);
        app.MapGet("/live", () => "ok");
        app.MapGet("/console.css", () => Asset("console.css", "text/css"));
        app.MapGet("/console.js", () => Asset("console.js", "text/javascript"));
    }

    private static async Task<IResult> FederationAsync(HttpContext context, ProxyWatch watch) =>
        Page<FederationPage>(context, new() { ["View"] = await watch.LookAsync(context.RequestAborted) });

    private static async Task<IResult> MountsAsync(
        HttpContext context,
        ConsoleOptions options,
        ProxyWatch watch,
        string? notice = null,
        bool failed = false,
        string? region = null,
        DryRunBody? asked = null,
        DryRunReply? preview = null)
    {
        var view = await watch.LookAsync(context.RequestAborted);
        var histories = await Task.WhenAll(view.Regions.Where(r => r.Best.Error is null).Select(async r =>
            (r.Name, History: await TryAsync(() =>
            watch.AskAsync<MountHistory>(r.Best, HttpMethod.Get, "/api/v1/history", null, context.RequestAborted)))));
        IReadOnlyList<(string, ProxyEvent)> history = [.. histories.SelectMany(h => (h.History?.Changes ?? []).Select(c => (h.Name, c)))
            .OrderByDescending(c => c.c.Time).Take(100)];
        return Page<MountsPage>(context, new()
        {
            ["View"] = view,
            ["ReadOnly"] = options.ReadOnly,
            ["Notice"] = notice,
            ["Failed"] = failed,
            ["Region"] = region,
            ["Asked"] = asked,
            ["Preview"] = preview,
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
            if (options.ReadOnly)
            {
                throw new ProxyRefusedException("this console only shows; start it without --read-only to change mounts");
            }
            var proxy = ProxyOf(await watch.LookAsync(context.RequestAborted), region);
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

    private static async Task<IResult> PathAsync(string? region, string? path, HttpContext context, ProxyWatch watch)
    {
        var view = await watch.LookAsync(context.RequestAborted);
        var replies = new List<(string, ResolveReply)>();
        string? notice = null;
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
        }
        return Page<PathPage>(context, new()
        {
            ["View"] = view,
            ["Notice"] = notice,
            ["Region"] = region,
            ["Path"] = path,
            ["Replies"] = replies
        });
    }

    private static async Task<IResult> SessionsAsync(HttpContext context, ProxyWatch watch)
    {
        var view = await watch.LookAsync(context.RequestAborted);
        var (lists, errors) = (new List<SessionList>(), new List<string>());
        foreach (var proxy in view.Proxies)
        {
            try
            {
                lists.Add(await watch.AskAsync<SessionList>(proxy, HttpMethod.Get, "/api/v1/sessions?limit=100", null,
                    context.RequestAborted));
            }
            catch (ProxyRefusedException e)
            {
                errors.Add(e.Message);
            }
        }
        return Page<SessionsPage>(context, new() { ["Lists"] = lists, ["Errors"] = errors });
    }

    private static async Task<IResult> NamespaceAsync(
        string? region,
        string? path,
        string? like,
        int page,
        HttpContext context,
        ConsoleOptions options,
        ProxyWatch watch,
        Visitors visitors,
        string? notice,
        bool failed)
    {
        var view = await watch.LookAsync(context.RequestAborted);
        region = string.IsNullOrEmpty(region) ? (view.Regions.Count > 0 ? view.Regions[0].Name : null) : region;
        path = string.IsNullOrEmpty(path) ? "/" : path;
        ZnodeView? znode = null;
        ResolveReply? where = null;
        var mounts = new Dictionary<string, string>();
        try
        {
            if (ZnodePath.Validate(path) is { } why)
            {
                throw new ProxyRefusedException($"'{path}' is no path: {why}");
            }
            var proxy = ProxyOf(view, region);
            mounts = proxy.Status!.Mounts.ToDictionary(m => m.Path, m => $"{m.Cluster}:{m.RemotePath}");
            where = await watch.AskAsync<ResolveReply>(proxy, HttpMethod.Get, $"/api/v1/resolve?path={Uri.EscapeDataString(path)}", null,
                context.RequestAborted);
            znode = await ReadAsync(await ClientAsync(context, proxy, visitors), path, like);
        }
        catch (Exception e) when (e is ProxyRefusedException or KeeperException or OperationCanceledException)
        {
            (notice, failed) = (notice ?? (e is OperationCanceledException ? $"no proxy of {region} lets a client in" : e.Message), true);
        }
        return Page<NamespacePage>(context, new()
        {
            ["View"] = view,
            ["ReadOnly"] = options.ReadOnly,
            ["Notice"] = notice,
            ["Failed"] = failed,
            ["Region"] = region,
            ["Path"] = path,
            ["Like"] = like,
            ["Page"] = Math.Max(0, page),
            ["User"] = visitors.UserOf(context.Request.Cookies[Cookie]),
            ["Cluster"] = where?.Cluster,
            ["Znode"] = znode,
            ["Mounts"] = mounts,
        });
    }

    private static async Task<IResult> ChangeNamespaceAsync(HttpContext context, ConsoleOptions options, ProxyWatch watch,
        Visitors visitors)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var (region, path, action) = (form["region"].ToString(), form["path"].ToString(), form["action"].ToString());
        var (notice, failed) = ((string?)null, false);
        try
        {
            switch (action)
            {
                case "login":
                    var key = visitors.Add(form["user"].ToString(), form["password"].ToString());
                    var cookie = new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps };
                    context.Response.Cookies.Append(Cookie, key, cookie);
                    return Results.Redirect(Self(context, region, path));
                case "logout":
                    await visitors.ForgetAsync(context.Request.Cookies[Cookie]);
                    context.Response.Cookies.Delete(Cookie);
                    return Results.Redirect(Self(context, region, path));
                default:
                    (notice, path) = await ChangeAsync(action, path, form, context, options, watch, visitors, region);
                    break;
            }
        }
        catch (Exception e) when (e is ProxyRefusedException or KeeperException or OperationCanceledException)
        {
            (notice, failed) = (e.Message, true);
        }
        return await NamespaceAsync(region, path, null, 0, context, options, watch, visitors, notice, failed);
    }

    private static async Task<(string Notice, string Path)> ChangeAsync(
        string action,
        string path,
        IFormCollection form,
        HttpContext context,
        ConsoleOptions options,
        ProxyWatch watch,
        Visitors visitors,
        string region)
    {
        if (options.ReadOnly)
        {
            throw new ProxyRefusedException("this console only shows; start it without --read-only to change znodes");
        }
        var client = await ClientAsync(context, ProxyOf(await watch.LookAsync(context.RequestAborted), region), visitors);
        switch (action)
        {
            case "set":
                // Browsers send line ends as CR LF whatever was there.
                var text = form["data"].ToString().ReplaceLineEndings("\n");
                await client.SetDataAsync(path, Encoding.UTF8.GetBytes(text),
                    int.Parse(form["version"].ToString(), System.Globalization.CultureInfo.InvariantCulture));
                return ($"{path} is written", path);
            case "create":
                var child = path == "/" ? "/" + form["child"] : $"{path}/{form["child"]}";
                if (ZnodePath.Validate(child) is { } why)
                {
                    throw new ProxyRefusedException($"'{child}' is no path: {why}");
                }
                await client.CreateAsync(child, []);
                return ($"{child} is created", path);
            case "delete" when form["sure"] == "yes":
                await client.DeleteAsync(path);
                return ($"{path} is deleted", ZnodePath.ParentOf(path));
            case "delete":
                throw new ProxyRefusedException($"{path} is still there: tick 'I mean it' to delete it");
            default:
                throw new ProxyRefusedException($"'{action}' is nothing that this page does");
        }
    }

    private static async Task<ZnodeView> ReadAsync(ZooKeeperClient client, string path, string? like)
    {
        var data = await client.GetDataAsync(path);
        var children = await client.GetChildrenAsync(path);
        string? acl = null;
        try
        {
            acl = string.Join("; ", (await client.GetAclAsync(path)).AccessControl.Select(a =>
                $"{a.Scheme}:{a.Id} {PermissionsOf(a.Perms)}"));
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
        {
        }
        var names = children.Names.Where(n =>
            string.IsNullOrEmpty(like) || n.Contains(like, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal);
        return new ZnodeView(data.Data ?? [], data.Stat, [.. names], acl);
    }

    private static string PermissionsOf(int permissions) =>
        string.Concat("rwcda".Where((_, bit) => (permissions >> bit & 1) != 0));

    private static Task<ZooKeeperClient> ClientAsync(HttpContext context, ProxyView proxy, Visitors visitors)
    {
        var servers = proxy.Status!.Listen.Select(listen =>
        {
            var colon = listen.LastIndexOf(':');
            var host = listen[..colon].Trim('[', ']');
            // One that listens everywhere is reached where its admin endpoint is.
            host = host is "0.0.0.0" or "::" ? proxy.Url.Host : host;
            return new ServerAddress(host, int.Parse(listen[(colon + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        }).ToList();
        return servers.Count == 0
            ? throw new ProxyRefusedException($"{proxy.Name} listens for no clients now")
            : visitors.ConnectAsync(context.Request.Cookies[Cookie], servers, context.RequestAborted);
    }

    private static ProxyView ProxyOf(FederationView view, string? region)
    {
        if (view.Regions.FirstOrDefault(r => r.Name == region) is not { } found)
        {
            var known = string.Join(", ", view.Regions.Select(r => r.Name).DefaultIfEmpty("none"));
            throw new ProxyRefusedException($"no proxy of a region '{region}' is known here; known are {known}");
        }
        return found.Best.Error is { } error ? throw new ProxyRefusedException($"no proxy of {region} answers: {error}") : found.Best;
    }

    private static string Self(HttpContext context, string region, string path) =>
        $"{context.Request.PathBase}/namespace?region={Uri.EscapeDataString(region)}&path={Uri.EscapeDataString(path)}";

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

    private static RazorComponentResult<T> Page<T>(HttpContext context, Dictionary<string, object?> parameters)
        where T : Microsoft.AspNetCore.Components.IComponent
    {
        context.Response.Headers.CacheControl = "no-store";
        parameters["Base"] = context.Request.PathBase.Value ?? "";
        return new RazorComponentResult<T>(parameters);
    }

    private static IResult Asset(string name, string type) =>
        Results.Stream(typeof(ConsoleRoutes).Assembly.GetManifestResourceStream(name)!, type);
}
