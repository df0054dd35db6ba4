using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Loading;
using BpfPpcc.Mir;
using BpfPpcc.ObjectWriting;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using BpfPpcc.Tests.Emission;
using Xunit;
using static BpfPpcc.Elf.ElfConstants;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.ObjectWriting;

public sealed class ObjectWriterTests
{
    private const int TagOffset = 80;

    [Fact]
    public void Relocations_are_those_that_every_linker_takes_and_own_things_are_referred_to_by_section()
    {
        ElfFile file = ExampleObject.Build().Write();
        Ppc64Relocation[] sectionTypes =
        [
            Ppc64Relocation.R_PPC64_ADDR64, Ppc64Relocation.R_PPC64_REL32, Ppc64Relocation.R_PPC64_TOC16_HA, Ppc64Relocation.R_PPC64_TOC16_LO,
            Ppc64Relocation.R_PPC64_TOC16_LO_DS,
        ];
        int count = 0;
        foreach (ElfRelocation relocation in file.Sections.SelectMany(section => section.Relocations))
        {
            var type = (Ppc64Relocation)relocation.Type;
            ElfSymbol symbol = relocation.Symbol!;
            count++;
            if (symbol.Type == STT_SECTION)
                Assert.Contains(type, sectionTypes);
            else if (symbol.Name == ".TOC.")
                Assert.True(type is Ppc64Relocation.R_PPC64_ADDR64 or Ppc64Relocation.R_PPC64_REL16_HA or Ppc64Relocation.R_PPC64_REL16_LO);
            else
                Assert.True(symbol.IsUndefined && type is Ppc64Relocation.R_PPC64_ADDR64 or Ppc64Relocation.R_PPC64_REL24, $"{type} {symbol.Name}");
        }

        Assert.InRange(count, 100, 1000);
    }

    [Fact]
    public void Header_and_sections_are_as_the_abi_says()
    {
        ElfFile file = ExampleObject.Build().Write();
        Assert.Equal((ET_REL, EM_PPC64, ELFOSABI_GNU, 2u), (file.Type, file.Machine, file.OsAbi, file.Flags));
        foreach (string table in (string[])["bpf_progs", "bpf_maps", "bpf_modules"])
        {
            ElfSection section = file.FindSection(table)!;
            Assert.Equal((SHT_PROGBITS, SHF_ALLOC | SHF_WRITE | SHF_GNU_RETAIN, 8ul), (section.Type, section.Flags, section.Alignment));
        }

        Assert.Equal(16ul, file.FindSection(".text")!.Alignment);
        Assert.Equal((SHT_PROGBITS, 0ul, 0ul), Shape(file.FindSection(".note.GNU-stack")!));
        Assert.Equal((SHT_NOBITS, SHF_ALLOC | SHF_WRITE), (file.FindSection(".bss")!.Type, file.FindSection(".bss")!.Flags));
        Assert.Equal(SHF_ALLOC, file.FindSection(".rodata.str1.1")!.Flags);
        Assert.Null(file.FindSection(".rodata.table"));
        Assert.Equal(SHF_ALLOC | SHF_WRITE, file.FindSection(".data.rel.ro.rodata.table")!.Flags);
        Assert.Equal(128 * 6, file.FindSection("bpf_maps")!.Contents.Length);
        Assert.Equal(96 * 7, file.FindSection("bpf_progs")!.Contents.Length);
        Assert.Equal(160, file.FindSection("bpf_modules")!.Contents.Length);

        static (uint Type, ulong Flags, ulong Size) Shape(ElfSection section) => (section.Type, section.Flags, section.Size);
    }

    [Fact]
    public void Symbols_are_exported_as_they_were_in_the_input()
    {
        ElfFile file = ExampleObject.Build().Write();
        AssertSymbol("entry_prog", STT_FUNC, STB_GLOBAL, 0x60);
        AssertSymbol("leaf_prog", STT_FUNC, STB_GLOBAL, 0);
        AssertSymbol("sub_tail", STT_FUNC, STB_LOCAL, 0);
        AssertSymbol("global_sub", STT_FUNC, STB_GLOBAL, 0x60);
        AssertSymbol("global_sub.inner", STT_FUNC, STB_LOCAL, 0);
        AssertSymbol("counters", STT_OBJECT, STB_GLOBAL, 0);
        AssertSymbol("bpfppcc_module_example", STT_OBJECT, STB_GLOBAL, 0);
        AssertSymbol("pointers", STT_OBJECT, STB_WEAK, 0);
        AssertSymbol("inside", STT_OBJECT, STB_GLOBAL, STV_HIDDEN);
        AssertSymbol("last", STT_OBJECT, STB_GLOBAL, 0);
        AssertSymbol("last.1", STT_OBJECT, STB_LOCAL, 0);
        AssertSymbol("bpf_helper_ktime_get_ns", STT_NOTYPE, STB_GLOBAL, 0);
        AssertSymbol("host_value", STT_NOTYPE, STB_GLOBAL, 0);
        AssertSymbol("host_missing", STT_NOTYPE, STB_WEAK, 0);
        Assert.Equal(0ul, file.Symbols.Single(symbol => symbol.Name == "entry_prog").Value % 16);
        Assert.DoesNotContain(file.Symbols, symbol => symbol.Name is "_license" or "LICENSE");

        void AssertSymbol(string name, byte type, byte binding, byte other)
        {
            ElfSymbol symbol = Assert.Single(file.Symbols, symbol => symbol.Name == name);
            Assert.Equal((type, binding, other), (symbol.Type, symbol.Binding, symbol.Other));
        }
    }

