namespace ZooNet.Integration.Fixtures;

/// <summary>Where ZooKeeper is not installed tests are skipped, except where CI=true: there they fail.</summary>
public static class Jars
{
    /// <summary>Whether a real ensemble can be started here.</summary>
    public static bool Present => JavaZooKeeper.Present;

    /// <summary>Whether this runs in continuous integration, where nothing may be missing.</summary>
    public static bool IsCi => string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Call first in every test that needs a real ensemble; such a test is a SkippableFact.</summary>
    public static void Require()
    {
        if (!Present && IsCi)
        {
            Assert.Fail("ZooKeeper's jars are not in /usr/share/java (apt install zookeeper default-jre-headless), and CI=true demands them");
        }
        Skip.IfNot(Present, "ZooKeeper's jars are not installed: apt install zookeeper default-jre-headless");
    }
}
