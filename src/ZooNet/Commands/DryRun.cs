using ZooNet.Cli;
using ZooNet.Proxy.Admin;

namespace ZooNet.Commands;

/// <summary>Prints what a mount or an unmount would come to.</summary>
internal static class DryRun
{
    /// <summary>Prints it.</summary>
    /// <exception cref="CommandFailedException">It would be refused.</exception>
    public static int Write(DryRunReply reply)
    {
        if (!reply.Allowed)
        {
            throw new CommandFailedException(string.Join("; also, ", reply.Refusals));
        }
        Output.Line(reply.Message);
        Output.Line($"barriers: {reply.Barriers}");
        if (reply.Cycle.Count > 0)
        {
            Output.Line($"cycle: {string.Join(" - ", reply.Cycle)}{(reply.NewCycle ? " (this mount closes it)" : "")}");
        }
        Each("would be created", reply.WouldCreate);
        Each("also concerned, region", reply.AlsoConcerned);
        Each("must acknowledge", reply.MustAcknowledge);
        Output.Line("nothing was changed");
        return ExitCodes.Ok;
    }

    private static void Each(string what, IReadOnlyList<string> values)
    {
        foreach (var value in values)
        {
            Output.Line($"{what}: {value}");
        }
    }
}
