using System.Text;
using ZooNet.Protocol;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;
using ZooNet.Roaming.Tests.Simulation;

namespace ZooNet.Roaming.Tests;

/// <summary>A tree of three zones whose ensembles answer at once. Its object is "o", created in x; x is the arbiter.</summary>
internal sealed class SmallTree
{
    public const string Name = "o";

    public SmallTree()
    {
        Do(new TreeCreator(Layout, Zones));
        Do(new Creator(Layout, "x", Zones, Name, "x"));
    }

    public static string[] Zones { get; } = ["x", "y", "z"];

    public Layout Layout { get; } = new("t");

    public Dictionary<string, SimEnsemble> Ensembles { get; } = Zones.ToDictionary(z => z, z => new SimEnsemble(z));

    public OwnerRecord Record => OwnerRecord.Read("record", Ensembles["x"].DataOf(Layout.Record(Name)));

    public Ballot BallotOf(string zone) => Ballot.Read("ballot", Ensembles[zone].DataOf(Layout.Ballot(Name)));

    /// <summary>Carries all steps of a procedure out.</summary>
    /// <param name="procedure">The procedure.</param>
    /// <param name="asks">After so many it stops for ever.</param>
    public T Do<T>(T procedure, int asks = int.MaxValue) where T : Procedure
    {
        foreach (var ask in procedure.Steps())
        {
            if (asks-- <= 0)
            {
                break;
            }
            if (ask.Kind != AskKind.Applied)
            {
                Ensembles[ask.Zone].ExecuteAll(ask);
            }
        }
        return procedure;
    }

    public Mover Move(string zone) => Do(new Mover(Layout, "x", Name, zone));

    public Location Locate()
    {
        var locator = Do(new Locator(Layout, "x", Name));
        return Assert.IsType<Location>(locator.Location);
    }

    public Ask Append(Location at, Entry entry)
    {
        var ask = at.Append(Layout, Name, entry.ToBytes());
        Ensembles[at.Zone].Execute(ask);
        return ask;
    }

    /// <summary>Brings a copy up to date with what the zones hold.</summary>
    public Follower Follow(Follower follower)
    {
        follower.Learn(Locate());
        while (true)
        {
            switch (follower.Next(out var zone, out var place))
            {
                case Need.Snapshot:
                    var reader = Do(new SnapshotReader(Layout, Zones, Name, follower.Copy.Index));
                    Assert.NotNull(reader.Copy);
                    follower.Replace(reader.Copy);
                    break;
                case Need.Location:
                    throw new InvalidOperationException("the location is known");
                default:
                    var path = Layout.Entry(Name, place.Epoch, place.Number);
                    if (Ensembles[zone].DataOf(path) is not { } data)
                    {
                        return follower;
                    }
                    follower.Copy.Apply(Entry.Read(path, data));
                    break;
            }
        }
    }

    public static Command Create(string path, string data, int flags = CreateFlags.Persistent, long session = 1, string zone = "x")
    {
        var writer = new JuteWriter();
        new CreateRequest(path, Encoding.UTF8.GetBytes(data), [.. Acl.Open], flags).Write(writer, OpCode.Create);
        return Command.Write(new SessionName(zone, session), OpCode.Create, writer.Written.ToArray(), []);
    }

    public static Command Set(string path, string data, int version = -1)
    {
        var writer = new JuteWriter();
        new SetDataRequest(path, Encoding.UTF8.GetBytes(data), version).Write(writer);
        return Command.Write(new SessionName("x", 1), OpCode.SetData, writer.Written.ToArray(), []);
    }

    public static Entry EntryOf(long proxy, long first, params Command[] commands) => new("x", proxy, 0, first, 1_000, commands);
}
