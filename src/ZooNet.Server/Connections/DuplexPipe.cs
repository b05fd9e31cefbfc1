using System.IO.Pipelines;

namespace ZooNet.Server.Connections;

/// <summary>
/// One side of a connection within this process. Whoever writes runs what the other side does with it, on its own stack: a request costs no
/// switch of threads and no system call.
/// </summary>
internal sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe
{
    /// <summary>A side that lets so many bytes lie makes the other wait.</summary>
    private const int Most = 1 << 20;

    private static readonly PipeOptions Options = new(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: Most, resumeWriterThreshold: Most / 2,
        useSynchronizationContext: false);

    /// <summary>Makes both sides.</summary>
    public static (DuplexPipe Client, DuplexPipe Server) Create()
    {
        var (requests, replies) = (new Pipe(Options), new Pipe(Options));
        return (new DuplexPipe(replies.Reader, requests.Writer), new DuplexPipe(requests.Reader, replies.Writer));
    }
}
