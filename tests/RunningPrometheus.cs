using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace ZooNet.Tests;

/// <summary>A real Prometheus that scrapes proxies every second.</summary>
internal sealed class RunningPrometheus : IAsyncDisposable
{
    private const string Program = "/usr/bin/prometheus";

    private readonly Process _process;
    private readonly DirectoryInfo _folder;
    private readonly HttpClient _http;

    private RunningPrometheus(Process process, DirectoryInfo folder, int port)
    {
        (_process, _folder) = (process, folder);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    }

    /// <summary>Whether it is installed.</summary>
    public static bool IsThere => File.Exists(Program);

    /// <summary>Starts it, and waits until it answers.</summary>
    /// <param name="targets">Admin endpoints, by their region.</param>
    /// <param name="rules">A file with its rules, which are looked at every second; null for none.</param>
    public static async Task<RunningPrometheus> StartAsync(IEnumerable<(string Region, Uri Admin)> targets, string? rules = null)
    {
        var folder = Directory.CreateTempSubdirectory("zoonet-prometheus");
        var scraped = string.Concat(targets.Select(t =>
            $"      - {{ targets: [\"{t.Admin.Authority}\"], labels: {{ region: {t.Region} }} }}\n"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "prometheus.yml"),
            "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n"
            + (rules is null ? "" : $"rule_files: [\"{rules}\"]\n")
            + $"scrape_configs:\n  - job_name: zoonet\n    static_configs:\n{scraped}");
        var port = FreePort();
        var process = Process.Start(new ProcessStartInfo(Program)
        {
            ArgumentList = { $"--config.file={folder.FullName}/prometheus.yml", $"--storage.tsdb.path={folder.FullName}/data",
                $"--web.listen-address=127.0.0.1:{port}", "--log.level=error" },
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var running = new RunningPrometheus(process, folder, port);
        try
        {
            for (var began = Stopwatch.GetTimestamp(); !await running.IsReadyAsync(); await Task.Delay(20))
            {
                Assert.False(process.HasExited, process.HasExited ? await errors : "");
                Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(1), "Prometheus is not ready within a minute");
            }
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
        return running;
    }

    /// <summary>How many series a query gives now.</summary>
    public async Task<int> CountAsync(string query) => (await AskAsync(query)).GetArrayLength();

    /// <summary>The names of the alerts that fire now.</summary>
    public async Task<IReadOnlySet<string>> FiringAsync() =>
        (await AskAsync("""ALERTS{alertstate="firing"}""")).EnumerateArray()
            .Select(a => a.GetProperty("metric").GetProperty("alertname").GetString()!).ToHashSet();

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            return (await _http.GetAsync("/-/ready")).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<JsonElement> AskAsync(string query)
    {
        using var answer = await _http.GetAsync($"/api/v1/query?query={Uri.EscapeDataString(query)}");
        Assert.True(answer.IsSuccessStatusCode, $"{query}: {await answer.Content.ReadAsStringAsync()}");
        var reply = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return reply.GetProperty("data").GetProperty("result");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
