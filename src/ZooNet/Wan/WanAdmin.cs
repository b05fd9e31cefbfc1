using System.Net;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ZooNet.Wan;

/// <summary>
/// The HTTP port of <c>zoonet wan</c>: <c>POST /cut[?silent=true]</c>, <c>POST /heal</c>, <c>GET /status</c>, each for all links
/// together.
/// </summary>
internal static class WanAdmin
{
    /// <summary>Builds the application; the caller starts and stops it.</summary>
    public static WebApplication Build(IReadOnlyList<WanRelay> relays, IPEndPoint listen)
    {
        // Else the host watches every file below the working directory.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false"] });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(listen));
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Converters.Add(new JsonStringEnumConverter<WanCut>()));
        var app = builder.Build();
        app.MapGet("/status", Status);
        app.MapPost("/cut", (bool silent = false) =>
        {
            foreach (var relay in relays)
            {
                relay.Cut(silent);
            }
            return Status();
        });
        app.MapPost("/heal", () =>
        {
            foreach (var relay in relays)
            {
                relay.Heal();
            }
            return Status();
        });
        return app;

        IReadOnlyList<WanStatus> Status() => [.. relays.Select(relay => relay.Status)];
    }
}
