using ZooNet.Cli;
using ZooNet.Commands;
using ZooNet.Proxy.Transport;

SocketEngine.Configure();
return await CommandLine.RunAsync(
    args,
    ProxyCommand.Create(),
    MountCommand.Create(),
    UnmountCommand.Create(),
    MountsCommand.Create(),
    TreeCommand.Create(),
    ResolveCommand.Create(),
    StatusCommand.Create(),
    ClustersCommand.Create(),
    ConfigCommand.Create(),
    RepairCommand.Create(),
    TopCommand.Create(),
    EventsCommand.Create(),
    ConsoleCommand.Create(),
    ServerCommand.Create(),
    WanCommand.Create(),
    BenchCommand.Create(),
    DemoCommand.Create());
