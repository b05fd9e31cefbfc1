namespace ZooNet.Proxy.Configuration;

/// <summary>The configuration as it is now: what can be changed while the proxy runs is read from here. Thread-safe.</summary>
/// <param name="start">What the proxy was started with.</param>
public sealed class ConfigInForce(ProxyConfig start)
{
    private readonly Lock _lock = new();
    private ProxyConfig _current = start;

    /// <summary>Raised after a change, by whoever made it.</summary>
    public event Action<ProxyConfig>? Changed;

    /// <summary>The configuration now. What can't be changed is as at the start.</summary>
    public ProxyConfig Current => Volatile.Read(ref _current);

    /// <summary>Takes over what is different in a configuration, if all of it can be changed while the proxy runs; else nothing.</summary>
    /// <param name="read">What loading came to.</param>
    public ConfigChange Apply(ConfigResult read)
    {
        lock (_lock)
        {
            if (read.Config is not { } wanted)
            {
                return new([], [.. read.Errors.Select(e => e.ToString())]);
            }
            var before = _current;
            var keys = Different(before, wanted);
            if (!before.Remotes.Select(r => r.Name).SequenceEqual(wanted.Remotes.Select(r => r.Name)))
            {
                return new([], ["clusters in 'remotes' can't be added or removed while the proxy runs; restart it to change that"]);
            }
            if (keys.Contains("home.servers") && before.Home is { Servers.Count: 1, Follow: false, IsObserved: false })
            {
                // What needs no barrier rests on it: clients that read through one server see what the other ones have written.
                return new([], ["home.servers can't be changed while the proxy runs if there was only one; restart it to change that"]);
            }
            var fixedKeys = keys.Where(k => !CanChange(k)).ToList();
            if (fixedKeys.Count > 0)
            {
                return new([], [.. fixedKeys.Select(k => $"{k} can't be changed while the proxy runs; restart it to change that")]);
            }
            if (keys.Count == 0)
            {
                return new([], []);
            }
            // Everything else is equal, but for a name that is drawn anew with each reading.
            Volatile.Write(ref _current, wanted with { ProxyId = before.ProxyId });
            Changed?.Invoke(_current);
            return new(keys, []);
        }
    }

    /// <summary>Whether a key, as in the file, can be changed while the proxy runs.</summary>
    public static bool CanChange(string key)
    {
        var parts = key.Split('.');
        return parts is ["adminTokens" or "adminNames" or "limits", ..] or ["logLevel" or "fourLetterWords"] or ["home", "servers"]
            || parts is ["remotes", .., "servers" or "observers"];
    }

    private static List<string> Different(ProxyConfig before, ProxyConfig wanted)
    {
        var old = before.Values.ToDictionary(v => v.Key);
        var keys = new List<string>();
        foreach (var value in wanted.Values)
        {
            old.Remove(value.Key, out var was);
            if (was?.Text != value.Text && !(was?.Source == ConfigValue.Default && value.Source == ConfigValue.Default))
            {
                keys.Add(value.Key);
            }
        }
        keys.AddRange(old.Values.Where(v => v.Source != ConfigValue.Default).Select(v => v.Key));
        // What stands in a file that a key names, or is not shown.
        AddIf("secret", before.Secret != wanted.Secret);
        AddIf("acceptedSecret", before.AcceptedSecret != wanted.AcceptedSecret);
        AddIf("adminTokens.admin", !before.AdminTokens.SequenceEqual(wanted.AdminTokens));
        AddIf("adminTokens.view", !before.ViewTokens.SequenceEqual(wanted.ViewTokens));
        return keys;

        void AddIf(string key, bool differs)
        {
            if (differs && !keys.Contains(key) && !keys.Contains($"{key}File"))
            {
                keys.Add(key);
            }
        }
    }
}

/// <summary>What became of a configuration that was read anew.</summary>
/// <param name="Changed">The keys that are in force with other values than before; empty where nothing was different, or it was
/// refused.</param>
/// <param name="Refusals">Why nothing was changed, a sentence for each key; empty where it was not refused.</param>
public sealed record ConfigChange(IReadOnlyList<string> Changed, IReadOnlyList<string> Refusals);
