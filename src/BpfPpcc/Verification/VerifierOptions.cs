namespace BpfPpcc.Verification;

/// <summary>How a module is to be verified.</summary>
public sealed record VerifierOptions
{
    /// <summary>The host's context structs are its own (--ctx=raw): no load is redirected and the pointer-class pass does not run.</summary>
    public bool RawContext { get; init; }

    /// <summary>The user takes the blame for unsafe programs (--no-verify): nothing is proved, and nothing is said about it.</summary>
    public bool NoVerify { get; init; }
}
