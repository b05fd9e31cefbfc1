using ZooNet.Protocol;

namespace ZooNet.Tree.Requests;

/// <summary>What a check needs to know of a znode: as it is, or as it will be after the earlier operations of the same multi.</summary>
internal readonly record struct NodeView(int Version, int Aversion, int Creates, int ChildCount, IReadOnlyList<Acl> AccessControl, ZnodeKind Kind)
{
    public static NodeView Of(Znode node) => new(node.Version, node.Aversion, node.Creates, node.ChildCount, node.AccessControl, node.Kind);
}

/// <summary>The tree as a multi sees it: with its own earlier operations. Changes are remembered only while a multi is prepared.</summary>
internal sealed class PendingView(DataTree tree)
{
    // A null value stands for a deleted znode.
    private readonly Dictionary<string, NodeView?> _touched = new(StringComparer.Ordinal);
    private bool _inMulti;

    public void BeginMulti() => _inMulti = true;

    public void EndMulti()
    {
        _inMulti = false;
        _touched.Clear();
    }

    /// <summary>Finds a znode; the empty path is the root.</summary>
    public NodeView? Find(string path)
    {
        if (_touched.Count > 0 && _touched.TryGetValue(path.Length == 0 ? "/" : path, out var view))
        {
            return view;
        }
        return tree.Find(path) is { } node ? NodeView.Of(node) : null;
    }

    /// <summary>Remembers what an operation will do to a znode.</summary>
    public void Set(string path, NodeView? view)
    {
        if (_inMulti)
        {
            _touched[path.Length == 0 ? "/" : path] = view;
        }
    }
}
