using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ZooNet.Server.Quorum;

/// <summary>
/// SASL at the beginning of a quorum connection, before the first packet: {long magic; int status; buffer token} in turns (source:
/// <c>SaslQuorumAuthLearner</c>, <c>QuorumAuth</c>).
/// </summary>
internal static class QuorumLogin
{
    /// <summary>What both sides call the service: protocol and server name.</summary>
    public const string Uri = "zookeeper-quorum/zk-quorum-sasl-md5";

    /// <summary>What each turn begins with. ZooKeeper has it as -0xa0dbcafecafe1234, which Java takes for this.</summary>
    public const long Magic = 0x5f2435013501edcc;

    /// <summary>What a turn says of the exchange.</summary>
    public const int InProgress = 0;

    /// <inheritdoc cref="InProgress"/>
    public const int Success = 1;

    /// <inheritdoc cref="InProgress"/>
    public const int Failed = -1;

    private const int HeaderLength = 16;
    private const int MaxToken = 64 << 10;

    /// <summary>Logs in.</summary>
    /// <param name="stream">The connection; TLS is done.</param>
    /// <param name="credentials">As whom.</param>
    /// <param name="address">For people.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="LearnerException">
    /// The other side does not let it in, or does not ask, or does not know the password itself.
    /// </exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public static async Task LoginAsync(Stream stream, QuorumCredentials credentials, string address, CancellationToken cancellationToken)
    {
        var digest = new DigestMd5(credentials, Uri, Convert.ToBase64String(RandomNumberGenerator.GetBytes(24)));
        try
        {
            await SendAsync(stream, [], cancellationToken).ConfigureAwait(false);
            var (status, token) = await ReceiveAsync(stream, cancellationToken).ConfigureAwait(false);
            if (status == InProgress)
            {
                await SendAsync(stream, digest.Answer(token), cancellationToken).ConfigureAwait(false);
                (status, token) = await ReceiveAsync(stream, cancellationToken).ConfigureAwait(false);
            }
            if (status != Success)
            {
                throw new LearnerException($"{address} does not let in the user '{credentials.Name}' by SASL: "
                    + "is it in the servers' login context QuorumServer, with this password?");
            }
            if (!digest.IsServer(token))
            {
                throw new LearnerException($"{address} does not know the password of '{credentials.Name}' itself: "
                    + "it may not be whom it is taken for");
            }
        }
        catch (InvalidDataException e)
        {
            throw new LearnerException($"{address} can't be logged in to by SASL: {e.Message}", e);
        }
        catch (EndOfStreamException e)
        {
            throw new LearnerException($"{address} closed the connection during the SASL login: "
                + "is it the leader's quorum port, and does it ask for SASL?", e);
        }
    }

    private static async Task SendAsync(Stream stream, byte[] token, CancellationToken cancellationToken)
    {
        var packet = new byte[HeaderLength + token.Length];
        BinaryPrimitives.WriteInt64BigEndian(packet, Magic);
        BinaryPrimitives.WriteInt32BigEndian(packet.AsSpan(8), InProgress);
        BinaryPrimitives.WriteInt32BigEndian(packet.AsSpan(12), token.Length);
        token.CopyTo(packet.AsSpan(HeaderLength));
        await stream.WriteAsync(packet, cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<(int Status, byte[] Token)> ReceiveAsync(Stream stream, CancellationToken cancellationToken)
    {
        var header = new byte[HeaderLength];
        await stream.ReadExactlyAsync(header, cancellationToken).ConfigureAwait(false);
        var length = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(12));
        if (BinaryPrimitives.ReadInt64BigEndian(header) != Magic || length is < -1 or > MaxToken)
        {
            throw new InvalidDataException("what it answers is not of the login");
        }
        var token = new byte[Math.Max(0, length)];
        await stream.ReadExactlyAsync(token, cancellationToken).ConfigureAwait(false);
        return (BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(8)), token);
    }
}
