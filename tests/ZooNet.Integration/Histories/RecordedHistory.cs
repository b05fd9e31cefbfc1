using ZooNet.Simulation.Checking;

namespace ZooNet.Integration.Histories;

/// <summary>
/// A history together with what the clusters really did: gives every read its position in its cluster's log, and asks the simulator's
/// checker for a cycle.
/// </summary>
/// <remarks>
/// A reply tells what it showed by the zxids in its Stat, and any position between that change and the next one of the same znode is as
/// good as any other. "No such znode" has no Stat. At home the header's zxid tells where the server stood. In a mount such a read has a
/// position only where the log leaves no choice: the znode was absent once only between what the session had seen before and what had not
/// begun when the reply came. Otherwise it is left out, so that nobody is accused without proof.
/// </remarks>
internal sealed class RecordedHistory
{
    private readonly HistoryRecorder _recorder;
    private readonly IReadOnlyDictionary<string, TransactionLogs> _logs;
    private readonly Dictionary<string, Dictionary<long, int>> _places;
    private readonly List<string> _contradictions = [];

    public RecordedHistory(HistoryRecorder recorder, IReadOnlyDictionary<string, TransactionLogs> logs)
    {
        _recorder = recorder;
        _logs = logs;
        _places = logs.ToDictionary(l => l.Key, l => l.Value.Committed.Select((c, i) => (c.Zxid, i)).ToDictionary(c => c.Zxid, c => c.i));
        Place();
    }

    /// <summary>All operations that were begun.</summary>
    public int Operations => _recorder.History.Ops.Count;

    /// <summary>Reads and listings that were answered.</summary>
    public int Reads => _recorder.History.Ops.Count(o => o.Kind != OpKind.Write && o.End >= 0);

    /// <summary>Of those the ones that the checker judges.</summary>
    public int Placed => _recorder.History.Ops.Count(o => o.Kind != OpKind.Write && o.Position >= 0);

    /// <summary>Reads and listings in mounts that were answered.</summary>
    public int ReadsInMounts => _recorder.ReadsInMounts;

    /// <summary>Writes that took effect.</summary>
    public int Writes => _logs.Values.Sum(l => l.Committed.Count(c => c.Op >= 0));

    /// <summary>Writes that took effect and whose client was never told.</summary>
    public int Unanswered => _logs.Values.Sum(l => l.Committed.Count(c => c.Op >= 0 && _recorder.History.Ops[c.Op].End < 0));

    /// <summary>Sessions.</summary>
    public int Sessions => _recorder.Processes;

    /// <summary>
    /// Replies that no order of the logs explains by themselves: a change that no server logged, another's data, a lost write.
    /// </summary>
    public IReadOnlyList<string> Contradictions => _contradictions;

    /// <summary>The operations of a cycle; empty where some order explains everything.</summary>
    /// <param name="realTime">Whether the order must agree with real time between writes (OSC).</param>
    public IReadOnlyList<Op> FindCycle(bool realTime) => _recorder.History.FindCycle(
        _logs.ToDictionary(l => l.Key, l => (IReadOnlyList<(string?, bool, int)>)[.. l.Value.Committed.Select(c => ((string?)c.Key, c.Lists, c.Op))]), realTime);

    /// <summary>A cycle for people.</summary>
    public string Describe(IReadOnlyList<Op> cycle) => string.Join('\n', cycle.Take(40).Select(op =>
        _recorder.Observations.TryGetValue(op.Id, out var observation) ? $"{op} zxid 0x{observation.Zxid:x}{(observation.Value is { } value ? $" value {value}" : "")}" : $"{op} not answered"));

    private void Place()
    {
        // The latest begin of any write up to a place: what is beyond had not begun, so nobody can have seen it.
        var begun = _logs.ToDictionary(l => l.Key, l => RunningMaximum(l.Value.Committed.Select(c => c.Op < 0 ? -1 : _recorder.History.Ops[c.Op].Start)));
        var reached = new Dictionary<(int Process, string Cluster), int>();
        foreach (var op in _recorder.History.Ops)
        {
            if (op.End < 0 || !_recorder.Observations.TryGetValue(op.Id, out var observation))
            {
                continue;
            }
            var least = reached.GetValueOrDefault((op.Process, op.Cluster));
            if (observation.Zxid == 0)
            {
                op.Position = Absent(op, observation, least, begun[op.Cluster]);
                least = (int)Math.Max(least, op.Position);
            }
            else if (_places[op.Cluster].TryGetValue(observation.Zxid, out var at))
            {
                Compare(op, observation, _logs[op.Cluster].Committed[at]);
                op.Position = op.Kind == OpKind.Write ? -1 : at + 1;
                least = Math.Max(least, at + 1);
            }
            else
            {
                _contradictions.Add($"{op}: no server of {op.Cluster} logged 0x{observation.Zxid:x}");
            }
            reached[(op.Process, op.Cluster)] = least;
        }
    }

    private void Compare(Op op, Observation observation, LoggedChange change)
    {
        var wrong = op.Kind switch
        {
            OpKind.Write => change.Op != op.Id,
            OpKind.List => !change.Lists,
            _ => change.Key != op.Key || (observation.Value is { } value && value != change.Op),
        };
        if (wrong)
        {
            _contradictions.Add($"{op} with {observation}, where the log has {change}");
        }
    }

    private long Absent(Op op, Observation observation, int least, int[] begun)
    {
        var log = _logs[op.Cluster].Committed;
        if (_logs[op.Cluster].Uncertain.Any(c => c.Key == op.Key && c.Lists))
        {
            return -1;
        }
        if (observation.Header > 0)
        {
            var stood = CountUpTo(log, observation.Header);
            return IsAbsentAt(log, op.Key, stood) ? stood : Contradict(op, observation);
        }
        // Everything before this place may have been seen.
        var most = Array.BinarySearch(begun, op.End + 1) is var found && found < 0 ? ~found : FirstOf(begun, found);
        var position = -1L;
        var absent = IsAbsentAt(log, op.Key, least);
        if (absent)
        {
            position = least;
        }
        for (var i = least; i < most; i++)
        {
            if (log[i].Key != op.Key || log[i].Exists == !absent)
            {
                continue;
            }
            absent = !log[i].Exists;
            if (absent)
            {
                if (position >= 0)
                {
                    return -1;
                }
                position = i + 1;
            }
        }
        return position >= 0 ? position : Contradict(op, observation);
    }

    private long Contradict(Op op, Observation observation)
    {
        _contradictions.Add($"{op} with {observation}: the znode was there all the time");
        return -1;
    }

    private static bool IsAbsentAt(IReadOnlyList<LoggedChange> log, string key, int position)
    {
        for (var i = position - 1; i >= 0; i--)
        {
            if (log[i].Key == key)
            {
                return !log[i].Exists;
            }
        }
        return true;
    }

    private static int CountUpTo(IReadOnlyList<LoggedChange> log, long zxid)
    {
        var (from, to) = (0, log.Count);
        while (from < to)
        {
            var middle = (from + to) / 2;
            (from, to) = log[middle].Zxid <= zxid ? (middle + 1, to) : (from, middle);
        }
        return from;
    }

    private static int FirstOf(int[] sorted, int index)
    {
        while (index > 0 && sorted[index - 1] == sorted[index])
        {
            index--;
        }
        return index;
    }

    private static int[] RunningMaximum(IEnumerable<int> values)
    {
        var most = -1;
        return [.. values.Select(v => most = Math.Max(most, v))];
    }
}
