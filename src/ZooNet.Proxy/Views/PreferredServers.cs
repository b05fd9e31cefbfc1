namespace ZooNet.Proxy.Views;

/// <summary>
/// Through which server this proxy would like to read each remote cluster: the first of its configuration, until that one can't be reached;
/// and back to it when it can, at growing intervals if that does not last. Which server it then is the region's proxies agree on
/// (docs/consistency.md, "Several proxies of a region"). Not thread-safe, unless a member says so: one driver.
/// </summary>
public sealed class PreferredServers
{
    /// <summary>How long a second choice is kept before a better one is tried, at first.</summary>
    private static readonly TimeSpan Stay = TimeSpan.FromSeconds(30);

    /// <summary>A better server that is left within this time has not lasted.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromMinutes(2);

    /// <summary>How soon names that could not be resolved are tried again.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(5);

    private const int MaxDoublings = 6;

    private readonly IRemoteServers _servers;
    private readonly TimeProvider _time;
    private readonly Action _wake;
    private readonly Choice[] _choices;
    private readonly CancellationToken _stop;
    private volatile bool _alone = true;

    /// <summary>Makes it.</summary>
    /// <param name="clusters">How many clusters there are, home included.</param>
    /// <param name="servers">The servers.</param>
    /// <param name="time">For intervals.</param>
    /// <param name="wake">Called, from any thread, when a preference may have changed.</param>
    /// <param name="stop">Ends what is under way.</param>
    public PreferredServers(int clusters, IRemoteServers servers, TimeProvider time, Action wake, CancellationToken stop)
    {
        _servers = servers;
        _time = time;
        _wake = wake;
        _stop = stop;
        _choices = [.. Enumerable.Range(0, clusters).Select(_ => new Choice())];
    }

    /// <summary>A link has reached another server than the one agreed on. Any thread.</summary>
    public void Reached(int cluster, string address)
    {
        Volatile.Write(ref _choices[cluster].Reached, address);
        _wake();
    }

    /// <summary>
    /// The server of a cluster may have gone, as the proxy's own session there has lost its connection: it is tried, and if it takes no
    /// connection, the first that does is preferred. So the region's proxies need no client to find that out. Any thread.
    /// </summary>
    public void Doubt(int cluster)
    {
        var choice = _choices[cluster];
        if (!_alone && Interlocked.Exchange(ref choice.Doubted, 1) == 0)
        {
            _ = TryAsync(cluster, choice);
        }
    }

    /// <summary>After which time <see cref="Current"/> must be asked again though nothing happens; null for never.</summary>
    public TimeSpan? CheckAfter { get; private set; }

    /// <summary>
    /// The preferred servers now, as "address:port" by the cluster's name; a cluster none of whose servers is known is left out.
    /// </summary>
    /// <param name="clusters">Names and ordinals of the clusters that are mounted, or are to be.</param>
    /// <param name="alone">
    /// Whether this proxy is its region's only one: then the data path chooses, and preferred is what it has chosen.
    /// </param>
    public IReadOnlyDictionary<string, string> Current(IEnumerable<(string Name, int Ordinal)> clusters, bool alone)
    {
        CheckAfter = null;
        _alone = alone;
        var preferred = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, ordinal) in clusters)
        {
            var choice = _choices[ordinal];
            Update(choice, ordinal, alone);
            if (choice.Server is { } server)
            {
                preferred[name] = server;
            }
        }
        return preferred;
    }

    private void Update(Choice choice, int ordinal, bool alone)
    {
        if (choice.Asking is { IsCompleted: true } asked)
        {
            choice.Asking = null;
            if (asked.IsCompletedSuccessfully)
            {
                choice.Addresses = asked.Result.Addresses;
                if (asked.Result.Better is { } better && !alone)
                {
                    MoveTo(choice, better);
                    choice.BetterSince = _time.GetTimestamp();
                }
            }
        }
        var reached = Interlocked.Exchange(ref choice.Reached, null) ?? (alone ? _servers.InUse(ordinal) : null);
        if (reached is not null && reached != choice.Server)
        {
            var hasLasted = choice.BetterSince is not { } since || _time.GetElapsedTime(since) > Lasting;
            choice.Doublings = hasLasted ? 0 : Math.Min(choice.Doublings + 1, MaxDoublings);
            choice.BetterSince = null;
            MoveTo(choice, reached);
        }
        choice.Server ??= choice.Best;
        if (choice.Server is null)
        {
            AskAfter(choice, ordinal, choice.AskedAt is null ? TimeSpan.Zero : AskAgain, choice.AskedAt ?? 0);
        }
        else if (!alone && choice.Server != choice.Best)
        {
            AskAfter(choice, ordinal, choice.TryBetterAfter, Math.Max(choice.MovedAt, choice.AskedAt ?? 0));
        }
    }

    private void AskAfter(Choice choice, int ordinal, TimeSpan pause, long since)
    {
        var rest = pause - _time.GetElapsedTime(since);
        if (rest > TimeSpan.Zero)
        {
            CheckAfter = CheckAfter is { } sooner && sooner < rest ? sooner : rest;
            return;
        }
        if (choice.Asking is null)
        {
            choice.AskedAt = _time.GetTimestamp();
            choice.Asking = FindAsync(ordinal, choice.Server ?? "");
            _ = choice.Asking.ContinueWith(_ => _wake(), _stop, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private void MoveTo(Choice choice, string server)
    {
        choice.Server = server;
        choice.MovedAt = _time.GetTimestamp();
        choice.TryBetterAfter = Stay * (1 << choice.Doublings);
    }

    private async Task TryAsync(int ordinal, Choice choice)
    {
        try
        {
            if (Volatile.Read(ref choice.Server) is not { } server || await _servers.AnswersAsync(ordinal, server, _stop))
            {
                return;
            }
            foreach (var address in (await _servers.AddressesAsync(ordinal, _stop)).Where(a => a != server))
            {
                if (await _servers.AnswersAsync(ordinal, address, _stop))
                {
                    Reached(ordinal, address);
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The driver ends.
        }
        finally
        {
            Volatile.Write(ref choice.Doubted, 0);
        }
    }

    /// <summary>The addresses, and the first of those before a server that takes a connection.</summary>
    private async Task<(IReadOnlyList<string> Addresses, string? Better)> FindAsync(int ordinal, string than)
    {
        var addresses = await _servers.AddressesAsync(ordinal, _stop);
        foreach (var address in addresses.TakeWhile(a => than.Length > 0 && a != than))
        {
            if (await _servers.AnswersAsync(ordinal, address, _stop))
            {
                return (addresses, address);
            }
        }
        return (addresses, null);
    }

    private sealed class Choice
    {
        /// <summary>A server that a link has reached instead of the one agreed on.</summary>
        public string? Reached;
        /// <summary>1 while it is being found out whether the server still answers.</summary>
        public int Doubted;
        public string? Server;
        public IReadOnlyList<string> Addresses = [];
        public string? Best => Addresses is [var first, ..] ? first : null;
        public Task<(IReadOnlyList<string> Addresses, string? Better)>? Asking;
        public long MovedAt;
        public long? AskedAt;
        public long? BetterSince;
        public TimeSpan TryBetterAfter = Stay;
        public int Doublings;
    }
}
