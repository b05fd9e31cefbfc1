using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace ZooNet.WebConsole.Tests;

/// <summary>Something at an admin endpoint's address that gives answers of its own.</summary>
internal sealed class OtherProxy : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OtherProxy(WebApplication app, Uri url) => (_app, Url) = (app, url);

    public Uri Url { get; }

    public static Task<OtherProxy> StartAsync(string answer) => StartAsync(_ => answer);

    public static async Task<OtherProxy> StartAsync(Func<HttpContext, string> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        ListenOptions? endpoint = null;
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, e => endpoint = e));
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync(answer(context)));
        await app.StartAsync();
        return new OtherProxy(app, new Uri($"http://{endpoint!.IPEndPoint}"));
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
