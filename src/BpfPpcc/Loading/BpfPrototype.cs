using System.Collections.Immutable;

namespace BpfPpcc.Loading;

/// <summary>A C prototype as far as code generation needs it (object-abi.md, Programs and Helpers).</summary>
/// <param name="Result">How the result is passed; null for void.</param>
/// <param name="Parameters">The parameters, at most five used.</param>
public sealed record BpfPrototype(BpfScalar? Result, ImmutableArray<BpfScalar> Parameters);

/// <summary>
/// A value in a register: size in bytes (1, 2, 4, 8) and whether narrower values are sign-extended. Pointers are 8, unsigned.
/// </summary>
/// <param name="PointeeStruct">For a pointer to a struct or union: its name (struct xdp_md -> "xdp_md"), else null.</param>
public sealed record BpfScalar(int Bytes, bool IsSigned, string? PointeeStruct = null);
