using ZooNet.Client;
using ZooNet.Protocol;
using static ZooNet.Server.Tests.EmbeddedServerTests;

namespace ZooNet.Server.Tests.Persistence;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zoonet-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Everything_is_there_after_a_restart_stats_and_all()
    {
        Dictionary<string, (Stat, string)> before;
        long zxid;
        await using (var server = await StartAsync())
        {
            await using var client = await ConnectAsync(server);
            await FillAsync(client);
            before = await ReadAllAsync(client);
            zxid = server.LastZxid;
        }
        await using var again = await StartAsync();
        // The client's close was a write too.
        Assert.Equal(zxid + 1, again.LastZxid);
        await using var reader = await ConnectAsync(again);
        Assert.Equal(before, await ReadAllAsync(reader));
        Assert.Equal("/p/s-0000000001", (await reader.CreateAsync("/p/s-", flags: CreateFlags.PersistentSequential)).Path);
    }

    [Fact]
    public async Task A_session_and_its_ephemerals_outlive_a_restart()
    {
        ZooKeeperClient first;
        await using (var server = await StartAsync())
        {
            first = await ConnectAsync(server);
            await first.CreateAsync("/e", flags: CreateFlags.Ephemeral);
            await first.DetachAsync();
        }
        await using var again = await StartAsync();
        await using var second = await ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions
        {
            Servers = [At(again.Address)],
            SessionId = first.SessionId,
            SessionPassword = first.SessionPassword,
        });
        Assert.Equal(["/e"], (await second.GetEphemeralsAsync()).Value);
    }

    [Fact]
    public async Task Snapshots_replace_old_logs_and_hold_the_same()
    {
        Dictionary<string, (Stat, string)> before;
        await using (var server = await StartAsync(snapshotAfter: 4096))
        {
            await using var client = await ConnectAsync(server);
            await FillAsync(client);
            for (var i = 0; i < 400; i++)
            {
                await client.SetDataAsync("/p/a", new byte[100]);
            }
            before = await ReadAllAsync(client);
        }
        var snapshots = Directory.GetFiles(_folder, "snapshot.*");
        Assert.Equal(2, snapshots.Length);
        Assert.InRange(Directory.GetFiles(_folder, "log.*").Length, 2, 3);
        await using var again = await StartAsync();
        await using var reader = await ConnectAsync(again);
        Assert.Equal(before, await ReadAllAsync(reader));
    }

    [Fact]
    public async Task A_torn_last_record_is_cut_off_wherever_it_is_torn()
    {
        await WriteAsync(20);
        var log = Directory.GetFiles(_folder, "log.*").Single();
        var whole = await File.ReadAllBytesAsync(log);
        for (var cut = 1; cut < 120; cut += 7)
        {
            await File.WriteAllBytesAsync(log, whole[..^cut]);
            await using var server = await StartAsync();
            Assert.InRange(server.LastZxid, 15, 21);
        }
    }

    [Fact]
    public async Task Garbage_after_the_last_record_is_cut_off()
    {
        await WriteAsync(20);
        var log = Directory.GetFiles(_folder, "log.*").Single();
        long zxid;
        await using (var server = await StartAsync())
        {
            zxid = server.LastZxid;
        }
        await File.AppendAllBytesAsync(log, new byte[1000]);
        await using var again = await StartAsync();
        Assert.Equal(zxid, again.LastZxid);
        await using var client = await ConnectAsync(again);
        Assert.True((await client.ExistsAsync("/n19")).Exists);
    }

    [Fact]
    public async Task Damage_before_acknowledged_writes_stops_the_start_with_the_place()
    {
        await WriteAsync(20);
        var log = Directory.GetFiles(_folder, "log.*").Single();
        var whole = await File.ReadAllBytesAsync(log);
        // The last record was the only one in flight: nothing proves that it had been on disk.
        for (var at = 0; at < whole.Length - 200; at += 41)
        {
            var damaged = (byte[])whole.Clone();
            damaged[at] ^= 0x40;
            await File.WriteAllBytesAsync(log, damaged);
            if (at is >= 8 and < 16)
            {
                continue;
            }
            var error = await Assert.ThrowsAsync<InvalidDataException>(() => StartAsync());
            Assert.Contains(log, error.Message, StringComparison.Ordinal);
        }
        await File.WriteAllBytesAsync(log, whole);
        await using var server = await StartAsync();
        Assert.Equal(22, server.LastZxid);
    }

    [Fact]
    public async Task A_damaged_snapshot_or_a_missing_log_stops_the_start()
    {
        await WriteAsync(400, snapshotAfter: 4096);
        var snapshot = Directory.GetFiles(_folder, "snapshot.*").Order().Last();
        var whole = await File.ReadAllBytesAsync(snapshot);
        var damaged = (byte[])whole.Clone();
        damaged[whole.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(snapshot, damaged);
        Assert.Contains(snapshot, (await Assert.ThrowsAsync<InvalidDataException>(() => StartAsync())).Message, StringComparison.Ordinal);

        // As the message says: without it the snapshot before and all the logs do.
        File.Delete(snapshot);
        await using (var server = await StartAsync())
        {
            await using var client = await ConnectAsync(server);
            Assert.True((await client.ExistsAsync("/n399")).Exists);
        }
        await File.WriteAllBytesAsync(snapshot, whole);
        File.Delete(Directory.GetFiles(_folder, "log.*").Order().Last());
        Assert.Contains("missing", (await Assert.ThrowsAsync<InvalidDataException>(() => StartAsync())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "missing")]
    [InlineData(false, "empty")]
    public async Task The_only_log_that_is_gone_or_emptied_stops_the_start(bool delete, string told)
    {
        await WriteAsync(5);
        var log = Directory.GetFiles(_folder, "log.*").Single();
        if (delete)
        {
            File.Delete(log);
        }
        else
        {
            await File.WriteAllBytesAsync(log, []);
        }

        var error = await Assert.ThrowsAsync<InvalidDataException>(() => StartAsync());

        Assert.Contains($"{log} is {told}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_newest_of_several_logs_that_is_emptied_stops_the_start_too()
    {
        await WriteAsync(400, snapshotAfter: 4096);
        var log = Directory.GetFiles(_folder, "log.*").Order().Last();
        await File.WriteAllBytesAsync(log, []);

        Assert.Contains($"{log} is empty", (await Assert.ThrowsAsync<InvalidDataException>(() => StartAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_of_a_version_that_noted_no_log_is_used()
    {
        await WriteAsync(5);
        await File.WriteAllBytesAsync(Path.Combine(_folder, "lock"), []);

        await using var server = await StartAsync();

        await using var client = await ConnectAsync(server);
        Assert.True((await client.ExistsAsync("/n4")).Exists);
    }

    [Fact]
    public void A_folder_that_can_not_be_written_is_called_that()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");

        // Below a file there is no folder, whoever asks.
        var error = Assert.Throws<IOException>(() => Server.Persistence.FolderLock.Take(Path.Combine(file, "data")));

        Assert.Contains("can't be written", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_belongs_to_one_server_at_a_time()
    {
        await using var server = await StartAsync();
        var error = await Assert.ThrowsAsync<IOException>(() => StartAsync());
        Assert.Contains("another server", error.Message, StringComparison.Ordinal);
    }

    private Task<EmbeddedServer> StartAsync(long snapshotAfter = 64 << 20) =>
        EmbeddedServer.StartAsync(new EmbeddedServerOptions { DataDirectory = _folder, SnapshotAfter = snapshotAfter });

    private static Task<ZooKeeperClient> ConnectAsync(EmbeddedServer server) => ZooKeeperClient.ConnectAsync(new ZooKeeperClientOptions { Servers = [At(server.Address)] });

    private async Task WriteAsync(int count, long snapshotAfter = 64 << 20)
    {
        await using var server = await StartAsync(snapshotAfter);
        await using var client = await ConnectAsync(server);
        for (var i = 0; i < count; i++)
        {
            await client.CreateAsync($"/n{i}", [1, 2, 3]);
        }
    }

    private static async Task FillAsync(ZooKeeperClient client)
    {
        await client.AddAuthAsync("digest", "jo:secret"u8.ToArray());
        await client.CreateAsync("/p", null);
        await client.CreateAsync("/p/a", [1]);
        await client.DeleteAsync("/p/a");
        await client.CreateAsync("/p/a", "data"u8.ToArray(), acl: [new Acl(Permissions.Read, "world", "anyone"), new Acl(Permissions.All, "auth", "")]);
        await client.SetDataAsync("/", "root"u8.ToArray());
        await client.CreateAsync("/c", flags: CreateFlags.Container);
        await client.CreateAsync("/t", flags: CreateFlags.PersistentWithTtl, ttl: TimeSpan.FromDays(1));
        await Assert.ThrowsAsync<KeeperException>(() => client.CreateAsync("/p"));
        await client.MultiAsync([MultiOp.Create("/m", null), MultiOp.SetData("/m", [7]), MultiOp.Check("/", -1), MultiOp.Create("/m/x", []), MultiOp.Delete("/m/x")]);
        await client.SetAclAsync("/t", [new Acl(Permissions.All, "ip", "127.0.0.1")]);
        await client.DeleteAsync("/p/a");
        await client.CreateAsync("/p/a", []);
        await client.DeleteAsync("/p/a");
        await client.DeleteAsync("/p");
        await client.CreateAsync("/p");
        await client.CreateAsync("/p/a", [9]);
    }

    private static async Task<Dictionary<string, (Stat, string)>> ReadAllAsync(ZooKeeperClient client)
    {
        var all = new Dictionary<string, (Stat, string)>();
        var pending = new Queue<string>(["/"]);
        while (pending.TryDequeue(out var path))
        {
            var data = await client.GetDataAsync(path);
            var acl = await client.GetAclAsync(path);
            all[path] = (data.Stat, $"{(data.Data is null ? "null" : Convert.ToHexString(data.Data))} {string.Join(',', acl.AccessControl)}");
            foreach (var child in (await client.GetChildrenAsync(path)).Names)
            {
                pending.Enqueue(ZnodePath.Join(path, child));
            }
        }
        return all;
    }
}
