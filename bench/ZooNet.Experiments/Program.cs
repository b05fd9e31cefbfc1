using System.CommandLine;
using ZooNet.Experiments;

// Experiments on real ensembles, each one command: they start everything, measure, write tables and plots, and leave nothing behind.
var output = new Option<DirectoryInfo>("--out") { Description = "Folder for tables (md), plots (svg) and numbers (json).", DefaultValueFactory = _ => new DirectoryInfo("bench-results") };
var rounds = new Option<int>("--rounds") { Description = "Interleaved repetitions.", DefaultValueFactory = _ => 5 };
var seconds = new Option<double>("--seconds") { Description = "Length of one measurement.", DefaultValueFactory = _ => 4 };
var voters = new Option<int>("--voters") { Description = "Voting servers per ensemble: 1 or 3.", DefaultValueFactory = _ => 1 };
var clients = new Option<int>("--clients") { Description = "Clients (per region).", DefaultValueFactory = _ => 8 };

var windows = Numbers("--windows", "Outstanding requests per client.", "1,16");
var homeReads = Numbers("--reads", "Shares of reads, in percent.", "100,0");
var beside = new Option<string?>("--beside") { Description = "Another build's zoonet.dll, measured in the same rounds." };
var home = new Command("home", "All at home: direct, through HAProxy in TCP mode, through ZooNet.")
{
    voters, clients, windows, homeReads, rounds, seconds, output, beside,
};
home.SetAction((parsed, cancellationToken) => new HomeExperiment(new HomeOptions(parsed.GetValue(voters), parsed.GetValue(clients), parsed.GetValue(windows)!,
    parsed.GetValue(homeReads)!, parsed.GetValue(rounds), parsed.GetValue(seconds), parsed.GetValue(output)!, parsed.GetValue(beside)), Console.Out).RunAsync(cancellationToken));

var guarded = new Command("protected", "All at home: ZooNet with everything off and on, HAProxy without and with TLS.")
{
    clients, windows, homeReads, rounds, seconds, output,
};
guarded.SetAction((parsed, cancellationToken) => new ProtectedExperiment(
    new HomeOptions(1, parsed.GetValue(clients), parsed.GetValue(windows)!, parsed.GetValue(homeReads)!, parsed.GetValue(rounds),
        parsed.GetValue(seconds), parsed.GetValue(output)!), Console.Out).RunAsync(cancellationToken));

var watched = new Command("watched", "All at home: looked at by nobody, Prometheus, a console, and with 1% of requests traced.")
{
    clients, windows, homeReads, rounds, seconds, output,
};
watched.SetAction((parsed, cancellationToken) => new WatchedExperiment(
    new HomeOptions(1, parsed.GetValue(clients), parsed.GetValue(windows)!, parsed.GetValue(homeReads)!, parsed.GetValue(rounds),
        parsed.GetValue(seconds), parsed.GetValue(output)!), Console.Out).RunAsync(cancellationToken));

var observer = new Command("observer", "A cluster: direct, mounted and as home, with a ZooKeeper observer, passed through, and through a proxy that is an observer.")
{
    voters, clients, windows, homeReads, rounds, seconds, output,
};
observer.SetAction((parsed, cancellationToken) => new ObserverExperiment(new HomeOptions(parsed.GetValue(voters), parsed.GetValue(clients), parsed.GetValue(windows)!,
    parsed.GetValue(homeReads)!, parsed.GetValue(rounds), parsed.GetValue(seconds), parsed.GetValue(output)!), Console.Out).RunAsync(cancellationToken));

