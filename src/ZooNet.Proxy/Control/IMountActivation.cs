namespace ZooNet.Proxy.Control;

/// <summary>
/// Takes a mount into use, and out of it, in the two steps that keep consistency (design: knowing the graph, and changing it
/// safely). Both calls are repeated, by every proxy of the region, until nobody is waited for; so they must do no harm when they are.
/// </summary>
public interface IMountActivation
{
    /// <summary>Raised when the answer of a later call may be another one. Handlers do not block.</summary>
    event Action? Changed;

    /// <summary>Publishes a mount as joining and tells who has not acknowledged it.</summary>
    Task<ActivationProgress> JoinAsync(MountEntry mount, CancellationToken cancellationToken);

    /// <summary>Tells which proxies of the region have not stopped using a mount; once none has, publishes that it is gone.</summary>
    Task<ActivationProgress> LeaveAsync(MountEntry mount, CancellationToken cancellationToken);

    /// <summary>Completes when this proxy routes by the mount table of this snapshot, or a later one.</summary>
    Task RoutesAsync(MountSnapshot snapshot, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>How far a step is.</summary>
/// <param name="Waiting">Who has not answered, in words for an operator: <c>region eu</c>, <c>proxy us-1 of region us</c>.</param>
public sealed record ActivationProgress(IReadOnlyList<string> Waiting)
{
    /// <summary>Nobody is waited for.</summary>
    public static ActivationProgress Complete { get; } = new([]);

    /// <summary>True where the step is complete.</summary>
    public bool IsComplete => Waiting.Count == 0;
}

/// <summary>
/// Activation without acknowledgements, for regions that keep no interest graph: with <c>none</c> no barriers are wanted, and with
/// <c>switch</c> every read after an operation elsewhere has one already.
/// </summary>
public sealed class ImmediateActivation : IMountActivation
{
    /// <inheritdoc/>
    public event Action? Changed
    {
        add { }
        remove { }
    }

    /// <inheritdoc/>
    public Task<ActivationProgress> JoinAsync(MountEntry mount, CancellationToken cancellationToken) => Task.FromResult(ActivationProgress.Complete);

    /// <inheritdoc/>
    public Task<ActivationProgress> LeaveAsync(MountEntry mount, CancellationToken cancellationToken) => Task.FromResult(ActivationProgress.Complete);
}
