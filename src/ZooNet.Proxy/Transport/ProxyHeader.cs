using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ZooNet.Proxy.Transport;

/// <summary>
/// Reads the header of the PROXY protocol, versions 1 and 2, with which a load balancer tells whose connection it passes on (source: its
/// specification, haproxy's doc/proxy-protocol.txt). Not one byte beyond it is taken from the socket.
/// </summary>
internal static class ProxyHeader
{
    /// <summary>Bytes of the longest header of version 1, its line end included.</summary>
    private const int MaxText = 107;

    /// <summary>Bytes that may follow the fixed part of version 2: addresses, and what else the balancer tells.</summary>
    private const int MaxBinary = 4096;

    private const int SignatureLength = 12;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>Reads the header that a connection must begin with.</summary>
    /// <returns>The client's address; null where the balancer speaks for itself, or of something else than TCP.</returns>
    /// <exception cref="InvalidDataException">There is none; the message says what there is.</exception>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="OperationCanceledException">It did not come in time.</exception>
    public static async Task<IPEndPoint?> ReadAsync(Socket socket, CancellationToken cancellationToken)
    {
        var begin = new byte[SignatureLength + 4];
        await ReadExactlyAsync(socket, begin.AsMemory(0, SignatureLength), cancellationToken);
        if (begin.AsSpan(0, SignatureLength).SequenceEqual(Signature))
        {
            await ReadExactlyAsync(socket, begin.AsMemory(SignatureLength), cancellationToken);
            var length = BinaryPrimitives.ReadUInt16BigEndian(begin.AsSpan(14));
            if (begin[12] is not (0x20 or 0x21) || length > MaxBinary)
            {
                throw new InvalidDataException($"a PROXY header with version and command 0x{begin[12]:x2} and {length} bytes");
            }
            var rest = new byte[length];
            await ReadExactlyAsync(socket, rest, cancellationToken);
            return begin[12] == 0x20 ? null : ReadBinary(begin[13], rest);
        }
        if (!begin.AsSpan().StartsWith("PROXY "u8))
        {
            throw new InvalidDataException("no PROXY header");
        }
        var text = new byte[MaxText];
        begin.AsSpan(0, SignatureLength).CopyTo(text);
        for (var at = SignatureLength; at < MaxText; at++)
        {
            await ReadExactlyAsync(socket, text.AsMemory(at, 1), cancellationToken);
            if (text[at] == '\n' && text[at - 1] == '\r')
            {
                return ReadText(Encoding.ASCII.GetString(text, 0, at - 1));
            }
        }
        throw new InvalidDataException("a PROXY header without an end");
    }

    private static IPEndPoint? ReadBinary(byte family, ReadOnlySpan<byte> bytes)
    {
        var length = family switch { 0x11 => 4, 0x21 => 16, _ => 0 };
        if (length == 0)
        {
            return null;
        }
        return bytes.Length >= 2 * length + 4
            ? new IPEndPoint(new IPAddress(bytes[..length]), BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * length)..]))
            : throw new InvalidDataException($"a PROXY header with {bytes.Length} bytes of addresses");
    }

    private static IPEndPoint? ReadText(string line)
    {
        var parts = line.Split(' ');
        if (parts is ["PROXY", "UNKNOWN", ..])
        {
            return null;
        }
        return parts is ["PROXY", "TCP4" or "TCP6", var source, _, var port, _] && IPAddress.TryParse(source, out var address)
            && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && address.AddressFamily == (parts[1] == "TCP4" ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6)
            ? new IPEndPoint(address, number)
            : throw new InvalidDataException("a PROXY header that can't be understood");
    }

    private static async Task ReadExactlyAsync(Socket socket, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            var read = await socket.ReceiveAsync(bytes, SocketFlags.None, cancellationToken);
            bytes = read > 0 ? bytes[read..] : throw new InvalidDataException("the end of the stream in the place of a PROXY header");
        }
    }
}
