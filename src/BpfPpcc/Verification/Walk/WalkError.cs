using BpfPpcc.Diagnostics;

namespace BpfPpcc.Verification.Walk;

/// <summary>Why a program is refused.</summary>
/// <param name="Slot">The instruction, as index of <see cref="CodeImage"/>; -1 for the function as a whole.</param>
/// <param name="Path">The conditional jumps that led there, the last one first.</param>
internal sealed record WalkError(DiagnosticId Id, string Message, string? Help, int Slot, JumpTrace? Path = null);
