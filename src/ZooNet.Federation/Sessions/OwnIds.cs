using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions.Solo;
using ZooNet.Protocol;

namespace ZooNet.Federation.Sessions;

/// <summary>
/// What <c>auth</c> in an ACL stands for: whoever the client is. A server takes for that all that it knows of the connection, and a
/// proxy's certificate is the same on the connections of all its clients: each of them could do what one of them kept for itself. Where
/// proxies show a certificate it is therefore written out before it is sent, as the digest ids that this client has given. Pure; bytes
/// in, bytes out (source: <c>PrepRequestProcessor.fixupACL</c>, <c>X509AuthenticationProvider.isAuthenticated</c>).
/// </summary>
internal static class OwnIds
{
    private const int BodyOffset = Framing.PrefixLength + RequestHeader.WireLength;

    /// <summary>
    /// A scheme that no server has. An <c>auth</c> that stands for nobody is refused with INVALIDACL, in its turn and in a multi too, as
    /// servers refuse it.
    /// </summary>
    private const string Nobody = "nobody";

    /// <summary>A request with every <c>auth</c> written out; null where there is nothing to write out.</summary>
    /// <param name="request">The request.</param>
    /// <param name="credentials">What the client has given; null if nothing.</param>
    /// <param name="mounts">The mounts in use: of one whose cluster gets no credentials the client is nobody there.</param>
    public static byte[]? WrittenOut(in ClientRequest request, KeptCredentials? credentials, MountTable mounts)
    {
        // The length and the word, as they stand in an entry: most requests end here.
        if (!(request.Op.IsCreate() || request.Op is OpCode.SetAcl or OpCode.Multi) || request.Frame.IndexOf("\0\0\0\u0004auth"u8) < 0)
        {
            return null;
        }
        var writer = new JuteWriter(request.Frame.Length + 256);
        var mark = writer.BeginFrame();
        writer.WriteRaw(request.Frame.Slice(Framing.PrefixLength, RequestHeader.WireLength));
        var body = request.Frame[BodyOffset..];
        var reader = new JuteReader(body);
        var (copied, changes) = (0, false);
        if (request.Op != OpCode.Multi)
        {
            WriteOut(writer, body, ref reader, ref copied, ref changes, request.Op, credentials, mounts);
        }
        else
        {
            while (MultiHeader.Read(ref reader) is { Done: false } header && !reader.Failed)
            {
                if (header.Type.IsCreate())
                {
                    WriteOut(writer, body, ref reader, ref copied, ref changes, header.Type, credentials, mounts);
                }
                else
                {
                    RequestRewriter.SkipOperation(ref reader, header.Type);
                }
            }
        }
        if (reader.Failed || !changes)
        {
            // What can't be decoded is the server's to refuse.
            return null;
        }
        writer.WriteRaw(body[copied..]);
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }

    private static void WriteOut(JuteWriter writer, ReadOnlySpan<byte> body, ref JuteReader reader, ref int copied, ref bool changes,
        OpCode op, KeptCredentials? credentials, MountTable mounts)
    {
        var path = reader.ReadBytes(out _);
        if (op != OpCode.SetAcl)
        {
            reader.ReadBytes(out _);
        }
        var begin = reader.Position;
        var list = Acl.ReadList(ref reader);
        var end = reader.Position;
        var flags = reader.ReadInt();
        if (op == OpCode.CreateTtl)
        {
            reader.ReadLong();
        }
        if (reader.Failed || list is null || !Array.Exists(list, entry => entry.Scheme == "auth"))
        {
            return;
        }
        var mount = Routing.MountOf(mounts, op, path, op == OpCode.SetAcl ? 0 : flags);
        var ids = mount is null || SoloAuth.IsForwardedTo(mounts, mount.Cluster) ? credentials?.DigestIds() ?? [] : [];
        var written = list.SelectMany(entry => entry.Scheme != "auth" ? [entry]
            : ids.Count == 0 ? [entry with { Scheme = Nobody }]
            : ids.Select(id => new Acl(entry.Perms, "digest", id))).ToList();
        writer.WriteRaw(body[copied..begin]);
        Acl.WriteList(writer, written);
        (copied, changes) = (end, true);
    }
}
