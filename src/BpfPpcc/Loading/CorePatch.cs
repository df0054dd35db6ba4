using BpfPpcc.Bpf;

namespace BpfPpcc.Loading;

/// <summary>What a relocation comes to: old and new number and size of an instruction, or why it must not be executed.</summary>
/// <param name="Old">In the program's types; what the instruction must hold, if it is certain.</param>
/// <param name="New">In the target's types.</param>
/// <param name="Poison">Why the instruction has no meaning on the target; null if it has one.</param>
/// <param name="SizeFault">Why a load or store of the field cannot be adjusted to its new size; null if it can.</param>
internal readonly record struct CoreResult(CoreValue Old, CoreValue New, string? Poison, string? SizeFault = null);

/// <summary>Writes a relocation's result into its instruction.</summary>
internal static class CorePatch
{
    /// <summary>
    /// Patches the instruction at the start of <paramref name="code"/>. False with a fault ("it ...") if it is not one that can be
    /// relocated or does not hold what it should.
    /// </summary>
    /// <param name="poison">Why the instruction must not be executed, or null.</param>
    public static bool TryApply(Span<BpfInstruction> code, CoreResult result, out string? poison, out string fault)
    {
        poison = result.Poison;
        fault = "";
        if (poison is not null)
            return true;
        switch (code[0].Class)
        {
            case BpfClass.ALU or BpfClass.ALU64:
                return TryPatchImmediate(ref code[0], result, out fault);
            case BpfClass.LDX or BpfClass.ST or BpfClass.STX:
                return TryPatchAccess(ref code[0], result, out poison, out fault);
            case BpfClass.LD:
                return TryPatchLoadImmediate64(code, result, out fault);
            case BpfClass.JMP or BpfClass.JMP32:
                fault = $"stands on an instruction with opcode 0x{code[0].Opcode:x2}, which cannot have it";
                return false;
        }

        throw new InvalidOperationException("an instruction class without a rule");
    }

    private static bool TryPatchImmediate(ref BpfInstruction instruction, CoreResult result, out string fault)
    {
        fault = instruction.Source == BpfSource.X ? "stands on an instruction without an immediate"
            : result.Old.IsCertain && (uint)instruction.Imm != (uint)result.Old.Number ? Unexpected(instruction.Imm, result)
            : "";
        instruction = instruction with { Imm = (int)result.New.Number };
        return fault.Length == 0;
    }

    private static bool TryPatchAccess(ref BpfInstruction instruction, CoreResult result, out string? poison, out string fault)
    {
        poison = null;
        fault = "";
        if (result.Old.IsCertain && (ulong)instruction.Offset != result.Old.Number)
            fault = Unexpected(instruction.Offset, result);
        else if (result.New.Number > (ulong)short.MaxValue)
            fault = $"needs the offset {result.New.Number}, which does not fit the instruction";
        if (fault.Length != 0)
            return false;

        poison = result.SizeFault;
        if (poison is not null)
            return true;
        instruction = instruction with { Offset = (short)result.New.Number };
        if (result.New.Size == result.Old.Size)
            return true;
        if ((ulong)instruction.MemoryBytes != result.Old.Size || SizeOf(result.New.Size) is not BpfSize size)
        {
            fault = $"would change an access of {instruction.MemoryBytes} bytes from {result.Old.Size} to {result.New.Size} bytes";
            return false;
        }

        instruction = instruction with { Opcode = (byte)((instruction.Opcode & ~0x18) | ((int)size << 3)) };
        return true;
    }

    private static bool TryPatchLoadImmediate64(Span<BpfInstruction> code, CoreResult result, out string fault)
    {
        if (!code[0].IsLoadImmediate64 || code[0].Src != 0 || code.Length < 2)
        {
            fault = $"stands on an instruction with opcode 0x{code[0].Opcode:x2}, which cannot have it";
            return false;
        }

        ulong value = code[0].LoadImmediate64Value(code[1]);
        fault = result.Old.IsCertain && value != result.Old.Number ? Unexpected((long)value, result) : "";
        code[0] = code[0] with { Imm = (int)result.New.Number };
        code[1] = code[1] with { Imm = (int)(result.New.Number >> 32) };
        return fault.Length == 0;
    }

    private static BpfSize? SizeOf(ulong bytes) => bytes switch
    {
        1 => BpfSize.B,
        2 => BpfSize.H,
        4 => BpfSize.W,
        8 => BpfSize.DW,
        _ => null,
    };

    private static string Unexpected(long held, CoreResult result) =>
        $"stands on an instruction that holds {held}, but in the object's own types the value is {result.Old.Number}";
}
