using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification;

/// <summary>
/// Instructions that no path of an accepted program leads to may be such that later stages have no meaning for them (a write to r10). They
/// are replaced by one that is harmless, so that later stages see only instructions that mean something.
/// </summary>
internal static class DeadCode
{
    private static readonly BpfInstruction Harmless = new((byte)((int)BpfAluCode.MOV << 4 | (int)BpfClass.ALU64), 0, 0, 0, 0);

    /// <summary>The module itself where there is nothing to replace.</summary>
    public static BpfModule Neutralise(BpfModule module, ModuleWalk walk)
    {
        bool hasChanged = false;
        var functions = module.Functions.ToBuilder();
        foreach (BpfFunction function in module.Functions)
        {
            if (!walk.IsWalked(function.Index) || Neutralise(function, walk) is not { } changed)
                continue;
            functions[function.Index] = changed;
            hasChanged = true;
        }

        return hasChanged ? module with { Functions = functions.ToImmutable() } : module;
    }

    /// <summary>What may be verified but not compiled: accesses to arenas. True if there is none that a program reaches.</summary>
    public static bool CheckCompilable(BpfModule module, ModuleWalk walk, DiagnosticBag diagnostics)
    {
        bool isSound = true;
        foreach (BpfFunction function in module.Functions)
        {
            int start = walk.Image.Starts[function.Index];
            for (int slot = 0; slot < function.Instructions.Length; slot++)
            {
                if (!walk.Facts.Reached[start + slot] || FindUncompilable(module, function, slot) is not { } fault)
                    continue;
                isSound = false;
                diagnostics.Error(fault.Id, fault.Message, SlotLocation.Of(module, function, slot), fault.Help);
            }
        }

        return isSound;
    }

    private static InstructionFault? FindUncompilable(BpfModule module, BpfFunction function, int slot)
    {
        if (BpfEncoding.IsAddressSpaceCast(function.Instructions[slot]))
            return InstructionMeaning.AddressSpaceCast;
        return function.References.GetValueOrDefault(slot) is BpfReference.DataAddress data && module.DataSections[data.Section].IsArena
            ? InstructionMeaning.ArenaVariable(module.DataSections[data.Section], data.Offset)
            : null;
    }

    private static BpfFunction? Neutralise(BpfFunction function, ModuleWalk walk)
    {
        BpfInstruction[]? code = null;
        int start = walk.Image.Starts[function.Index];
        for (int slot = 0; slot < function.Instructions.Length; slot += ControlFlow.SlotsOf(function.Instructions[slot]))
        {
            BpfInstruction instruction = function.Instructions[slot];
            if (walk.Facts.Reached[start + slot] || !HasNoMeaning(instruction))
                continue;
            code ??= [.. function.Instructions];
            code[slot] = instruction.IsLoadImmediate64 ? instruction with { Dst = 0 } : Harmless;
        }

        return code is null ? null : function with { Instructions = [.. code] };
    }

    private static bool HasNoMeaning(BpfInstruction instruction) =>
        instruction.WrittenRegister == BpfEncoding.FramePointer || BpfEncoding.IsAddressSpaceCast(instruction);
}
