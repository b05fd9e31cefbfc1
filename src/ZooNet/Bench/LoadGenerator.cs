using System.Net.Sockets;
using ZooNet.Protocol;

namespace ZooNet.Bench;

/// <summary>
/// Drives every client from one thread, which waits for all sockets at once: the machine is shared with the servers under test, and
/// what the generator spends they do not have. One run per object.
/// </summary>
/// <remarks>
/// In the closed loop a reply makes room for the next request, and latency is that of the server alone under this load. In the open
/// loop (a rate is given) each request has a time of its own, and its latency counts from then, also where it could not be sent yet
/// because the window was full: a server that stalls is charged with everything that should have been sent meanwhile (coordinated
/// omission).
/// The clients of the closed loop begin one after another, in the middle of a burst: beginning at once they would go on in step,
/// all waiting for the far cluster at the same time, for longer than a short warm-up lasts.
/// </remarks>
internal sealed class LoadGenerator
{
    private static readonly TimeSpan Reopen = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider _time;
    private readonly LoadClient[] _clients;
    private readonly SocketPoller _poller = new();
    private readonly BenchOptions _timing;
    private readonly LoadSessions? _sessions;

    /// <summary>Makes the clients; groups share the timing of the first.</summary>
    /// <param name="groups">The loads.</param>
    /// <param name="time">The clock.</param>
    /// <param name="sessions">Where to take sessions from and leave them; null where each client makes one and closes it.</param>
    public LoadGenerator(IReadOnlyList<(Workload Workload, LoadStatistics Statistics)> groups, TimeProvider time, LoadSessions? sessions = null)
    {
        _time = time;
        _sessions = sessions;
        _timing = groups[0].Workload.Options;
        _clients = [.. groups.SelectMany((group, g) => Enumerable.Range(0, group.Workload.Options.Clients).Select(i => new LoadClient(group.Workload,
            group.Statistics, group.Workload.Options.Servers[i % group.Workload.Options.Servers.Count], Seed(group.Workload.Options.Seed, g, i), time)))];
    }

    /// <summary>Called on the generator's thread when measuring begins.</summary>
    public Action? MeasureBegins { get; init; }

    /// <summary>Called on the generator's thread when measuring ends.</summary>
    public Action? MeasureEnds { get; init; }

    /// <summary>Connects all clients, warms up, measures, waits for what is outstanding, and closes the sessions or keeps them.</summary>
    /// <exception cref="SocketException">A client can't connect at the start.</exception>
    /// <exception cref="IOException">A client gets no session at the start.</exception>
    public Task RunAsync(CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                Run(cancellationToken);
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { IsBackground = true, Name = "load" }.Start();
        return done.Task;
    }

