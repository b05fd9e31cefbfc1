namespace ZooNet.Integration.Fixtures;

/// <summary>
/// Two regions for every test of the collection, started once: the ensembles us and eu of one voter each, with an observer of each in
/// the other region across a relay. Tests use paths of their own; one that stops or cuts something puts it right again, or starts an
/// ensemble of its own.
/// </summary>
public sealed class RegionsFixture : IAsyncLifetime
{
    /// <summary>The ensemble of region us; its <see cref="RealEnsemble.RemoteObserver"/> stands in eu.</summary>
    public RealEnsemble Us { get; private set; } = null!;

    /// <summary>The ensemble of region eu; its <see cref="RealEnsemble.RemoteObserver"/> stands in us.</summary>
    public RealEnsemble Eu { get; private set; } = null!;

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        // A fixture can't skip; its tests do, by Jars.Require().
        if (Jars.Present)
        {
            var ensembles = await Task.WhenAll(RealEnsemble.StartAsync("us", new() { RemoteObservers = 1 }), RealEnsemble.StartAsync("eu", new() { RemoteObservers = 1 }));
            (Us, Eu) = (ensembles[0], ensembles[1]);
        }
    }

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        foreach (var ensemble in (RealEnsemble?[])[Us, Eu])
        {
            if (ensemble is not null)
            {
                await ensemble.DisposeAsync();
            }
        }
    }
}

/// <summary>Tests in this collection share one <see cref="RegionsFixture"/> and run one after another.</summary>
[CollectionDefinition(Name)]
public sealed class RegionsCollection : ICollectionFixture<RegionsFixture>
{
    /// <summary>The collection's name, for the attribute of a test class.</summary>
    public const string Name = "two regions";
}
