using System.Diagnostics;
using System.Text.Json;
using ZooNet.Client;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Views;

namespace ZooNet.Proxy.Tests.Views;

/// <summary>A proxy's entry in the list of live ones, and who else is on it.</summary>
public sealed class RegistrationTests : IAsyncLifetime
{
    private OneHome _home = null!;
    private ClusterControls _clusters = null!;
    private Registration _registration = null!;

    public async Task InitializeAsync()
    {
        _home = await OneHome.StartAsync();
        _clusters = await _home.ControlsAsync();
        _registration = new Registration(_clusters.Home, _home.Config, _home.Secret);
    }

    public async Task DisposeAsync() => await _home.DisposeAsync();

    [Fact]
    public async Task A_proxy_registers_once_for_its_session_and_is_live()
    {
        Assert.True(await _registration.EnsureAsync(default));
        Assert.False(await _registration.EnsureAsync(default));
        Assert.StartsWith("us-1-", _registration.Id);
        Assert.Equal([_registration.Id], await _registration.LiveAsync(default));
    }

    [Fact]
    public async Task Two_proxies_that_are_called_alike_are_two()
    {
        var second = new Registration((await _home.ControlsAsync()).Home, _home.Config, _home.Secret);
        await _registration.EnsureAsync(default);
        await second.EnsureAsync(default);
        Assert.NotEqual(_registration.Id, second.Id);
        Assert.Equal(2, (await _registration.LiveAsync(default)).Count);
    }

    [Fact]
    public async Task After_its_session_has_ended_it_registers_under_another_id_and_the_old_one_is_gone()
    {
        await _registration.EnsureAsync(default);
        var before = _registration.Id;
        var (session, password) = await _clusters.Home.CallAsync(c => Task.FromResult((c.SessionId, c.SessionPassword)), default);
        await (await _home.ConnectAsync(session, password)).CloseAsync();

        await TwoRegions.Eventually(async () =>
        {
            try
            {
                return await _registration.EnsureAsync(default);
            }
            catch (Exception e) when (e is KeeperException or ClusterUnreachableException)
            {
                return false;
            }
        });

        Assert.NotEqual(before, _registration.Id);
        Assert.Equal([_registration.Id], await _registration.LiveAsync(default));
    }

    [Fact]
    public async Task What_is_written_to_renew_the_lease_is_written_by_the_session_that_registered()
    {
        var error = await Assert.ThrowsAsync<ClusterUnreachableException>(() => _registration.WriteAsync(default));
        Assert.Equal(ErrorCode.SessionExpired, Assert.IsType<KeeperException>(error.InnerException).Code);

        await _registration.EnsureAsync(default);
        Assert.Equal(_home.Config.SessionTimeout, (await _registration.WriteAsync(default)).Timeout);
    }

    [Fact]
    public async Task An_entry_whose_process_has_died_on_this_machine_is_taken_off_and_one_of_another_machine_is_not()
    {
        await _registration.EnsureAsync(default);
        int dead;
        using (var process = Process.Start("true"))
        {
            dead = process.Id;
            await process.WaitForExitAsync();
        }
        var here = ProxyProcess.Current() with { Pid = dead };
        var admin = await _home.ConnectAsync();
        await AddAsync(admin, "us-2-1", here);
        await AddAsync(admin, "us-3-1", here with { Boot = "another machine" });

        Assert.Equal([_registration.Id, "us-3-1"], (await _registration.LiveAsync(default)).Order());
        Assert.False((await admin.ExistsAsync($"{ZooNetTree.Proxies}/us-2-1")).Exists);
    }

    [Fact]
    public async Task A_proxy_that_leaves_is_not_waited_for()
    {
        await _registration.RemoveAsync(default);
        await _registration.EnsureAsync(default);
        await _registration.RemoveAsync(default);
        Assert.Empty(await _registration.LiveAsync(default));
    }

    [Fact]
    public async Task A_proxy_whose_first_answer_was_lost_is_registered()
    {
        var session = await _clusters.Home.CallAsync(c => Task.FromResult(c.SessionId), default);
        var id = $"us-1-{session:x}";
        await _clusters.Home.Tree.EnsureAsync(default);
        await _clusters.Home.CallAsync(
            c => c.CreateAsync($"{ZooNetTree.Proxies}/{id}", flags: CreateFlags.Ephemeral, acl: _home.Secret.Acl), default);

        Assert.True(await _registration.EnsureAsync(default));
        Assert.Equal(id, _registration.Id);
        Assert.Equal([id], await _registration.LiveAsync(default));
    }

    [Fact]
    public async Task An_entry_of_its_name_that_another_session_made_is_not_taken_for_its_own()
    {
        var session = await _clusters.Home.CallAsync(c => Task.FromResult(c.SessionId), default);
        await _clusters.Home.Tree.EnsureAsync(default);
        var admin = await _home.ConnectAsync();
        await admin.CreateAsync($"{ZooNetTree.Proxies}/us-1-{session:x}", flags: CreateFlags.Ephemeral, acl: _home.Secret.Acl);

        var error = await Assert.ThrowsAsync<KeeperException>(() => _registration.EnsureAsync(default));
        Assert.Equal(ErrorCode.NodeExists, error.Code);
        Assert.Empty(_registration.Id);
    }

    [Fact]
    public async Task A_proxy_may_leave_twice()
    {
        await _registration.EnsureAsync(default);
        await _registration.RemoveAsync(default);
        await _registration.RemoveAsync(default);
        Assert.Empty(await _registration.LiveAsync(default));
    }

    private Task AddAsync(ZooKeeperClient admin, string id, ProxyProcess process) => admin.CreateAsync($"{ZooNetTree.Proxies}/{id}",
        JsonSerializer.SerializeToUtf8Bytes(process, ProcessJson.Default.ProxyProcess), acl: _home.Secret.Acl);
}
