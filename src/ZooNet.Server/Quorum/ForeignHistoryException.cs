namespace ZooNet.Server.Quorum;

/// <summary>A state from disk is not of the history that the leader has. It is thrown away.</summary>
internal sealed class ForeignHistoryException(long zxid)
    : Exception($"transaction 0x{zxid:x}, the last one of the state on disk, is not in its history: "
        + "the state is of another ensemble, or the ensemble has lost it");
