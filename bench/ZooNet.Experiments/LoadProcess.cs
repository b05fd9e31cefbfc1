using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using ZooNet.Bench;

namespace ZooNet.Experiments;

/// <summary>
/// A process that makes the load of one region, one measurement after another, on the region's processor. It ends when this process
/// closes its input, however this process ends. One measurement at a time.
/// </summary>
internal sealed class LoadProcess : IAsyncDisposable
{
    private readonly Process _process;

    private LoadProcess(Process process) => _process = process;

    public int Id => _process.Id;

    /// <param name="launcher">What to start it with, such as taskset and its arguments; must end in exec.</param>
    public static LoadProcess Start(IReadOnlyList<string> launcher)
    {
        string[] command = [.. launcher, "dotnet", "exec", typeof(LoadProcess).Assembly.Location, "load"];
        return new LoadProcess(Process.Start(new ProcessStartInfo(command[0], command[1..]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true })!);
    }

    /// <exception cref="InvalidOperationException">The measurement failed; the message is the load process's.</exception>
    public async Task<BenchReport> MeasureAsync(LoadJob job, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(job).AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
        var answer = await _process.StandardOutput.ReadLineAsync(cancellationToken) ?? throw new InvalidOperationException("the load process has ended");
        return JsonNode.Parse(answer)!["failed"] is { } failed ? throw new InvalidOperationException(failed.ToString()) : BenchReport.Read(answer);
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        try
        {
            await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
        }
        catch (TimeoutException)
        {
            _process.Kill();
        }
        _process.Dispose();
    }
}
