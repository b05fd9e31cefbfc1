using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;

namespace ZooNet.WebConsole;

/// <summary>The console, ready to run: its pages, and the routes to every proxy's admin endpoint.</summary>
public sealed class ConsoleHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private ListenOptions? _endpoint;

    /// <summary>Puts a console together; nothing is started.</summary>
    public ConsoleHost(ConsoleOptions options)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false"] });
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        AddPages(builder.Services);
        var (first, servers) = Forwarding.For(new FederationView([], [], default), options);
        builder.Services.AddReverseProxy().LoadFromMemory(first, servers);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = 2 * 1024 * 1024;
            kestrel.Listen(options.Listen, endpoint => _endpoint = endpoint);
        });
        _app = builder.Build();
        var watch = _app.Services.GetRequiredService<ProxyWatch>();
        var routes = _app.Services.GetRequiredService<InMemoryConfigProvider>();
        watch.NamesChanged += () =>
        {
            var (known, clusters) = Forwarding.For(watch.Current, options);
            lock (routes)
            {
                routes.Update(known, clusters);
            }
        };
        if (options.BasePath.Length > 0)
        {
            _app.UsePathBase(options.BasePath);
        }
        _app.Use(GuardAsync);
        // After the base path was taken off, which the routes do not know.
        _app.UseRouting();
        ConsoleRoutes.Map(_app);
        _app.MapReverseProxy();
    }

    /// <summary>Where it listens, once started.</summary>
    public IPEndPoint EndPoint => _endpoint!.IPEndPoint!;

    /// <summary>Starts to listen.</summary>
    /// <exception cref="IOException">The address can't be listened on.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _app.StartAsync(cancellationToken);
        // So that the routes to the proxies are known before anybody opens a page.
        _ = await _app.Services.GetRequiredService<ProxyWatch>().LookAsync(false, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>What the pages need, besides options and a clock.</summary>
    internal static void AddPages(IServiceCollection services)
    {
        services.AddSingleton<ProxyWatch>();
        services.AddHostedService(s => s.GetRequiredService<ProxyWatch>());
        services.AddSingleton<Visitors>();
        // Pages hold no sealed state, so its keys need not be kept.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddRazorComponents();
    }

    /// <summary>
    /// Nothing from anywhere else: no other site may use this browser to change something here, and pages load nothing from outside.
    /// </summary>
    internal static Task GuardAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy =
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
            + "img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "same-origin";
        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method) || IsOwn(context.Request))
        {
            return next(context);
        }
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return context.Response.WriteAsync("This came from another site, and nothing was changed. Open the console itself and try again.");
    }

    private static bool IsOwn(HttpRequest request)
    {
        if (request.Headers["Sec-Fetch-Site"].ToString() is { Length: > 0 } site)
        {
            return site is "same-origin" or "none";
        }
        // Older browsers send the origin alone; what sends neither is no browser.
        return request.Headers.Origin.ToString() is not { Length: > 0 } origin
            || (Uri.TryCreate(origin, UriKind.Absolute, out var from) && from.Authority == request.Host.Value);
    }
}
