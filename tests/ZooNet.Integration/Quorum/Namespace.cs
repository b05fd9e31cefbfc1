using ZooNet.Client;

namespace ZooNet.Integration.Quorum;

/// <summary>All that a client can see of a cluster: every znode with its data, Stat, ACL and children, a line each.</summary>
internal static class Namespace
{
    /// <summary>Reads it. Nobody writes meanwhile, and every znode may be read by anybody.</summary>
    public static async Task<SortedDictionary<string, string>> ReadAsync(ZooKeeperClient client, string root = "/")
    {
        var znodes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var left = new Queue<string>([root]);
        while (left.TryDequeue(out var path))
        {
            var (data, stat, _) = await client.GetDataAsync(path);
            var (names, _, _) = await client.GetChildrenAsync(path);
            var (acl, _, _) = await client.GetAclAsync(path);
            if (path == "/zookeeper/config")
            {
                // Each server writes it anew when it starts; the time is its own.
                stat = stat with { Mtime = 0 };
            }
            var text = data is null ? "null" : Convert.ToHexString(data);
            znodes[path] = $"{text} {stat} [{string.Join(' ', acl)}] [{string.Join(' ', names.Order(StringComparer.Ordinal))}]";
            foreach (var name in names)
            {
                left.Enqueue(path == "/" ? $"/{name}" : $"{path}/{name}");
            }
        }
        return znodes;
    }

    /// <summary>What one has and the other has not, or has otherwise.</summary>
    public static IEnumerable<string> Differences(IReadOnlyDictionary<string, string> real, IReadOnlyDictionary<string, string> ours) =>
        real.Keys.Union(ours.Keys).Where(path => real.GetValueOrDefault(path) != ours.GetValueOrDefault(path))
            .Select(path => $"{path}: real {real.GetValueOrDefault(path, "has none")}, ours {ours.GetValueOrDefault(path, "has none")}");
}
