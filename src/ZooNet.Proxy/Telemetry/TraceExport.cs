using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// Sends traces where <c>otlp</c> sends metrics, if OpenTelemetry's own variable <c>OTEL_TRACES_SAMPLER</c> says how many. Without it there
/// are none, and requests pay nothing for them.
/// </summary>
internal sealed class TraceExport(ProxyConfig config) : IHostedService
{
    /// <summary>The variable that asks for traces.</summary>
    public const string Sampler = "OTEL_TRACES_SAMPLER";

    private TracerProvider? _provider;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (config.Otlp is { } collector && Environment.GetEnvironmentVariable(Sampler) is { Length: > 0 })
        {
            _provider = Sdk.CreateTracerProviderBuilder()
                .AddSource(RequestTrace.SourceName)
                .ConfigureResource(r => r.AddService("zoonet", serviceVersion: StatusReporter.Version, serviceInstanceId: config.ProxyId)
                    .AddAttributes([new("zoonet.region", config.Region)]))
                .AddOtlpExporter(o => o.Endpoint = collector)
                .Build();
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _provider?.Dispose();
        return Task.CompletedTask;
    }
}
