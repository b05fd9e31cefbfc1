using System.CommandLine;
using System.Net.ServerSentEvents;
using System.Text.Json;
using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary><c>zoonet events</c>.</summary>
public static class EventsCommand
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Builds the command.</summary>
    public static Command Create()
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what happens, until interrupted." };
        var json = new Option<bool>("--json") { Description = "Print JSON, one event a line." };
        var admin = AdminClient.AdminOption();
        var command = new Command("events",
            "Show what happened at a proxy: clusters up and down, mounts, other servers, coupling.") { follow, json, admin };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = AdminClient.For(parsed.GetValue(admin));
            var asJson = parsed.GetValue(json);
            if (!parsed.GetValue(follow))
            {
                foreach (var e in await client.GetAsync<ProxyEvent[]>("/api/v1/events/recent", cancellationToken))
                {
                    Write(e, asJson);
                }
                return ExitCodes.Ok;
            }
            await using var stream = await client.StreamAsync("/api/v1/events", cancellationToken);
            await foreach (var item in SseParser.Create(stream, (_, data) =>
                JsonSerializer.Deserialize<ProxyEvent>(data, Json)).EnumerateAsync(cancellationToken))
            {
                if (item.Data is { } e)
                {
                    Write(e, asJson);
                }
            }
            throw new CommandFailedException("the proxy ended the stream of events; 'zoonet status' may tell why");
        });
        return command.WithExamples("""
            A proxy keeps its last 1,000 events, and begins anew when it is started.

            Examples:
              zoonet events
              zoonet events --follow --json | jq 'select(.kind == "cluster-down")'

            """);
    }

    private static void Write(ProxyEvent e, bool json) =>
        Console.WriteLine(json ? JsonSerializer.Serialize(e, Json) : $"{e.Time:yyyy-MM-dd HH:mm:ss.fff}Z  {e.Kind,-12}  {e.Text}");
}
