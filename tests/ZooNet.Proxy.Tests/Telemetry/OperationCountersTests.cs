using ZooNet.Protocol;
using ZooNet.Proxy.Telemetry;

namespace ZooNet.Proxy.Tests.Telemetry;

/// <summary>What clients ask for, by operation.</summary>
public sealed class OperationCountersTests
{
    /// <summary>Also those that ZooKeeper may number next.</summary>
    [Fact]
    public void Every_operation_is_counted_as_itself_and_what_nobody_knows_as_one()
    {
        var counters = new OperationCounters();
        OpCode[] ops = [.. Enum.GetValues<OpCode>().Where(op => op != OpCode.Error), (OpCode)23, (OpCode)108];
        foreach (var (op, i) in ops.Select((op, i) => (op, i)))
        {
            counters.Count(op, i + 1);
        }
        counters.Count((OpCode)999, 7);
        counters.Count((OpCode)(-99), 7);

        Assert.All(ops.Select((op, i) => (op, i)), each => Assert.Equal((1, each.i + 1), counters.Of(each.op)));
        Assert.Equal((2, 14), counters.Of((OpCode)999));
    }

    [Fact]
    public void Every_operation_has_a_name_in_the_metrics()
    {
        // Not requests: an event, the error of a multi, and what only servers send each other. Of credentials there are series of their own.
        OpCode[] none = [OpCode.Notification, OpCode.Error, OpCode.DeleteContainer, OpCode.Auth, OpCode.Sasl];
        OpCode[] ops = [.. Enum.GetValues<OpCode>().Except(none)];
        Assert.Equal(ops.Order(), FamiliarSeries.Named.Order());
    }
}
