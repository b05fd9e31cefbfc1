using ZooNet.Federation.Mounts;

namespace ZooNet.Proxy.Control;

/// <summary>The text form of a mount's options, as after <c>-o</c> and in the mount's record.</summary>
public static class MountOptionsText
{
    /// <summary>What may be written, for messages.</summary>
    public const string Allowed = "ro, rw, strict, relaxed, auth=forward, auth=address, auth=none, "
        + "consistency=region, consistency=none, create";

    /// <summary>Reads options.</summary>
    /// <param name="text">Separated by commas; null or empty for the defaults.</param>
    /// <param name="options">The options; the defaults where the text is wrong.</param>
    /// <param name="create">
    /// True where the remote path is to be created; an order to the mount command, not a property of the mount.
    /// </param>
    /// <returns>Null, or what is wrong and what is allowed.</returns>
    public static string? Parse(string? text, out MountOptions options, out bool create)
    {
        options = MountOptions.Default;
        create = false;
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var word in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string about;
            switch (word)
            {
                case "ro" or "rw":
                    about = "ro";
                    options = options with { ReadOnly = word == "ro" };
                    break;
                case "strict" or "relaxed":
                    about = "strict";
                    options = options with { Order = word == "strict" ? MountOrder.Strict : MountOrder.Relaxed };
                    break;
                case "auth=forward" or "auth=address" or "auth=none":
                    about = "auth";
                    options = options with { Auth = Enum.Parse<MountAuth>(word["auth=".Length..], ignoreCase: true) };
                    break;
                case "consistency=region" or "consistency=none":
                    about = "consistency";
                    options = options with { Barriers = word == "consistency=region" };
                    break;
                case "create":
                    about = word;
                    create = true;
                    break;
                default:
                    return $"the mount option '{word}' is not known; allowed are {Allowed}";
            }
            if (!seen.TryAdd(about, word) && seen[about] != word)
            {
                return $"the mount options '{seen[about]}' and '{word}' contradict each other; give one of them";
            }
        }
        return null;
    }

    /// <summary>Writes options: <c>rw</c> or <c>ro</c> first, then what differs from the defaults.</summary>
    public static string Format(MountOptions options)
    {
        List<string> words = [options.ReadOnly ? "ro" : "rw"];
        if (options.Order == MountOrder.Relaxed)
        {
            words.Add("relaxed");
        }
        if (options.Auth != MountAuth.Forward)
        {
            words.Add(Format(options.Auth));
        }
        if (!options.Barriers)
        {
            words.Add("consistency=none");
        }
        return string.Join(',', words);
    }

    /// <summary>Writes what a cluster is told of who a client is: <c>auth=forward</c>.</summary>
    public static string Format(MountAuth auth) => $"auth={auth.ToString().ToLowerInvariant()}";
}
