namespace ZooNet.Demo;

/// <summary>
/// Decides whether a history is sequentially consistent: whether there is one order of all operations that keeps every client's own
/// order and in which each read returns the last write before it. ZooKeeper tells which write each read returned and in which
/// order a key was written, so the question has an exact answer: such an order exists if and only if the order graph has no cycle.
/// </summary>
/// <remarks>
/// Edges: a client's operation to its next; a write of a key to the next write of it; a write to the reads that returned it; a read
/// to the write that replaced what it returned.
/// </remarks>
internal static class HistoryChecker
{
    /// <summary>How many operations lie on a cycle: none of them fits into one order together with the others.</summary>
    /// <param name="history">The operations; those of one session in its order.</param>
    public static int CountInCycles(IReadOnlyList<Operation> history)
    {
        var edges = new List<int>[history.Count];
        for (var i = 0; i < edges.Length; i++)
        {
            edges[i] = [];
        }
        AddProgramOrder(history, edges);
        foreach (var key in Enumerable.Range(0, history.Count).GroupBy(i => history[i].Key))
        {
            AddKeyOrder(history, [.. key], edges);
        }
        return CountOnCycles(edges);
    }

    private static void AddProgramOrder(IReadOnlyList<Operation> history, List<int>[] edges)
    {
        var last = new Dictionary<int, int>();
        for (var i = 0; i < history.Count; i++)
        {
            if (last.TryGetValue(history[i].Session, out var before))
            {
                edges[before].Add(i);
            }
            last[history[i].Session] = i;
        }
    }

    private static void AddKeyOrder(IReadOnlyList<Operation> history, int[] operations, List<int>[] edges)
    {
        var writes = operations.Where(i => history[i].IsWrite).OrderBy(i => history[i].Version).ToArray();
        var versions = Array.ConvertAll(writes, i => history[i].Version);
        for (var i = 1; i < writes.Length; i++)
        {
            edges[writes[i - 1]].Add(writes[i]);
        }
        foreach (var read in operations.Where(i => !history[i].IsWrite))
        {
            // A version that nobody here wrote is from before the history: the first write replaced it.
            var found = Array.BinarySearch(versions, history[read].Version);
            var next = found >= 0 ? found + 1 : ~found;
            if (found >= 0)
            {
                edges[writes[found]].Add(read);
            }
            if (next < writes.Length)
            {
                edges[read].Add(writes[next]);
            }
        }
    }

    /// <summary>Tarjan's strongly connected components, without recursion: histories are longer than stacks.</summary>
    private static int CountOnCycles(List<int>[] edges)
    {
        var index = new int[edges.Length];
        var low = new int[edges.Length];
        var onStack = new bool[edges.Length];
        var stack = new Stack<int>();
        var path = new Stack<(int Node, int NextEdge)>();
        var (counter, result) = (0, 0);
        for (var root = 0; root < edges.Length; root++)
        {
            if (index[root] != 0)
            {
                continue;
            }
            path.Push((root, 0));
            while (path.TryPop(out var at))
            {
                var (node, next) = at;
                if (next == 0)
                {
                    index[node] = low[node] = ++counter;
                    stack.Push(node);
                    onStack[node] = true;
                }
                else
                {
                    low[node] = Math.Min(low[node], low[edges[node][next - 1]]);
                }
                while (next < edges[node].Count && index[edges[node][next]] != 0)
                {
                    if (onStack[edges[node][next]])
                    {
                        low[node] = Math.Min(low[node], index[edges[node][next]]);
                    }
                    next++;
                }
                if (next < edges[node].Count)
                {
                    path.Push((node, next + 1));
                    path.Push((edges[node][next], 0));
                    continue;
                }
                if (low[node] == index[node])
                {
                    var size = 0;
                    int member;
                    do
                    {
                        member = stack.Pop();
                        onStack[member] = false;
                        size++;
                    }
                    while (member != node);
                    result += size > 1 ? size : 0;
                }
            }
        }
        return result;
    }
}
