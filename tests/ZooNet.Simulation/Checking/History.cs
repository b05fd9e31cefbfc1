namespace ZooNet.Simulation.Checking;

/// <summary>What kind of operation a client did.</summary>
internal enum OpKind
{
    Read,
    List,
    Write,
    Event,
}

/// <summary>One operation of one client's process.</summary>
internal sealed class Op
{
    public required int Id { get; init; }
    public required int Process { get; init; }

    /// <summary>The cluster that it is meant for.</summary>
    public required string Cluster { get; init; }
    public required OpKind Kind { get; set; }

    /// <summary>The znode in its cluster's terms; "*" for the list of znodes.</summary>
    public required string Key { get; set; }
    public required int Start { get; init; }

    /// <summary>When its reply came; -1 where none did.</summary>
    public int End { get; set; } = -1;

    /// <summary>
    /// For a read: the prefix of its cluster's log that it saw; for an event, where its server stood. -1 where that is not known.
    /// </summary>
    public long Position { get; set; } = -1;

    public override string ToString() => $"#{Id} process {Process} {Kind} {Cluster}:{Key} [{Start}..{(End < 0 ? "?" : End)}]{(Position >= 0 ? $" at {Position}" : "")}";
}

/// <summary>
/// The operations of a run and the check of them: is there one order of all that explains what everybody saw? The order graph has an
/// edge wherever one operation must come before another; a cycle means that there is no such order.
/// </summary>
internal sealed class History
{
    public List<Op> Ops { get; } = [];

    public Op Begin(int process, string cluster, OpKind kind, string key, int now)
    {
        var op = new Op { Id = Ops.Count, Process = process, Cluster = cluster, Kind = kind, Key = key, Start = now };
        Ops.Add(op);
        return op;
    }

    /// <summary>
    /// Looks for a cycle.
    /// </summary>
    /// <param name="logs">Each cluster's committed changes: the key, the list it may change, and the operation.</param>
    /// <param name="realTime">Whether to add real time between writes (OSC).</param>
    /// <returns>The operations of a cycle, in order; empty where there is none.</returns>
    public IReadOnlyList<Op> FindCycle(IReadOnlyDictionary<string, IReadOnlyList<(string? Key, bool Lists, int Op)>> logs, bool realTime)
    {
        var count = Ops.Count;
        var times = realTime ? Ops.Where(o => o.Kind == OpKind.Write).SelectMany(o => new[] { o.Start, o.End }).Where(t => t >= 0).Distinct().Order().ToArray() : [];
        var edges = new List<int>[count + times.Length];
        for (var i = 0; i < edges.Length; i++)
        {
            edges[i] = [];
        }
        var committed = new HashSet<int>();
        foreach (var log in logs.Values)
        {
            var last = -1;
            foreach (var (_, _, op) in log)
            {
                if (op < 0)
                {
                    continue;
                }
                committed.Add(op);
                if (last >= 0)
                {
                    edges[last].Add(op);
                }
                last = op;
            }
        }
        AddProgramOrder(edges, committed);
        foreach (var (cluster, log) in logs)
        {
            AddReads(edges, cluster, log);
        }
        for (var i = 0; i + 1 < times.Length; i++)
        {
            edges[count + i].Add(count + i + 1);
        }
        foreach (var write in Ops.Where(o => realTime && o.Kind == OpKind.Write && committed.Contains(o.Id)))
        {
            var start = Array.BinarySearch(times, write.Start);
            if (write.End >= 0)
            {
                edges[write.Id].Add(count + Array.BinarySearch(times, write.End));
            }
            if (start > 0)
            {
                // Strictly earlier ends only.
                edges[count + start - 1].Add(write.Id);
            }
        }
        return [.. Cycle(edges).Where(n => n < count).Select(n => Ops[n])];
    }

    private void AddProgramOrder(List<int>[] edges, HashSet<int> committed)
    {
        foreach (var process in Ops.GroupBy(o => o.Process))
        {
            var last = -1;
            var events = new List<int>();
            foreach (var op in process)
            {
                if (op.Kind == OpKind.Event)
                {
                    // It is ordered before what the process issued after it came; not against what was under way.
                    events.Add(op.Id);
                    continue;
                }
                if (op.Kind == OpKind.Write ? !committed.Contains(op.Id) : op.Position < 0)
                {
                    continue;
                }
                if (last >= 0)
                {
                    edges[last].Add(op.Id);
                }
                foreach (var seen in events)
                {
                    edges[seen].Add(op.Id);
                }
                if (op.End < 0)
                {
                    // Nobody told the client what became of it: it may take effect any time later, as if somebody else had asked.
                    continue;
                }
                events.Clear();
                last = op.Id;
            }
        }
    }

    private void AddReads(List<int>[] edges, string cluster, IReadOnlyList<(string? Key, bool Lists, int Op)> log)
    {
        foreach (var read in Ops.Where(o => o.Cluster == cluster && o.Kind != OpKind.Write && o.Position >= 0))
        {
            bool Shows((string? Key, bool Lists, int Op) change) => change.Op >= 0 && (read.Key == "*" ? change.Lists : change.Key == read.Key);
            for (var i = (int)read.Position - 1; i >= 0; i--)
            {
                if (Shows(log[i]))
                {
                    edges[log[i].Op].Add(read.Id);
                    break;
                }
            }
            if (read.Kind == OpKind.Event)
            {
                continue;
            }
            for (var i = (int)read.Position; i < log.Count; i++)
            {
                if (Shows(log[i]))
                {
                    edges[read.Id].Add(log[i].Op);
                    break;
                }
            }
        }
    }

    private static IReadOnlyList<int> Cycle(List<int>[] edges)
    {
        var state = new byte[edges.Length];
        var path = new List<(int Node, int Next)>();
        for (var root = 0; root < edges.Length; root++)
        {
            if (state[root] != 0)
            {
                continue;
            }
            path.Add((root, 0));
            state[root] = 1;
            while (path.Count > 0)
            {
                var (node, next) = path[^1];
                if (next == edges[node].Count)
                {
                    state[node] = 2;
                    path.RemoveAt(path.Count - 1);
                    continue;
                }
                path[^1] = (node, next + 1);
                var to = edges[node][next];
                if (state[to] == 1)
                {
                    var from = path.FindIndex(p => p.Node == to);
                    return Shorten(edges, [.. path[from..].Select(p => p.Node)]);
                }
                if (state[to] == 0)
                {
                    state[to] = 1;
                    path.Add((to, 0));
                }
            }
        }
        return [];
    }

    /// <summary>The shortest cycle through one of the nodes of a cycle: breadth first from each.</summary>
    private static IReadOnlyList<int> Shorten(List<int>[] edges, IReadOnlyList<int> cycle)
    {
        var best = cycle;
        foreach (var start in cycle)
        {
            var parent = new int[edges.Length];
            Array.Fill(parent, -1);
            var queue = new Queue<int>([start]);
            while (queue.TryDequeue(out var node))
            {
                if (edges[node].Contains(start))
                {
                    var found = new List<int>();
                    for (var at = node; at != start; at = parent[at])
                    {
                        found.Add(at);
                    }
                    found.Add(start);
                    found.Reverse();
                    if (found.Count < best.Count)
                    {
                        best = found;
                    }
                    break;
                }
                foreach (var to in edges[node])
                {
                    if (parent[to] < 0 && to != start)
                    {
                        parent[to] = node;
                        queue.Enqueue(to);
                    }
                }
            }
        }
        return best;
    }
}
