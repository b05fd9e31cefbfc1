namespace ZooNet.Proxy.Views;

/// <summary>Tells when nothing is on its way any more that was routed by an earlier mount table. Thread-safe.</summary>
public interface ISessionFence
{
    /// <summary>
    /// Completes when every request that a client session had sent before this call has been answered, or its connection has ended.
    /// </summary>
    Task RequestsAnsweredAsync(CancellationToken cancellationToken);
}
