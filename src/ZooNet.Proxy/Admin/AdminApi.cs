using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Downstream;
using ZooNet.Proxy.Hosting;
using ZooNet.Proxy.Roaming;
using ZooNet.Proxy.Telemetry;
using ZooNet.Proxy.Upstream;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// The admin endpoint: what the command line tool, load balancers and monitors ask. Errors are problem+json, whose
/// <c>detail</c> is the sentence that the tool prints.
/// </summary>
public static class AdminApi
{
    /// <summary>Adds what <see cref="MapZooNetAdmin"/> needs. An <see cref="IProxyStatus"/> has to be added by the data path.</summary>
    public static IServiceCollection AddZooNetAdmin(this IServiceCollection services)
    {
        services.AddProblemDetails();
        // A body that can't be read becomes an exception, which becomes a problem with a sentence in it.
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.AddSingleton<AuditLog>();
        services.AddSingleton<AdminAccess>();
        services.AddSingleton<ReadAdvisor>();
        services.AddSingleton<StatusReporter>();
        services.AddSingleton<TreeCommands>();
        services.AddSingleton<ProxyMetrics>();
        services.AddSingleton<FourLetterWords>();
        services.AddSingleton(s => new ServerVersions(s.GetRequiredService<DataPath>().Pools[0], s.GetRequiredService<TimeProvider>()));
        services.AddConsoleApi();
        services.ConfigureHttpJsonOptions(o => o.SerializerOptions.Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        return services;
    }

    /// <summary>Maps all routes.</summary>
    public static void MapZooNetAdmin(this WebApplication app)
    {
        app.UseExceptionHandler(error => error.Run(WriteExceptionAsync));
        app.UseStatusCodePages();
        var access = app.Services.GetRequiredService<AdminAccess>();
        app.Use(next => context => access.InvokeAsync(context, next));
        // Made now, so that nothing that is counted before the first scrape is missed.
        app.Services.GetRequiredService<ProxyMetrics>();

        var api = app.MapGroup("/api/v1");
        api.MapGet("/mounts", (StatusReporter status) =>
            status.WhyNoTable is { } why ? Problem(StatusCodes.Status503ServiceUnavailable, why) : Results.Ok(status.Mounts()));
        api.MapPost("/mounts", MountAsync);
        api.MapGet("/mounts/{**path}", (string path, StatusReporter status) =>
            status.WhyNoTable is { } why ? Problem(StatusCodes.Status503ServiceUnavailable, why) : status.Mount("/" + path) is { } mount
                ? Results.Ok(mount) : Problem(StatusCodes.Status404NotFound, $"nothing is mounted on /{path}"));
        api.MapDelete("/mounts/{**path}", UnmountAsync);
        api.MapGet("/resolve", Resolve);
        api.MapTreeApi();
        api.MapConsoleApi();
        api.MapGet("/status", (StatusReporter status) => status.Status());
        api.MapGet("/config", (ConfigInForce config) => config.Current.Values);
        api.MapGet("/clusters", (StatusReporter status, CancellationToken token) => status.ClustersAsync(token));
        api.MapGet("/graph", (StatusReporter status) =>
            status.Graph is { } graph ? Results.Ok(graph) : Problem(StatusCodes.Status404NotFound, "this proxy keeps no interest graph: its consistency mode does not need one"));

        app.MapGet("/live", () => new HealthReply("ok", new Dictionary<string, string>()));
        app.MapGet("/ready", (StatusReporter status, HttpContext context) => Results.Json(
            // A probe from another host needs the status only; how the clusters are is for those who may look.
            AdminAccess.IsStranger(context) ? status.Ready() with { Details = new Dictionary<string, string>() } : status.Ready(),
            statusCode: status.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable));
        app.MapGet("/metrics", (ProxyMetrics metrics) => Results.Text(metrics.Scrape(), PrometheusExporter.ContentType));
        app.MapGet("/commands", () => Results.Json(FourLetterWords.CommandNames));
        app.MapGet("/commands/{name}", async (string name, FourLetterWords words) =>
            Results.Json(await words.CommandAsync(name), JsonSerializerOptions.Default));
    }

    private static async Task<IResult> MountAsync(
        MountBody body, MountCommands commands, StatusReporter status, AuditLog audit, HttpContext context,
        CancellationToken cancellationToken)
    {
        var before = Text(body.Path is { } at ? status.Mount(at) : null);
        var outcome = await commands.MountAsync(new MountRequest(body.Source, body.Path, body.Options, body.Force), cancellationToken);
        audit.Changed(context, "mount", body.Path, before, $"{body.Source} ({body.Options})", outcome.Message);
        if (outcome.Refusal is { } kind)
        {
            return Problem(StatusOf(kind), outcome.Message);
        }
        var reply = new MountReply(outcome.Message, status.Describe(outcome.Entry!), outcome.Waiting.Count == 0);
        var location = "/api/v1/mounts" + string.Join('/', body.Path!.Split('/').Select(Uri.EscapeDataString));
        return outcome.WasSo ? Results.Ok(reply) : reply.Complete ? Results.Created(location, reply) : Results.Accepted(location, reply);
    }

    private static async Task<IResult> UnmountAsync(
        string path, bool? force, MountCommands commands, StatusReporter status, AuditLog audit, HttpContext context,
        CancellationToken cancellationToken)
    {
        var before = Text(status.Mount("/" + path));
        var outcome = await commands.UnmountAsync("/" + path, force ?? false, cancellationToken);
        audit.Changed(context, "unmount", "/" + path, before, null, outcome.Message);
        if (outcome.Refusal is { } kind)
        {
            return Problem(StatusOf(kind), outcome.Message);
        }
        var reply = new MountReply(outcome.Message, status.Describe(outcome.Entry!), outcome.Waiting.Count == 0);
        return Results.Json(reply, statusCode: reply.Complete ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
    }

    private static IResult Resolve(string? path, StatusReporter status) =>
        ZnodePath.Validate(path) is { } why ? Problem(StatusCodes.Status400BadRequest, $"'{path}' is no path: {why}")
        : status.WhyNoTable is { } unknown ? Problem(StatusCodes.Status503ServiceUnavailable, unknown)
        : Results.Ok(status.Resolve(path!));

    private static string? Text(MountInfo? mount) => mount is null ? null : $"{mount.Cluster}:{mount.RemotePath} ({mount.Options})";

    private static int StatusOf(RefusalKind kind) => kind switch
    {
        RefusalKind.Invalid => StatusCodes.Status400BadRequest,
        RefusalKind.NotFound => StatusCodes.Status404NotFound,
        RefusalKind.Conflict => StatusCodes.Status409Conflict,
        _ => StatusCodes.Status503ServiceUnavailable,
    };

    private static IResult Problem(int status, string detail) => Results.Problem(detail, statusCode: status);

    private static async Task WriteExceptionAsync(HttpContext context)
    {
        var feature = context.Features.Get<IExceptionHandlerFeature>();
        var exception = feature?.Error;
        var wanted = feature?.Path == "/api/v1/mounts" ? """ of a mount, {"source":"eu:/apps","path":"/mnt/eu"}""" : "";
        var (status, detail) = exception switch
        {
            BadHttpRequestException { InnerException: JsonException json } bad => (bad.StatusCode, $"the body is no JSON{wanted}"
                + $", from line {json.LineNumber + 1}, byte {json.BytePositionInLine + 1} on"),
            // The framework's words are for those who wrote the handler.
            BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } => (StatusCodes.Status400BadRequest,
                $"the body is missing or no JSON{wanted}, or a value in the query can't be read"),
            BadHttpRequestException bad => (bad.StatusCode, bad.Message),
            ClusterUnreachableException or TreeException => (StatusCodes.Status503ServiceUnavailable, exception.Message),
            _ => (StatusCodes.Status500InternalServerError, "the proxy failed; its log says more"),
        };
        if (status == StatusCodes.Status500InternalServerError && exception is not null)
        {
            context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(AdminApi)).AdminFailed(exception);
        }
        await Problem(status, detail).ExecuteAsync(context);
    }
}
