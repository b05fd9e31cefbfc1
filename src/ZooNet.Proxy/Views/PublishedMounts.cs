using ZooNet.Federation.Interest;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Views;

/// <summary>The mount table as the view's record tells of it.</summary>
internal static class PublishedMounts
{
    /// <summary>The mounts that count as edges: those with barriers that join, are in use, or leave.</summary>
    public static IEnumerable<ViewMount> Published(this MountSnapshot table) => table.Entries
        .Where(e => e.Mount is { Options.Barriers: true } && e.State is MountState.Joining or MountState.Active or MountState.Leaving)
        // Of two mounts of the same znode the one that is used counts.
        .OrderBy(e => e.State switch { MountState.Active => 0, MountState.Joining => 1, _ => 2 })
        .Select(e => new ViewMount(e.Mount!.ClusterName, e.Mount.RemotePath, e.State switch
        {
            MountState.Active => PublishedState.Active,
            MountState.Joining => PublishedState.Joining,
            _ => PublishedState.Leaving,
        }));
}
