using Yarp.ReverseProxy.Configuration;

namespace ZooNet.WebConsole;

/// <summary>
/// The routes by which tools reach every proxy through the console: <c>/proxies/NAME/…</c> one proxy, <c>/regions/NAME/…</c> whichever
/// proxy of a region is ready. The token is added on the way, so that it stays here. <c>/clusters/NAME/commands/…</c> is the AdminServer of
/// one of a cluster's ZooKeeper servers, which gets no token of ours.
/// </summary>
internal static class Forwarding
{
    /// <summary>The routes and clusters for what is known of the proxies now.</summary>
    public static (IReadOnlyList<RouteConfig> Routes, IReadOnlyList<ClusterConfig> Clusters) For(FederationView view,
        ConsoleOptions options)
    {
        var (routes, clusters) = (new List<RouteConfig>(), new List<ClusterConfig>());
        foreach (var region in view.Regions)
        {
            Add("regions", region.Name, region.Proxies);
            foreach (var proxy in region.Proxies.DistinctBy(p => p.Name))
            {
                Add("proxies", proxy.Name, [proxy]);
            }
        }
        foreach (var (name, servers) in options.AdminServers)
        {
            AddCluster(name, servers);
        }
        return (routes, clusters);

        void Add(string kind, string name, IReadOnlyList<ProxyView> proxies)
        {
            var id = $"{kind}/{name}";
            List<IReadOnlyDictionary<string, string>> transforms =
            [
                new Dictionary<string, string> { ["PathRemovePrefix"] = $"/{kind}/{name}" },
                // The browser's cookie is the console's own.
                new Dictionary<string, string> { ["RequestHeaderRemove"] = "Cookie" },
            ];
            if (options.Token is { } token)
            {
                transforms.Add(new Dictionary<string, string> { ["RequestHeader"] = "Authorization", ["Set"] = $"Bearer {token}" });
            }
            routes.Add(new RouteConfig
            {
                RouteId = id,
                ClusterId = id,
                Match = new RouteMatch { Path = $"/{kind}/{Uri.EscapeDataString(name)}/{{**rest}}" },
                Transforms = transforms,
            });
            clusters.Add(new ClusterConfig
            {
                ClusterId = id,
                LoadBalancingPolicy = "PowerOfTwoChoices",
                HealthCheck = new HealthCheckConfig
                {
                    // One proxy is reached also when it is not ready: that is when one wants to ask it.
                    Active = new ActiveHealthCheckConfig
                    {
                        Enabled = kind == "regions",
                        Interval = TimeSpan.FromSeconds(5),
                        Timeout = TimeSpan.FromSeconds(2),
                        Path = "/ready",
                    },
                },
                Destinations = proxies.ToDictionary(p => p.Url.ToString(), p => new DestinationConfig { Address = p.Url.ToString() }),
            });
        }

        void AddCluster(string name, IReadOnlyList<Uri> servers)
        {
            var id = $"clusters/{name}";
            routes.Add(new RouteConfig
            {
                RouteId = id,
                ClusterId = id,
                // What changes a server is a POST there, and is not forwarded.
                Match = new RouteMatch { Path = $"/clusters/{Uri.EscapeDataString(name)}/commands/{{**rest}}", Methods = ["GET"] },
                Transforms =
                [
                    new Dictionary<string, string> { ["PathRemovePrefix"] = $"/clusters/{name}" },
                    new Dictionary<string, string> { ["RequestHeaderRemove"] = "Cookie" },
                    new Dictionary<string, string> { ["RequestHeaderRemove"] = "Authorization" },
                ],
            });
            clusters.Add(new ClusterConfig
            {
                ClusterId = id,
                LoadBalancingPolicy = "FirstAlphabetical",
                HealthCheck = new HealthCheckConfig
                {
                    Active = new ActiveHealthCheckConfig
                    {
                        Enabled = true,
                        Interval = TimeSpan.FromSeconds(5),
                        Timeout = TimeSpan.FromSeconds(2),
                        Path = "/commands/ruok",
                    },
                },
                Destinations = servers.ToDictionary(s => s.ToString(), s => new DestinationConfig { Address = s.ToString() }),
            });
        }
    }
}
