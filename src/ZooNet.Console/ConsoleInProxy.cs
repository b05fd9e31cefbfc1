using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Hosting;

namespace ZooNet.WebConsole;

/// <summary>
/// A proxy with a console on its admin endpoint, where <c>console</c> asks for it. Whoever may ask the endpoint may open the pages: with a
/// token to look they have no buttons, and changes are refused before they come here.
/// </summary>
public static class ConsoleInProxy
{
    /// <summary>Where the pages are.</summary>
    public const string Path = "/console";

    /// <summary>Puts a proxy together; nothing is started.</summary>
    /// <param name="config">A validated configuration; without <c>console</c> the proxy has none.</param>
    /// <param name="configureLogging">As for <see cref="ProxyHost"/>.</param>
    public static ProxyHost Host(ProxyConfig config, Action<ILoggingBuilder>? configureLogging = null)
    {
        if (config.Console is not { } others)
        {
            return new ProxyHost(config, configureLogging);
        }
        ProxyHost? host = null;
        return host = new ProxyHost(
            config,
            configureLogging,
            services =>
            {
                services.AddSingleton(s => new ConsoleOptions
                {
                    Proxies = [.. others.Select(o => new Uri($"http://{o}"))],
                    Self = () => UrlOf(host!.AdminEndPoint),
                    CurrentToken = () => s.GetRequiredService<ConfigInForce>().Current.AdminTokens is [var token, ..] ? token : null,
                    BasePath = Path,
                });
                ConsoleHost.AddPages(services);
            },
            app =>
            {
                app.UseWhen(context => context.Request.Path.StartsWithSegments(Path), pages => pages.Use(ConsoleHost.GuardAsync));
                ConsoleRoutes.Map(app.MapGroup(Path));
            });
    }

    /// <summary>One that listens everywhere is reached on the loopback.</summary>
    private static Uri UrlOf(IPEndPoint listening) => new($"http://{(
        listening.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, listening.Port)
        : listening.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, listening.Port) : listening)}");
}
