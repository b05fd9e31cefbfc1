using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace ZooNet.Proxy.Tests.Telemetry;

public sealed class LogExportTests
{
    [Fact]
    public async Task What_is_logged_reaches_the_collector_with_the_proxy_that_said_it()
    {
        var received = new ConcurrentQueue<(string Path, string Body)>();
        await using var collector = await StartCollectorAsync(received);
        await using var regions = await TwoRegions.StartAsync();
        await using (var host = new Hosting.ProxyHost(
            regions.Config() with { ProxyId = "us-7", Otlp = new Uri(collector.Urls.Single()) }, _ => { }))
        {
            await host.StartAsync();
            await TwoRegions.Eventually(() => Task.FromResult(new RunningProxy(host).IsUp(1)));
        }

        // The last of it is sent when the proxy ends.
        var logs = string.Concat(received.Where(r => r.Path == "/opentelemetry.proto.collector.logs.v1.LogsService/Export")
            .Select(r => r.Body));
        Assert.Contains("us-7", logs);
        Assert.Contains("ClusterUp", logs);
    }

    /// <summary>Takes whatever is sent by gRPC, and thanks for it.</summary>
    private static async Task<WebApplication> StartCollectorAsync(ConcurrentQueue<(string, string)> received)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, e => e.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            received.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
            context.Response.ContentType = "application/grpc";
            context.Response.DeclareTrailer("grpc-status");
            await context.Response.Body.WriteAsync(new byte[5]);
            context.Response.AppendTrailer("grpc-status", "0");
        });
        await app.StartAsync();
        return app;
    }
}
