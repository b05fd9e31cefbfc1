using System.Text.Json;
using System.Text.RegularExpressions;
using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.WebConsole;

/// <summary>One znode of an exported subtree.</summary>
/// <param name="Path">Below the subtree's top; empty for that itself, else with a slash at the beginning.</param>
/// <param name="Text">Its data, where that is text.</param>
/// <param name="Data">Its data in base64, where that is none.</param>
/// <param name="Acl">Its ACL, as <see cref="AclText"/> writes it; null where it may not be read.</param>
public sealed record ExportedZnode(string Path, string? Text, string? Data, IReadOnlyList<string>? Acl);

/// <summary>A subtree as a file.</summary>
/// <param name="Top">Where it was.</param>
/// <param name="Znodes">Parents before their children.</param>
/// <param name="LeftOut">Why something is not in it, a sentence each: ephemeral znodes, znodes that may not be read.</param>
public sealed record ExportedTree(string Top, IReadOnlyList<ExportedZnode> Znodes, IReadOnlyList<string> LeftOut);

/// <summary>What was found below a path.</summary>
/// <param name="Paths">The first that match.</param>
/// <param name="Visited">How many znodes were looked at.</param>
/// <param name="More">Whether the search ended before all were.</param>
public sealed record FoundZnodes(IReadOnlyList<string> Paths, int Visited, bool More);

/// <summary>
/// What is done with a whole subtree, as a client of a proxy: search, export, import, delete. Nothing of it is atomic: others may
/// change the znodes meanwhile. All of it is bounded.
/// </summary>
internal static class ZnodeTree
{
    /// <summary>The most znodes of one export, import or deletion, and the most that a search looks at.</summary>
    public const int MaxZnodes = 10_000;

    /// <summary>The most hits of a search.</summary>
    public const int MaxHits = 200;

    /// <summary>The most bytes of data in one export or import.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>Requests that are sent before the first of them is answered.</summary>
    private const int Ahead = 64;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        RespectNullableAnnotations = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>A filter for names: a part of them in whatever case, or a regular expression between slashes.</summary>
    /// <exception cref="ProxyRefusedException">It is no regular expression.</exception>
    public static Func<string, bool> Filter(string? like)
    {
        if (string.IsNullOrEmpty(like))
        {
            return _ => true;
        }
        if (like.Length < 3 || like[0] != '/' || like[^1] != '/')
        {
            return name => name.Contains(like, StringComparison.OrdinalIgnoreCase);
        }
        try
        {
            // Without backtracking no expression takes longer than the name is long.
            return new Regex(like[1..^1], RegexOptions.NonBacktracking | RegexOptions.CultureInvariant).IsMatch;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ProxyRefusedException($"{like} is no regular expression that is understood here: {e.Message}");
        }
    }

    /// <summary>Every descendant whose name fits, breadth first.</summary>
    public static async Task<FoundZnodes> SearchAsync(ZooKeeperClient client, string top, Func<string, bool> fits,
        CancellationToken cancellationToken)
    {
        var (hits, visited) = (new List<string>(), 0);
        await foreach (var path in WalkAsync(client, top, cancellationToken))
        {
            visited++;
            if (path != top && fits(path[(path.LastIndexOf('/') + 1)..]))
            {
                hits.Add(path);
            }
            if (hits.Count == MaxHits || visited == MaxZnodes)
            {
                return new FoundZnodes(hits, visited, true);
            }
        }
        return new FoundZnodes(hits, visited, false);
    }

    /// <summary>Every path of the subtree, parents first.</summary>
    /// <exception cref="ProxyRefusedException">There are too many.</exception>
    public static async Task<IReadOnlyList<string>> PathsAsync(ZooKeeperClient client, string top, CancellationToken cancellationToken)
    {
        var paths = new List<string>();
        await foreach (var path in WalkAsync(client, top, cancellationToken))
        {
            paths.Add(path);
            if (paths.Count > MaxZnodes)
            {
                throw new ProxyRefusedException($"more than {MaxZnodes} znodes are at and below {top}: take a part of them, or zkCli");
            }
        }
        return paths;
    }

