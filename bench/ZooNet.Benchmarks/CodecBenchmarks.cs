using BenchmarkDotNet.Attributes;
using ZooNet.Protocol;

namespace ZooNet.Benchmarks;

/// <summary>Finding, reading and writing frames.</summary>
[MemoryDiagnoser]
public class CodecBenchmarks
{
    private readonly byte[] _request = Frames.GetData(7, "/services/billing/nodes/n000042");
    private readonly byte[] _update = Frames.SetData(7, "/services/billing/nodes/n000042", 1024);
    private readonly byte[] _reply = Frames.Data(7, 0x1000004d2, 1024);
    private readonly JuteWriter _writer = new(4096);

    /// <summary>What the proxy reads of a request that it passes through: length, xid, operation, path.</summary>
    [Benchmark(Baseline = true)]
    public int Find_a_frame_and_its_path()
    {
        Framing.TryReadFrame(_request, Framing.DefaultMaxLength, out var length);
        var reader = new JuteReader(_request.AsSpan(Framing.PrefixLength, length - Framing.PrefixLength));
        var header = RequestHeader.Read(ref reader);
        return header.Xid + reader.ReadBytes(out _).Length;
    }

    /// <summary>What it reads of a reply: the header, and the zxids of the Stat behind the data.</summary>
    [Benchmark]
    public long Read_a_replys_header_and_stat()
    {
        Framing.TryReadFrame(_reply, Framing.DefaultMaxLength, out var length);
        var reader = new JuteReader(_reply.AsSpan(Framing.PrefixLength, length - Framing.PrefixLength));
        var header = ReplyHeader.Read(ref reader);
        reader.ReadBytes(out _);
        return header.Zxid + Stat.Read(ref reader).NewestZxid;
    }

    /// <summary>Decoding all of an update, as a server does.</summary>
    [Benchmark]
    public SetDataRequest Decode_an_update()
    {
        var reader = new JuteReader(_update.AsSpan(Framing.PrefixLength + RequestHeader.WireLength));
        return SetDataRequest.Read(ref reader);
    }

    /// <summary>Encoding a read, as a client does.</summary>
    [Benchmark]
    public int Encode_a_read()
    {
        _writer.Clear();
        var mark = _writer.BeginFrame();
        new RequestHeader(7, OpCode.GetData).Write(_writer);
        new PathWatchRequest("/services/billing/nodes/n000042", false).Write(_writer);
        _writer.EndFrame(mark);
        return _writer.Length;
    }
}
