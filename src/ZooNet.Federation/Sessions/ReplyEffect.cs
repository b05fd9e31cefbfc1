using ZooNet.Federation.Mounts;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>What the reply to a request in a mount changes in the <see cref="LinkBook"/>. Immutable.</summary>
internal abstract class ReplyEffect
{
    /// <summary>Whether it changes which ephemeral znodes the client owns.</summary>
    public virtual bool TouchesEphemerals => false;

    /// <summary>Whether the request makes ephemeral znodes.</summary>
    public virtual bool MakesEphemerals => false;

    /// <summary>Writes into the book what the reply says.</summary>
    /// <param name="book">The book of the link on which it came.</param>
    /// <param name="mount">The mount of the request.</param>
    /// <param name="error">The outcome.</param>
    /// <param name="body">What follows the reply's header.</param>
    public abstract void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body);
}

/// <summary>A read leaves a watch, on what is there or on what is not.</summary>
internal sealed class LeavesWatch(OpCode op, string path) : ReplyEffect
{
    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body) =>
        book.Watch().AddFromRead(op, path, error);
}

/// <summary>A persistent watch is added.</summary>
internal sealed class AddsWatch(string path, AddWatchMode mode) : ReplyEffect
{
    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (error == ErrorCode.Ok)
        {
            book.Watch().Add(mode, path);
        }
    }
}

/// <summary>Watches are taken back.</summary>
internal sealed class RemovesWatches(string path, WatcherType type) : ReplyEffect
{
    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (error == ErrorCode.Ok)
        {
            book.Watches?.Remove(type, path);
        }
    }
}

/// <summary>An ephemeral znode is made; the reply names it.</summary>
internal sealed class MakesEphemeral : ReplyEffect
{
    public static MakesEphemeral Instance { get; } = new();

    public override bool TouchesEphemerals => true;

    public override bool MakesEphemerals => true;

    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (error == ErrorCode.Ok && mount!.ToLocal(new JuteReader(body).ReadString() ?? "") is { } created)
        {
            book.Own(created);
        }
    }
}

/// <summary>A znode is deleted, which may be one of the client's own ephemeral ones.</summary>
internal sealed class Deletes(string path) : ReplyEffect
{
    public override bool TouchesEphemerals => true;

    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (error == ErrorCode.Ok)
        {
            book.Disown(path);
        }
    }
}

/// <summary>A multi or a multiRead; a multi may make ephemeral znodes and delete them.</summary>
/// <param name="mounts">The mount of each operation.</param>
/// <param name="operations">Its operations, by the client's paths.</param>
/// <param name="touchesEphemerals">Whether it may change which ephemeral znodes the client owns.</param>
/// <param name="makesEphemerals">Whether it makes some.</param>
internal sealed class MultiEffect(IReadOnlyList<Mount?> mounts, IReadOnlyList<(OpCode Op, string Path, int Flags)> operations,
    bool touchesEphemerals, bool makesEphemerals) : ReplyEffect
{
    /// <summary>The mount of each operation.</summary>
    public IReadOnlyList<Mount?> Mounts => mounts;

    public override bool TouchesEphemerals => touchesEphemerals;

    public override bool MakesEphemerals => makesEphemerals;

    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (!touchesEphemerals || error != ErrorCode.Ok)
        {
            return;
        }
        var reader = new JuteReader(body);
        for (var i = 0; i < operations.Count; i++)
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed || header.Done || header.Type == OpCode.Error)
            {
                return;
            }
            var (_, path, flags) = operations[i];
            switch (header.Type)
            {
                case OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                    var created = mounts[i]?.ToLocal(reader.ReadString() ?? "");
                    if (header.Type != OpCode.Create)
                    {
                        reader.Skip(Stat.WireLength);
                    }
                    if (CreateFlags.IsEphemeral(flags) && created is not null)
                    {
                        book.Own(created);
                    }
                    break;
                case OpCode.SetData:
                    reader.Skip(Stat.WireLength);
                    break;
                case OpCode.Delete:
                    book.Disown(path);
                    break;
            }
        }
    }
}
