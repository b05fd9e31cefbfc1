using ZooNet.Protocol;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Moves;

/// <summary>
/// Makes an object. The ballots come first, in every zone: where a record is, a ballot that is missing has been lost, and is not a blank
/// one.
/// </summary>
internal sealed class Creator(Layout layout, string arbiter, IReadOnlyList<string> zones, string name, string owner) : Procedure
{
    public override IEnumerable<Ask> Steps()
    {
        Layout.CheckName("object", name);
        if (!zones.Contains(owner))
        {
            Refuse($"the zone '{owner}' does not belong to the tree: its zones are {string.Join(", ", zones)}");
            yield break;
        }
        foreach (var zone in zones)
        {
            var ballot = Ask.Write(zone, ZnodeWrite.Create(layout.Ballot(name), Ballot.None.ToBytes()),
                ZnodeWrite.Create(layout.Logs(name), null), ZnodeWrite.Create(layout.Snapshots(name), null));
            yield return ballot;
            if (ballot.Error is not (ErrorCode.Ok or ErrorCode.NodeExists))
            {
                Stop(ballot);
                yield break;
            }
        }
        var record = Ask.Write(arbiter, ZnodeWrite.Create(layout.Record(name), new OwnerRecord(1, owner, false, null).ToBytes()));
        yield return record;
        if (record.Error is not (ErrorCode.Ok or ErrorCode.NodeExists))
        {
            // Also where the reply was lost: who begins anew finds it.
            Stop(record);
            yield break;
        }
        var finish = new Mover(layout, arbiter, name, null);
        foreach (var ask in finish.Steps())
        {
            yield return ask;
        }
        (End, Reason) = (finish.End, finish.Reason);
    }
}

/// <summary>Makes the znodes that hold a tree's, in every zone. Safe to repeat.</summary>
internal sealed class TreeCreator(Layout layout, IReadOnlyList<string> zones) : Procedure
{
    public override IEnumerable<Ask> Steps()
    {
        if (zones.Count == 0 || zones.Distinct(StringComparer.Ordinal).Count() != zones.Count)
        {
            Refuse("a tree has at least one zone, and each of them once");
            yield break;
        }
        var above = layout.Root.Split('/', StringSplitOptions.RemoveEmptyEntries);
        // The path begins with /zookeeper, which every ensemble has.
        List<string> paths = [.. Enumerable.Range(2, above.Length - 1).Select(n => "/" + string.Join('/', above.Take(n)))];
        paths.AddRange(Layout.Folders.Select(n => $"{layout.Root}/{n}"));
        foreach (var zone in zones)
        {
            foreach (var path in paths)
            {
                var create = Ask.Write(zone, ZnodeWrite.Create(path, null));
                yield return create;
                if (create.Error is not (ErrorCode.Ok or ErrorCode.NodeExists))
                {
                    Stop(create);
                    yield break;
                }
            }
        }
        End = End.Done;
    }
}
