namespace ZooNet.Proxy.Control;

/// <summary>
/// Knows who must have taken note of a mount before its next step, so that consistency is kept while mounts come and go
/// (docs/consistency.md, "Changing the graph"). Thread-safe.
/// </summary>
public interface IMountActivation
{
    /// <summary>Raised when <see cref="WaitingFor"/> may answer otherwise than before. Handlers do not block.</summary>
    event Action? Changed;

    /// <summary>
    /// Who has not acknowledged that a joining mount is about to be used, or has not stopped using one that is leaving: in words for an
    /// operator,
    /// <c>region eu</c>, <c>proxy us-1 of region us</c>. Empty when the step may be taken.
    /// </summary>
    /// <param name="mount">A mount that is joining or leaving.</param>
    IReadOnlyList<string> WaitingFor(MountEntry mount);

    /// <summary>Completes when this proxy routes by the mount table of this snapshot, or a later one.</summary>
    Task RoutesAsync(MountSnapshot snapshot, CancellationToken cancellationToken) => Task.CompletedTask;
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
    public IReadOnlyList<string> WaitingFor(MountEntry mount) => [];
}
