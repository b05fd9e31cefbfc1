using Microsoft.Playwright;

namespace ZooNet.WebConsole.Tests.Browsing;

/// <summary>
/// A browser that is started once and given to many tests. Ask <see cref="IsThere"/> first: without a browser nothing is started.
/// Names that end with <c>.example</c> lead to this machine's loopback.
/// </summary>
public sealed class Browser : IAsyncDisposable
{
    /// <summary>The program.</summary>
    internal const string Chromium = "/usr/bin/chromium";

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Browser(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    /// <summary>Whether there is a browser to test with.</summary>
    public static bool IsThere => File.Exists(Chromium);

    /// <summary>Starts it.</summary>
    public static async Task<Browser> StartAsync()
    {
        var playwright = await Playwright.CreateAsync();
        // A machine that is busy with something else is no fault of a page.
        Assertions.SetDefaultExpectTimeout(30_000);
        try
        {
            return new Browser(playwright, await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = Chromium,
                Headless = true,
                ChromiumSandbox = false,
                Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.example 127.0.0.1"],
            }));
        }
        catch
        {
            playwright.Dispose();
            throw;
        }
    }

    /// <summary>An empty page of a visitor who has no cookies yet. Whoever asks closes its <see cref="IPage.Context"/>.</summary>
    /// <param name="dark">Whether the visitor's system is dark.</param>
    /// <param name="width">Of the window, in pixels.</param>
    /// <param name="height">Of the window, in pixels.</param>
    public async Task<IPage> NewPageAsync(bool dark = false, int width = 1280, int height = 900)
    {
        var context = await _browser.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            ViewportSize = new ViewportSize { Width = width, Height = height },
            AcceptDownloads = true,
        });
        context.SetDefaultTimeout(30_000);
        return await context.NewPageAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
