using ZooNet.Protocol;

namespace ZooNet.WebConsole;

/// <summary>ACLs as zkCli writes them for <c>setAcl</c>, <c>scheme:id:perms</c>, an entry a line. Pure.</summary>
public static class AclText
{
    private const string Letters = "rwcda";

    /// <summary>The most entries of one ACL that are taken.</summary>
    public const int MaxEntries = 1000;

    /// <summary>One entry, as in <c>world:anyone:cdrwa</c>.</summary>
    public static string Format(Acl entry) =>
        $"{entry.Scheme}:{entry.Id}:{string.Concat("cdrwa".Where(c => (entry.Perms >> Letters.IndexOf(c) & 1) != 0))}";

    /// <summary>A whole ACL.</summary>
    public static string Format(IEnumerable<Acl> acl) => string.Join('\n', acl.Select(Format));

    /// <summary>Reads what <see cref="Format(IEnumerable{Acl})"/> writes; empty lines are left out.</summary>
    /// <exception cref="FormatException">A line is none; the message says which and what to write.</exception>
    public static IReadOnlyList<Acl> Parse(string text)
    {
        var acl = new List<Acl>();
        foreach (var line in text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // Ids may have colons in them, as digests do; schemes and permissions have none.
            var (first, last) = (line.IndexOf(':'), line.LastIndexOf(':'));
            if (first < 1 || last == first)
            {
                throw new FormatException($"'{line}' is no entry of an ACL; write scheme:id:perms, as in world:anyone:r");
            }
            var perms = 0;
            foreach (var letter in line[(last + 1)..])
            {
                perms |= Letters.IndexOf(letter) is var bit and >= 0 ? 1 << bit
                    : throw new FormatException($"'{letter}' in '{line}' is no permission; allowed are c, d, r, w and a");
            }
            if (perms == 0)
            {
                throw new FormatException($"'{line}' allows nothing; leave it out, or end it with some of cdrwa");
            }
            acl.Add(new Acl(perms, line[..first], line[(first + 1)..last]));
        }
        return acl.Count switch
        {
            0 => throw new FormatException("an ACL without entries would close the znode to everybody; write one at least"),
            > MaxEntries => throw new FormatException($"{acl.Count} entries are too many; {MaxEntries} are taken"),
            _ => acl,
        };
    }
}