var rtts = Numbers("--rtts", "Round-trip times between the regions, in milliseconds.", "30,100");
var reads = Numbers("--reads", "Shares of reads, in percent.", "25,50,90,99,100");
var locals = Numbers("--locals", "Local shares, in percent.", "50,75,90,100");
var bursts = Numbers("--bursts", "Requests to one cluster before drawing again.", "1,25,50");
var variants = new Option<string>("--variants") { Description = "Which ways to compare, by letter.", DefaultValueFactory = _ => "abcdefg" };
var wanWindows = Numbers("--windows", "Outstanding requests per client.", "16");
var wanSeconds = new Option<double?>("--seconds") { Description = "Length of one measurement; without it three remote bursts, at least 0.8 s." };
var leadIn = new Option<double?>("--lead-in") { Description = "Seconds that the load runs before it is measured; without it 0.2 and a remote burst." };
var processors = Numbers("--processors", "A processor for each region: everything of it runs there.", "0,1");
var bothRemote = new Option<bool>("--both-remote") { Description = "Give region 1 the local share of region 2; otherwise it is all local." };
var noPin = new Option<bool>("--no-pin") { Description = "Let both regions share all processors." };
var wan = new Command("wan", "Two regions with an emulated WAN between them, under the ZooNet paper's load.")
{
    rtts, reads, locals, bursts, wanWindows, variants, clients, voters, rounds, leadIn, wanSeconds, bothRemote, processors, noPin, output,
};
wan.SetAction((parsed, cancellationToken) => new WanExperiment(new WanExperimentOptions(
    [.. from rtt in parsed.GetValue(rtts)! from read in parsed.GetValue(reads)! from local in parsed.GetValue(locals)! from burst in parsed.GetValue(bursts)! from window in parsed.GetValue(wanWindows)!
        select new WanCell(rtt, read, local, burst, window)],
    parsed.GetValue(variants)!, parsed.GetValue(bothRemote), parsed.GetValue(voters), parsed.GetValue(clients), parsed.GetValue(rounds), parsed.GetValue(leadIn), parsed.GetValue(wanSeconds),
    parsed.GetValue(noPin) ? [] : parsed.GetValue(processors)!, parsed.GetValue(output)!), Console.Out).RunAsync(cancellationToken));
var load = new Command("load", "Makes the load of one region for wan: a job per line of input, a report per line of output.") { Hidden = true };
load.SetAction((_, cancellationToken) => LoadJob.ServeAsync(Console.In, Console.Out, cancellationToken));

var idle = Numbers("--idle", "Numbers of idle sessions.", "500,2000,9500");
var busy = Numbers("--busy", "Numbers of busy sessions.", "8,100,1000");
var storm = new Option<int>("--storm") { Description = "Clients that connect at once.", DefaultValueFactory = _ => 2000 };
var mounts = new Option<int>("--mounts") { Description = "Mounts to compare with one.", DefaultValueFactory = _ => 100 };
var clusters = new Option<int>("--clusters") { Description = "Clusters that they are spread over.", DefaultValueFactory = _ => 20 };
var scale = new Command("scale", "What the proxy's cost depends on: sessions, connects, mounts.") { idle, busy, storm, mounts, clusters, rounds, seconds, output };
scale.SetAction((parsed, cancellationToken) => new ScaleExperiment(new ScaleOptions(parsed.GetValue(idle)!, parsed.GetValue(busy)!, parsed.GetValue(storm), parsed.GetValue(mounts),
    parsed.GetValue(clusters), parsed.GetValue(rounds), parsed.GetValue(seconds), parsed.GetValue(output)!), Console.Out).RunAsync(cancellationToken));

var modes = new Option<string>("--modes") { Description = "Consistency modes to compare.", DefaultValueFactory = _ => "sequential,ordered" };
var rtt = new Option<int>("--rtt") { Description = "Round-trip time between the regions, in milliseconds.", DefaultValueFactory = _ => 100 };
var length = new Option<double>("--seconds") { Description = "Length of one measurement.", DefaultValueFactory = _ => 10 };
var freshness = new Command("freshness", "What freshness costs across a WAN: barriers and latencies of mounted reads.") { modes, rtt, voters, length, output };
freshness.SetAction((parsed, cancellationToken) => new FreshnessExperiment(new FreshnessOptions(parsed.GetValue(modes)!.Split(','), parsed.GetValue(rtt),
    parsed.GetValue(voters), parsed.GetValue(length), parsed.GetValue(output)!), Console.Out).RunAsync(cancellationToken));

