using ZooNet.Proxy.Configuration;
using ZooNet.Roaming;
using ZooNet.Roaming.Policies;

namespace ZooNet.Proxy.Roaming;

/// <summary>What can be said against a tree from its words alone: null, or why it is refused and what to do.</summary>
internal static class TreeRules
{
    public static string? CheckName(string? name)
    {
        try
        {
            Layout.CheckName("tree", name ?? "");
        }
        catch (RoamingDataException e)
        {
            return e.Message;
        }
        return ConfigReader.NamePattern.IsMatch(name!) ? null : $"the tree name '{name}' {ConfigReader.NameRule}";
    }

    public static string? CheckZones(IReadOnlyList<string> zones, ProxyConfig config)
    {
        if (zones.Count == 0)
        {
            return "it has no zones; name the clusters that take part: --zones us,eu";
        }
        if (zones.Count > ZooNet.Roaming.Records.TreeRecord.MaxZones)
        {
            return $"it has {zones.Count} zones, and {ZooNet.Roaming.Records.TreeRecord.MaxZones} are the most";
        }
        if (zones.GroupBy(z => z, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            return $"the zone '{twice.Key}' is listed twice; name each once";
        }
        var known = string.Join(", ", config.Clusters.Where(c => !c.IsTree).Select(c => c.Name));
        foreach (var zone in zones)
        {
            if (config.FindCluster(zone) is not { } cluster || cluster.Name != zone)
            {
                return $"the zone '{zone}' is no cluster that this proxy knows (it knows {known}); add it to 'remotes' of its "
                    + "configuration";
            }
            if (cluster.IsTree)
            {
                return $"the zone '{zone}' is a roaming tree itself; zones are clusters: {known}";
            }
        }
        return zones.Contains(config.Home.Name) ? null
            : $"the home cluster of this proxy, '{config.Home.Name}', is none of its zones ({string.Join(", ", zones)}); ask a "
                + "proxy of one of them";
    }

    public static string? CheckPolicy(string? policy, IReadOnlyList<string> zones, string arbiter)
    {
        try
        {
            Policy.Parse(policy, zones, arbiter);
            return null;
        }
        catch (RoamingDataException e)
        {
            return e.Message;
        }
    }

    public static string? CheckMember(string what, string zone, IReadOnlyList<string> zones) => zones.Contains(zone) ? null
        : $"the {what} '{zone}' is none of the zones {string.Join(", ", zones)}; name one of them";
}
