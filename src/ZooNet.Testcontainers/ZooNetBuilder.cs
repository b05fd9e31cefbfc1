using Docker.DotNet.Models;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;

namespace ZooNet.Testcontainers;

/// <summary>
/// Builds a <see cref="ZooNetContainer"/>: the proxy of a region, from the image that <c>docker/Dockerfile</c> makes. Any key of
/// docs/configuration.md that has no method here is set by its variable: <c>WithEnvironment("ZOONET_CONSISTENCY", "none")</c>.
/// Immutable, as every builder of Testcontainers: each method returns another one.
/// </summary>
/// <example>
/// <code>
/// await using var us = new ZooNetBuilder("zoonet").WithNetwork(network)
///     .WithRegion("us").WithHome("us", "us-zk:2181").WithRemote("eu", "eu-zk:2181").Build();
/// await us.StartAsync();
/// await us.MountAsync("eu:/apps", "/mnt/eu", create: true);
/// </code>
/// </example>
public sealed class ZooNetBuilder : ContainerBuilder<ZooNetBuilder, ZooNetContainer, ZooNetConfiguration>
{
    /// <summary>The port in the container that serves clients of ZooKeeper.</summary>
    public const int ClientPort = 2281;

    /// <summary>A builder for a proxy of an image.</summary>
    /// <param name="image">The image, for example <c>zoonet</c>.</param>
    /// <exception cref="ArgumentException">It is empty, or no name of an image.</exception>
    public ZooNetBuilder(string image)
        : this(new ZooNetConfiguration())
    {
        DockerResourceConfiguration = Init().WithImage(image).DockerResourceConfiguration;
    }

    private ZooNetBuilder(ZooNetConfiguration configuration)
        : base(configuration) =>
        DockerResourceConfiguration = configuration;

    /// <inheritdoc/>
    protected override ZooNetConfiguration DockerResourceConfiguration { get; }

    /// <summary>Names the proxy's region. All its proxies must have the same one.</summary>
    /// <param name="region">The name.</param>
    public ZooNetBuilder WithRegion(string region) => With("REGION", region);

    /// <summary>Names the region's own cluster, to which requests are passed through.</summary>
    /// <param name="cluster">The cluster's name.</param>
    /// <param name="servers">Its servers, <c>host:port</c>, as the container reaches them: by their aliases in its network.</param>
    /// <exception cref="ArgumentException">No server was named.</exception>
    public ZooNetBuilder WithHome(string cluster, params string[] servers) =>
        With("HOME__CLUSTER", cluster).With("HOME__SERVERS", List(servers));

    /// <summary>Adds a cluster that can be mounted.</summary>
    /// <param name="cluster">The cluster's name: letters, digits and <c>_</c>, since it becomes part of a variable's name.</param>
    /// <param name="servers">Its servers, <c>host:port</c>, as the container reaches them.</param>
    /// <exception cref="ArgumentException">No server was named, or the cluster's name can't be part of a variable's.</exception>
    public ZooNetBuilder WithRemote(string cluster, params string[] servers) =>
        With($"REMOTES__{Variable(cluster)}__SERVERS", List(servers));

    /// <summary>Names observers of a cluster that stand in the proxy's region, and from which it reads.</summary>
    /// <param name="cluster">The cluster's name, as in <see cref="WithRemote"/>.</param>
    /// <param name="observers">They, <c>host:port</c>, in order of preference.</param>
    /// <exception cref="ArgumentException">No observer was named, or the cluster's name can't be part of a variable's.</exception>
    public ZooNetBuilder WithObservers(string cluster, params string[] observers) =>
        With($"REMOTES__{Variable(cluster)}__OBSERVERS", List(observers));

    /// <summary>
    /// Sets the credential that owns the proxies' own znodes. Without it the proxy runs with <c>insecure</c>, which is right for
    /// tests only.
    /// </summary>
    /// <param name="secret"><c>user:password</c>, the same for all proxies of all regions.</param>
    public ZooNetBuilder WithSecret(string secret) => With("SECRET", secret).With("INSECURE", "false");

    /// <inheritdoc/>
    public override ZooNetContainer Build()
    {
        Validate();
        return new ZooNetContainer(DockerResourceConfiguration);
    }

    /// <inheritdoc/>
    protected override void Validate()
    {
        foreach (var (key, method) in ((string, string)[])[("REGION", nameof(WithRegion)), ("HOME__CLUSTER", nameof(WithHome))])
        {
            if (DockerResourceConfiguration.Environments?.ContainsKey("ZOONET_" + key) != true)
            {
                throw new ArgumentException($"A proxy needs {method}(…) before Build().");
            }
        }
        base.Validate();
    }

    /// <inheritdoc/>
    protected override ZooNetBuilder Init() => base.Init()
        .WithPortBinding(ClientPort, assignRandomHostPort: true)
        .WithCommand("proxy")
        .With("LISTEN", $"0.0.0.0:{ClientPort}")
        .With("INSECURE", "true")
        .WithWaitStrategy(Wait.ForUnixContainer().UntilCommandIsCompleted(
            (string[])["zoonet", "status", "--ready"], strategy => strategy.WithTimeout(ZooKeeperBuilder.Patience)));

    /// <inheritdoc/>
    protected override ZooNetBuilder Clone(IResourceConfiguration<CreateContainerParameters> resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new ZooNetConfiguration(resourceConfiguration));

    /// <inheritdoc/>
    protected override ZooNetBuilder Clone(IContainerConfiguration resourceConfiguration) =>
        Merge(DockerResourceConfiguration, new ZooNetConfiguration(resourceConfiguration));

    /// <inheritdoc/>
    protected override ZooNetBuilder Merge(ZooNetConfiguration oldValue, ZooNetConfiguration newValue) =>
        new(new ZooNetConfiguration(oldValue, newValue));

    private static string List(string[] servers) => servers.Length > 0
        ? string.Join(',', servers)
        : throw new ArgumentException("Name one server at least, as host:port.", nameof(servers));

    private static string Variable(string cluster) => cluster.Length > 0 && cluster.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
        ? cluster.ToUpperInvariant()
        : throw new ArgumentException($"'{cluster}' can't be part of a variable's name; use letters, digits and _.", nameof(cluster));

    private ZooNetBuilder With(string key, string value) => WithEnvironment("ZOONET_" + key, value);
}
