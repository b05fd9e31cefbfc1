using System.Globalization;
using ZooNet.Protocol;

namespace ZooNet.Roaming;

/// <summary>
/// Where a roaming tree's znodes are, in every ensemble that takes part. They belong to the proxies' secret as all that is below
/// <c>/zookeeper/zoonet</c>. Immutable.
/// </summary>
internal sealed class Layout
{
    /// <summary>The longest name of a tree, an object or a zone, in characters.</summary>
    public const int MaxNameLength = 128;

    private const string EntryPrefix = "e-";
    private const string PiecePrefix = "p-";

    /// <summary>Names the tree.</summary>
    /// <exception cref="RoamingDataException">The name is no name of a znode, or too long.</exception>
    public Layout(string tree)
    {
        CheckName("tree", tree);
        Root = "/zookeeper/zoonet/roaming/" + tree;
    }

    /// <summary>The znode that holds all others of the tree.</summary>
    public string Root { get; }

    /// <summary>In a zone: one child for each proxy of that region that serves the tree, for as long as it does.</summary>
    public string Serving => $"{Root}/serving";

    /// <summary>What a zone has of the tree from the beginning, and what decides who may write: the rest lies below.</summary>
    /// <param name="name">An object of the tree.</param>
    public IReadOnlyList<string> Guarded(string name) =>
    [
        Root, .. Folders.Select(f => $"{Root}/{f}"), Ballot(name), Record(name), Base(name), Logs(name), Snapshots(name),
    ];

    /// <summary>The znodes that hold a tree's, by name.</summary>
    public static IReadOnlyList<string> Folders { get; } = ["records", "objects", "log", "base", "snapshots", "serving"];

    /// <summary>At the arbiter: who owns an object.</summary>
    public string Record(string name) => $"{Root}/records/{name}";

    /// <summary>In a zone: what it has promised for an object. The data version of this znode is the fence.</summary>
    public string Ballot(string name) => $"{Root}/objects/{name}";

    /// <summary>In a zone: the newest snapshot of an object.</summary>
    public string Base(string name) => $"{Root}/base/{name}";

    /// <summary>In a zone: the pieces of an object's snapshots.</summary>
    public string Snapshots(string name) => $"{Root}/snapshots/{name}";

    /// <summary>In the owner's zone: the log of one epoch. Its data say below which number entries were trimmed.</summary>
    public string Log(string name, long epoch) => $"{Logs(name)}/{epoch.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>In a zone: the logs of an object.</summary>
    public string Logs(string name) => $"{Root}/log/{name}";

    /// <summary>What a sequential create of an entry asks for.</summary>
    public string NewEntry(string name, long epoch) => $"{Log(name, epoch)}/{EntryPrefix}";

    /// <summary>An entry, by its number in its epoch.</summary>
    public string Entry(string name, long epoch, int number) => NewEntry(name, epoch) + number.ToString("D10",
        CultureInfo.InvariantCulture);

    /// <summary>The number of an entry, from its path or name.</summary>
    /// <exception cref="RoamingDataException">It is no entry's.</exception>
    public static int NumberOf(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return name.Length == EntryPrefix.Length + 10 && name.StartsWith(EntryPrefix, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(EntryPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new RoamingDataException($"{path} lies among the entries of a roaming tree and is none: remove it");
    }

    /// <summary>A piece of a snapshot.</summary>
    /// <param name="folder">The snapshot's folder.</param>
    /// <param name="piece">The piece's number, from 0.</param>
    public static string Piece(string folder, int piece) => $"{folder}/{PiecePrefix}{piece.ToString("D6", CultureInfo.InvariantCulture)}";

    /// <summary>
    /// The place of a znode that holds what clients have written: an entry, or a piece of a snapshot. That of an entry is its log, for its
    /// number is not known when it is written. Null for every other znode.
    /// </summary>
    /// <param name="path">The znode, or how the name of a new entry begins.</param>
    public static string? PlaceOfClientsData(string path)
    {
        // /zookeeper/zoonet/roaming/TREE/log/OBJECT/EPOCH/e-, and /zookeeper/zoonet/roaming/TREE/snapshots/OBJECT/FOLDER/p-
        var parts = path.Split('/');
        return parts.Length != 9 ? null
            : parts[5] == "log" && parts[8].StartsWith(EntryPrefix, StringComparison.Ordinal) ? path[..path.LastIndexOf('/')]
            : parts[5] == "snapshots" && parts[8].StartsWith(PiecePrefix, StringComparison.Ordinal) ? path
            : null;
    }

    /// <summary>Says no to what can't be the name of a znode.</summary>
    /// <param name="what">What it names, for the error: tree, object, zone.</param>
    /// <param name="name">The name.</param>
    /// <exception cref="RoamingDataException">It is empty, too long, has a slash, or is otherwise no name of a znode.</exception>
    public static void CheckName(string what, string name)
    {
        var wrong = name.Length > MaxNameLength ? $"is longer than {MaxNameLength} characters"
            : name.Contains('/', StringComparison.Ordinal) ? "contains a slash"
            : ZnodePath.Validate("/" + name) is not null || name.Length == 0 ? "can't be the name of a znode"
            : null;
        if (wrong is not null)
        {
            throw new RoamingDataException($"the {what} name '{name}' {wrong}: choose another one");
        }
    }
}
