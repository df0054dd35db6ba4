using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Emission;
using BpfPpcc.Loading;
using BpfPpcc.ObjectWriting;
using BpfPpcc.Symbols;
using BpfPpcc.Tests.Emission;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.ObjectWriting;

/// <summary>A BPF module and its compiled functions, put together by hand.</summary>
internal sealed class ModuleBuilder
{
    public SymbolTable Symbols { get; } = new();

    public List<BpfFunction> Functions { get; } = [];

    public List<BpfMap> Maps { get; } = [];

    public List<BpfDataSection> DataSections { get; } = [];

    public List<CompiledFunction> Compiled { get; } = [];

    public DiagnosticBag Diagnostics { get; } = new();

    public ImmutableArray<byte> Btf { get; set; } = [];

    public bool IsVerified { get; set; }

    public static ObjectOptions Options { get; } = new() { Stem = "example", ToolVersion = "0.1.0", OptionsText = "-O2" };

    /// <summary>Adds a BPF function without code and returns its index.</summary>
    public int AddFunction(string name, bool isProgram = true, bool isStatic = false, ImmutableDictionary<int, BpfReference>? references = null)
    {
        Functions.Add(new BpfFunction
        {
            Index = Functions.Count,
            Name = name,
            SectionName = isProgram ? "xdp" : ".text",
            Role = isProgram ? BpfFunctionRole.Program : BpfFunctionRole.Subprogram,
            IsStatic = isStatic,
            ProgramType = isProgram ? BpfProgramType.XDP : BpfProgramType.UNSPEC,
            AttachType = isProgram ? 37 : 0,
            AttachTarget = null,
            Instructions = [new BpfInstruction(0xb7, 0, 0, 0, 2), new BpfInstruction(0x95, 0, 0, 0, 0)],
            References = references ?? ImmutableDictionary<int, BpfReference>.Empty,
            Lines = [],
            Prototype = null,
        });
        return Functions.Count - 1;
    }

    /// <summary>Adds a program that does nothing.</summary>
    public int AddTrivialProgram(string name, bool isStatic = false)
    {
        int index = AddFunction(name, isStatic: isStatic);
        Add(new MirBuilder(name, isProgram: true, index: index).Load(3, 2).Return());
        return index;
    }

    public SymbolId Map(BpfMap map)
    {
        Maps.Add(map with { Index = Maps.Count });
        return Symbols.Intern(SymbolKind.Map, map.Name, Maps.Count - 1);
    }

    /// <summary>Adds a section; a contents of null makes it .bss-like.</summary>
    public SymbolId Data(
        string name,
        long size,
        byte[]? contents = null,
        bool isReadOnly = false,
        BpfVariable[]? variables = null,
        BpfDataRelocation[]? relocations = null)
    {
        DataSections.Add(new BpfDataSection
        {
            Index = DataSections.Count,
            Name = name,
            IsReadOnly = isReadOnly,
            Size = size,
            Alignment = 8,
            Contents = contents is null ? [] : [.. contents],
            Variables = [.. variables ?? []],
            Relocations = [.. relocations ?? []],
        });
        return Symbols.Intern(SymbolKind.DataSection, name, DataSections.Count - 1);
    }

    public SymbolId Helper(string name, int id) => Symbols.Intern(SymbolKind.ExternFunction, "bpf_helper_" + name, id);

    public void Add(MirBuilder function) => Compiled.Add(function.Emit());

    public BpfModule Module() => new()
    {
        SourceName = "some/folder/example.bpf.o",
        Sha256 = [.. Enumerable.Repeat((byte)0xab, 32)],
        IsBigEndian = false,
        Licence = "GPL",
        KernelVersion = 0,
        Functions = [.. Functions],
        Maps = [.. Maps],
        DataSections = [.. DataSections],
        Btf = null,
        RawBtf = Btf,
        RawBtfExt = [],
    };

    public ElfFile? TryWrite(ObjectOptions? options = null) =>
        ObjectWriter.Write(
            new VerifiedModule(Module(), IsVerified, []), Compiled, Symbols, options ?? Options, EmittedCode.Power8, Diagnostics);

    public ElfFile Write(ObjectOptions? options = null)
    {
        ElfFile? file = TryWrite(options);
        Assert.Empty(Diagnostics.Diagnostics);
        Assert.NotNull(file);
        return file;
    }
}
