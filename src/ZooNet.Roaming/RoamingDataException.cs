namespace ZooNet.Roaming;

/// <summary>
/// What lies in a znode of a roaming tree, or what somebody wants to put there, can't be right. The message says what and where. It stops
/// the object that it is about, and touches no other.
/// </summary>
internal sealed class RoamingDataException(string message) : Exception(message);
