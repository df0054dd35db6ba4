using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Loading.RelocationTypes;

namespace BpfPpcc.Loading;

/// <summary>
/// Finds what the calls and 64-bit immediates of a function refer to, by relocation (kernel documentation, bpf/llvm_reloc.rst) or,
/// inside of a section, by the offset in the instruction.
/// </summary>
internal sealed class InstructionReferences(LoadingContext context, ReferenceResolver resolver)
{
    /// <summary>What the instructions of a function refer to, by slot of the function. False after an error.</summary>
    /// <param name="lines">The source lines of the function, for diagnostics.</param>
    public bool TryResolve(CodeSection code, FunctionRange function, ImmutableArray<BpfLineInfo> lines,
        out IReadOnlyDictionary<int, BpfReference> references)
    {
        var found = new Dictionary<int, BpfReference>();
        references = found;
        for (int slot = function.Start; slot < function.End; slot++)
        {
            if (!TryResolve(code, slot, out BpfReference? reference, out Fault fault))
            {
                string message = $"function '{function.Symbol.Name}': {fault.Message}";
                int local = slot - function.Start;
                SourcePosition? source = PositionOf(lines, local);
                return context.Fail(fault.Id, message, function.Section.Name, function.Symbol.Name, local, source, fault.Help);
            }

            if (reference is not null)
                found.Add(slot - function.Start, reference);
            if (code.Instructions[slot].IsLoadImmediate64)
                slot++;
        }

        return true;
    }

    private bool TryResolve(CodeSection code, int slot, out BpfReference? reference, out Fault fault)
    {
        reference = null;
        fault = default;
        if (code.PoisonOf(slot) is string reason)
        {
            reference = new BpfReference.Poisoned(reason);
            return true;
        }

        if (code.HasRelocation(slot))
            return TryResolveRelocation(code, slot, out reference, out fault);
        if (!code.TryRelativeTarget(slot, out long target))
            return true;
        if (!resolver.TryResolveCall(code.Section, target, out int function, out fault))
            return false;
        reference = code.Instructions[slot].IsCall ? new BpfReference.FunctionCall(function) : new BpfReference.FunctionAddress(function);
        return true;
    }

    private bool TryResolveRelocation(CodeSection code, int slot, out BpfReference? reference, out Fault fault)
    {
        reference = null;
        BpfInstruction instruction = code.Instructions[slot];
        ElfRelocation relocation = code.RelocationOf(slot);
        if (instruction.IsCall && relocation.Type == R_BPF_64_32)
            return resolver.TryResolveCall(relocation.Symbol, code.AddendOf(slot), out reference!, out fault);
        if (instruction.IsLoadImmediate64 && relocation.Type == R_BPF_64_64)
        {
            if (!resolver.TryResolveAddress(relocation.Symbol, code.AddendOf(slot), out reference!, out long restAddend, out fault))
                return false;
            if (restAddend == 0)
                return true;
            string sum = $"the address of '{relocation.Symbol!.Name}' plus {restAddend} is taken, but the symbol is undefined";
            fault = new Fault(DiagnosticId.RelocationUnsupported, sum, "take the address of the symbol itself and add to it at run time");
            return false;
        }

        string message = $"a relocation of type {relocation.Type} stands on an instruction with opcode 0x{instruction.Opcode:x2}";
        fault = new Fault(DiagnosticId.RelocationMalformed, message + ", which cannot have it");
        return false;
    }

    /// <summary>The source position of a slot, or null.</summary>
    public static SourcePosition? PositionOf(ImmutableArray<BpfLineInfo> lines, int slot)
    {
        SourcePosition? position = null;
        foreach (BpfLineInfo line in lines)
        {
            if (line.Slot > slot)
                break;
            position = line.Position;
        }

        return position;
    }
}
