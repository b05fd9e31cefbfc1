using ZooNet.Protocol;

namespace ZooNet.Server.Tests.Differential;

/// <summary>One run of the differential test: steps chosen by the seed, each done on both sides and compared.</summary>
internal sealed class DifferentialRun
{
    private const int HistoryLength = 25;
    private static readonly Request Ping = new(OpCode.Ping, "ping", static (_, _) => { });
    private static readonly Request Close = new(OpCode.CloseSession, "closeSession", static (_, _) => { });

    private readonly int _seed;
    private readonly Random _random;
    private readonly RequestGenerator _generator;
    private readonly Side[] _sides;
    private readonly int _sessions;
    private readonly Queue<string> _history = new();
    private int _done;

    public DifferentialRun(int seed, Side real, Side ours, int sessions)
    {
        _seed = seed;
        _random = new Random(seed);
        _generator = new RequestGenerator(_random);
        _sides = [real, ours];
        _sessions = sessions;
    }

    /// <summary>Makes so many requests.</summary>
    public void Execute(int count)
    {
        for (var slot = 0; slot < _sessions; slot++)
        {
            Connect(slot, null);
        }
        foreach (var side in _sides)
        {
            // Creating the sessions took one zxid each, on both sides.
            side.SetBase(ZxidOf(side));
        }
        Burst(0, [Created("/own")]);
        while (_done < count)
        {
            Step();
        }
    }

    private static Request Created(string path) =>
        new(OpCode.Create, $"create {path}", (w, _) => new CreateRequest(path, null, [.. Acl.Open], 0).Write(w, OpCode.Create));

    private static long ZxidOf(Side side)
    {
        var session = side.Session(0);
        session.Connection.Send(Ping.ToFrame(Xids.Ping, 0));
        var zxid = ReplyHeader.Read(session.Connection.Receive()!).Zxid;
        session.LastZxid = zxid;
        return zxid;
    }

    private void Step()
    {
        var slot = _random.Next(_sessions);
        switch (_random.Next(200))
        {
            case 0:
                Burst(slot, [_generator.Fatal()], closes: true);
                Connect(slot, new Reattachment(CloseFirst: true));
                break;
            case 1:
                Burst(slot, [Close], closes: true, anyOrder: true);
                Connect(slot, null);
                break;
            case 2:
                Connect(slot, new Reattachment(CloseFirst: true));
                break;
            case 3:
                Connect(slot, new Reattachment(CloseFirst: false));
                break;
            case 4:
                // The good connection dies of it; so the session is attached again afterwards.
                Connect(slot, new Reattachment(CloseFirst: false, WrongPassword: true));
                Connect(slot, new Reattachment(CloseFirst: true));
                break;
            case 5:
                Connect(slot, new Reattachment(CloseFirst: false, UnknownSession: true));
                break;
            case 6:
                Connect(slot, new Reattachment(CloseFirst: false, ZxidAhead: true));
                break;
            default:
                var requests = new Request[_random.Next(4) == 0 ? _random.Next(2, 8) : 1];
                for (var i = 0; i < requests.Length; i++)
                {
                    requests[i] = _generator.Next(slot, _sides[0].Session(slot).LastZxid - _sides[0].BaseZxid);
                    if (requests.Length > 1 && requests[i].Op == OpCode.Auth)
                    {
                        // A real server answers auth at once, ahead of what was asked before: we keep the order.
                        requests[i] = Ping;
                    }
                }
                Burst(slot, requests);
                break;
        }
    }

    private void Connect(int slot, Reattachment? again)
    {
        var timeout = _random.Next(4) == 0 ? _random.Next(-1, 200_000) : 60_000;
        var old = _random.Next(4) == 0;
        var answers = _sides.Select(side => side.Connect(slot, timeout, again, old)).ToArray();
        Compare($"session {slot} connects: timeout {timeout}, {(object?)again ?? "new"}", answers[0], answers[1]);
        Others(slot);
        _done++;
    }

    private void Burst(int slot, IReadOnlyList<Request> requests, bool closes = false, bool anyOrder = false)
    {
        foreach (var side in _sides)
        {
            side.Send(slot, requests);
        }
        var what = $"session {slot}: {string.Join(" & ", requests)}";
        var answers = _sides.Select(side => Try(() => side.Receive(slot, requests), what)).ToArray();
        if (anyOrder)
        {
            // A closing session's ephemeral znodes go in no particular order.
            answers.ToList().ForEach(a => a.Sort(StringComparer.Ordinal));
        }
        Compare(what, string.Join('\n', answers[0]), string.Join('\n', answers[1]));
        if (closes)
        {
            Compare("is it closed?", $"{_sides[0].IsClosedNow(slot)}", $"{_sides[1].IsClosedNow(slot)}");
        }
        if (requests.Any(r => r.Op.IsWrite() || r.Op == OpCode.CloseSession))
        {
            Others(slot, anyOrder);
        }
        _done += requests.Count;
    }

    /// <summary>Collects the events that the other sessions got: they are there when a ping has been answered.</summary>
    private void Others(int slot, bool anyOrder = false)
    {
        var others = Enumerable.Range(0, _sessions).Where(s => s != slot && _sides[0].Has(s)).ToArray();
        foreach (var side in _sides)
        {
            foreach (var other in others)
            {
                side.Send(other, [Ping]);
            }
        }
        foreach (var other in others)
        {
            var answers = _sides.Select(side => Try(() => side.Receive(other, [Ping]), $"session {other} pings")).ToArray();
            if (anyOrder)
            {
                answers.ToList().ForEach(a => a.Sort(StringComparer.Ordinal));
            }
            Compare($"  session {other} meanwhile", string.Join('\n', answers[0]), string.Join('\n', answers[1]));
        }
    }

    private T Try<T>(Func<T> receive, string what)
    {
        try
        {
            return receive();
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException(Report(what, e.Message), e);
        }
    }

    private void Compare(string what, string real, string ours)
    {
        _history.Enqueue($"{what}\n    {real.ReplaceLineEndings("\n    ")}");
        if (_history.Count > HistoryLength)
        {
            _history.Dequeue();
        }
        if (real != ours)
        {
            Assert.Fail(Report(what, $"real: {real}\nours: {ours}"));
        }
    }

    private string Report(string what, string difference) =>
        $"seed {_seed} (set ZOONET_DIFF_SEED), after {_done} requests\n{string.Join('\n', _history)}\n\n{what}\n{difference}";
}
