using System.Globalization;
using DotNet.Testcontainers.Configurations;
using DotNet.Testcontainers.Containers;

namespace ZooNet.Testcontainers;

/// <summary>A ZooNet proxy in a container. <see cref="ZooNetBuilder"/> makes it; thread-safe as every container is.</summary>
public sealed class ZooNetContainer : DockerContainer
{
    internal ZooNetContainer(IContainerConfiguration configuration)
        : base(configuration)
    {
    }

    /// <summary>Where a client on this machine connects: <c>host:port</c>, which every client of ZooKeeper takes.</summary>
    /// <exception cref="InvalidOperationException">The container is not started.</exception>
    public string GetConnectionString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Hostname}:{GetMappedPublicPort(ZooNetBuilder.ClientPort)}");

    /// <summary>Mounts a znode of another cluster, for all clients of the region; returns when the mount is in force.</summary>
    /// <param name="source">What to mount: <c>cluster:/path</c>.</param>
    /// <param name="path">Where.</param>
    /// <param name="create">Whether <paramref name="source"/> is made if it is not there.</param>
    /// <param name="cancellationToken">Ends the wait, not the command in the container.</param>
    /// <exception cref="InvalidOperationException">The proxy refused; the message is what <c>zoonet mount</c> said.</exception>
    public async Task MountAsync(string source, string path, bool create = false, CancellationToken cancellationToken = default) =>
        await CommandAsync(["mount", source, path, .. create ? ["-o", "create"] : Array.Empty<string>()], cancellationToken)
            .ConfigureAwait(false);

    /// <summary>Takes a mount away.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="cancellationToken">Ends the wait, not the command in the container.</param>
    /// <exception cref="InvalidOperationException">The proxy refused; the message is what <c>zoonet umount</c> said.</exception>
    public async Task UnmountAsync(string path, CancellationToken cancellationToken = default) =>
        await CommandAsync(["umount", path], cancellationToken).ConfigureAwait(false);

    private async Task CommandAsync(string[] arguments, CancellationToken cancellationToken)
    {
        var result = await ExecAsync(["zoonet", .. arguments], cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"zoonet {string.Join(' ', arguments)} ended with {result.ExitCode}: {(result.Stderr + result.Stdout).Trim()}"));
        }
    }
}
