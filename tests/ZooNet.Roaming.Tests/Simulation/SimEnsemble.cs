using System.Globalization;
using ZooNet.Protocol;
using ZooNet.Roaming.Moves;

namespace ZooNet.Roaming.Tests.Simulation;

/// <summary>An ensemble as the procedures see it: znodes with versions and counters, and multis that do everything or nothing.</summary>
internal sealed class SimEnsemble(string zone)
{
    private sealed class Node(byte[]? data)
    {
        public byte[]? Data = data;
        public int Version;
        public int Creates;
        public HashSet<string>? Children;
    }

    private readonly Dictionary<string, Node> _nodes = new(StringComparer.Ordinal)
    {
        ["/zookeeper"] = new Node(null),
        ["/zookeeper/zoonet"] = new Node(null)
    };

    public string Zone => zone;

    /// <summary>Hears of every change before it is made: znode, old data and new data. Both null for a znode that is created
    /// without.</summary>
    public Action<WriteKind, string, byte[]?, byte[]?>? Changing { get; set; }

    public int Count => _nodes.Count;

    public byte[]? DataOf(string path) => _nodes.TryGetValue(path, out var node) ? node.Data : null;

    public bool Has(string path) => _nodes.ContainsKey(path);

    public int CreatesOf(string path) => _nodes.TryGetValue(path, out var node) ? node.Creates : 0;

    /// <summary>Loses everything that is below a path: a disk was replaced.</summary>
    public void Lose(string path)
    {
        foreach (var lost in _nodes.Keys.Where(p => ZnodePath.IsAtOrUnder(p, path)).ToList())
        {
            _nodes.Remove(lost);
        }
        _nodes[ZnodePath.ParentOf(path)].Children?.Remove(ZnodePath.NameOf(path));
    }

    /// <summary>Carries an ask out, and what follows it.</summary>
    public void ExecuteAll(Ask ask)
    {
        Execute(ask);
        foreach (var then in ask.Then)
        {
            Execute(then);
        }
    }

    /// <summary>Carries an ask out, without what follows it.</summary>
    public void Execute(Ask ask)
    {
        if (ask.Kind == AskKind.Write)
        {
            Write(ask);
            return;
        }
        if (!_nodes.TryGetValue(ask.Path, out var node))
        {
            ask.Error = ErrorCode.NoNode;
            return;
        }
        ask.Error = ErrorCode.Ok;
        ask.Data = node.Data;
        var children = node.Children?.Count ?? 0;
        ask.Stat = new Stat(0, 0, 0, 0, node.Version, (2 * node.Creates) - children, 0, 0, node.Data?.Length ?? 0, children, 0);
        if (ask.Kind == AskKind.Names)
        {
            ask.Names = [.. (node.Children ?? []).Order(StringComparer.Ordinal)];
        }
    }

    private void Write(Ask ask)
    {
        // Nothing here needs to see an earlier part of its own multi but a znode that is set or checked twice, and no procedure does that.
        foreach (var write in ask.Writes)
        {
            var error = Check(write);
            if (error != ErrorCode.Ok)
            {
                ask.Error = error;
                return;
            }
        }
        ask.Error = ErrorCode.Ok;
        ask.Names = [.. ask.Writes.Select(Apply)];
    }

    private ErrorCode Check(ZnodeWrite write)
    {
        var node = _nodes.GetValueOrDefault(write.Path);
        return write.Kind switch
        {
            WriteKind.Create when node is not null => ErrorCode.NodeExists,
            WriteKind.Create or WriteKind.CreateSequential => _nodes.ContainsKey(ZnodePath.ParentOf(write.Path)) ? ErrorCode.Ok
                : ErrorCode.NoNode,
            _ when node is null => ErrorCode.NoNode,
            _ when write.Version >= 0 && write.Version != node.Version => ErrorCode.BadVersion,
            WriteKind.Delete when node.Children is { Count: > 0 } => ErrorCode.NotEmpty,
            _ => ErrorCode.Ok,
        };
    }

    private string Apply(ZnodeWrite write)
    {
        var path = write.Path;
        switch (write.Kind)
        {
            case WriteKind.Check:
                break;
            case WriteKind.Set:
                Changing?.Invoke(write.Kind, path, _nodes[path].Data, write.Data);
                (_nodes[path].Data, _nodes[path].Version) = (write.Data, _nodes[path].Version + 1);
                break;
            case WriteKind.Delete:
                Changing?.Invoke(write.Kind, path, _nodes[path].Data, null);
                _nodes.Remove(path);
                _nodes[ZnodePath.ParentOf(path)].Children!.Remove(ZnodePath.NameOf(path));
                break;
            default:
                var parent = _nodes[ZnodePath.ParentOf(path)];
                path += write.Kind == WriteKind.CreateSequential ? parent.Creates.ToString("D10", CultureInfo.InvariantCulture) : "";
                Changing?.Invoke(write.Kind, path, null, write.Data);
                _nodes.Add(path, new Node(write.Data));
                parent.Creates++;
                (parent.Children ??= []).Add(ZnodePath.NameOf(path));
                break;
        }
        return path;
    }
}
