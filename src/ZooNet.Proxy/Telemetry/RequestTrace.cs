using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using ZooNet.Federation.Sessions;
using ZooNet.Protocol;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// One request on its way through the proxy, as a span with what happened to it: barriers, and frames from servers. Of each client one
/// request at a time is traced, one that comes when the client waits for no other. ZooKeeper's protocol has no room for a trace's id, so
/// each span is a trace of its own, and names session and xid. Single owner: its connection, under that connection's lock.
/// </summary>
internal sealed class RequestTrace
{
    /// <summary>Name of the source, for collectors in this process.</summary>
    public const string SourceName = "ZooNet";

    /// <summary>A request that goes to and fro is cut short here.</summary>
    private const int MaxEvents = 32;

    private const int MaxPathBytes = 256;

    private static readonly ActivitySource Source = new(SourceName);

    private static double _share = 1;

    private readonly Activity? _activity;
    private readonly TracesAsked.Wanted? _wanted;
    private readonly List<TraceStep>? _steps;
    private readonly TimeProvider _time;
    private readonly long _began;
    private readonly long _answered;
    private int _events;

    private RequestTrace(Activity? activity, TracesAsked.Wanted? wanted, TimeProvider time, long answered)
    {
        (_activity, _wanted, _time, _answered) = (activity, wanted, time, answered);
        _steps = wanted is null ? null : [];
        _began = time.GetTimestamp();
    }

    /// <summary>
    /// How many of the requests that could be traced are, from 0 to 1. Whom chance leaves out costs nothing: an activity is made before a
    /// sampler is asked.
    /// </summary>
    public static double Share
    {
        get => Volatile.Read(ref _share);
        set => Volatile.Write(ref _share, value);
    }

    /// <summary>False while nobody listens; then nothing is allocated.</summary>
    public static bool IsWanted(TracesAsked asked) => Source.HasListeners() || asked.Any;

    /// <summary>Begins to trace a request that is about to be handed to its session; null where it is not to be traced.</summary>
    public static RequestTrace? TryBegin(ReadOnlySpan<byte> frame, FederatedSession session, TracesAsked asked)
    {
        if (!session.IsEstablished || session.HasOutstanding || frame.Length < Framing.PrefixLength + RequestHeader.WireLength)
        {
            return null;
        }
        var xid = BinaryPrimitives.ReadInt32BigEndian(frame[Framing.PrefixLength..]);
        var op = (OpCode)BinaryPrimitives.ReadInt32BigEndian(frame[(Framing.PrefixLength + 4)..]);
        if (op is OpCode.Ping or OpCode.CloseSession)
        {
            return null;
        }
        var wanted = asked.Take(session.SessionId);
        var isChosen = Share >= 1 || Random.Shared.NextDouble() < Share;
        var activity = isChosen ? Source.StartActivity("request", ActivityKind.Server) : null;
        if (activity is not null)
        {
            // The thread goes on to other clients: they are no part of this.
            Activity.Current = null;
        }
        // One that a sampler leaves out comes as an empty one, and nothing is written into it.
        if (activity is not { IsAllDataRequested: true })
        {
            return wanted is null ? null : new RequestTrace(null, wanted, asked.Time, session.Answered);
        }
        activity.DisplayName = op.ToString();
        activity.SetTag("db.system.name", "zookeeper");
        activity.SetTag("db.operation.name", op.ToString());
        activity.SetTag("zoonet.session", "0x" + session.SessionId.ToString("x", CultureInfo.InvariantCulture));
        activity.SetTag("zoonet.xid", xid);
        if (PathOf(op, frame) is { } path)
        {
            activity.SetTag("zoonet.path", path);
        }
        return new RequestTrace(activity, wanted, asked.Time, session.Answered);
    }

    /// <summary>Notes that something happened to the request.</summary>
    public void Add(string what, string cluster, string? server = null)
    {
        if (_events++ >= MaxEvents)
        {
            return;
        }
        _steps?.Add(new TraceStep(what, cluster, server, AtMs));
        if (_activity is not null)
        {
            var tags = new ActivityTagsCollection { ["zoonet.cluster"] = cluster };
            if (server is not null)
            {
                tags["server.address"] = server;
            }
            _activity.AddEvent(new ActivityEvent(what, tags: tags));
        }
    }

    /// <summary>Ends the trace if the request was answered.</summary>
    /// <returns>True where it has ended.</returns>
    public bool TryEnd(FederatedSession session)
    {
        if (session.Answered <= _answered && !session.IsClosed)
        {
            return false;
        }
        if (session.Answered <= _answered)
        {
            _activity?.SetStatus(ActivityStatusCode.Error, "the connection ended before the answer");
        }
        _activity?.Dispose();
        if (_wanted is not null)
        {
            _steps!.Add(new TraceStep(session.Answered <= _answered ? "connection ended" : "answered", null, null, AtMs));
            _wanted.Steps.TrySetResult(_steps);
        }
        return true;
    }

    private double AtMs => _time.GetElapsedTime(_began).TotalMilliseconds;

    private static string? PathOf(OpCode op, ReadOnlySpan<byte> frame)
    {
        if (op is OpCode.Multi or OpCode.MultiRead or OpCode.SetWatches or OpCode.SetWatches2 or OpCode.Auth or OpCode.Sasl)
        {
            return null;
        }
        var reader = new JuteReader(frame[(Framing.PrefixLength + RequestHeader.WireLength)..]);
        var path = reader.ReadBytes(out var isNull);
        return reader.Failed || isNull ? null : Encoding.UTF8.GetString(path[..Math.Min(path.Length, MaxPathBytes)]);
    }
}
