namespace ZooNet.Federation.Interest;

/// <summary>
/// Who reads what: the bipartite graph of views and clusters, and its biconnected components ("blocks"). An order of
/// operations that could not have happened needs a simple cycle in this graph, and two edges lie on a common simple
/// cycle exactly where they are in one block (docs/consistency.md). Immutable; any thread may read it.
/// </summary>
public sealed class InterestGraph
{
    private readonly Dictionary<string, int> _views = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _clusters = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];
    private readonly List<List<(int To, int Edge)>> _neighbours = [];
    private readonly int[] _blocks;
    private readonly int[] _components;
    private int _edges;

    /// <summary>Builds the graph of these records; joining and leaving mounts are edges like active ones.</summary>
    /// <param name="records">At most one record per view.</param>
    public InterestGraph(IEnumerable<ViewRecord> records)
    {
        foreach (var record in records)
        {
            var view = Vertex(_views, record.View);
            foreach (var cluster in record.Clusters())
            {
                var other = Vertex(_clusters, cluster);
                _neighbours[view].Add((other, _edges));
                _neighbours[other].Add((view, _edges++));
            }
        }
        _blocks = new int[_edges];
        _components = new int[_names.Count];
        FindBlocks();
    }

    /// <summary>The views, in the order of the records.</summary>
    public IReadOnlyCollection<string> Views => _views.Keys;

    /// <summary>The clusters that somebody reads.</summary>
    public IReadOnlyCollection<string> Clusters => _clusters.Keys;

    /// <summary>The number of the block that the edge lies in, or -1 where there is no such edge.</summary>
    public int BlockOf(string view, string cluster)
    {
        if (_views.TryGetValue(view, out var from) && _clusters.TryGetValue(cluster, out var to))
        {
            foreach (var (neighbour, edge) in _neighbours[from])
            {
                if (neighbour == to)
                {
                    return _blocks[edge];
                }
            }
        }
        return -1;
    }

    /// <summary>True where a simple cycle runs through the view, that is where two of its edges are in one block.</summary>
    public bool IsOnCycle(string view)
    {
        if (!_views.TryGetValue(view, out var vertex))
        {
            return false;
        }
        var edges = _neighbours[vertex];
        for (var i = 0; i < edges.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (_blocks[edges[i].Edge] == _blocks[edges[j].Edge])
                {
                    return true;
                }
            }
        }
        return false;
    }

    /// <summary>The views in one connected part with <paramref name="view"/>, itself included; empty for an unknown view.</summary>
    public IReadOnlyList<string> ComponentOf(string view) => _views.TryGetValue(view, out var vertex)
        ? [.. _views.Where(other => _components[other.Value] == _components[vertex]).Select(other => other.Key)]
        : [];

    /// <summary>The edges by block, for a report: views and clusters of each, blocks of one edge (bridges) included.</summary>
    public IReadOnlyList<(IReadOnlyList<string> Views, IReadOnlyList<string> Clusters)> Blocks()
    {
        var result = new SortedDictionary<int, (SortedSet<string> Views, SortedSet<string> Clusters)>();
        foreach (var (view, vertex) in _views)
        {
            foreach (var (cluster, edge) in _neighbours[vertex])
            {
                if (!result.TryGetValue(_blocks[edge], out var block))
                {
                    result[_blocks[edge]] = block = (new(StringComparer.Ordinal), new(StringComparer.Ordinal));
                }
                block.Views.Add(view);
                block.Clusters.Add(_names[cluster]);
            }
        }
        return [.. result.Values.Select(block => ((IReadOnlyList<string>)[.. block.Views], (IReadOnlyList<string>)[.. block.Clusters]))];
    }

    /// <summary>
    /// A shortest cycle through the view, as names in order: the view, a cluster, another view, …, a cluster. Null where
    /// there is none. It is what an operator is shown as the reason for a barrier.
    /// </summary>
    public IReadOnlyList<string>? CycleThrough(string view)
    {
        if (!IsOnCycle(view))
        {
            return null;
        }
        var start = _views[view];
        IReadOnlyList<string>? best = null;
        foreach (var (first, edge) in _neighbours[start])
        {
            var path = ShortestWayBack(start, first, edge);
            if (path is not null && (best is null || path.Count < best.Count))
            {
                best = path;
            }
        }
        return best;
    }

    private List<string>? ShortestWayBack(int start, int first, int firstEdge)
    {
        var cameFrom = new Dictionary<int, int> { [first] = start };
        var queue = new Queue<int>([first]);
        while (queue.TryDequeue(out var vertex))
        {
            foreach (var (next, edge) in _neighbours[vertex])
            {
                if (next == start && edge != firstEdge)
                {
                    var path = new List<string>();
                    for (var at = vertex; at != start; at = cameFrom[at])
                    {
                        path.Add(_names[at]);
                    }
                    path.Add(_names[start]);
                    path.Reverse();
                    return path;
                }
                if (next != start && cameFrom.TryAdd(next, vertex))
                {
                    queue.Enqueue(next);
                }
            }
        }
        return null;
    }

    private int Vertex(Dictionary<string, int> map, string name)
    {
        if (!map.TryGetValue(name, out var vertex))
        {
            map[name] = vertex = _names.Count;
            _names.Add(name);
            _neighbours.Add([]);
        }
        return vertex;
    }

    // Hopcroft and Tarjan's algorithm with its recursion unrolled: a chain of a hundred thousand regions must not
    // overflow the stack. Edges are kept on a stack of their own and popped as a block where a subtree can't get
    // above its root any other way.
    private void FindBlocks()
    {
        var count = _names.Count;
        var index = new int[count];
        var low = new int[count];
        var next = new int[count];
        var entered = new int[count];
        var edgeStack = new Stack<int>();
        var path = new Stack<int>();
        var visited = 0;
        var block = 0;
        for (var root = 0; root < count; root++)
        {
            if (index[root] != 0)
            {
                continue;
            }
            index[root] = low[root] = ++visited;
            entered[root] = -1;
            _components[root] = root;
            path.Push(root);
            while (path.TryPeek(out var vertex))
            {
                if (next[vertex] < _neighbours[vertex].Count)
                {
                    var (to, edge) = _neighbours[vertex][next[vertex]++];
                    if (edge == entered[vertex])
                    {
                        continue;
                    }
                    if (index[to] == 0)
                    {
                        index[to] = low[to] = ++visited;
                        entered[to] = edge;
                        _components[to] = root;
                        edgeStack.Push(edge);
                        path.Push(to);
                    }
                    else if (index[to] < index[vertex])
                    {
                        edgeStack.Push(edge);
                        low[vertex] = Math.Min(low[vertex], index[to]);
                    }
                    continue;
                }
                path.Pop();
                if (!path.TryPeek(out var parent))
                {
                    continue;
                }
                low[parent] = Math.Min(low[parent], low[vertex]);
                if (low[vertex] >= index[parent])
                {
                    int edge;
                    do
                    {
                        edge = edgeStack.Pop();
                        _blocks[edge] = block;
                    }
                    while (edge != entered[vertex]);
                    block++;
                }
            }
        }
    }
}
