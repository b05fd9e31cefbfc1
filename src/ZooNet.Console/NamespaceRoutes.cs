using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Admin;
using ZooNet.WebConsole.Pages;

namespace ZooNet.WebConsole;

/// <summary>The page of znodes: reads and changes them as a client of the region's proxy, with the visitor's own credentials.</summary>
internal static class NamespaceRoutes
{
    private const string Cookie = "zoonet-visitor";

    /// <summary>How long a search, an export, an import or a deletion may take.</summary>
    private static readonly TimeSpan LongWork = TimeSpan.FromSeconds(30);

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/namespace", (string? region, string? path, string? like, bool? deep, int? page, Visit visit) =>
            ShowAsync(visit, new(region, path, like, deep ?? false, page ?? 0)));
        app.MapPost("/namespace", ChangeAsync);
        app.MapGet("/namespace/export", ExportAsync);
        app.MapPost("/namespace/import", ImportAsync);
    }

    /// <summary>What a page was asked to show.</summary>
    private sealed record Asked(string? Region, string? Path, string? Like = null, bool Deep = false, int Page = 0);

    /// <summary>Who asks, and whom.</summary>
    internal sealed record Visit(HttpContext Context, ConsoleOptions Options, ProxyWatch Watch, Visitors Visitors)
    {
        public static ValueTask<Visit?> BindAsync(HttpContext context)
        {
            var services = context.RequestServices;
            return ValueTask.FromResult<Visit?>(new Visit(context, (ConsoleOptions)services.GetService(typeof(ConsoleOptions))!,
                (ProxyWatch)services.GetService(typeof(ProxyWatch))!, (Visitors)services.GetService(typeof(Visitors))!));
        }

        public CancellationToken Aborted => Context.RequestAborted;

        public string? Key => Context.Request.Cookies[Cookie];

        public async Task<ProxyView> ProxyAsync(string? region) => ConsoleRoutes.ProxyOf(await Watch.LookAsync(false, Aborted), region);

        /// <summary>A session to change something with.</summary>
        public async Task<ZooKeeperClient> WriterAsync(string? region)
        {
            var proxy = await ProxyAsync(region);
            ConsoleRoutes.MustChange(Options, proxy, "znodes");
            return await ClientAsync(proxy);
        }

        public Task<ZooKeeperClient> ClientAsync(ProxyView proxy)
        {
            var servers = proxy.Status!.Listen.Select(listen =>
            {
                var colon = listen.LastIndexOf(':');
                var host = listen[..colon].Trim('[', ']');
                // One that listens everywhere is reached where its admin endpoint is.
                host = host is "0.0.0.0" or "::" ? proxy.Url.Host : host;
                return new ServerAddress(host, int.Parse(listen[(colon + 1)..], CultureInfo.InvariantCulture));
            }).ToList();
            return servers.Count == 0
                ? throw new ProxyRefusedException($"{proxy.Name} listens for no clients now")
                : Visitors.ConnectAsync(Key, servers, Aborted);
        }
    }

    private static async Task<IResult> ShowAsync(Visit visit, Asked asked, string? notice = null, bool failed = false, int? below = null)
    {
        var view = await visit.Watch.LookAsync(false, visit.Aborted);
        var region = string.IsNullOrEmpty(asked.Region) ? (view.Regions.Count > 0 ? view.Regions[0].Name : null) : asked.Region;
        var path = string.IsNullOrEmpty(asked.Path) ? "/" : asked.Path;
        var deep = asked.Deep && !string.IsNullOrEmpty(asked.Like);
        ZnodeView? znode = null;
        FoundZnodes? found = null;
        ResolveReply? where = null;
        var mounts = new Dictionary<string, string>();
        try
        {
            var proxy = ConsoleRoutes.ProxyOf(view, region);
            Validate(path);
            mounts = proxy.Status!.Mounts.ToDictionary(m => m.Path, m => $"{m.Cluster}:{m.RemotePath}");
            where = await visit.Watch.AskAsync<ResolveReply>(proxy, HttpMethod.Get, $"/api/v1/resolve?path={Uri.EscapeDataString(path)}",
                null, visit.Aborted);
            var fits = ZnodeTree.Filter(asked.Like);
            using var limit = Limit(visit);
            var client = await visit.ClientAsync(proxy);
            znode = await ZnodeTree.ReadAsync(client, path, [], limit.Token);
            var children = (await client.GetChildrenAsync(path, cancellationToken: limit.Token)).Names;
            znode = znode with { Children = [.. children.Where(n => deep || fits(n)).Order(StringComparer.Ordinal)] };
            found = deep ? await ZnodeTree.SearchAsync(client, path, fits, limit.Token) : null;
        }
        catch (Exception e) when (e is ProxyRefusedException or KeeperException or OperationCanceledException)
        {
            (notice, failed) = (notice ?? Sentence(e, region), true);
        }
        return ConsoleRoutes.Page<NamespacePage>(visit.Context, new()
        {
            ["View"] = view,
            ["ReadOnly"] = ConsoleRoutes.IsReadOnly(visit.Context)
                || view.Regions.FirstOrDefault(r => r.Name == region) is { MayChange: false },
            ["Notice"] = notice,
            ["Failed"] = failed,
            ["Region"] = region,
            ["Path"] = path,
            ["Like"] = asked.Like,
            ["Deep"] = deep,
            ["Page"] = Math.Max(0, asked.Page),
            ["User"] = visit.Visitors.UserOf(visit.Key),
            ["Cluster"] = where?.Cluster,
            ["Znode"] = znode,
            ["Found"] = found,
            ["Below"] = below,
            ["Mounts"] = mounts,
        });
    }

    private static async Task<IResult> ChangeAsync(Visit visit)
    {
        var form = await visit.Context.Request.ReadFormAsync(visit.Aborted);
        var (region, path, action) = (form["region"].ToString(), form["path"].ToString(), form["action"].ToString());
        try
        {
            switch (action)
            {
                case "login":
                    var key = visit.Visitors.Add(form["user"].ToString(), form["password"].ToString());
                    visit.Context.Response.Cookies.Append(Cookie, key,
                        new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = visit.Context.Request.IsHttps });
                    return Results.Redirect(Self(visit.Context, region, path));
                case "logout":
                    await visit.Visitors.ForgetAsync(visit.Key);
                    visit.Context.Response.Cookies.Delete(Cookie);
                    return Results.Redirect(Self(visit.Context, region, path));
                default:
                    using (var limit = Limit(visit))
                    {
                        var (notice, at, below) = await ApplyAsync(await visit.WriterAsync(region), action, path, form,
                            (await visit.ProxyAsync(region)).Status!.Mounts, limit.Token);
                        return await ShowAsync(visit, new Asked(region, at), notice, below: below);
                    }
            }
        }
        catch (Exception e) when (e is ProxyRefusedException or KeeperException or OperationCanceledException or FormatException)
        {
            return await ShowAsync(visit, new Asked(region, path), Sentence(e, region), true);
        }
    }

    private static async Task<(string? Notice, string Path, int? Below)> ApplyAsync(
        ZooKeeperClient client,
        string action,
        string path,
        IFormCollection form,
        IReadOnlyList<MountInfo> mounts,
        CancellationToken cancellationToken)
    {
        Validate(path);
        switch (action)
        {
            case "set":
                await client.SetDataAsync(path, Text(form["data"]), Number(form["version"]), cancellationToken);
                return ($"{path} is written", path, null);
            case "set-acl":
                await client.SetAclAsync(path, AclText.Parse(form["acl"].ToString()), Number(form["version"]), cancellationToken);
                return ($"The ACL of {path} is written", path, null);
            case "create":
                var child = path == "/" ? "/" + form["child"] : $"{path}/{form["child"]}";
                Validate(child);
                var flags = form["sequential"] == "yes" ? CreateFlags.PersistentSequential : CreateFlags.Persistent;
                var made = await client.CreateAsync(child, Text(form["data"]), flags, cancellationToken: cancellationToken);
                return ($"{made.Path} is created", path, null);
            case "delete" when form["sure"] == "yes":
                await client.DeleteAsync(path, cancellationToken: cancellationToken);
                return ($"{path} is deleted", ZnodePath.ParentOf(path), null);
            case "delete":
                throw new ProxyRefusedException($"{path} is still there: tick 'I mean it' to delete it");
            case "delete-all":
                // The first question: how much that would be. The second: the path, typed.
                MustBeDeletable(path, mounts);
                if (form["typed"].ToString() == path)
                {
                    var deleted = await ZnodeTree.DeleteAsync(client, path, cancellationToken);
                    return ($"{path} and all below are deleted, {deleted} znodes", ZnodePath.ParentOf(path), null);
                }
                return (null, path, (await ZnodeTree.PathsAsync(client, path, cancellationToken)).Count - 1);
            default:
                throw new ProxyRefusedException($"'{action}' is nothing that this page does");
        }
    }

    private static async Task<IResult> ExportAsync(string? region, string? path, Visit visit)
    {
        try
        {
            Validate(path ?? "");
            using var limit = Limit(visit);
            var file = await ZnodeTree.ExportAsync(await visit.ClientAsync(await visit.ProxyAsync(region)), path!, limit.Token);
            var name = path == "/" ? region : path![(path!.LastIndexOf('/') + 1)..];
            return Results.File(file, "application/json", $"{name}.json");
        }
        catch (Exception e) when (e is ProxyRefusedException or KeeperException or OperationCanceledException)
        {
            return await ShowAsync(visit, new Asked(region, path), Sentence(e, region), true);
        }
    }

    private static async Task<IResult> ImportAsync(Visit visit)
    {
        // Data in base64 takes a third more, and the JSON around it some.
        if (visit.Context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body)
        {
            body.MaxRequestBodySize = 2 * ZnodeTree.MaxBytes;
        }
        var form = await visit.Context.Request.ReadFormAsync(visit.Aborted);
        var (region, path) = (form["region"].ToString(), form["path"].ToString());
        try
        {
            Validate(path);
            var client = await visit.WriterAsync(region);
            if (form.Files.GetFile("file") is not { Length: > 0 } file)
            {
                throw new ProxyRefusedException("no file was chosen, and nothing was changed");
            }
            using var limit = Limit(visit);
            await using var stream = file.OpenReadStream();
            var done = await ZnodeTree.ImportAsync(client, path, stream, form["overwrite"] == "yes", limit.Token);
            return await ShowAsync(visit, new Asked(region, path), done);
        }
        catch (Exception e) when (e is ProxyRefusedException or KeeperException or OperationCanceledException)
        {
            return await ShowAsync(visit, new Asked(region, path), Sentence(e, region), true);
        }
    }

    private static CancellationTokenSource Limit(Visit visit)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(visit.Aborted);
        limit.CancelAfter(LongWork);
        return limit;
    }

    private static void Validate(string path)
    {
        if (ZnodePath.Validate(path) is { } why)
        {
            throw new ProxyRefusedException($"'{path}' is no path: {why}");
        }
    }

    private static void MustBeDeletable(string path, IReadOnlyList<MountInfo> mounts)
    {
        if (path is "/" or "/zookeeper" || path.StartsWith("/zookeeper/", StringComparison.Ordinal))
        {
            throw new ProxyRefusedException($"{path} with everything below is not deleted from here");
        }
        if (mounts.FirstOrDefault(m => m.Path == path || m.Path.StartsWith(path + "/", StringComparison.Ordinal)) is { } mount)
        {
            throw new ProxyRefusedException($"{mount.Cluster}:{mount.RemotePath} is mounted on {mount.Path}, and all of it would be "
                + "deleted there, too: unmount it first, or delete what is in it one by one");
        }
    }

    // Browsers send line ends as CR LF whatever was there.
    private static byte[] Text(string? text) => Encoding.UTF8.GetBytes((text ?? "").ReplaceLineEndings("\n"));

    private static int Number(string? text) => int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number
        : throw new ProxyRefusedException($"'{text}' is no version; load the page again");

    private static string Sentence(Exception e, string? region) => e is OperationCanceledException
        ? $"no proxy of {region} lets a client in, or it took longer than {LongWork.TotalSeconds} s" : e.Message;

    private static string Self(HttpContext context, string region, string path) =>
        $"{ConsoleRoutes.BaseOf(context)}/namespace?region={Uri.EscapeDataString(region)}&path={Uri.EscapeDataString(path)}";
}