    private void Run(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var client in _clients)
            {
                if (_sessions?.Take(client.Server) is { } session)
                {
                    client.Attach(session);
                }
                else
                {
                    client.Attach(client.Open());
                }
            }
            var began = _time.GetTimestamp();
            var measureFrom = began + Ticks(_timing.Warmup);
            var measureTo = measureFrom + Ticks(_timing.Duration);
            for (var i = 0; i < _clients.Length; i++)
            {
                // The clients' requests are spread evenly over the interval, their beginnings over two thirds of the warm-up.
                _clients[i].NextDue = began + (_clients[i].Options.Rate > 0 ? Interval(_clients[i]) : Ticks(_timing.Warmup) * 2 / 3) * i / _clients.Length;
            }
            var measuring = false;
            while (_time.GetTimestamp() is var now && now < measureTo)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!measuring && now >= measureFrom)
                {
                    measuring = true;
                    MeasureBegins?.Invoke();
                }
                var next = Issue(now, measureTo);
                Wait(measuring ? next : Math.Min(next, measureFrom), measureFrom, measureTo);
            }
            MeasureEnds?.Invoke();
            Drain(measureFrom, measureTo);
        }
        finally
        {
            foreach (var client in _clients)
            {
                client.Dispose();
            }
        }
    }

    /// <summary>Fills the windows with what is due.</summary>
    /// <returns>When the next request is due, or the keep-alive must be looked at.</returns>
    private long Issue(long now, long limit)
    {
        var next = Math.Min(limit, now + Ticks(LongestWait));
        foreach (var client in _clients)
        {
            if (client.Socket is null)
            {
                TakeReopened(client);
                continue;
            }
            if (client.Options.Rate > 0)
            {
                while (client.NextDue <= now && client.OutstandingCount < client.Options.Window)
                {
                    client.Draw(client.NextDue);
                    client.NextDue += Interval(client);
                }
                if (client.NextDue > now)
                {
                    next = Math.Min(next, client.NextDue);
                }
            }
            else if (client.NextDue > now)
            {
                next = Math.Min(next, client.NextDue);
            }
            else
            {
                while (client.OutstandingCount < client.Options.Window)
                {
                    client.Draw(now);
                }
            }
            if (!client.HasUnsent && _time.GetElapsedTime(client.LastSent, now) > PingEvery)
            {
                client.Ping();
            }
            Guarded(client, static (client, _) => client.Flush(), 0, 0);
        }
        return next;
    }

    private void Wait(long until, long measureFrom, long measureTo)
    {
        _poller.Clear();
        foreach (var client in _clients)
        {
            if (client.Socket is { } socket)
            {
                _poller.Add(client, socket, client.HasUnsent);
            }
        }
        var wait = _time.GetElapsedTime(_time.GetTimestamp(), until);
        if (_poller.Wait(wait > TimeSpan.Zero ? wait : TimeSpan.Zero) == 0)
        {
            return;
        }
        for (var i = 0; i < _poller.Count; i++)
        {
            if (_poller.IsReadable(i) is { } client)
            {
                Guarded(client, static (client, window) => client.Receive(window.From, window.To), measureFrom, measureTo);
            }
        }
    }

    /// <summary>
    /// Waits for what is outstanding, so that a request that hangs is not left out of the latency, and closes the sessions or keeps them.
    /// </summary>
    private void Drain(long measureFrom, long measureTo)
    {
        var limit = _time.GetTimestamp() + Ticks(DrainLimit);
        while (_clients.Any(client => client is { Socket: not null, OutstandingCount: > 0 }) && _time.GetTimestamp() < limit)
        {
            foreach (var client in _clients)
            {
                Guarded(client, static (client, _) => client.Flush(), 0, 0);
            }
            Wait(_time.GetTimestamp() + Ticks(LongestWait), measureFrom, measureTo);
        }
        foreach (var client in _clients.Where(client => client.Socket is not null))
        {
            if (client.OutstandingCount > 0)
            {
                client.Statistics.Failed(ErrorCode.OperationTimeout, client.OutstandingCount);
                continue;
            }
            if (_sessions is not null)
            {
                _sessions.Keep(client.Server, client.Detach());
                continue;
            }
            client.CloseSession();
            Guarded(client, static (client, _) =>
            {
                client.Flush();
                // The server closes once the session has ended: a reply, then the end.
                client.Socket!.Blocking = true;
                client.Socket.ReceiveTimeout = 2000;
                client.Socket.Receive(new byte[64]);
            }, 0, 0, countLoss: false);
        }
    }

    private void Guarded(LoadClient client, Action<LoadClient, (long From, long To)> action, long from, long to, bool countLoss = true)
    {
        if (client.Socket is null)
        {
            return;
        }
        try
        {
            action(client, (from, to));
        }
        catch (Exception e) when (e is SocketException or IOException && countLoss)
        {
            client.Lose();
            Begin(client);
        }
        catch (SocketException)
        {
            // While closing: the server had nothing more to say.
        }
    }

    private void Begin(LoadClient client) => client.Opening = Task.Run(async () =>
    {
        await Task.Delay(Reopen, _time);
        return client.Open();
    });

    private void TakeReopened(LoadClient client)
    {
        if (client.Opening is { IsCompleted: true } opening)
        {
            if (opening.IsCompletedSuccessfully)
            {
                client.Opening = null;
                client.Attach(opening.Result);
            }
            else
            {
                Begin(client);
            }
        }
    }

    /// <summary>
    /// A client's own seed. HashCode.Combine differs from process to process, and Random begins alike from seeds that are close.
    /// </summary>
    private static int Seed(int seed, int group, int client)
    {
        unchecked
        {
            var mixed = (uint)((seed * 1_000_003 + group) * 1_000_003 + client);
            mixed = (mixed ^ (mixed >> 16)) * 0x85ebca6b;
            mixed = (mixed ^ (mixed >> 13)) * 0xc2b2ae35;
            return (int)(mixed ^ (mixed >> 16));
        }
    }

    private long Interval(LoadClient client) => (long)(_time.TimestampFrequency * client.Options.Clients / client.Options.Rate);

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);
}
