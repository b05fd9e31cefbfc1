using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace ZooNet.Integration.Faults;

/// <summary>What the clients of a lock test saw and did. Thread-safe.</summary>
internal sealed class LockLog
{
    private readonly ConcurrentBag<Tenure> _tenures = [];
    private readonly ConcurrentQueue<string> _violations = new();
    private readonly ConcurrentQueue<string> _lostWatches = new();
    private readonly ConcurrentDictionary<string, int> _notes = new();

    public IEnumerable<string> Violations => _violations;

    public IEnumerable<string> LostWatches => _lostWatches;

    public IEnumerable<string> Notes => _notes.OrderByDescending(n => n.Value).Select(n => $"{n.Value} x {n.Key}");

    public void Add(Tenure tenure) => _tenures.Add(tenure);

    public void Violation(string what) => _violations.Enqueue(what);

    public void LostWatch(string what) => _lostWatches.Enqueue(what);

    public void Note(string what) => _notes.AddOrUpdate(what, 1, (_, n) => n + 1);

    /// <summary>Pairs of tenures of one lock by two clients that overlap in time.</summary>
    public IEnumerable<(Tenure First, Tenure Second)> Overlaps()
    {
        foreach (var tenures in _tenures.GroupBy(t => t.Lock))
        {
            var open = default(Tenure);
            foreach (var tenure in tenures.OrderBy(t => t.From))
            {
                if (tenure.From < open.To && tenure.Client != open.Client)
                {
                    yield return (open, tenure);
                }
                open = tenure.To > open.To ? tenure : open;
            }
        }
    }
}

/// <summary>What a holder writes while it holds a lock: its fencing token, and its name for people.</summary>
internal readonly record struct LogEntry(long Czxid, long Token, string Client)
{
    public static byte[] Encode(long token, string client) => Encoding.UTF8.GetBytes($"{token.ToString(CultureInfo.InvariantCulture)} {client}");

    public static LogEntry Decode(long czxid, byte[] data)
    {
        var parts = Encoding.UTF8.GetString(data).Split(' ', 2);
        return new LogEntry(czxid, long.Parse(parts[0], CultureInfo.InvariantCulture), parts[1]);
    }
}
