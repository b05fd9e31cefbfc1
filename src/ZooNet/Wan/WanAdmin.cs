using System.Net;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ZooNet.Wan;

/// <summary>The HTTP port of <c>zoonet wan</c>: <c>POST /cut[?silent=true]</c>, <c>POST /heal</c>, <c>GET /status</c>.</summary>
internal static class WanAdmin
{
    /// <summary>Builds the application; the caller starts and stops it.</summary>
    public static WebApplication Build(WanRelay relay, IPEndPoint listen)
    {
        // Else the host watches every file below the working directory.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false"] });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(listen));
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Converters.Add(new JsonStringEnumConverter<WanCut>()));
        var app = builder.Build();
        app.MapGet("/status", () => relay.Status);
        app.MapPost("/cut", (bool silent = false) =>
        {
            relay.Cut(silent);
            return relay.Status;
        });
        app.MapPost("/heal", () =>
        {
            relay.Heal();
            return relay.Status;
        });
        return app;
    }
}
