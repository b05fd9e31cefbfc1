using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace ZooNet.Cli;

/// <summary>
/// Tells the service manager that started this process how it is (<c>sd_notify</c>: a unit of <c>Type=notify</c>, with <c>WatchdogSec</c>
/// if it has one). Without one, nothing happens. Thread-safe.
/// </summary>
internal sealed class ServiceManager : IAsyncDisposable
{
    private static readonly ServiceState Alive = new("WATCHDOG=1");

    private readonly SystemdNotifier _notifier = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watchdog;

    private ServiceManager(TimeSpan? watchdog, TimeProvider time) => _watchdog = watchdog is { } limit ? KeepAliveAsync(limit / 2, time) : Task.CompletedTask;

    /// <summary>Says that the process is ready, and from then on, in half of the watchdog's time, that it is alive.</summary>
    public static ServiceManager Ready(TimeProvider? time = null)
    {
        var manager = new ServiceManager(WatchdogOf(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), Environment.GetEnvironmentVariable("WATCHDOG_PID")), time ?? TimeProvider.System);
        manager._notifier.Notify(ServiceState.Ready);
        return manager;
    }

    /// <summary>Says that the process is about to end: what takes long from here on is the drain.</summary>
    public void Stopping() => _notifier.Notify(ServiceState.Stopping);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watchdog;
        _stop.Dispose();
    }

    /// <summary>How long the watchdog waits; null if there is none, or if it is another process's.</summary>
    internal static TimeSpan? WatchdogOf(string? microseconds, string? pid) =>
        long.TryParse(microseconds, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit > 0
        && (string.IsNullOrEmpty(pid) || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds(limit) : null;

    private async Task KeepAliveAsync(TimeSpan period, TimeProvider time)
    {
        using var timer = new PeriodicTimer(period, time);
        try
        {
            do
            {
                _notifier.Notify(Alive);
            }
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }
}
