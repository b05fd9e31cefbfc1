using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Admin;

/// <summary>
/// One JSON line in the log, of the category <c>ZooNet.Audit</c>, for each change that was asked of the admin endpoint and for each refused
/// attempt: who, from where, what, and what came of it. Never a token. Thread-safe.
/// </summary>
public sealed partial class AuditLog(ILoggerFactory loggers, TimeProvider time)
{
    /// <summary>Characters of what a client sent that are kept.</summary>
    private const int MaxText = 300;

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ILogger _logger = loggers.CreateLogger("ZooNet.Audit");
    private readonly LogLimit _refusals = new(1, time, burst: 100);

    /// <summary>A change was made, or could not be.</summary>
    /// <param name="context">The request.</param>
    /// <param name="action">What was asked for: <c>mount</c>, <c>unmount</c>.</param>
    /// <param name="target">The mount point.</param>
    /// <param name="before">How it was; null for nothing.</param>
    /// <param name="after">How it is; null for nothing.</param>
    /// <param name="result">The sentence of the answer.</param>
    public void Changed(HttpContext context, string action, string? target, string? before, string? after, string result) =>
        Write(context, action, target, before, after, result, 0);

    /// <summary>A request was refused for who asked it.</summary>
    public void Refused(HttpContext context, string why)
    {
        if (_refusals.Allows(0, out var leftOut))
        {
            Write(context, "refused", $"{context.Request.Method} {context.Request.Path}", null, null, why, leftOut);
        }
    }

    private void Write(HttpContext context, string action, string? target, string? before, string? after, string result, long leftOut)
    {
        var line = new Dictionary<string, object?>
        {
            ["time"] = time.GetUtcNow().ToString("O", System.Globalization.CultureInfo.InvariantCulture),
            ["from"] = context.Connection.RemoteIpAddress?.ToString() ?? "unix",
            ["role"] = context.Items.TryGetValue(typeof(AdminAccess), out var role) ? role : null,
            ["action"] = action,
            ["target"] = Cut(target),
            ["before"] = Cut(before),
            ["after"] = Cut(after),
            ["result"] = Cut(result),
        };
        if (AdminAccess.NameOf(context) is { } name)
        {
            line["name"] = Cut(name);
        }
        if (leftOut > 0)
        {
            line["leftOut"] = leftOut;
        }
        Line(JsonSerializer.Serialize(line, Json));
    }

    private static string? Cut(string? text) => text is { Length: > MaxText } ? string.Concat(text.AsSpan(0, MaxText), "…") : text;

    [LoggerMessage(1020, LogLevel.Information, "{json}")]
    private partial void Line(string json);
}
