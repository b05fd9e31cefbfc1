using ZooNet.Integration.Fixtures;
using ZooNet.Integration.Histories;
using ZooNet.Proxy.Configuration;
using ZooNet.Proxy.Control;
using ZooNet.Proxy.Roaming;
using ZooNet.Roaming;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Tree.Transactions;

namespace ZooNet.Integration.Roaming;

/// <summary>
/// What really happened in a roaming tree: its entries, from the transaction logs of all its zones' servers, applied to a copy of their
/// own. So it knows of entries that were trimmed long ago, and asks no proxy.
/// </summary>
internal static class TreeLog
{
    /// <summary>Of proxies that nobody has given a secret.</summary>
    private static readonly SealedZnodes Seals = new(new ProxySecret(ProxyConfig.DefaultSecret));

    /// <summary>Reads all changes of the znodes of a history.</summary>
    /// <param name="ensembles">The zones.</param>
    /// <param name="tree">The tree's name.</param>
    /// <param name="folder">The folder in the tree whose znodes are asked for.</param>
    public static TransactionLogs Read(IEnumerable<RealEnsemble> ensembles, string tree, string folder)
    {
        var copy = new ObjectCopy();
        var committed = new List<LoggedChange>();
        foreach (var (path, data) in Entries(ensembles, new Layout(tree)))
        {
            foreach (var outcome in copy.Apply(Entry.Read(path, data)))
            {
                if (outcome.Change is { Txn: not ErrorTxn } change && Change(outcome.Zxid, change.Txn, folder + "/") is { } logged)
                {
                    committed.Add(logged);
                }
            }
        }
        return new TransactionLogs(committed, []);
    }

    /// <summary>The committed entries of all epochs, in order.</summary>
    private static List<(string Path, byte[] Data)> Entries(IEnumerable<RealEnsemble> ensembles, Layout layout)
    {
        var found = ensembles.SelectMany(ensemble => TransactionLogs.ReadCreates(ensemble, layout.Logs(TreeRecord.RootObject))
            .Where(e => e.Path.Split('/')[^1].StartsWith("e-", StringComparison.Ordinal))
            .Select(e => (e.Path, Data: Seals.Open(ensemble.Name, e.Path, e.Data)!, IsCertain: e.Voters * 2 > ensemble.Voters.Count())));
        var entries = new List<(string, byte[])>();
        foreach (var epoch in found.GroupBy(e => long.Parse(e.Path.Split('/')[^2])).OrderBy(g => g.Key))
        {
            var byNumber = epoch.GroupBy(e => Layout.NumberOf(e.Path)).OrderBy(g => g.Key).ToList();
            // What few have logged was committed all the same where a later number was given: but for it that one would have been its own.
            var last = byNumber.FindLastIndex(n => n.Any(e => e.IsCertain));
            foreach (var (i, number) in byNumber.Take(last + 1).Index())
            {
                Assert.Equal(i, number.Key);
                var (path, data, _) = number.OrderByDescending(e => e.IsCertain).First();
                Assert.True(number.All(e => !e.IsCertain || e.Data.AsSpan().SequenceEqual(data)), $"{path} was committed twice");
                entries.Add((path, data));
            }
        }
        return entries;
    }

    private static LoggedChange? Change(long zxid, Txn txn, string prefix)
    {
        string? Key(string path) => path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..] : null;
        switch (txn)
        {
            case CreateTxn create when Key(create.Path) is { } key:
                return new LoggedChange(zxid, key, Lists: true, Exists: true, TransactionLogs.ValueOf(create.Data));
            case SetDataTxn set when Key(set.Path) is { } key:
                return new LoggedChange(zxid, key, Lists: false, Exists: true, TransactionLogs.ValueOf(set.Data));
            case DeleteTxn delete when Key(delete.Path) is { } key:
                return new LoggedChange(zxid, key, Lists: true, Exists: false, -1);
            case MultiTxn multi when !multi.Txns.Any(t => t is ErrorTxn):
                // A history's multi names its operation and then deletes.
                return multi.Txns.Select(t => Change(zxid, t, prefix)).OfType<LoggedChange>().Aggregate((LoggedChange?)null,
                    (whole, change) => whole is null ? change : change with { Op = whole.Op });
            default:
                return null;
        }
    }
}
