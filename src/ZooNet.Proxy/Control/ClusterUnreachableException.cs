namespace ZooNet.Proxy.Control;

/// <summary>A cluster could not be asked. The message is a sentence for an operator.</summary>
public sealed class ClusterUnreachableException(string message, Exception? inner = null) : Exception(message, inner);
