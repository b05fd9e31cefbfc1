using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace ZooNet.WebConsole.Tests.Browsing;

/// <summary>How the pages are for those who see little, have no mouse, or a small screen.</summary>
[Collection(ThreeRegionsCollection.Name)]
public sealed class LooksTests(ThreeRegions regions)
{
    /// <summary>Where pictures of the pages go; none are made where it is not set.</summary>
    private static readonly string? Pictures = Environment.GetEnvironmentVariable("ZOONET_SCREENSHOTS");

    /// <summary>What is as it should be is not told: a page has thousands of things that are.</summary>
    private static readonly AxeRunOptions Wrong = new() { ResultTypes = [ResultType.Violations] };

    private static readonly (string Name, string Path)[] Pages =
    [
        ("federation", "/"),
        ("mounts", "/mounts"),
        ("path", "/path?region=us&path=/mnt/eu/shop"),
        ("namespace", "/namespace?region=us&path=/mnt/eu"),
        ("sessions", "/sessions"),
    ];

    [SkippableTheory]
    [InlineData(false, 1280)]
    [InlineData(true, 390)]
    [InlineData(false, 390)]
    [InlineData(true, 1280)]
    public async Task Every_page_has_contrast_names_and_an_order_and_needs_no_sideways_scrolling(bool dark, int width)
    {
        await (await regions.ConnectAsync("us")).GetDataAsync("/mnt/eu");
        // The rules take their time: all pages are looked at once, and then the ones that have all that the others have, unless there is
        // time (ZOONET_LONG).
        var pages = Environment.GetEnvironmentVariable("ZOONET_LONG") is not null || (!dark && width > 600) ? Pages
            : dark && width < 600 ? Pages[..2] : Pages[..1];
        foreach (var (name, path) in pages)
        {
            var page = await regions.OpenAsync(path, dark, width);
            await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
            if (Pictures is not null)
            {
                await page.ScreenshotAsync(new()
                {
                    Path = Path.Combine(Pictures, $"{name}{(dark ? "-dark" : "")}{(width < 600 ? "-narrow" : "")}.png"),
                    FullPage = true,
                });
            }

            var violations = (await page.RunAxe(Wrong)).Violations.Where(v => v.Impact is "serious" or "critical").ToList();

            Assert.True(violations.Count == 0, $"{name}: {string.Join("; ", violations.Select(v =>
                $"{v.Id}: {v.Help} ({string.Join(", ", v.Nodes.Select(n => n.Html))})"))}");
            var excess = await page.EvaluateAsync<int>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            Assert.True(excess <= 0, $"{name} is {excess} pixels wider than a screen of {width}");
            await page.Context.CloseAsync();
        }
    }

    [SkippableFact]
    public async Task Who_has_no_mouse_mounts_and_unmounts_and_finds_everything_in_order()
    {
        var page = await regions.OpenAsync("/");

        await page.Keyboard.PressAsync("Tab");
        await Assertions.Expect(page.GetByText("Skip to content")).ToBeFocusedAsync();
        await ReachAsync(page, page.GetByRole(AriaRole.Link, new() { Name = "Mounts", Exact = true }));
        await page.Keyboard.PressAsync("Enter");
        await ReachAsync(page, page.GetByLabel("In region"));
        await page.Keyboard.TypeAsync("ap");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("us:/apps");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("/mnt/keys");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("ro");
        await page.Keyboard.PressAsync("Enter");
        // The next step has the focus already.
        await Assertions.Expect(page.Locator(".preview").GetByRole(AriaRole.Button)).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("is mounted on /mnt/keys");
        await ReachAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Unmount /mnt/keys of ap" }));
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator(".preview").GetByRole(AriaRole.Button)).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");

        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("/mnt/keys is unmounted");
        await page.Context.CloseAsync();
    }

    /// <summary>Goes on with the Tab key until something has the focus.</summary>
    private static async Task ReachAsync(IPage page, ILocator wanted)
    {
        for (var i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            // What is kept up to date is replaced now and then, also between these two questions.
            if (await wanted.CountAsync() == 1 && await wanted.EvaluateAsync<bool>("e => e === document.activeElement"))
            {
                return;
            }
        }
        Assert.Fail("it is not reached with the Tab key");
    }
}
