namespace BpfPpcc.CommandLine;

/// <summary>What the user wants from this run.</summary>
public abstract record CommandLineRequest
{
    private CommandLineRequest()
    {
    }

    /// <summary>The ordinary job.</summary>
    public sealed record Compile(CommandLineArguments Arguments) : CommandLineRequest;

    /// <summary>Write the header and the runtime's source into a directory.</summary>
    public sealed record EmitRuntime(string Directory) : CommandLineRequest;

    public sealed record Help : CommandLineRequest;

    public sealed record Version : CommandLineRequest;

    /// <summary>The command line makes no sense.</summary>
    public sealed record UsageError(string Message) : CommandLineRequest;
}
