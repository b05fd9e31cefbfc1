using ZooNet.Federation.Mounts;
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
    /// A scheme that no server has, as long as <c>auth</c>. An <c>auth</c> that stands for nobody is refused with INVALIDACL, in its turn
    /// and in a multi too, as servers refuse it.
    /// </summary>
    private const string Nobody = "none";

    /// <summary>An entry's permissions, the length of its scheme, the scheme, and the length of its id.</summary>
    private const int EntryLength = 4 + 4 + 6 + 4;

    /// <summary>A request with every <c>auth</c> written out; null where there is nothing to write out.</summary>
    /// <param name="request">The request.</param>
    /// <param name="credentials">What the client has given; null if nothing.</param>
    /// <param name="mounts">The mounts in use: of one whose cluster gets no credentials the client is nobody there.</param>
    /// <param name="maxFrame">
    /// The largest payload that servers take, in bytes: a request that would grow beyond it, by many entries or many credentials, is one of
    /// nobody.
    /// </param>
    public static byte[]? WrittenOut(in ClientRequest request, KeptCredentials? credentials, MountTable mounts, int maxFrame)
    {
        // The length and the word, as they stand in an entry: most requests end here.
        if (!(request.Op.IsCreate() || request.Op is OpCode.SetAcl or OpCode.Multi) || request.Frame.IndexOf("\0\0\0\u0004auth"u8) < 0)
        {
            return null;
        }
        var writer = new JuteWriter(request.Frame.Length + 256);
        var mark = writer.BeginFrame();
        writer.WriteRaw(request.Frame.Slice(Framing.PrefixLength, RequestHeader.WireLength));
        var body = new Body(request.Frame[BodyOffset..], writer, credentials?.DigestIds() ?? [], mounts,
            room: maxFrame - (request.Frame.Length - Framing.PrefixLength));
        if (request.Op != OpCode.Multi)
        {
            body.WriteOut(request.Op);
        }
        else
        {
            while (MultiHeader.Read(ref body.Reader) is { Done: false } header && !body.Reader.Failed)
            {
                if (header.Type.IsCreate())
                {
                    body.WriteOut(header.Type);
                }
                else
                {
                    RequestRewriter.SkipOperation(ref body.Reader, header.Type);
                }
            }
        }
        if (body.Reader.Failed || !body.HasChanged)
        {
            // What can't be decoded is the server's to refuse.
            return null;
        }
        body.CopyRest();
        writer.EndFrame(mark);
        return writer.Written.ToArray();
    }

    /// <summary>A request's body on its way from the reader to the writer.</summary>
    private ref struct Body(ReadOnlySpan<byte> bytes, JuteWriter writer, IReadOnlyList<string> own, MountTable mounts, int room)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private int _copied;
        private long _room = room;

        /// <summary>What was not looked at yet.</summary>
        public JuteReader Reader = new(bytes);

        /// <summary>Whether anything was written out.</summary>
        public readonly bool HasChanged => _copied > 0;

        /// <summary>Steps over an operation that has an ACL, and writes that out if it has to be.</summary>
        public void WriteOut(OpCode op)
        {
            var path = Reader.ReadBytes(out _);
            if (op != OpCode.SetAcl)
            {
                Reader.ReadBytes(out _);
            }
            var begin = Reader.Position;
            var list = Acl.ReadList(ref Reader);
            var end = Reader.Position;
            var flags = Reader.ReadInt();
            if (op == OpCode.CreateTtl)
            {
                Reader.ReadLong();
            }
            var count = list?.Count(entry => entry.Scheme == "auth") ?? 0;
            if (Reader.Failed || count == 0)
            {
                return;
            }
            var mount = Routing.MountOf(mounts, op, path, op == OpCode.SetAcl ? 0 : flags);
            var ids = mount is null || mounts.ForwardsAuth(mount.Cluster) ? own : [];
            var growth = count * ids.Sum(id => (long)EntryLength + id.Length);
            if (growth > _room)
            {
                (ids, growth) = ([], 0);
            }
            _room -= growth;
            writer.WriteRaw(_bytes[_copied..begin]);
            Acl.WriteList(writer, [.. list!.SelectMany(entry => entry.Scheme != "auth" ? [entry]
                : ids.Count == 0 ? [entry with { Scheme = Nobody }]
                : ids.Select(id => new Acl(entry.Perms, "digest", id)))]);
            _copied = end;
        }

        /// <summary>Copies what stands behind the last thing that was written out.</summary>
        public readonly void CopyRest() => writer.WriteRaw(_bytes[_copied..]);
    }
}
