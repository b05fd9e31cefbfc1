using System.Collections.Concurrent;
using System.Diagnostics;

namespace ZooNet.Integration.Fixtures;

/// <summary>
/// A process that the kernel kills when this one dies, however it dies. Its output goes to a file, kept in memory as well when it ends.
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    // PR_SET_PDEATHSIG fires when the parent's *thread* ends: every child is therefore started on one thread that never does.
    private static readonly BlockingCollection<Action> Starts = StartSpawner();

    private readonly Process _process;

    private ChildProcess(Process process, string outputFile)
    {
        _process = process;
        OutputFile = outputFile;
    }

    /// <summary>The process id; a signal sent to it reaches the program itself.</summary>
    public int Id => _process.Id;

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>The exit code, once it has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Where its output and errors go.</summary>
    public string OutputFile { get; }

    /// <summary>Everything it has written so far.</summary>
    public string Output
    {
        get
        {
            using var stream = new FileStream(OutputFile, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="outputFile">Where output and errors are appended.</param>
    /// <param name="program">Its name or path.</param>
    /// <param name="arguments">Its arguments, passed as they are.</param>
    public static ChildProcess Start(string outputFile, string program, params IEnumerable<string> arguments)
    {
        var info = new ProcessStartInfo("setpriv") { UseShellExecute = false };
        // The shell only redirects; exec keeps one process, so that signals and the death signal reach the program.
        foreach (var part in (string[])["--pdeathsig", "KILL", "sh", "-c", "out=$1; shift; exec \"$@\" >>\"$out\" 2>&1 </dev/null", "sh", outputFile, program, .. arguments])
        {
            info.ArgumentList.Add(part);
        }
        var started = new TaskCompletionSource<Process>();
        Starts.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(info)!);
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        });
#pragma warning disable VSTHRD002 // The thread above completes it, and takes no time.
        return new ChildProcess(started.Task.GetAwaiter().GetResult(), outputFile);
#pragma warning restore VSTHRD002
    }

    /// <summary>Sends a signal by name: STOP, CONT, TERM, …</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", ["-" + name, Id.ToString()]);
        kill.WaitForExit();
    }

    /// <summary>Kills it and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended already.
        }
        await _process.WaitForExitAsync();
    }

    /// <summary>Waits until it ends by itself.</summary>
    public Task WaitForExitAsync(CancellationToken cancellationToken = default) => _process.WaitForExitAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private static BlockingCollection<Action> StartSpawner()
    {
        var starts = new BlockingCollection<Action>();
        new Thread(() =>
        {
            foreach (var start in starts.GetConsumingEnumerable())
            {
                start();
            }
        })
        { IsBackground = true, Name = "children" }.Start();
        return starts;
    }
}