var moves = new Option<int>("--moves") { Description = "Moves of each size of tree.", DefaultValueFactory = _ => 10 };
var sizes = Numbers("--sizes", "Numbers of znodes in the tree that is moved.", "1,10000");
var treeReads = Numbers("--reads", "Shares of reads, in percent.", "0");
var trees = new Command("trees", "A roaming tree: what writes cost at its owner and elsewhere, and what a move does to them.")
{
    voters, clients, windows, treeReads, rounds, seconds, rtt, moves, sizes, output,
};
trees.SetAction((parsed, cancellationToken) => new TreesExperiment(new TreesOptions(
    new HomeOptions(parsed.GetValue(voters), parsed.GetValue(clients), parsed.GetValue(windows)!, parsed.GetValue(treeReads)!,
        parsed.GetValue(rounds), parsed.GetValue(seconds), parsed.GetValue(output)!), parsed.GetValue(rtt), parsed.GetValue(moves),
    parsed.GetValue(sizes)!), Console.Out).RunAsync(cancellationToken));

var requests = new Option<int>("--requests") { Description = "Requests to count over.", DefaultValueFactory = _ => 1_000_000 };
var allocations = new Command("allocations", "Bytes that a request at home allocates in the proxy.") { requests };
allocations.SetAction((parsed, cancellationToken) => new AllocationExperiment(parsed.GetValue(requests), Console.Out).RunAsync(cancellationToken));

var many = new Option<int>("--clients") { Description = "Clients that send at once.", DefaultValueFactory = _ => 50 };
var copies = new Option<int>("--copies") { Description = "How often each sends it.", DefaultValueFactory = _ => 1 };
var maxFrame = new Option<int>("--max-frame") { Description = "The proxy's maxFrame, in bytes.", DefaultValueFactory = _ => 0xfffff };
var maxReply = new Option<int>("--max-reply") { Description = "The proxy's maxReply, in bytes.", DefaultValueFactory = _ => 16 << 20 };
var replyParts = new Option<int>("--reply-parts")
{
    Description = "The proxy's limits.replyParts, in bytes.",
    DefaultValueFactory = _ => 256 << 20,
};
var only = new Option<string>("--only") { Description = "A part of the names of the requests to send.", DefaultValueFactory = _ => "" };
var memory = new Command("memory", "The proxy's memory under the largest request of each operation.")
{
    many, copies, maxFrame, maxReply, replyParts, only,
};
memory.SetAction((parsed, cancellationToken) => new MemoryExperiment(parsed.GetValue(many), parsed.GetValue(copies),
    parsed.GetValue(maxFrame), parsed.GetValue(maxReply), parsed.GetValue(replyParts), parsed.GetValue(only)!,
    Console.Out).RunAsync(cancellationToken));

var znodes = new Option<int>("--znodes") { Description = "Znodes of 100 bytes.", DefaultValueFactory = _ => 1_000_000 };
var replica = new Command("replica", "An observer's start and memory with many znodes: ZooKeeper's, and ZooNet's.") { znodes, rounds };
replica.SetAction((parsed, cancellationToken) =>
    new ReplicaExperiment(parsed.GetValue(znodes), parsed.GetValue(rounds), Console.Out).RunAsync(cancellationToken));

return await new RootCommand("Measures ZooNet on real ensembles.")
{
    home, guarded, watched, observer, wan, load, scale, freshness, allocations, memory, replica, trees,
}.Parse(args).InvokeAsync();

static Option<int[]> Numbers(string name, string description, string fallback) => new(name)
{
    Description = $"{description} [{fallback}]",
    CustomParser = result => [.. result.Tokens[0].Value.Split(',').Select(int.Parse)],
    DefaultValueFactory = _ => [.. fallback.Split(',').Select(int.Parse)],
};
