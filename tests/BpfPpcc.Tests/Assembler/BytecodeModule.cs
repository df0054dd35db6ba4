using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Loading;

namespace BpfPpcc.Tests.Assembler;

/// <summary>Makes a module from bare byte code without symbols, as instruction set test suites have it.</summary>
public static class BytecodeModule
{
    /// <summary>
    /// The first instruction starts the program "main"; every instruction that a local call or the address of a callback leads to
    /// starts a subprogram. A call that leads outside of the code gets no reference.
    /// </summary>
    /// <param name="mapSlots">Slots of LD_IMM64 that take the address of a map; all get the same one.</param>
    public static BpfModule FromBytes(
        ReadOnlySpan<byte> bytes, bool isBigEndian = false, BpfProgramType type = BpfProgramType.UNSPEC, IReadOnlySet<int>? mapSlots = null) =>
        FromBytes(
            bytes, type, mapSlots?.ToDictionary(slot => slot, BpfReference (_) => new BpfReference.MapAddress(0)) ?? [],
            mapSlots is null ? [] : [new BpfMap { Index = 0, Name = "map", Type = BpfMapType.ARRAY }], isBigEndian: isBigEndian);

    /// <summary>As above, with what slots refer to, and the maps and data sections that they name.</summary>
    public static BpfModule FromBytes(
        ReadOnlySpan<byte> bytes, BpfProgramType type, IReadOnlyDictionary<int, BpfReference> referencesBySlot, ImmutableArray<BpfMap> maps,
        ImmutableArray<BpfDataSection> dataSections = default, BtfTypes? btf = null, BtfTypes? targetBtf = null, int attachType = 0,
        string? attachTarget = null, bool isSleepable = false, bool isBigEndian = false)
    {
        var code = new BpfInstruction[bytes.Length / BpfInstruction.Size];
        for (int slot = 0; slot < code.Length; slot++)
            code[slot] = BpfInstruction.Decode(bytes[(slot * BpfInstruction.Size)..], isBigEndian);

        int[] starts = FindStarts(code);
        return new BpfModule
        {
            SourceName = "bytes",
            Sha256 = [.. new byte[32]],
            IsBigEndian = isBigEndian,
            Licence = "GPL",
            KernelVersion = 0,
            Functions = [.. starts.Select((_, index) => FunctionOf(code, starts, index, type, referencesBySlot, attachType, attachTarget, isSleepable))],
            Maps = maps,
            DataSections = dataSections.IsDefault ? [] : dataSections,
            Btf = btf,
            TargetBtf = targetBtf,
            RawBtf = [],
            RawBtfExt = [],
        };
    }

    private static int[] FindStarts(BpfInstruction[] code)
    {
        var starts = new SortedSet<int> { 0 };
        for (int slot = 0; slot < code.Length; slot++)
        {
            int target = slot + 1 + code[slot].Imm;
            if ((IsLocalCall(code[slot]) || IsCodeAddress(code[slot])) && target >= 0 && target < code.Length)
                starts.Add(target);
        }

        return [.. starts];
    }

    private static BpfFunction FunctionOf(
        BpfInstruction[] code, int[] starts, int index, BpfProgramType type, IReadOnlyDictionary<int, BpfReference> referencesBySlot,
        int attachType, string? attachTarget, bool isSleepable)
    {
        int start = starts[index];
        int end = index + 1 < starts.Length ? starts[index + 1] : code.Length;
        var references = ImmutableDictionary.CreateBuilder<int, BpfReference>();
        for (int slot = start; slot < end; slot++)
        {
            int target = Array.BinarySearch(starts, slot + 1 + code[slot].Imm);
            if (IsLocalCall(code[slot]) && target >= 0)
                references.Add(slot - start, new BpfReference.FunctionCall(target));
            else if (IsCodeAddress(code[slot]) && target >= 0)
                references.Add(slot - start, new BpfReference.FunctionAddress(target));
            else if (referencesBySlot.TryGetValue(slot, out BpfReference? reference))
                references.Add(slot - start, reference);
        }

        return new BpfFunction
        {
            Index = index,
            Name = index == 0 ? "main" : $"function_{start}",
            SectionName = isSleepable ? "test.s" : ".text",
            Role = index == 0 ? BpfFunctionRole.Program : BpfFunctionRole.Subprogram,
            IsStatic = index != 0,
            ProgramType = index == 0 ? type : BpfProgramType.UNSPEC,
            AttachType = index == 0 ? attachType : 0,
            AttachTarget = index == 0 ? attachTarget : null,
            Instructions = [.. code[start..end]],
            References = references.ToImmutable(),
            Lines = [],
            Prototype = null,
        };
    }

    private static bool IsCodeAddress(BpfInstruction instruction) => instruction is { Opcode: 0x18, Src: BpfPseudo.CodeAddress };

    private static bool IsLocalCall(BpfInstruction instruction) => instruction is { Opcode: 0x85, Src: BpfPseudo.LocalCall };
}
