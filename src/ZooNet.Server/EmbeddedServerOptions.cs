using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ZooNet.Protocol;

namespace ZooNet.Server;

/// <summary>
/// How an <see cref="EmbeddedServer"/> behaves. The defaults are those of a stand-alone ZooKeeper, in memory, on a free port of the
/// loopback.
/// </summary>
public sealed record EmbeddedServerOptions
{
    /// <summary>Where to listen; port 0 takes a free one, see <see cref="EmbeddedServer.Address"/>.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>The unit of time: sessions expire at its multiples. Positive.</summary>
    public TimeSpan Tick { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The shortest session timeout granted; null for two ticks, as ZooKeeper has it.</summary>
    public TimeSpan? MinSessionTimeout { get; init; }

    /// <summary>The longest session timeout granted; null for twenty ticks, as ZooKeeper has it.</summary>
    public TimeSpan? MaxSessionTimeout { get; init; }

    /// <summary>
    /// The largest request payload taken, in bytes: ZooKeeper's <c>jute.maxbuffer</c>. A longer one closes its connection.
    /// </summary>
    public int MaxFrameLength { get; init; } = Framing.DefaultMaxLength;

    /// <summary>The server's number, 0 to 255: the top byte of the session ids it gives.</summary>
    public byte ServerId { get; init; } = 1;

    /// <summary>
    /// The upper half of the first zxids, as an ensemble's epoch is. 0, as stand-alone, unless clusters must be told apart by their
    /// zxids.
    /// </summary>
    public int Epoch { get; init; }

    /// <summary>How often empty containers and expired TTL znodes are looked for.</summary>
    public TimeSpan ReapInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether TTL znodes are allowed: ZooKeeper's <c>extendedTypesEnabled</c> (off there unless configured).</summary>
    public bool ExtendedTypes { get; init; } = true;

    /// <summary>Whether the server only serves reads, to clients that accept that.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Where to keep the data; null for memory only. Every acknowledged write is there after a crash.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>A snapshot is taken after so many bytes of log. Positive.</summary>
    public long SnapshotAfter { get; init; } = 64 << 20;

    /// <summary>
    /// Who may do anything: <c>super:</c> and the base64 of the SHA-1 of "super:password", as ZooKeeper's <c>superDigest</c>. Null for
    /// nobody.
    /// </summary>
    public string? SuperDigest { get; init; }

    /// <summary>
    /// Whether the super user may change the ensemble's membership: ZooKeeper's <c>reconfigEnabled</c>. The server then answers as an
    /// ensemble of one voter does; observers can join and leave in <c>/zookeeper/config</c>, any other voter lacks a quorum. Nobody
    /// connects to them.
    /// </summary>
    public bool ReconfigEnabled { get; init; }

    /// <summary>All time comes from here.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where diagnostics go.</summary>
    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;

    internal int MinSessionTimeoutMs => (int)(MinSessionTimeout ?? (Tick * 2)).TotalMilliseconds;

    internal int MaxSessionTimeoutMs => (int)(MaxSessionTimeout ?? (Tick * 20)).TotalMilliseconds;
}
