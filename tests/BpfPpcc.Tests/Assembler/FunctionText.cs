using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Tests.Assembler;

/// <summary>Something that an instruction or a data word refers to by name: kind "map", "data", "function", "extern" or "call".</summary>
internal readonly record struct SymbolText(string Kind, string Name);

/// <summary>A function while it is read: slots, with labels and names still to be resolved.</summary>
internal sealed class FunctionText
{
    public required string Name { get; init; }

    public required BpfFunctionRole Role { get; init; }

    public required string Section { get; init; }

    public bool IsStatic { get; init; }

    public BpfProgramType Type { get; init; }

    public int AttachType { get; init; }

    public string? Target { get; init; }

    public BpfPrototype? Prototype { get; init; }

    public List<BpfInstruction> Code { get; } = [];

    public Dictionary<string, int> Labels { get; } = [];

    public List<(int Slot, string Label)> Jumps { get; } = [];

    public List<(int Slot, SymbolText Symbol)> Symbols { get; } = [];

    public List<BpfLineInfo> Lines { get; } = [];

    public void Emit(byte opcode, int dst = 0, int src = 0, long offset = 0, long imm = 0)
    {
        if (offset is < short.MinValue or > short.MaxValue)
            throw new FormatException("offset does not fit");
        if (imm is < int.MinValue or > uint.MaxValue)
            throw new FormatException("immediate does not fit");
        Code.Add(new BpfInstruction(opcode, (byte)dst, (byte)src, (short)offset, unchecked((int)imm)));
    }

    public BpfFunction Finish(int index, Names names)
    {
        foreach ((int slot, string label) in Jumps)
        {
            if (!Labels.TryGetValue(label, out int target))
                throw new FormatException($"no label '{label}' in {Name}");
            int offset = target - slot - 1;
            Code[slot] = Code[slot].Opcode == 0x06 ? Code[slot] with { Imm = offset } : Code[slot] with { Offset = checked((short)offset) };
        }

        var references = ImmutableDictionary.CreateBuilder<int, BpfReference>();
        foreach ((int slot, SymbolText symbol) in Symbols)
        {
            if (symbol.Kind == "call" && names.FindFunction(symbol.Name) < 0)
            {
                int id = BpfHelpers.IdOf(symbol.Name);
                if (id == 0)
                    throw new FormatException($"no function or helper '{symbol.Name}'");
                Code[slot] = Code[slot] with { Src = BpfPseudo.HelperCall, Imm = id };
                continue;
            }

            references.Add(slot, names.Resolve(symbol));
        }

        return new BpfFunction
        {
            Index = index,
            Name = Name,
            SectionName = Section,
            Role = Role,
            IsStatic = IsStatic,
            ProgramType = Type,
            AttachType = AttachType,
            AttachTarget = Target,
            Instructions = [.. Code],
            References = references.ToImmutable(),
            Lines = [.. Lines],
            Prototype = Prototype,
        };
    }
}

/// <summary>The names of a module's parts, for references.</summary>
internal sealed record Names(List<string> Functions, List<string> Maps, List<string> Data)
{
    public int FindFunction(string name) => Functions.IndexOf(name);

    public BpfReference Resolve(SymbolText symbol) => symbol.Kind switch
    {
        "map" => new BpfReference.MapAddress(Find(Maps, symbol.Name)),
        "data" => ResolveData(symbol.Name),
        "function" => new BpfReference.FunctionAddress(Find(Functions, symbol.Name)),
        "call" => new BpfReference.FunctionCall(Find(Functions, symbol.Name)),
        "extern" => new BpfReference.ExternAddress(symbol.Name),
        "extern call" => new BpfReference.ExternCall(symbol.Name, null),
        _ => throw new FormatException($"unknown kind of reference '{symbol.Kind}'"),
    };

    public int InitialValue(BpfMapType type, string name) => Find(type == BpfMapType.PROG_ARRAY ? Functions : Maps, name);

    private BpfReference.DataAddress ResolveData(string text)
    {
        int plus = text.LastIndexOf('+');
        return plus < 0
            ? new BpfReference.DataAddress(Find(Data, text), 0)
            : new BpfReference.DataAddress(Find(Data, text[..plus]), BpfAssembler.Number(text[(plus + 1)..]));
    }

    private static int Find(List<string> names, string name)
    {
        int index = names.IndexOf(name);
        return index >= 0 ? index : throw new FormatException($"nothing is called '{name}'");
    }
}
