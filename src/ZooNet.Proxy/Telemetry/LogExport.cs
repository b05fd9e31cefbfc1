using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;
using OpenTelemetry.Resources;
using ZooNet.Proxy.Admin;
using ZooNet.Proxy.Configuration;

namespace ZooNet.Proxy.Telemetry;

/// <summary>Sends what is logged where <c>otlp</c> sends metrics, besides to standard error.</summary>
internal static class LogExport
{
    /// <summary>Adds the export, where a collector is configured.</summary>
    public static void AddOtlp(this ILoggingBuilder logging, ProxyConfig config)
    {
        if (config.Otlp is not { } collector)
        {
            return;
        }
        logging.AddOpenTelemetry(o =>
        {
            o.IncludeFormattedMessage = true;
            o.SetResourceBuilder(ResourceBuilder.CreateDefault()
                .AddService("zoonet", serviceVersion: StatusReporter.Version, serviceInstanceId: config.ProxyId)
                .AddAttributes([new("zoonet.region", config.Region)]));
            o.AddOtlpExporter(e => e.Endpoint = collector);
        });
    }
}
