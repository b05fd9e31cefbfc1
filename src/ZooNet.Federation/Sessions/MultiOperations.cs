using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// Walks over the operations of a multi or a multiRead, up to the first that can't be read. A view of its frame: nothing is kept of what
/// it has passed.
/// </summary>
/// <param name="frame">The whole frame; empty for no operation.</param>
internal ref struct MultiOperations(ReadOnlySpan<byte> frame)
{
    private JuteReader _reader = new(frame.IsEmpty ? default : frame[(Framing.PrefixLength + RequestHeader.WireLength)..]);

    /// <summary>What the operation is.</summary>
    public OpCode Op { get; private set; }

    /// <summary>The path that it names.</summary>
    public ReadOnlySpan<byte> Path { get; private set; }

    /// <summary>The flags of a create; else 0.</summary>
    public int Flags { get; private set; }

    /// <summary>How many there are.</summary>
    public static int Count(ReadOnlySpan<byte> frame)
    {
        var count = 0;
        var operations = new MultiOperations(frame);
        while (operations.MoveNext())
        {
            count++;
        }
        return count;
    }

    /// <summary>Goes to the next operation; at the beginning it is before the first.</summary>
    /// <returns>False where there is none.</returns>
    public bool MoveNext()
    {
        var header = MultiHeader.Read(ref _reader);
        if (header.Done || _reader.Failed)
        {
            return false;
        }
        Op = header.Type;
        Path = RequestRewriter.PeekPath(_reader.Rest);
        Flags = RequestRewriter.SkipOperation(ref _reader, header.Type);
        return true;
    }
}
