using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace ZooNet.Proxy.Transport;

/// <summary>
/// Lets an HTTP client end its stream along with its request, as <c>nc -N</c> does. Kestrel takes the end of the stream for the end of the
/// connection and gives up a request whose body it has not read yet. Here the end shows only after everything before it has been read;
/// a client that is gone altogether is found when the answer is sent.
/// </summary>
internal static class HalfOpenConnection
{
    /// <summary>Middleware of a Kestrel endpoint.</summary>
    public static ConnectionDelegate Use(ConnectionDelegate next) => connection =>
    {
        connection.ConnectionClosed = CancellationToken.None;
        connection.Transport = new Pipe(new Reader(connection.Transport.Input), connection.Transport.Output);
        return next(connection);
    };

    private sealed record Pipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Reader(PipeReader inner) : PipeReader
    {
        private ReadResult _last;
        private bool _allExamined;
        private long _leftOver;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            Mask(await inner.ReadAsync(cancellationToken));

        public override bool TryRead(out ReadResult result)
        {
            var read = inner.TryRead(out result);
            if (read)
            {
                result = Mask(result);
            }
            return read;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            _allExamined = _last.Buffer.Slice(examined).IsEmpty;
            _leftOver = _last.Buffer.Slice(consumed).Length;
            inner.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        /// <summary>What was examined whole and is there again is all that there will be: then the end has to show.</summary>
        private ReadResult Mask(ReadResult result)
        {
            var nothingNew = _allExamined && result.Buffer.Length <= _leftOver;
            _last = result;
            return result.IsCompleted && !result.Buffer.IsEmpty && !nothingNew
                ? new ReadResult(result.Buffer, result.IsCanceled, isCompleted: false)
                : result;
        }
    }
}
