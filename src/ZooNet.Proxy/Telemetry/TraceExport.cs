using System.Globalization;
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

    private const string SamplerArgument = "OTEL_TRACES_SAMPLER_ARG";

    private TracerProvider? _provider;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (config.Otlp is { } collector && Environment.GetEnvironmentVariable(Sampler) is { Length: > 0 } sampler)
        {
            var builder = Sdk.CreateTracerProviderBuilder();
            if (ShareOf(sampler, Environment.GetEnvironmentVariable(SamplerArgument)) is { } share)
            {
                // Each request is a trace of its own, so chance may decide before anything is made.
                RequestTrace.Share = share;
                builder.SetSampler(new AlwaysOnSampler());
            }
            _provider = builder
                .AddSource(RequestTrace.SourceName)
                .ConfigureResource(r => r.AddService("zoonet", serviceVersion: StatusReporter.Version, serviceInstanceId: config.ProxyId)
                    .AddAttributes([new("zoonet.region", config.Region)]))
                .AddOtlpExporter(o => o.Endpoint = collector)
                .Build();
        }
        return Task.CompletedTask;
    }

    /// <summary>The share that a sampler by ratio lets through; null for any other sampler, and for a bad argument.</summary>
    internal static double? ShareOf(string sampler, string? argument) =>
        sampler.ToLowerInvariant() is "traceidratio" or "parentbased_traceidratio"
        && double.TryParse(argument, NumberStyles.Float, CultureInfo.InvariantCulture, out var share)
        && share is >= 0 and <= 1 ? share : null;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _provider?.Dispose();
        return Task.CompletedTask;
    }
}
