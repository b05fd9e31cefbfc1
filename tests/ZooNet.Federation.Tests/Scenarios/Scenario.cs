using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using ZooNet.Federation.Mounts;
using ZooNet.Federation.Sessions;
using ZooNet.Federation.Tests.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Federation.Tests.Scenarios;

/// <summary>
/// One client of region us, whose proxy has mounted eu:/apps on /mnt, and the servers it is connected with. Requests are numbered as the
/// client sends them. The commands:
/// <list type="bullet">
/// <item><c>begin [relaxed]</c>: the client connects; the mount is strict unless it says relaxed</item>
/// <item><c>client get|set|exists PATH</c>: the client sends a request</item>
/// <item><c>us|eu connects</c>, <c>us|eu is lost</c>: a server takes the connection that was opened; a connection is lost</item>
/// <item><c>us|eu answers N [ERROR] zxid=Z [changed=C]</c>: a server answers request N, where it stands at Z and the znode was changed at
/// C</item>
/// <item><c>us records</c>: home has written the record of the client's session in eu</item>
/// <item><c>barrier done|fails</c>: the barrier that was begun last has come back, or has not</item>
/// </list>
/// </summary>
internal sealed class Scenario
{
    private readonly List<(OpCode Op, string Path)> _requests = [];
    private ScriptedHost _host = new();
    private int[] _sent = [];
    private int _toClient;
    private int _barriers;
    private int _toRecord;
    private bool _isClosed;

    /// <summary>Does what a line says.</summary>
    public void Do(string line)
    {
        switch (line.Split(' '))
        {
            case ["begin", .. var options]:
                var order = options is ["relaxed"] ? MountOrder.Relaxed : MountOrder.Strict;
                _host = new ScriptedHost(MountOptions.Default with { Order = order });
                _host.Attach(session: 0);
                // How a session begins is not what the scenarios are about. It has seen home once, nothing of which was new.
                _host.Request(-1000, OpCode.Exists, new PathWatchRequest("/", false).Write);
                _host.Reply(_host.Links[0], -1000, default(Stat).Write, zxid: 3);
                TakeOutput();
                break;
            case ["client", var verb, var path]:
                Request(verb, path);
                break;
            case [var cluster, "connects"]:
                _host.Answer(LinkOf(cluster), ScriptedHost.RemoteSession);
                break;
            case [var cluster, "is", "lost"]:
                _host.Session.LinkDown(LinkOf(cluster), "the connection was lost");
                break;
            case [var cluster, "answers", var number, .. var how]:
                Reply(LinkOf(cluster), int.Parse(number, CultureInfo.InvariantCulture), how);
                break;
            case ["us", "records"]:
                _host.Session.RecordSaved(1, saved: true);
                break;
            case ["barrier", var end]:
                var (server, ticket) = _host.Barriers[^1];
                server.BarrierDone(ticket, succeeded: end == "done");
                break;
            default:
                throw new ArgumentException($"there is no command '{line}'", nameof(line));
        }
    }

    /// <summary>What the session has done since the last call.</summary>
    public List<string> TakeOutput()
    {
        var output = new List<string>();
        for (var i = 0; i < _host.Links.Count; i++)
        {
            var (link, name) = (_host.Links[i], NameOf(_host.Links[i]));
            if (i >= _sent.Length)
            {
                output.Add($"opens a connection to {name}");
            }
            // The first frame of a connection, which asks for a session, is taken as read.
            var before = i < _sent.Length && _sent[i] <= link.Sent.Count ? _sent[i] : 0;
            output.AddRange(link.Sent.Skip(before).Where(IsRequest).Select(frame => $"to {name}: {TextOf(frame)}"));
        }
        _sent = [.. _host.Links.Select(l => l.Sent.Count)];
        output.AddRange(_host.ToRecord.Skip(_toRecord).Select(_ => "asks us to record the session in eu"));
        _toRecord = _host.ToRecord.Count;
        output.AddRange(_host.Barriers.Skip(_barriers).Select(b => $"begins a barrier at {_host.Region.ClusterNames[b.Server.Cluster]}"));
        _barriers = _host.Barriers.Count;
        foreach (var frame in _host.ToClient.Skip(_toClient))
        {
            var header = ReplyHeader.Read(frame.AsSpan(4));
            output.Add($"to client: {header.Xid} {(header.Error == ErrorCode.Ok ? "ok" : header.Error.ToString())}");
        }
        _toClient = _host.ToClient.Count;
        if (_host.Closed is { } closed && !_isClosed)
        {
            _isClosed = true;
            output.Add($"closes the client's connection: {closed}");
        }
        return output.Count > 0 ? output : ["nothing"];
    }

    private void Request(string verb, string path)
    {
        var op = verb switch
        {
            "get" => OpCode.GetData,
            "set" => OpCode.SetData,
            "exists" => OpCode.Exists,
            _ => throw new ArgumentException($"the client can't {verb}", nameof(verb)),
        };
        _requests.Add((op, path));
        _host.Request(_requests.Count, op, writer =>
        {
            if (op == OpCode.SetData)
            {
                writer.WriteString(path);
                writer.WriteBytes("x"u8);
                writer.WriteInt(-1);
            }
            else
            {
                new PathWatchRequest(path, false).Write(writer);
            }
        });
    }

    private void Reply(ScriptedLink link, int number, string[] how)
    {
        var zxid = Number(how, "zxid") ?? throw new ArgumentException("an answer needs a zxid", nameof(how));
        var changed = Number(how, "changed") ?? zxid;
        var error = Enum.TryParse<ErrorCode>(how.FirstOrDefault(h => !h.Contains('=', StringComparison.Ordinal)), out var code) ? code : ErrorCode.Ok;
        _host.Reply(link, number, error != ErrorCode.Ok ? null : writer =>
        {
            if (_requests[number - 1].Op == OpCode.GetData)
            {
                writer.WriteBytes("x"u8);
            }
            new Stat(1, changed, 0, 0, 0, 0, 0, 0, 1, 0, 1).Write(writer);
        }, zxid, error);
    }

    private static long? Number(string[] how, string name) => how.FirstOrDefault(h => h.StartsWith(name + "=", StringComparison.Ordinal)) is { } found
        ? long.Parse(found.AsSpan(name.Length + 1), CultureInfo.InvariantCulture) : null;

    private ScriptedLink LinkOf(string cluster) => _host.Links.Last(l => NameOf(l) == cluster);

    private string NameOf(ScriptedLink link) => _host.Region.ClusterNames[link.Link.Cluster];

    private static bool IsRequest(byte[] frame) => frame.Length > 12 && OperationOf(frame) is OpCode.GetData or OpCode.SetData or OpCode.Exists;

    private static OpCode OperationOf(byte[] frame) => (OpCode)BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(8));

    private static string TextOf(byte[] frame)
    {
        var verb = OperationOf(frame) switch { OpCode.GetData => "get", OpCode.SetData => "set", _ => "exists" };
        return RequestRewriter.TryGetPath(frame, out var path) ? $"{verb} {Encoding.UTF8.GetString(path)}" : verb;
    }
}