    /// <summary>The subtree as a file.</summary>
    /// <exception cref="ProxyRefusedException">It is too large.</exception>
    public static async Task<byte[]> ExportAsync(ZooKeeperClient client, string top, CancellationToken cancellationToken)
    {
        var (znodes, leftOut, bytes) = (new List<ExportedZnode>(), new List<string>(), 0L);
        foreach (var some in (await PathsAsync(client, top, cancellationToken)).Chunk(Ahead))
        {
            foreach (var (path, znode, why) in await Task.WhenAll(some.Select(path => ReadAsync(client, path, cancellationToken))))
            {
                if (znode is { } read && read.Stat.EphemeralOwner == 0)
                {
                    bytes += read.Data.Length;
                    var below = path == top ? "" : top == "/" ? path : path[top.Length..];
                    znodes.Add(new ExportedZnode(below, read.Text, read.Text is null ? Convert.ToBase64String(read.Data) : null,
                        read.Acl?.Split('\n')));
                }
                else
                {
                    leftOut.Add(why ?? $"{path} is ephemeral");
                }
            }
            if (bytes > MaxBytes)
            {
                throw new ProxyRefusedException($"more than {MaxBytes / 1048576} MiB are at and below {top}: take a part of them");
            }
        }
        return JsonSerializer.SerializeToUtf8Bytes(new ExportedTree(top, znodes, leftOut), Json);
    }

    /// <summary>Makes what an exported file has, below another path or the same.</summary>
    /// <param name="client">The session.</param>
    /// <param name="top">Where it is to be; made with its parents.</param>
    /// <param name="file">What <see cref="ExportAsync"/> wrote.</param>
    /// <param name="overwrite">Whether data and ACL of znodes that are there already are written, too.</param>
    /// <param name="cancellationToken">Ends it; what is made then stays.</param>
    /// <returns>A sentence that says what was done.</returns>
    /// <exception cref="ProxyRefusedException">Nothing was done, or the message says how far it came.</exception>
    public static async Task<string> ImportAsync(ZooKeeperClient client, string top, Stream file, bool overwrite,
        CancellationToken cancellationToken)
    {
        var tree = await ParseAsync(file, cancellationToken);
        var (made, written, left) = (0, 0, 0);
        foreach (var ancestor in Ancestors(top))
        {
            await CreateAsync(client, ancestor, [], null, cancellationToken);
        }
        foreach (var (znode, data, acl) in tree)
        {
            var path = top == "/" ? znode.Length == 0 ? "/" : znode : top + znode;
            try
            {
                if (path != "/" && await CreateAsync(client, path, data, acl, cancellationToken))
                {
                    made++;
                }
                else if (!overwrite)
                {
                    left++;
                }
                else
                {
                    await client.SetDataAsync(path, data, cancellationToken: cancellationToken);
                    if (acl is not null)
                    {
                        await client.SetAclAsync(path, acl, cancellationToken: cancellationToken);
                    }
                    written++;
                }
            }
            catch (KeeperException e)
            {
                throw new ProxyRefusedException(
                    $"{e.Message}; before that {made} znodes were made and {written} written. Import it again when that is mended");
            }
        }
        return $"{made} znodes are made below {top}, {written} written over, {left} that were there left as they were";
    }

    /// <summary>Deletes the subtree, children first.</summary>
    /// <returns>How many were deleted.</returns>
    public static async Task<int> DeleteAsync(ZooKeeperClient client, string top, CancellationToken cancellationToken)
    {
        var paths = await PathsAsync(client, top, cancellationToken);
        var deleted = 0;
        foreach (var path in paths.Reverse())
        {
            try
            {
                await client.DeleteAsync(path, cancellationToken: cancellationToken);
                deleted++;
            }
            catch (KeeperException e) when (e.Code == ErrorCode.NoNode)
            {
            }
            catch (KeeperException e)
            {
                throw new ProxyRefusedException($"{e.Message}; before that {deleted} of {paths.Count} znodes were deleted");
            }
        }
        return deleted;
    }

