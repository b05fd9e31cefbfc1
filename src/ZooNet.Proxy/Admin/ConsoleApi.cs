using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ZooNet.Protocol;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Downstream;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// The part of the admin endpoint that people look at: who is connected and waits for what, what has happened, and what a mount would come
/// to. The console, <c>zoonet top</c> and <c>zoonet events</c> ask it.
/// </summary>
internal static class ConsoleApi
{
    /// <summary>The most sessions in one answer.</summary>
    public const int MaxSessions = 1000;

    /// <summary>How many may follow the events at the same time.</summary>
    public const int MaxFollowers = 100;

    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(10);

    public static IServiceCollection AddConsoleApi(this IServiceCollection services)
    {
        services.AddSingleton<EventLog>();
        services.AddSingleton<MountDryRun>();
        services.AddSingleton<Followers>();
        services.AddHostedService<EventSources>();
        services.AddHostedService<TraceExport>();
        return services;
    }

    public static void MapConsoleApi(this RouteGroupBuilder api)
    {
        api.MapGet("/sessions", Sessions);
        api.MapGet("/events", Events);
        api.MapGet("/events/recent", (long? after, EventLog log) => log.After(after ?? 0));
        api.MapGet("/history", (EventLog log, StatusReporter status) => new MountHistory(status.Started, log.Mounts));
        api.MapPost("/dry-run", DryRunAsync);
        api.MapGet("/traces/{session}", TraceAsync);
    }

    private static IResult Sessions(int? limit, DataPath path, ProxyConfig config)
    {
        if (limit is < 1 or > MaxSessions)
        {
            return Results.Problem($"limit={limit} is not allowed; give a number from 1 to {MaxSessions}",
                statusCode: StatusCodes.Status400BadRequest);
        }
        var all = path.Clients.Select(c => c.Describe(path.Region.ClusterNames)).OrderBy(s => s.WaitsFor is null).ThenBy(s =>
            s.Client, StringComparer.Ordinal).ToList();
        return Results.Ok(new SessionList(config.Region, config.ProxyId, all.Count, all.Count(s => s.WaitsFor is not null),
            [.. all.Take(limit ?? 100)]));
    }

    private static IResult Events(long? after, HttpContext context, EventLog log, Followers followers, IHostApplicationLifetime lifetime)
    {
        // A browser that comes back says what it has seen.
        var seen = after ?? (long.TryParse(context.Request.Headers["Last-Event-ID"], CultureInfo.InvariantCulture, out var last) ? last
            : 0);
        return followers.TryEnter()
            ? TypedResults.ServerSentEvents(FollowAsync(seen, log, followers, lifetime, context.RequestAborted))
            : Results.Problem($"{MaxFollowers} follow the events already; end one, or ask /api/v1/events/recent",
                statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    private static async IAsyncEnumerable<SseItem<ProxyEvent?>> FollowAsync(
        long seen,
        EventLog log,
        Followers followers,
        IHostApplicationLifetime lifetime,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            // The host waits for open requests before it stops, and this one would never end by itself.
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
            await foreach (var e in log.FollowAsync(seen, Beat, ended.Token))
            {
                yield return e is null
                    ? new SseItem<ProxyEvent?>(null, "beat")
                    : new SseItem<ProxyEvent?>(e, e.Kind) { EventId = e.Id.ToString(CultureInfo.InvariantCulture) };
            }
        }
        finally
        {
            followers.Leave();
        }
    }

    private static async Task<IResult> DryRunAsync(DryRunBody body, MountDryRun dryRun, CancellationToken cancellationToken)
    {
        try
        {
            if (body.Source is not null)
            {
                return Results.Ok(await dryRun.MountAsync(body, cancellationToken));
            }
            return ZnodePath.Validate(body.Path) is { } why
                ? Results.Problem($"'{body.Path}' is no path: {why}", statusCode: StatusCodes.Status400BadRequest)
                : Results.Ok(await dryRun.UnmountAsync(body.Path!, cancellationToken));
        }
        catch (Client.KeeperException e)
        {
            return Results.Problem($"the home cluster can't be asked: {e.Message}", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    /// <summary>
    /// With <c>ask=true</c> the next request of a session is to be remembered, which harms nobody and so is no change; without, it is told.
    /// </summary>
    private static async Task<IResult> TraceAsync(string session, bool? ask, DataPath path, CancellationToken cancellationToken)
    {
        if (SessionOf(session) is not { } id)
        {
            return Results.Problem($"'{session}' is no session; write it as in 0x1a2b", statusCode: StatusCodes.Status400BadRequest);
        }
        if (ask == true)
        {
            return path.Traces.TryAsk(id) ? Results.NoContent()
                : Results.Problem($"{TracesAsked.Most} requests are waited for already; try again in {TracesAsked.Patience.TotalSeconds} s",
                    statusCode: StatusCodes.Status503ServiceUnavailable);
        }
        return await path.Traces.ResultAsync(id, cancellationToken) is { } steps ? Results.Ok(new TraceReply(session, steps))
            : Results.Problem($"no request of {session} came in time, or none was asked for with ?ask=true",
                statusCode: StatusCodes.Status404NotFound);
    }

    private static long? SessionOf(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        && long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id) ? id : null;

    /// <summary>Counts who follows the events.</summary>
    internal sealed class Followers
    {
        private int _count;

        public bool TryEnter()
        {
            if (Interlocked.Increment(ref _count) <= MaxFollowers)
            {
                return true;
            }
            Leave();
            return false;
        }

        public void Leave() => Interlocked.Decrement(ref _count);
    }
}
