using System.IO.Pipelines;

namespace ZooNet.Server.Connections;

/// <summary>One side of a connection within this process.</summary>
internal sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe
{
    /// <summary>A side that lets so many bytes lie makes the other wait.</summary>
    private const int Most = 1 << 20;

    private static readonly PipeOptions OnOneStack = With(PipeScheduler.Inline);

    private static readonly PipeOptions Apart = With(PipeScheduler.ThreadPool);

    /// <summary>
    /// Makes both sides of a connection where whoever writes runs what the other side does with it, on its own stack: a request costs no
    /// switch of threads and no system call.
    /// </summary>
    public static (DuplexPipe Client, DuplexPipe Server) Create() => Create(OnOneStack);

    /// <summary>Makes both sides of a connection where each runs on threads of its own, as over a socket.</summary>
    public static (DuplexPipe Client, DuplexPipe Server) CreateApart() => Create(Apart);

    private static (DuplexPipe Client, DuplexPipe Server) Create(PipeOptions options)
    {
        var (requests, replies) = (new Pipe(options), new Pipe(options));
        return (new DuplexPipe(replies.Reader, requests.Writer), new DuplexPipe(requests.Reader, replies.Writer));
    }

    private static PipeOptions With(PipeScheduler scheduler) => new(readerScheduler: scheduler, writerScheduler: scheduler,
        pauseWriterThreshold: Most, resumeWriterThreshold: Most / 2, useSynchronizationContext: false);
}
