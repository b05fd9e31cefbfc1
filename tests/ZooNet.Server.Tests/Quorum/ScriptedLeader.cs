using System.Net;
using System.Net.Sockets;
using ZooNet.Protocol;
using ZooNet.Server.Quorum;
using ZooNet.Tree;
using ZooNet.Tree.Transactions;

namespace ZooNet.Server.Tests.Quorum;

/// <summary>
/// A leader that does what a test says, one learner after the other: it has the handshake, the packets and the stream of a real one, and
/// nothing that happens by itself.
/// </summary>
internal sealed class ScriptedLeader : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public ScriptedLeader() => _listener.Start();

    /// <summary>Its quorum port.</summary>
    public DnsEndPoint Address => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    /// <summary>The epoch that it leads.</summary>
    public long Epoch { get; set; } = 1;

    /// <summary>Waits for the next learner.</summary>
    public async Task<Learner> AcceptAsync() => new(await _listener.AcceptTcpClientAsync().WaitAsync(Limit), this);

    /// <summary>No test waits for longer.</summary>
    public static TimeSpan Limit { get; } = TimeSpan.FromSeconds(20);

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    /// <summary>One learner's connection, from the leader's side.</summary>
    internal sealed class Learner : IAsyncDisposable
    {
        private readonly TcpClient _tcp;
        private readonly QuorumStream _stream;
        private readonly ScriptedLeader _leader;

        public Learner(TcpClient tcp, ScriptedLeader leader)
        {
            _tcp = tcp;
            _leader = leader;
            _stream = new QuorumStream(tcp.GetStream());
        }

        /// <summary>The last transaction that the learner had when it came.</summary>
        public long LastZxid { get; private set; }

        /// <summary>The leader's tree: what <see cref="Commit"/> makes.</summary>
        public DataTree Tree { get; } = new();

        /// <summary>Up to the learner's last zxid.</summary>
        public async Task HandshakeAsync()
        {
            Assert.Equal(QuorumPacketType.ObserverInfo, (await ReadAsync()).Type);
            Send(new QuorumPacket(QuorumPacketType.LeaderInfo, _leader.Epoch << 32, [0, 1, 0, 0]));
            var ack = await ReadAsync();
            Assert.Equal(QuorumPacketType.AckEpoch, ack.Type);
            LastZxid = ack.Zxid;
        }

        /// <summary>The handshake, an empty DIFF from zxid, and the session that the learner makes for itself: it serves then.</summary>
        public async Task LeadAsync()
        {
            await HandshakeAsync();
            await LeadFromAsync(new QuorumPacket(QuorumPacketType.Diff, LastZxid));
        }

        /// <summary>The same behind a handshake, with another beginning.</summary>
        public async Task LeadFromAsync(QuorumPacket beginning)
        {
            Tree.LastZxid = Math.Max(beginning.Zxid, _leader.Epoch << 32);
            Send(beginning);
            await CatchUpAsync();
        }

        /// <summary>From NEWLEADER to the learner's own session.</summary>
        public async Task CatchUpAsync()
        {
            await CatchUpWithoutSessionAsync();
            Assert.Equal(QuorumPacketType.Ack, (await ReadAsync()).Type);
            CommitNext(await RequestAsync());
        }

        /// <summary>From NEWLEADER to UPTODATE, which a learner that only wanted the state may leave without an answer.</summary>
        public async Task CatchUpWithoutSessionAsync()
        {
            Send(new QuorumPacket(QuorumPacketType.NewLeader, _leader.Epoch << 32));
            Assert.Equal(QuorumPacketType.Ack, (await ReadAsync()).Type);
            Send(new QuorumPacket(QuorumPacketType.UpToDate, -1));
        }

        /// <summary>
        /// The learner's next request. Pings are not sent, so nothing else comes, but for a client of a leader before that asks to be let
        /// in again: it waits.
        /// </summary>
        public async Task<(long Session, int Xid, OpCode Op, byte[] Body)> RequestAsync()
        {
            QuorumPacket packet;
            do
            {
                packet = await ReadAsync();
            }
            while (packet.Type == QuorumPacketType.Revalidate);
            Assert.Equal(QuorumPacketType.Request, packet.Type);
            var reader = new JuteReader(packet.Data);
            return (reader.ReadLong(), reader.ReadInt(), (OpCode)reader.ReadInt(), packet.Data![16..]);
        }

        /// <summary>Commits a request for a session as it is, as createSession or closeSession.</summary>
        public void CommitNext((long Session, int Xid, OpCode Op, byte[] Body) request)
        {
            var reader = new JuteReader(request.Body);
            Commit(request.Session, request.Xid, request.Op == OpCode.CreateSession ? new CreateSessionTxn(reader.ReadInt()) : CloseSessionTxn.Instance);
        }

        /// <summary>Commits a transaction.</summary>
        /// <param name="session">Whose it is.</param>
        /// <param name="xid">The request that it answers.</param>
        /// <param name="txn">createSession, closeSession, create, setData or an error.</param>
        /// <param name="digest">What is told of the tree afterwards; null for nothing.</param>
        public void Commit(long session, int xid, Txn txn, long? digest = null)
        {
            var header = new TxnHeader(session, xid, Tree.LastZxid + 1, 1000);
            Tree.Apply(header, txn);
            var data = new JuteWriter();
            data.WriteLong(session);
            data.WriteInt(xid);
            data.WriteLong(header.Zxid);
            data.WriteLong(header.TimeMs);
            data.WriteInt((int)txn.Type);
            Write(data, txn);
            if (digest is { } sum)
            {
                data.WriteInt(TreeDigest.Version);
                data.WriteLong(sum);
            }
            Send(new QuorumPacket(QuorumPacketType.Inform, header.Zxid, data.Written.ToArray()));
        }

        /// <summary>Sends a ping.</summary>
        /// <returns>The sessions that the answer keeps alive.</returns>
        public async Task<HashSet<long>> PingAsync()
        {
            Send(new QuorumPacket(QuorumPacketType.Ping, Tree.LastZxid));
            var pong = await ReadAsync();
            Assert.Equal(QuorumPacketType.Ping, pong.Type);
            var reader = new JuteReader(pong.Data);
            var sessions = new HashSet<long>();
            while (reader.Remaining > 0)
            {
                sessions.Add(reader.ReadLong());
                reader.ReadInt();
            }
            return sessions;
        }

        /// <summary>Sends a packet.</summary>
        public void Send(in QuorumPacket packet) => _stream.Send(packet);

        /// <summary>Sends bytes as they are.</summary>
        public async Task SendRawAsync(ReadOnlyMemory<byte> bytes) => await _tcp.GetStream().WriteAsync(bytes);

        /// <summary>The next packet of the learner.</summary>
        public async Task<QuorumPacket> ReadAsync() => await _stream.ReadAsync(CancellationToken.None).AsTask().WaitAsync(Limit);

        /// <summary>Waits until the learner has given the connection up.</summary>
        public async Task EndAsync()
        {
            try
            {
                while (true)
                {
                    await ReadAsync();
                }
            }
            catch (Exception e) when (e is IOException or EndOfStreamException)
            {
                // That is it.
            }
        }

        /// <inheritdoc/>
        public async ValueTask DisposeAsync()
        {
            await _stream.DisposeAsync();
            _tcp.Dispose();
        }

        private static void Write(JuteWriter data, Txn txn)
        {
            switch (txn)
            {
                case CreateSessionTxn session:
                    data.WriteInt(session.TimeoutMs);
                    break;
                case CloseSessionTxn:
                    data.WriteInt(0);
                    break;
                case CreateTxn create:
                    data.WriteString(create.Path);
                    data.WriteBuffer(create.Data);
                    Acl.WriteList(data, create.AccessControl);
                    data.WriteBool(create.Kind == ZnodeKind.Ephemeral);
                    data.WriteInt(create.ParentCreates);
                    break;
                case SetDataTxn set:
                    data.WriteString(set.Path);
                    data.WriteBuffer(set.Data);
                    data.WriteInt(set.Version);
                    break;
                case ErrorTxn error:
                    data.WriteInt((int)error.Error);
                    break;
                default:
                    throw new NotSupportedException(txn.Type.ToString());
            }
        }
    }
}
