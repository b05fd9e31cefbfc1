using ZooNet.Protocol;

namespace ZooNet.Tree.Requests;

/// <summary>
/// The rules of ACLs with the schemes world, auth, digest and ip, as a ZooKeeper without further providers has them. Ids of the scheme
/// x509 are compared where another server has let them into an ACL.
/// </summary>
internal static class AccessControl
{
    /// <summary>True where one of <paramref name="identities"/> has one of the permissions.</summary>
    public static bool Allows(IReadOnlyList<Acl> accessControl, int permissions, IReadOnlyList<Identity> identities)
    {
        if (accessControl.Count == 0 || (identities.Count > 1 && identities.Contains(Identity.Super)))
        {
            return true;
        }
        for (var i = 0; i < accessControl.Count; i++)
        {
            var acl = accessControl[i];
            if ((acl.Perms & permissions) == 0)
            {
                continue;
            }
            if (acl is { Scheme: "world", Id: "anyone" })
            {
                return true;
            }
            for (var k = 0; k < identities.Count; k++)
            {
                if (Matches(acl, identities[k]))
                {
                    return true;
                }
            }
        }
        return false;
    }

    /// <summary>
    /// Checks an ACL that a client wants to set and expands its "auth" entries to the client's own authenticated ids.
    /// </summary>
    /// <returns>Ok, INVALIDACL, or MARSHALLINGERROR where a real server stumbles over a null id.</returns>
    public static ErrorCode FixUp(IReadOnlyList<Acl>? wanted, IReadOnlyList<Identity> identities, out IReadOnlyList<Acl> result)
    {
        result = Acl.Open;
        if (wanted is null || wanted.Count == 0)
        {
            return ErrorCode.InvalidAcl;
        }
        if (wanted.Count == 1 && wanted[0] == Acl.Open[0])
        {
            // Nearly every znode is open: they share one list.
            return ErrorCode.Ok;
        }
        if (WithoutDuplicates(wanted) is not { } unique)
        {
            return ErrorCode.MarshallingError;
        }
        var list = new List<Acl>(wanted.Count);
        foreach (var acl in unique)
        {
            switch (acl.Scheme)
            {
                case null:
                    return ErrorCode.InvalidAcl;
                case "world" or "digest" or "ip" when acl.Id is null:
                    return ErrorCode.MarshallingError;
                case "world" when acl.Id == "anyone":
                    list.Add(acl);
                    break;
                case "auth":
                    var own = identities.Where(id => id.Scheme == "digest").ToList();
                    if (own.Count == 0)
                    {
                        return ErrorCode.InvalidAcl;
                    }
                    list.AddRange(own.Select(id => new Acl(acl.Perms, id.Scheme, id.Id)));
                    break;
                case "digest" when IsDigestId(acl.Id!):
                case "ip" when TryParseMask(acl.Id!, out _, out _):
                    list.Add(acl);
                    break;
                default:
                    return ErrorCode.InvalidAcl;
            }
        }
        result = list;
        return ErrorCode.Ok;
    }

    /// <summary>Every entry once; null where a real server stumbles over a null in comparing it with an earlier one.</summary>
    private static List<Acl>? WithoutDuplicates(IReadOnlyList<Acl> wanted)
    {
        var unique = new List<Acl>(wanted.Count);
        foreach (var acl in wanted)
        {
            var known = false;
            foreach (var other in unique)
            {
                if (acl.Perms == other.Perms && (acl.Scheme is null || (acl.Scheme == other.Scheme && acl.Id is null)))
                {
                    return null;
                }
                known |= acl == other;
            }
            if (!known)
            {
                unique.Add(acl);
            }
        }
        return unique;
    }

    /// <summary>The list as someone without ADMIN sees it: digests show their user only.</summary>
    public static IReadOnlyList<Acl> Masked(IReadOnlyList<Acl> accessControl) =>
        [.. accessControl.Select(acl => acl.Scheme == "digest" ? acl with { Id = Mask(acl.Id!) } : acl)];

    private static string Mask(string id) => id.IndexOf(':') is >= 0 and var colon ? id[..colon] + ":x" : id;

    private static bool Matches(in Acl acl, in Identity identity) => acl.Scheme == identity.Scheme && acl.Scheme switch
    {
        "digest" or "x509" => acl.Id == identity.Id,
        "ip" => TryParseMask(acl.Id!, out var address, out var bits) && TryParseAddress(identity.Id, out var own) && (address & MaskOf(bits)) == (own & MaskOf(bits)),
        _ => false,
    };

    private static uint MaskOf(int bits) => bits == 0 ? 0 : uint.MaxValue << (32 - bits);

    /// <summary>As Java's split: exactly two parts, trailing empty ones not counted.</summary>
    private static bool IsDigestId(string id)
    {
        var parts = id.Split(':');
        var count = parts.Length;
        while (count > 0 && parts[count - 1].Length == 0)
        {
            count--;
        }
        return count == 2;
    }

    private static bool TryParseMask(string text, out uint address, out int bits)
    {
        bits = 32;
        var slash = text.IndexOf('/');
        if (!TryParseAddress(slash < 0 ? text : text[..slash], out address))
        {
            return false;
        }
        return slash < 0 || (TryParseInt(text[(slash + 1)..], out bits) && bits is >= 0 and <= 32);
    }

    /// <summary>Dotted quads only: ZooKeeper's ip scheme knows no IPv6.</summary>
    private static bool TryParseAddress(string text, out uint address)
    {
        address = 0;
        var parts = text.Split('.');
        if (parts.Length != 4)
        {
            return false;
        }
        foreach (var part in parts)
        {
            if (!TryParseInt(part, out var value) || value is < 0 or > 255)
            {
                return false;
            }
            address = (address << 8) | (uint)value;
        }
        return true;
    }

    /// <summary>As Java's parseInt: a sign is fine, spaces are not.</summary>
    private static bool TryParseInt(string text, out int value) =>
        int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out value);
}
