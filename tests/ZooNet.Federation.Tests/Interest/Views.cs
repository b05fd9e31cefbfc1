using ZooNet.Federation.Interest;

namespace ZooNet.Federation.Tests.Interest;

/// <summary>Short ways to write down records.</summary>
internal static class Views
{
    public static ViewRecord View(string name, string home, params string[] mounted) => new()
    {
        View = name,
        Region = name,
        Home = home,
        Version = 1,
        Revision = 1,
        Mounts = [.. mounted.Select(cluster => new ViewMount(cluster, "/shared", PublishedState.Active))],
    };

    public static readonly ViewRecord[] OneWay = [View("RA", "A", "B"), View("RB", "B")];

    public static readonly ViewRecord[] Mutual = [View("RA", "A", "B"), View("RB", "B", "A")];

    public static readonly ViewRecord[] Ring = [View("RA", "A", "B"), View("RB", "B", "C"), View("RC", "C", "A")];

    public static readonly ViewRecord[] SharedMounts =
        [View("RA", "A", "C", "D"), View("RB", "B", "C", "D"), View("RC", "C"), View("RD", "D")];

    public static Coupling Sequential(ViewRecord[] records, string view, bool severalHomeServers = false)
    {
        var clusters = records.Single(record => record.View == view).Clusters().ToArray();
        return Coupling.Sequential(new InterestGraph(records), view, clusters, 0, severalHomeServers);
    }
}
