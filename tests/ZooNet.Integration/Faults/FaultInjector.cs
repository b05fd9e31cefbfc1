using System.Diagnostics;
using ZooNet.Integration.Fixtures;
using ZooNet.Wan;

namespace ZooNet.Integration.Faults;

/// <summary>
/// Kills, pauses and cuts, one fault after the other and sometimes two at once, as a seed says, and puts each right again after a
/// while. What was chosen and for how long depends on the seed alone; what comes of it on the machine's pace too.
/// </summary>
/// <param name="ensembles">The ensembles, each with an observer in another region; where there is none, a voter suffers instead.</param>
/// <param name="proxies">The proxies of all regions.</param>
/// <param name="seed">Chooses the faults.</param>
/// <param name="ways">The proxies' own ways across the WAN to an ensemble's voters, cut together with its observer's; none where they
/// have no WAN.</param>
internal sealed class FaultInjector(IReadOnlyList<RealEnsemble> ensembles, IReadOnlyList<ProxyProcess> proxies, int seed,
    IReadOnlyDictionary<RealEnsemble, IReadOnlyList<WanRelay>>? ways = null)
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
        var observer = ensemble.Observers.FirstOrDefault(o => o.Relays.Count > 0);
        var length = TimeSpan.FromMilliseconds(_random.Next(300, 8000));
        var kind = _random.Next(8);
        kind += observer is null && kind is 2 or 3 ? 2 : 0;
        WanRelay[] wan = [.. observer?.Relays ?? [], .. ways?[ensemble] ?? []];
        var number = _done.Count;
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
            2 => () => RestartAsync(observer!, length),
            3 => () => ForAsync(length, observer!.Pause, observer!.Resume),
            4 => async () =>
            {
                await TellModeAsync(number, voter);
                await RestartAsync(voter, length);
            }
            ,
            5 => async () =>
            {
                await TellModeAsync(number, voter);
                await ForAsync(length, voter.Pause, voter.Resume);
            }
            ,
            6 => () => ForAsync(length, () => Cut(wan, silent: false), () => Heal(wan)),
            _ => () => ForAsync(length, () => Cut(wan, silent: true), () => Heal(wan)),
        };
    }

    /// <summary>Notes whether a voter is leader or follower at the time.</summary>
    private async Task TellModeAsync(int number, RealServer voter)
    {
        if (await voter.ModeAsync() is { } mode)
        {
            _done[number] += $" ({mode})";
        }
    }

    private static void Cut(IReadOnlyList<WanRelay> relays, bool silent)
    {
        foreach (var relay in relays)
        {
            relay.Cut(silent);
        }
    }

    private static void Heal(IReadOnlyList<WanRelay> relays)
    {
        foreach (var relay in relays)
        {
            relay.Heal();
        }
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