    [Fact]
    public void Own_data_that_is_not_aligned_is_still_reached_by_doubleword_forms()
    {
        ElfFile file = ExampleObject.Build().Write();
        foreach (ElfRelocation relocation in file.FindSection(".text")!.Relocations)
        {
            if (relocation.Type == (uint)Ppc64Relocation.R_PPC64_TOC16_LO_DS)
                Assert.True(relocation.Addend % 4 == 0 && relocation.Symbol!.Section!.Alignment >= 4);
        }
    }

    [Fact]
    public void Two_runs_give_the_same_bytes() =>
        Assert.True(ElfWriter.Write(ExampleObject.Build().Write()).AsSpan().SequenceEqual(ElfWriter.Write(ExampleObject.Build().Write())));

    [Fact]
    public void The_object_says_nothing_of_folders() =>
        Assert.Equal(-1, ElfWriter.Write(ExampleObject.Build().Write()).AsSpan().IndexOf("some/folder"u8));

    [Fact]
    public void Note_names_tool_input_options_and_helpers()
    {
        ElfSection note = ExampleObject.Build().Write().FindSection(".note.bpfppcc")!;
        ReadOnlySpan<byte> bytes = note.Contents.Span;
        Assert.Equal((8u, 1u), (BinaryPrimitives.ReadUInt32LittleEndian(bytes), BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..])));
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]);
        Assert.Equal("bpfppcc\0", Encoding.UTF8.GetString(bytes[12..20]));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]));
        string sha256 = string.Concat(Enumerable.Repeat("ab", 32));
        Assert.Equal(
            $"tool=bpfppcc 0.1.0\0sha256={sha256}\0options=-O2\0verify=off\0helpers=5\0", Encoding.UTF8.GetString(bytes[24..(20 + length)]));
    }

    [Theory]
    [InlineData(false, 0u)]
    [InlineData(true, 2u)]
    public void Only_a_verified_module_says_so(bool isVerified, uint flags)
    {
        var module = new ModuleBuilder { IsVerified = isVerified };
        module.AddTrivialProgram("p");
        ReadOnlySpan<byte> record = module.Write().FindSection("bpf_modules")!.Contents.Span;
        Assert.Equal(flags, BinaryPrimitives.ReadUInt32LittleEndian(record[8..]));
    }

    [Fact]
    public void Btf_passes_through_unless_it_is_stripped()
    {
        var module = new ModuleBuilder { Btf = [1, 2, 3, 4] };
        module.AddTrivialProgram("p");
        ElfSection btf = module.Write().FindSection(".BTF." + ModuleBuilder.Options.Stem)!;
        Assert.Equal((0ul, SHT_PROGBITS), (btf.Flags, btf.Type));
        Assert.Equal<byte>([1, 2, 3, 4], btf.Contents.ToArray());
        Assert.Null(module.Write(ModuleBuilder.Options with { StripBtf = true }).Sections.Find(static section => section.Name.StartsWith(".BTF", StringComparison.Ordinal)));
    }

    [Fact]
    public void Renames_and_prefixes_change_symbols_and_no_descriptors()
    {
        ModuleBuilder module = ExampleObject.Build();
        ElfFile file = module.Write(ModuleBuilder.Options with
        {
            SymbolPrefix = "my_",
            HelperPrefix = "env_",
            Renames = [new SymbolRename("counters", "renamed"), new SymbolRename("leaf_prog", "leaf")],
        });
        string[] names = [.. file.Symbols.Select(symbol => symbol.Name)];
        foreach (string name in (string[])["my_entry_prog", "leaf", "renamed", "my_hits", "my_sub_tail", "env_ktime_get_ns", "host_value"])
            Assert.Contains(name, names);
        Assert.DoesNotContain("entry_prog", names);
        Assert.DoesNotContain("bpf_helper_ktime_get_ns", names);
        ReadOnlySpan<byte> strings = file.FindSection(".rodata.bpfppcc")!.Contents.Span;
        Assert.True(strings.IndexOf("entry_prog\0"u8) >= 0 && strings.IndexOf("ktime_get_ns\0"u8) >= 0);
        Assert.Equal(-1, strings.IndexOf("my_"u8));
    }

    [Fact]
    public void Rename_of_an_unknown_name_is_an_error()
    {
        var module = new ModuleBuilder();
        module.AddTrivialProgram("p");
        Assert.Null(module.TryWrite(ModuleBuilder.Options with { Renames = [new SymbolRename("q", "r")] }));
        Assert.Equal(DiagnosticId.RenameUnknown, Assert.Single(module.Diagnostics.Diagnostics).Id);
    }

    [Fact]
    public void A_program_called_main_needs_another_name()
    {
        var module = new ModuleBuilder();
        module.AddTrivialProgram("main");
        Assert.Null(module.TryWrite());
        Assert.Equal(DiagnosticId.SymbolNameReserved, Assert.Single(module.Diagnostics.Diagnostics).Id);
        Assert.NotNull(new Func<ElfFile?>(() =>
        {
            var other = new ModuleBuilder();
            other.AddTrivialProgram("main");
            return other.TryWrite(ModuleBuilder.Options with { SymbolPrefix = "x_" });
        })());
    }

    [Fact]
    public void Two_globals_of_one_name_are_an_error_and_two_locals_are_not()
    {
        var module = new ModuleBuilder();
        module.AddTrivialProgram("a");
        module.AddTrivialProgram("b");
        Assert.Null(module.TryWrite(ModuleBuilder.Options with { Renames = [new SymbolRename("a", "b")] }));
        Assert.Equal(DiagnosticId.SymbolDuplicate, Assert.Single(module.Diagnostics.Diagnostics).Id);

        var locals = new ModuleBuilder();
        locals.AddTrivialProgram("a", isStatic: true);
        locals.AddTrivialProgram("a", isStatic: true);
        Assert.Equal(["a", "a.1"], locals.Write().Symbols.Where(symbol => symbol.Type == STT_FUNC).Select(symbol => symbol.Name));
    }

    [Fact]
    public void Extern_map_is_an_undefined_symbol_and_no_descriptor()
    {
        var module = new ModuleBuilder();
        int program = module.AddFunction("p");
        module.Map(new BpfMap { Index = 0, Name = "theirs", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 8, MaxEntries = 1, IsExtern = true });
        module.Map(new BpfMap { Index = 0, Name = "ours", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 8, MaxEntries = 1 });
        SymbolId theirs = module.Symbols.Intern(SymbolKind.ExternData, "theirs");
        module.Add(new MirBuilder("p", isProgram: true, needsToc: true, index: program)
            .Pseudo(MachinePseudo.LoadExternAddress, Def(3), MachineOperand.Address(theirs, 0)).Return());
        ElfFile file = module.Write();
        Assert.True(file.Symbols.Single(symbol => symbol.Name == "theirs").IsUndefined);
        Assert.Equal(128, file.FindSection("bpf_maps")!.Contents.Length);
        Assert.Equal(0ul, file.Symbols.Single(symbol => symbol.Name == "ours").Value);
        ElfRelocation entry = Assert.Single(file.FindSection(".toc")!.Relocations);
        Assert.Equal("theirs", entry.Symbol!.Name);
    }

    [Fact]
    public void Literals_stand_once_in_the_toc()
    {
        var module = new ModuleBuilder();
        int program = module.AddFunction("p");
        module.Add(new MirBuilder("p", isProgram: true, needsToc: true, index: program)
            .Pseudo(MachinePseudo.LoadLiteral, Def(3), MachineOperand.Immediate(0x0123456789abcdef))
            .Pseudo(MachinePseudo.LoadLiteral, Def(4), MachineOperand.Immediate(-0x0123456789abcdef))
            .Pseudo(MachinePseudo.LoadLiteral, Def(3), MachineOperand.Immediate(0x0123456789abcdef)).Return());
        ElfSection toc = module.Write().FindSection(".toc")!;
        Assert.Empty(toc.Relocations);
        Assert.Equal([0x0123456789abcdef, -0x0123456789abcdef], MemoryMarshal.Cast<byte, long>(toc.Contents.Span).ToArray());
    }

    [Fact]
    public void Initial_value_of_a_prog_array_must_be_a_program_inside()
    {
        foreach ((int function, int slots) in ((int, int)[])[(1, 1), (0, 0)])
        {
            var module = new ModuleBuilder();
            module.AddTrivialProgram("p");
            int sub = module.AddFunction("sub", isProgram: false);
            module.Add(new MirBuilder("sub", index: sub).Return());
            module.Map(new BpfMap { Index = 0, Name = "jmp", Type = BpfMapType.PROG_ARRAY, MaxEntries = (uint)slots, InitialValues = [function] });
            Assert.Null(module.TryWrite());
            Assert.Equal(DiagnosticId.InitialValueInvalid, Assert.Single(module.Diagnostics.Diagnostics).Id);
        }
    }

    [Fact]
    public void Storage_of_arrays_ends_at_16_MiB_and_a_prog_array_always_has_slots()
    {
        var module = new ModuleBuilder();
        module.AddTrivialProgram("p");
        module.Map(new BpfMap { Index = 0, Name = "half", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 8, MaxEntries = 1 << 20 });
        module.Map(new BpfMap { Index = 0, Name = "more", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 8, MaxEntries = (1 << 20) + 1 });
        module.Map(new BpfMap { Index = 0, Name = "rest", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 1, MaxEntries = 1 << 20 });
        module.Map(new BpfMap { Index = 0, Name = "full", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 1, MaxEntries = 1 });
        module.Map(new BpfMap { Index = 0, Name = "most", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = uint.MaxValue, MaxEntries = uint.MaxValue });
        module.Map(new BpfMap { Index = 0, Name = "jmp", Type = BpfMapType.PROG_ARRAY, MaxEntries = 2 });
        ElfFile file = module.Write();
        Assert.Equal((16ul << 20) + 16, file.FindSection(".bss.bpfppcc")!.Size);
        ReadOnlyMemory<byte> maps = file.FindSection("bpf_maps")!.Contents;
        uint[] flags = [.. Enumerable.Range(0, 6).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(maps.Span[(i * 128 + 76)..]))];
        Assert.Equal([3u, 0u, 3u, 0u, 0u, 1u], flags);
    }

    [Fact]
    public void Object_without_programs_maps_or_data_is_a_module_all_the_same()
    {
        ElfFile file = new ModuleBuilder().Write();
        Assert.NotNull(file.FindSection(".text"));
        Assert.Null(file.FindSection("bpf_progs"));
        Assert.Null(file.FindSection(".eh_frame"));
        Assert.Equal(160, file.FindSection("bpf_modules")!.Contents.Length);
    }

    /// <summary>Bytes of the instructions, in the order and with the fields that libbpf gives them before it loads the program.</summary>
    [Fact]
    public void Tag_is_the_hash_of_the_instructions_without_addresses()
    {
        var module = new ModuleBuilder();
        int program = module.AddFunction("p");
        int callee = module.AddFunction("sub", isProgram: false, isStatic: true);
        module.Map(new BpfMap { Index = 0, Name = "m", Type = BpfMapType.HASH });
        module.Functions[program] = With(
            module.Functions[program],
            [
                new BpfInstruction(0x18, 1, 0, 0, 77), new BpfInstruction(0, 0, 0, 0, 0),
                new BpfInstruction(0x18, 2, 0, 0, 12), new BpfInstruction(0, 0, 0, 0, 34),
                new BpfInstruction(0x18, 3, 0, 0, 12), new BpfInstruction(0, 0, 0, 0, 34),
                new BpfInstruction(0x85, 0, 1, 0, -1), new BpfInstruction(0x95, 0, 0, 0, 0),
            ],
            new Dictionary<int, BpfReference>
            {
                [0] = new BpfReference.MapAddress(0),
                [2] = new BpfReference.DataAddress(0, 12),
                [6] = new BpfReference.FunctionCall(callee),
            });
        module.Data(".data", 64, new byte[64]);
        module.Add(new MirBuilder("p", isProgram: true, index: program).Return());
        module.Add(new MirBuilder("sub", index: callee).Return());
        ReadOnlySpan<byte> row = module.Write().FindSection("bpf_progs")!.Contents.Span;

        byte[] hashed = Convert.FromHexString(
            "1811000000000000" + "0000000000000000"
            + "1822000000000000" + "0000000000000000"
            + "180300000c000000" + "0000000022000000"
            + "8510000001000000" + "9500000000000000"
            + "b700000002000000" + "9500000000000000");
#pragma warning disable CA5350
        Assert.Equal(SHA1.HashData(hashed)[..8], row[TagOffset..(TagOffset + 8)].ToArray());
#pragma warning restore CA5350
    }

    private static BpfFunction With(BpfFunction function, BpfInstruction[] instructions, Dictionary<int, BpfReference> references) => new()
    {
        Index = function.Index,
        Name = function.Name,
        SectionName = function.SectionName,
        Role = function.Role,
        IsStatic = function.IsStatic,
        ProgramType = function.ProgramType,
        AttachType = function.AttachType,
        AttachTarget = function.AttachTarget,
        Instructions = [.. instructions],
        References = references.ToImmutableDictionary(),
        Lines = [],
        Prototype = null,
    };
}
