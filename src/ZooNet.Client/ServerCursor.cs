using System.Net;

namespace ZooNet.Client;

/// <summary>
/// Goes round the configured servers, one address for each attempt. Names are resolved when they are reached, not in advance, and
/// every address behind a name has its turn. Used by the session's loop only.
/// </summary>
internal sealed class ServerCursor(IReadOnlyList<ServerAddress> servers)
{
    private int _server;
    private int _address;

    /// <summary>Number of whole rounds finished since the last <see cref="Connected"/>.</summary>
    public int Rounds { get; private set; }

    /// <summary>A connection was made: the count of fruitless rounds starts again.</summary>
    public void Connected() => Rounds = 0;

    /// <summary>The next server to try, and the host that is configured for it.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The name at this place can't be resolved; the next call goes on behind
    /// it.</exception>
    public async Task<(IPEndPoint EndPoint, string Host)> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            // Taken whole: the list may be another one at the next attempt.
            var known = servers.ToArray();
            if (known.Length == 0)
            {
                throw new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.HostNotFound);
            }
            _server %= known.Length;
            var (host, port) = known[_server];
            IPAddress[] addresses;
            try
            {
                addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                Skip(known.Length);
                throw;
            }
            // Resolvers rotate their answers; a fixed order gives every address its turn.
            Array.Sort(addresses, static (a, b) => string.CompareOrdinal(a.ToString(), b.ToString()));
            if (_address < addresses.Length)
            {
                var endpoint = new IPEndPoint(addresses[_address], port);
                _address++;
                if (_address == addresses.Length)
                {
                    Skip(known.Length);
                }
                return (endpoint, host);
            }
            var empty = addresses.Length == 0;
            Skip(known.Length);
            if (empty)
            {
                throw new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.HostNotFound);
            }
        }
    }

    private void Skip(int count)
    {
        _address = 0;
        _server++;
        if (_server >= count)
        {
            _server = 0;
            Rounds++;
        }
    }
}