    /// <summary>Reads one znode, or says why it can't be.</summary>
    private static async Task<(string Path, ZnodeView? Znode, string? Why)> ReadAsync(ZooKeeperClient client, string path,
        CancellationToken cancellationToken)
    {
        try
        {
            return (path, await ReadAsync(client, path, [], cancellationToken), null);
        }
        catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NoAuth)
        {
            return (path, null, $"{path}: {e.Code}");
        }
    }

    /// <summary>Reads one znode whose children are known.</summary>
    public static async Task<ZnodeView> ReadAsync(ZooKeeperClient client, string path, IReadOnlyList<string> children,
        CancellationToken cancellationToken)
    {
        var acl = client.GetAclAsync(path, cancellationToken);
        var data = await client.GetDataAsync(path, cancellationToken: cancellationToken);
        string? text = null;
        try
        {
            text = AclText.Format((await acl).AccessControl);
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NoAuth)
        {
        }
        return new ZnodeView(data.Data ?? [], data.Stat, children, text);
    }

    private static async Task<bool> CreateAsync(ZooKeeperClient client, string path, byte[] data, IReadOnlyList<Acl>? acl,
        CancellationToken cancellationToken)
    {
        try
        {
            await client.CreateAsync(path, data, acl: acl, cancellationToken: cancellationToken);
            return true;
        }
        catch (KeeperException e) when (e.Code == ErrorCode.NodeExists)
        {
            return false;
        }
    }

    private static async Task<List<(string Path, byte[] Data, IReadOnlyList<Acl>? Acl)>> ParseAsync(Stream file,
        CancellationToken cancellationToken)
    {
        try
        {
            var tree = await JsonSerializer.DeserializeAsync<ExportedTree>(file, Json, cancellationToken);
            if (tree?.Znodes is not { Count: > 0 and <= MaxZnodes } || tree.Znodes.Any(z => z?.Path is null))
            {
                throw new FormatException($"it has {tree?.Znodes?.Count ?? 0} znodes, may have 1 to {MaxZnodes}, and each needs a path");
            }
            // All of it is looked at before anything is made.
            return [.. tree.Znodes.Select(z => (
                z.Path.Length == 0 || ZnodePath.Validate(z.Path) is not { } why ? z.Path
                    : throw new FormatException($"'{z.Path}' is no path: {why}"),
                z.Text is null ? Convert.FromBase64String(z.Data ?? "") : System.Text.Encoding.UTF8.GetBytes(z.Text),
                z.Acl is null ? null : AclText.Parse(string.Join('\n', z.Acl))))];
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            throw new ProxyRefusedException($"this is no file that this page has exported, and nothing was changed: {e.Message}");
        }
    }

    private static IEnumerable<string> Ancestors(string path)
    {
        for (var end = path.IndexOf('/', 1); end > 0; end = path.IndexOf('/', end + 1))
        {
            yield return path[..end];
        }
    }

    /// <summary>The paths of a subtree, breadth first. What vanishes meanwhile, or may not be read, has no children here.</summary>
    private static async IAsyncEnumerable<string> WalkAsync(ZooKeeperClient client, string top,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var queue = new Queue<string>([top]);
        while (queue.Count > 0)
        {
            var some = new List<string>();
            while (some.Count < Ahead && queue.TryDequeue(out var path))
            {
                some.Add(path);
            }
            foreach (var (path, children) in await Task.WhenAll(some.Select(async path => (path, await ChildrenAsync(path)))))
            {
                yield return path;
                foreach (var child in children.Order(StringComparer.Ordinal))
                {
                    // ZooKeeper's own folder belongs to no subtree but itself.
                    if (path != "/" || child != "zookeeper")
                    {
                        queue.Enqueue(path == "/" ? "/" + child : $"{path}/{child}");
                    }
                }
            }
        }

        async Task<string[]> ChildrenAsync(string path)
        {
            try
            {
                return (await client.GetChildrenAsync(path, cancellationToken: cancellationToken)).Names;
            }
            catch (KeeperException e) when (e.Code is ErrorCode.NoNode or ErrorCode.NoAuth && path != top)
            {
                return [];
            }
        }
    }
}
