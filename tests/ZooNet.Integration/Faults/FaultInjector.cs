using System.Diagnostics;
using ZooNet.Integration.Fixtures;

namespace ZooNet.Integration.Faults;

/// <summary>
/// Kills, pauses and cuts, one fault after the other and sometimes two at once, as a seed says, and puts each right again after a
/// while. What was chosen and for how long depends on the seed alone; what comes of it on the machine's pace too.
/// </summary>
internal sealed class FaultInjector(IReadOnlyList<RealEnsemble> ensembles, IReadOnlyList<ProxyProcess> proxies, int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<string> _done = [];

    /// <summary>The faults so far.</summary>
    public IReadOnlyList<string> Done => _done;

    /// <summary>Makes faults for about <paramref name="length"/>, and returns when all are put right and everything serves again.</summary>
    public async Task RunAsync(TimeSpan length)
    {
        var began = Stopwatch.GetTimestamp();
        var running = new List<Task>();
        while (Stopwatch.GetElapsedTime(began) < length)
        {
            var fault = Choose(Stopwatch.GetElapsedTime(began));
            running.Add(fault());
            if (running.Count(task => !task.IsCompleted) > 1 || _random.Next(3) > 0)
            {
                await Task.WhenAll(running);
            }
            await Task.Delay(_random.Next(500, 2000));
        }
        await Task.WhenAll(running);
        await Task.WhenAll(ensembles.SelectMany(e => e.Servers).Select(s => s.WaitServingAsync(TimeSpan.FromSeconds(60))));
        await Task.WhenAll(proxies.Select(p => p.WaitReadyAsync()));
    }

    private Func<Task> Choose(TimeSpan at)
    {
        var ensemble = ensembles[_random.Next(ensembles.Count)];
        var proxy = _random.Next(proxies.Count);
        var voter = ensemble.Voters.ElementAt(_random.Next(ensemble.Voters.Count()));
        var observer = ensemble.RemoteObserver;
        var length = TimeSpan.FromMilliseconds(_random.Next(300, 8000));
        var kind = _random.Next(8);
        _done.Add($"{at.TotalSeconds,6:F1} s  {kind switch
        {
            0 => $"kill proxy {proxy}",
            1 => $"pause proxy {proxy}",
            2 => $"kill the observer of {ensemble.Name}",
            3 => $"pause the observer of {ensemble.Name}",
            4 => $"kill server {voter.Id} of {ensemble.Name}",
            5 => $"pause server {voter.Id} of {ensemble.Name}",
            6 => $"cut the WAN of {ensemble.Name}",
            _ => $"cut the WAN of {ensemble.Name} silently",
        }} for {length.TotalSeconds:F1} s");
        return kind switch
        {
            0 => async () =>
            {
                await proxies[proxy].KillAsync();
                await Task.Delay(length);
                await proxies[proxy].RestartAsync();
                await proxies[proxy].WaitReadyAsync();
            }
            ,
            1 => () => ForAsync(length, proxies[proxy].Pause, proxies[proxy].Resume),
            2 => () => RestartAsync(observer, length),
            3 => () => ForAsync(length, observer.Pause, observer.Resume),
            4 => () => RestartAsync(voter, length),
            5 => () => ForAsync(length, voter.Pause, voter.Resume),
            6 => () => ForAsync(length, observer.CutWan, observer.HealWan),
            _ => () => ForAsync(length, () => { foreach (var relay in observer.Relays) { relay.Cut(silent: true); } }, observer.HealWan),
        };
    }

    private static async Task ForAsync(TimeSpan length, Action begin, Action end)
    {
        begin();
        await Task.Delay(length);
        end();
    }

    private static async Task RestartAsync(RealServer server, TimeSpan length)
    {
        await server.KillAsync();
        await Task.Delay(length);
        server.StartProcess();
    }
}
