using System.Collections.Immutable;

namespace BpfPpcc.Ppc64;

/// <summary>
/// Roles of the registers and the fixed parts of a stack frame, where ELFv1 (1.9, chapter 3) and ELFv2 (1.4, chapter 2) agree or differ by
/// a parameter only. What depends on the ABI in other ways stands in <see cref="TargetDescription"/>.
/// </summary>
public static class CallingConvention
{
    /// <summary>r3..r10, which carry the first eight doublewords of arguments.</summary>
    public static ImmutableArray<Gpr> ArgumentGprs { get; } = Range(3, 10);

    public static Gpr ResultGpr => Gpr.R3;

    /// <summary>r0 and r3..r12: lost in a call. The linker's call stubs use r0, r11, r12 and CTR even in calls within one object.</summary>
    public static ImmutableArray<Gpr> VolatileGprs { get; } = [Gpr.R0, .. Range(3, 12)];

    /// <summary>r14..r31: a function that writes one restores it. (r1, r2 and r13 have rules of their own.)</summary>
    public static ImmutableArray<Gpr> CalleeSavedGprs { get; } = Range(14, 31);

    /// <summary>
    /// What values may live in: r3..r12 and r14..r31. r0 is emission's scratch register; r1 (stack), r2 (TOC) and r13 (thread) are reserved.
    /// </summary>
    public static ImmutableArray<Gpr> AllocatableGprs { get; } = [.. Range(3, 12), .. Range(14, 31)];

    /// <summary>The CR fields that a call may change: all but CR2..CR4, which a function would have to restore.</summary>
    public static ImmutableArray<int> VolatileCrFields { get; } = [0, 1, 5, 6, 7];

    /// <summary>r1 is a multiple of this at all times.</summary>
    public static int StackAlignment => 16;

    /// <summary>Offset from r1 of the caller's r1, which stdu writes when it makes the frame.</summary>
    public static int BackChainOffset => 0;

    /// <summary>Offset from the caller's r1 at which a function that changes CR2..CR4 saves the CR.</summary>
    public static int CrSaveOffset => 8;

    /// <summary>
    /// Bytes behind the frame header in which a callee may store r3..r10. An ELFv2 caller provides them only for callees without a
    /// prototype or with variable arguments; in ELFv1 they are part of <see cref="TargetDescription.FrameHeaderSize"/>.
    /// </summary>
    public static int ParameterSaveAreaSize => 64;

    /// <summary>Offset from r1 of the parameter save area.</summary>
    public static int ParameterSaveAreaOffset(Ppc64Abi abi) => abi switch
    {
        Ppc64Abi.ElfV2 => 32,
        Ppc64Abi.ElfV1 => 48,
    };

    /// <summary>Register numbers in DWARF (ELFv2 2.4, the same in ELFv1): a GPR has its own number.</summary>
    public static int DwarfNumber(Gpr gpr) => gpr.Number;

    public static int DwarfNumberOfLr => 65;

    public static int DwarfNumberOfCtr => 66;

    /// <summary>CR0 has number 68.</summary>
    public static int DwarfNumberOfCrField(int field) => 68 + field;

    private static ImmutableArray<Gpr> Range(byte first, byte last)
    {
        var gprs = ImmutableArray.CreateBuilder<Gpr>(last - first + 1);
        for (byte number = first; number <= last; number++) gprs.Add(new Gpr(number));
        return gprs.MoveToImmutable();
    }
}
