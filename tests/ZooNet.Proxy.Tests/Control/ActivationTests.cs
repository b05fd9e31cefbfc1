using Microsoft.Extensions.DependencyInjection;
using ZooNet.Proxy.Control;

namespace ZooNet.Proxy.Tests.Control;

/// <summary>Mounts whose acknowledgements are slow in coming.</summary>
public sealed class ActivationTests : IAsyncLifetime
{
    private readonly Held _activation = new();
    private TwoRegions _regions = null!;
    private RunningProxy _proxy = null!;

    public async Task InitializeAsync()
    {
        _regions = await TwoRegions.StartAsync();
        _proxy = await _regions.StartProxyAsync(services: s => s.AddSingleton<IMountActivation>(_activation));
        await (await _regions.ConnectAsync(_regions.Eu.Address)).CreateAsync("/apps");
    }

    public async Task DisposeAsync() => await _regions.DisposeAsync();

    [Fact]
    public async Task A_mount_is_not_used_before_everybody_has_acknowledged_it()
    {
        _activation.Waiting = ["region eu"];
        var mounting = _proxy.MountAsync("eu:/apps", "/m");
        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()) is [{ State: "joining", WaitingFor: ["region eu"] }]);
        Assert.Null(_proxy.Host.Path.Region.Mounts.At("/m"));

        _activation.Waiting = [];

        Assert.Equal(201, (await mounting).Status);
        Assert.NotNull(_proxy.Host.Path.Region.Mounts.At("/m"));
    }

    [Fact]
    public async Task A_command_that_loses_patience_names_who_did_not_answer_and_force_uses_the_mount_all_the_same()
    {
        _activation.Waiting = ["proxy eu-1 of region eu"];

        var (status, message) = await _proxy.MountAsync("eu:/apps", "/m");

        Assert.Equal(202, status);
        Assert.Contains("proxy eu-1 of region eu did not acknowledge it", message);
        Assert.Null(_proxy.Host.Path.Region.Mounts.At("/m"));

        Assert.Equal(201, (await _proxy.MountAsync("eu:/apps", "/m", force: true)).Status);
        Assert.NotNull(_proxy.Host.Path.Region.Mounts.At("/m"));
    }

    [Fact]
    public async Task A_mount_whose_command_is_gone_is_seen_through_when_the_last_acknowledgement_comes()
    {
        _activation.Waiting = ["region eu"];
        using (var gone = new CancellationTokenSource())
        {
            var commands = _proxy.Host.Services.GetRequiredService<MountCommands>();
            var mounting = commands.MountAsync(new MountRequest("eu:/apps", "/m"), gone.Token);
            await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()) is [{ State: "joining" }]);
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mounting);
        }

        _activation.Waiting = [];

        await TwoRegions.Eventually(() => Task.FromResult(_proxy.Host.Path.Region.Mounts.At("/m") is not null));
    }

    [Fact]
    public async Task An_unmount_stops_using_the_mount_first_and_removes_it_when_all_proxies_have()
    {
        await _proxy.MountAsync("eu:/apps", "/m");
        _activation.Waiting = ["proxy us-2 of region us"];
        var unmounting = _proxy.UnmountAsync("/m");
        await TwoRegions.Eventually(async () => (await _proxy.MountsAsync()) is [{ State: "leaving", WaitingFor: ["proxy us-2 of region us"] }]);
        Assert.Null(_proxy.Host.Path.Region.Mounts.At("/m"));

        _activation.Waiting = [];

        Assert.Equal(200, (await unmounting).Status);
        Assert.Empty(await _proxy.MountsAsync());
    }

    private sealed class Held : IMountActivation
    {
        private volatile string[] _waiting = [];

        public event Action? Changed;

        public string[] Waiting
        {
            get => _waiting;
            set
            {
                _waiting = value;
                Changed?.Invoke();
            }
        }

        public IReadOnlyList<string> WaitingFor(MountEntry mount) => _waiting;
    }
}
