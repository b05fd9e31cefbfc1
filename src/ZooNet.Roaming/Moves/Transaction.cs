using ZooNet.Protocol;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Moves;

/// <summary>One object's part of a transaction: where its log goes on, and what is put there.</summary>
/// <param name="Name">The object.</param>
/// <param name="At">Where the object is.</param>
/// <param name="Next">The place of the entry: the end of what the proxy's copy has applied.</param>
/// <param name="Entry">What the copy, as it stands there, was asked about.</param>
internal sealed record TransactionPart(string Name, Location At, Place Next, Entry Entry);

/// <summary>
/// Appends to several objects of one owner at once, at the very places at which the proxy's copies stand: one multi that checks every
/// fence and
/// creates every entry under its number. So the transaction happens in all of them or in none, and to the states by which its result was
/// worked
/// out; copies need not wait for each other, and a snapshot never stands in the middle of one. If any of the logs has gone on, nothing
/// happens.
/// </summary>
internal sealed class Transaction(Layout layout, IReadOnlyList<TransactionPart> parts) : Procedure
{
    /// <summary>The most objects of a transaction.</summary>
    public const int MaxObjects = 64;

    public override IEnumerable<Ask> Steps()
    {
        var zone = parts[0].At.Zone;
        if (parts.Count > MaxObjects || parts.Any(p => p.At.Zone != zone || p.At.Epoch != p.Next.Epoch))
        {
            Refuse(parts.Count > MaxObjects
                ? $"a transaction has at most {MaxObjects} objects, and this one {parts.Count}"
                : "the objects of a transaction have several owners: move them to one first");
            yield break;
        }
        if (!parts.All(p => p.At.IsOpen))
        {
            End = End.Overtaken;
            yield break;
        }
        // A number below a log's end that was trimmed would be free again: the log's version tells that nothing was trimmed since.
        var writes = new List<ZnodeWrite>();
        foreach (var part in parts)
        {
            var log = Ask.Read(zone, layout.Log(part.Name, part.At.Epoch));
            yield return log;
            if (log.Error != ErrorCode.Ok)
            {
                Stop(log);
                yield break;
            }
            if (log.Creates != part.Next.Number)
            {
                End = End.Overtaken;
                yield break;
            }
            writes.Add(ZnodeWrite.Check(layout.Ballot(part.Name), part.At.Version));
            writes.Add(ZnodeWrite.Check(log.Path, log.Stat.Version));
            writes.Add(ZnodeWrite.Create(layout.Entry(part.Name, part.At.Epoch, part.Next.Number), part.Entry.ToBytes()));
        }
        var append = Ask.Write(zone, writes);
        yield return append;
        End = append.Error switch
        {
            ErrorCode.Ok => End.Done,
            // The logs tell, at those places.
            ErrorCode.ConnectionLoss => End.Unreachable,
            _ => End.Overtaken,
        };
    }
}
