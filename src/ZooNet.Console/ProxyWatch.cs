using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using ZooNet.Proxy.Admin;

namespace ZooNet.WebConsole;

/// <summary>
/// Asks every proxy for its status while somebody looks at a page, and not otherwise. Thread-safe.
/// </summary>
internal sealed class ProxyWatch : BackgroundService
{
    // What another version leaves out is missed here, and not later in a page that shows it.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    /// <summary>How long one proxy may take to tell its status.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>How long after the last page proxies go on being asked.</summary>
    private static readonly TimeSpan Interest = TimeSpan.FromSeconds(15);

    private readonly ConsoleOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly ConcurrentDictionary<Uri, ProxyView> _views = new();
    private readonly SemaphoreSlim _looked = new(0, 1);
    private readonly Lock _lock = new();
    private long _lastLook;
    private TaskCompletionSource _round = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProxyWatch(ConsoleOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _http = new HttpClient { Timeout = TimeSpan.FromSeconds(60), MaxResponseContentBufferSize = 16 * 1024 * 1024 };
    }

    /// <summary>Raised when a proxy has told its name or its region for the first time, or another one.</summary>
    public event Action? NamesChanged;

    /// <summary>What was seen last.</summary>
    public FederationView Current
    {
        get
        {
            var now = _time.GetUtcNow();
            var views = _options.All.Select(url => WithAge(ViewOf(url), now)).ToList();
            return new FederationView(
                [.. views.Where(v => v.Status is not null).GroupBy(v => v.Status!.Region).OrderBy(g => g.Key, StringComparer.Ordinal)
                    .Select(g => new RegionView(g.Key, g.First().Status!.Clusters.FirstOrDefault(c => c.Home)?.Name ?? g.Key, [.. g]))],
                [.. views.Where(v => v.Status is null)],
                now);
        }
    }

    /// <summary>Somebody looks: what was seen last, or a new reading if nobody has looked for a while.</summary>
    /// <param name="next">True for one who has seen that already, and waits for the next reading.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<FederationView> LookAsync(bool next, CancellationToken cancellationToken)
    {
        Task round;
        bool idle;
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            idle = _lastLook == 0 || _time.GetElapsedTime(_lastLook, now) > Interest;
            _lastLook = now;
            round = _round.Task;
        }
        if (idle && _looked.CurrentCount == 0)
        {
            _looked.Release();
        }
        if (idle || next)
        {
            // A proxy that does not answer is no reason to show no page.
            await Task.WhenAny(round, Task.Delay(2 * Patience, _time, cancellationToken));
        }
        return Current;
    }

    /// <summary>Asks one proxy.</summary>
    /// <exception cref="ProxyRefusedException">It refused, or does not answer; the message is for the user.</exception>
    public async Task<T> AskAsync<T>(ProxyView proxy, HttpMethod method, string path, object? body, CancellationToken cancellationToken) =>
        (await AnswerAsync<T>(proxy, method, path, body, cancellationToken)).Reply;

    private async Task<(T Reply, bool MayChange)> AnswerAsync<T>(ProxyView proxy, HttpMethod method, string path, object? body,
        CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, new Uri(proxy.Url, path))
            {
                Content = body is null ? null
                : JsonContent.Create(body, options: Json)
            };
            if ((_options.CurrentToken is { } current ? current() : _options.Token) is { } token)
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            }
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                var mayChange = !response.Headers.TryGetValues(AdminAccess.RoleHeader, out var role)
                    || role.First() == AdminAccess.Administrator;
                if (response.StatusCode == System.Net.HttpStatusCode.NoContent)
                {
                    return (default!, mayChange);
                }
                return ((await response.Content.ReadFromJsonAsync<T>(Json, cancellationToken))!, mayChange);
            }
            var problem = await RefusalDetail.ReadAsync(response, cancellationToken);
            throw new ProxyRefusedException(problem ?? $"{proxy.Name} answered {(int)response.StatusCode}");
        }
        catch (HttpRequestException e)
        {
            throw new ProxyRefusedException($"{proxy.Name} does not answer: {e.InnerException?.Message ?? e.Message}");
        }
        catch (JsonException e)
        {
            throw new ProxyRefusedException($"what {proxy.Name} answers is not understood by this console, which is of version "
                + $"{StatusReporter.Version}: is the proxy of another one? ({e.Message})");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ProxyRefusedException($"{proxy.Name} did not answer within {_http.Timeout.TotalSeconds} s");
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _http.Dispose();
        _looked.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            bool wanted;
            lock (_lock)
            {
                wanted = _lastLook != 0 && _time.GetElapsedTime(_lastLook) <= Interest;
            }
            if (!wanted)
            {
                await _looked.WaitAsync(stoppingToken);
            }
            await Task.WhenAll(_options.All.Select(url => ReadAsync(url, stoppingToken)));
            TaskCompletionSource round;
            lock (_lock)
            {
                (round, _round) = (_round, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            }
            round.SetResult();
            await Task.Delay(_options.Every, _time, stoppingToken);
        }
    }

    private async Task ReadAsync(Uri url, CancellationToken cancellationToken)
    {
        var before = ViewOf(url);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            var (status, mayChange) = await AnswerAsync<StatusReply>(before, HttpMethod.Get, "/api/v1/status", null, limit.Token);
            var now = _time.GetUtcNow();
            // After a night in which nobody looked a rate would be that of the night.
            var seconds = before.Answered is { } then && now - then <= Interest + _options.Every ? (now - then).TotalSeconds : 0;
            _views[url] = new ProxyView(url, status, before.Status, seconds, now, null, mayChange);
            if (status.Region != before.Status?.Region || status.ProxyId != before.Status.ProxyId)
            {
                NamesChanged?.Invoke();
            }
        }
        catch (ProxyRefusedException e)
        {
            _views[url] = before with { Error = e.Message };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _views[url] = before with { Error = $"{before.Name} did not answer within {Patience.TotalSeconds} s" };
        }
    }

    private ProxyView ViewOf(Uri url) => _views.GetOrAdd(url, static url => new ProxyView(url, null, null, 0, null, "not asked yet"));

    /// <summary>What is older than it can be while proxies are asked is not shown as if it were of now.</summary>
    private ProxyView WithAge(ProxyView view, DateTimeOffset now) =>
        view is { Error: null, Answered: { } then } && now - then > _options.Every + 2 * Patience
            ? view with { Error = $"{view.Name} has not been heard for {(now - then).TotalSeconds:0} s" }
            : view;
}

/// <summary>A proxy refused, or does not answer. The message is a sentence for the user.</summary>
internal sealed class ProxyRefusedException(string message) : Exception(message);
