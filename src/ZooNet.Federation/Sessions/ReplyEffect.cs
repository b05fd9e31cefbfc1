using System.Text;
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

    /// <summary>Bytes that are kept for it until the reply comes.</summary>
    public virtual int KeptBytes => 0;

    /// <summary>Bytes of an object that keeps a path.</summary>
    protected static int BytesOf(string path) => 64 + (2 * path.Length);

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
    public override int KeptBytes => BytesOf(path);

    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body) =>
        book.Watch().AddFromRead(op, path, error);
}

/// <summary>A persistent watch is added.</summary>
internal sealed class AddsWatch(string path, AddWatchMode mode) : ReplyEffect
{
    public override int KeptBytes => BytesOf(path);

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
    public override int KeptBytes => BytesOf(path);

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
    public override int KeptBytes => BytesOf(path);

    public override bool TouchesEphemerals => true;

    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (error == ErrorCode.Ok)
        {
            book.Disown(path);
        }
    }
}

/// <summary>
/// A multi of more than one mount, or one that may make ephemeral znodes and delete them. Its frame is kept and read when the reply comes:
/// what its operations say would take a multiple of it.
/// </summary>
/// <param name="frame">Its frame, as the client has sent it.</param>
/// <param name="table">The mounts that it was sent by.</param>
/// <param name="touchesEphemerals">Whether it may change which ephemeral znodes the client owns.</param>
/// <param name="makesEphemerals">Whether it makes some.</param>
internal sealed class MultiEffect(byte[] frame, MountTable table, bool touchesEphemerals, bool makesEphemerals) : ReplyEffect
{
    public override int KeptBytes => frame.Length;

    public override bool TouchesEphemerals => touchesEphemerals;

    public override bool MakesEphemerals => makesEphemerals;

    /// <summary>The mount of each operation.</summary>
    public IReadOnlyList<Mount?> Mounts()
    {
        var mounts = new List<Mount?>();
        var operations = new MultiOperations(frame);
        while (operations.MoveNext())
        {
            mounts.Add(MountOf(operations));
        }
        return mounts;
    }

    public override void Apply(ref LinkBook book, Mount? mount, ErrorCode error, ReadOnlySpan<byte> body)
    {
        if (!touchesEphemerals || error != ErrorCode.Ok)
        {
            return;
        }
        var reader = new JuteReader(body);
        var operations = new MultiOperations(frame);
        while (operations.MoveNext())
        {
            var header = MultiHeader.Read(ref reader);
            if (reader.Failed || header.Done || header.Type == OpCode.Error)
            {
                return;
            }
            switch (header.Type)
            {
                case OpCode.Create or OpCode.Create2 or OpCode.CreateContainer or OpCode.CreateTtl:
                    var created = MountOf(operations)?.ToLocal(reader.ReadString() ?? "");
                    if (header.Type != OpCode.Create)
                    {
                        reader.Skip(Stat.WireLength);
                    }
                    if (CreateFlags.IsEphemeral(operations.Flags) && created is not null)
                    {
                        book.Own(created);
                    }
                    break;
                case OpCode.SetData:
                    reader.Skip(Stat.WireLength);
                    break;
                case OpCode.Delete:
                    book.Disown(Encoding.UTF8.GetString(operations.Path));
                    break;
            }
        }
    }

    private Mount? MountOf(in MultiOperations operation) => Routing.MountOf(table, operation.Op, operation.Path, operation.Flags);
}
