using ZooNet.Client;
using ZooNet.Protocol;

namespace ZooNet.Integration.Quorum;

/// <summary>
/// Writes of every kind from a seed, by sessions that come and go, some of which fail. What was done matters to nobody: only that every
/// server has the same of it.
/// </summary>
internal sealed class RandomWrites(int seed, Func<Task<ZooKeeperClient>> connect, string root = "") : IAsyncDisposable
{
    private static readonly IReadOnlyList<Acl>[] Acls =
    [
        Acl.Open,
        [new Acl(Permissions.Read, "world", "anyone"), new Acl(Permissions.All, "digest", "somebody:hash")],
        [new Acl(Permissions.All, "world", "anyone"), new Acl(Permissions.All, "ip", "10.0.0.0/8")],
    ];

    private readonly Random _random = new(seed);
    private readonly List<ZooKeeperClient> _clients = [];
    private readonly List<string> _paths = [root];

    /// <summary>Does that many.</summary>
    public async Task DoAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (_clients.Count < 3)
            {
                _clients.Add(await connect());
            }
            var client = _clients[_random.Next(_clients.Count)];
            try
            {
                await StepAsync(client);
            }
            catch (KeeperException e) when (e.Code is ErrorCode.ConnectionLoss)
            {
                // An election: done or not, both are fine.
                await Task.Delay(20);
            }
            catch (KeeperException e) when (e.Code is ErrorCode.SessionExpired)
            {
                _clients.Remove(client);
                await client.DetachAsync();
            }
            catch (KeeperException)
            {
                // Refused: that is a transaction, too.
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DetachAsync();
        }
    }

    private async Task StepAsync(ZooKeeperClient client)
    {
        var data = new byte[_random.Next(40)];
        _random.NextBytes(data);
        switch (_random.Next(24))
        {
            case < 7:
                await CreateAsync(client, data);
                break;
            case < 11:
                await client.SetDataAsync(Existing(), _random.Next(9) == 0 ? null : data, _random.Next(5) == 0 ? 1 : -1);
                break;
            case < 14:
                await DeleteAsync(client);
                break;
            case < 16:
                await client.SetAclAsync(Existing(), Acls[_random.Next(Acls.Length)]);
                break;
            case < 21:
                var fresh = $"{Existing()}/m{_random.Next(100)}";
                // Half of them fail in the middle.
                var check = MultiOp.Check(Existing(), _random.Next(2) == 0 ? -1 : 1000);
                await client.MultiAsync([MultiOp.Create(fresh, data), MultiOp.SetData(Existing(), data), check, MultiOp.Delete(Existing()),
                    MultiOp.Create($"{fresh}/s-", data, CreateFlags.PersistentSequential)]);
                _paths.Add(fresh);
                break;
            case < 23:
                await client.SyncAsync("/");
                break;
            default:
                _clients.Remove(client);
                await client.CloseAsync();
                break;
        }
    }

    private async Task DeleteAsync(ZooKeeperClient client)
    {
        if (Existing() is { } path && path != root)
        {
            await client.DeleteAsync(path);
        }
    }

    private async Task CreateAsync(ZooKeeperClient client, byte[] data)
    {
        var path = $"{Existing()}/n{_random.Next(1000)}";
        if (path.Length > 200)
        {
            return;
        }
        var flags = _random.Next(8);
        var ttl = TimeSpan.FromHours(1 + _random.Next(100));
        var withStat = _random.Next(2) == 0;
        var (created, _, _) = flags is CreateFlags.PersistentWithTtl or CreateFlags.PersistentSequentialWithTtl
            ? await client.CreateAsync(path, data, flags, Acls[_random.Next(Acls.Length)], ttl)
            : await client.CreateAsync(path, data, flags % 5, Acls[_random.Next(Acls.Length)], withStat: withStat);
        _paths.Add(created);
    }

    /// <summary>A path that was there once, and may still be.</summary>
    private string Existing() => _paths[_random.Next(_paths.Count)];
}
