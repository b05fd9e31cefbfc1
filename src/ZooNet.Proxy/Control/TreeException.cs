namespace ZooNet.Proxy.Control;

/// <summary>The proxies' tree in a cluster can't be used. The message is a sentence for an operator: which znode, why, and what to
/// do.</summary>
/// <param name="message">The sentence.</param>
/// <param name="isAbsent">True where the cluster has said that there is no tree, and the proxy may not make one.</param>
public sealed class TreeException(string message, bool isAbsent = false) : Exception(message)
{
    /// <summary>True where there is no tree: nothing is mounted, and nothing can be. False where nothing is known of what is in
    /// it.</summary>
    public bool IsAbsent => isAbsent;
}
