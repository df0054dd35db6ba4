using System.Collections.Immutable;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Verification.Walk;

/// <summary>Why a program is refused.</summary>
/// <param name="Slot">The instruction, as index of <see cref="CodeImage"/>; -1 for the function as a whole.</param>
internal sealed record WalkError(DiagnosticId Id, string Message, string? Help, int Slot)
{
    /// <summary>How it came to this, in the order of execution.</summary>
    public ImmutableArray<WalkNote> Notes { get; init; } = [];
}

/// <summary>One step on the way to a mistake.</summary>
/// <param name="Slot">The instruction, as index of <see cref="CodeImage"/>.</param>
internal readonly record struct WalkNote(int Slot, string Message);
