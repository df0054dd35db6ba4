using System.Buffers.Binary;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using BpfPpcc.Tests.Emission;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.ObjectWriting;

/// <summary>
/// An object with everything that the ABI has, whose host is host.c: programs with and without frame, TOC and tail calls, a tail call in a
/// subprogram, a global function behind a thunk, maps of all kinds, variables with and without addresses in them, externs.
/// </summary>
internal sealed class ExampleObject
{
    private const int MaxEntriesOffset = 16;
    private const int ProgsOffset = 96;
    private const int ValuesOffset = 88;
    private const int TailEntryOffset = 56;
    private const int MaxTailCalls = 33;

    // Variables, by their offsets.
    private const int Last = 0;
    private const int Hops = 8;
    private const int Route = 16;
    private const int RouteLength = 64;
    private const int Cell = Route + RouteLength * 4;
    private const int BssSize = Cell + 8;
    private const int Hits = 0;

    private readonly ModuleBuilder _module = new();
    private readonly SymbolId _bss;
    private readonly SymbolId _data;
    private readonly SymbolId _rodata;
    private readonly SymbolId _counters;
    private readonly SymbolId _jumpTable;
    private readonly SymbolId _clock;
    private readonly SymbolId _subTail;

    private ExampleObject()
    {
        string[] programs = ["entry_prog", "leaf_prog", "hop_prog", "bare_prog", "sub_prog", "atomic_prog", "far_prog"];
        foreach (string program in programs)
            _module.AddFunction(program);
        int subTail = _module.AddFunction("sub_tail", isProgram: false, isStatic: true);
        int globalSub = _module.AddFunction("global_sub", isProgram: false);
        _clock = _module.Helper("ktime_get_ns", 5);
        _subTail = _module.Symbols.Intern(SymbolKind.FunctionCode, "sub_tail", subTail);

        _counters = _module.Map(new BpfMap { Index = 0, Name = "counters", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 12, MaxEntries = 4 });
        _jumpTable = _module.Map(new BpfMap
        {
            Index = 0,
            Name = "jmp_table",
            Type = BpfMapType.PROG_ARRAY,
            KeySize = 4,
            ValueSize = 4,
            MaxEntries = 8,
            InitialValues = [-1, -1, -1, -1, -1, 1],
        });
        AddOtherMaps();
        _rodata = _module.Data(".rodata", 4, [1, 0, 0, 0], isReadOnly: true, [new BpfVariable("step", 0, 4, false, false, false)]);
        _module.Data(".rodata.str1.1", 6, "hello\0"u8.ToArray(), isReadOnly: true);
        _data = AddData(globalSub);
        _bss = _module.Data(
            ".bss", BssSize, null, false,
            [
                new BpfVariable("last", Last, 8, false, false, false),
                new BpfVariable("hops", Hops, 8, false, false, false),
                new BpfVariable("route", Route, RouteLength * 4, false, false, false),
                new BpfVariable("cell", Cell, 8, false, false, false),
            ]);
        AddConstantAddresses(globalSub);

        AddEntryProgram();
        AddLeafProgram();
        AddHopProgram();
        AddBareProgram();
        AddSubProgram();
        AddAtomicProgram();
        AddFarProgram();
        AddSubTail(subTail);
        AddGlobalSub(globalSub);
    }

    public static ModuleBuilder Build() => new ExampleObject()._module;

    private void AddOtherMaps()
    {
        _module.Map(new BpfMap
        {
            Index = 0,
            Name = "flows",
            Type = BpfMapType.HASH,
            KeySize = 8,
            ValueSize = 16,
            MaxEntries = 1000,
            Flags = 1,
            Pinning = 1,
            NumaNode = 2,
            Extra = 0x1122334455667788,
            BtfKeyType = 3,
            BtfValueType = 4,
        });
        _module.Map(new BpfMap { Index = 0, Name = "huge", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 8, MaxEntries = 1 << 22 });
        _module.Map(new BpfMap { Index = 0, Name = "small", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 1, MaxEntries = 2 });
        _module.Map(new BpfMap
        {
            Index = 0,
            Name = "outer",
            Type = BpfMapType.ARRAY_OF_MAPS,
            KeySize = 4,
            ValueSize = 4,
            MaxEntries = 3,
            Inner = new BpfMap { Index = -1, Name = "", Type = BpfMapType.ARRAY, KeySize = 4, ValueSize = 1, MaxEntries = 2 },
            InitialValues = [4, -1, 0],
        });
    }

    /// <summary>hits, a static variable of another's name, and words that hold addresses.</summary>
    private SymbolId AddData(int globalSub)
    {
        var contents = new byte[56];
        BinaryPrimitives.WriteUInt64LittleEndian(contents, 1000);
        return _module.Data(
            ".data", contents.Length, contents, false,
            [
                new BpfVariable("hits", Hits, 8, false, false, false),
                new BpfVariable("pointers", 8, 40, false, IsWeak: true, false),
                new BpfVariable("last", 48, 4, IsStatic: true, false, false),
                new BpfVariable("inside", 52, 4, false, false, IsHidden: true),
            ],
            [
                new BpfDataRelocation(8, new BpfReference.DataAddress(3, Hops), 0),
                new BpfDataRelocation(16, new BpfReference.MapAddress(1), 0),
                new BpfDataRelocation(24, new BpfReference.FunctionAddress(globalSub), 0),
                new BpfDataRelocation(32, new BpfReference.ExternAddress("host_value"), 4),
                new BpfDataRelocation(40, new BpfReference.ExternAddress("host_missing") { IsWeak = true }, 0),
            ]);
    }

    private void AddConstantAddresses(int globalSub) => _module.Data(
        ".rodata.table", 8, new byte[8], isReadOnly: true,
        [new BpfVariable("table", 0, 8, false, false, false)],
        [new BpfDataRelocation(0, new BpfReference.FunctionAddress(globalSub), 0)]);

    /// <summary>Frame, helper before and behind an epilogue, array element, variables, tail call, address of an extern and of a function.</summary>
    private void AddEntryProgram()
    {
        var code = new MirBuilder("entry_prog", isProgram: true, TailCallRole.Owner, needsToc: true, stack: 8);
        code.Pseudo(MachinePseudo.Copy, Def(31), Use(3));
        code.Call(_clock).Address(9, _bss, Last).Op(Ppc64Opcode.Std, Use(3), Imm(0), Use(9));
        code.Op(Ppc64Opcode.Lwz, Def(10), Imm(12), Use(31));
        code.Op(Ppc64Opcode.Std, Use(10), Stack(-8), R1).Op(Ppc64Opcode.Ld, Def(10), Stack(-8), R1);
        code.Op(Ppc64Opcode.Cmplwi, MachineOperand.CrField(0), Use(10), Imm(4)).Branch(0, true, 1, 2);

        code.Block();
        code.Op(Ppc64Opcode.Addis, Def(9), R2, MachineOperand.Address(_counters, ValuesOffset, SymbolModifier.TocHa));
        code.Op(Ppc64Opcode.Ld, Def(9), MachineOperand.Address(_counters, ValuesOffset, SymbolModifier.TocLo), Use(9));
        code.Op(Ppc64Opcode.Rldic, Def(10), Use(10), Imm(4), Imm(28)).Op(Ppc64Opcode.Lwzx, Def(11), Use(9), Use(10));
        code.Op(Ppc64Opcode.Addi, Def(11), Use(11), Imm(1)).Op(Ppc64Opcode.Stwx, Use(11), Use(9), Use(10)).Jump(2);

        code.Block();
        code.Address(9, _rodata).Op(Ppc64Opcode.Lwz, Def(10), Imm(0), Use(9));
        code.Address(9, _data, Hits).Op(Ppc64Opcode.Ld, Def(11), Imm(0), Use(9)).Op(Ppc64Opcode.Add, Def(11), Use(11), Use(10));
        code.Op(Ppc64Opcode.Std, Use(11), Imm(0), Use(9));
        code.Pseudo(MachinePseudo.Copy, Def(3), Use(31)).Op(Ppc64Opcode.Lwz, Def(5), Imm(16), Use(31));
        TailCall(code);

        SymbolId value = _module.Symbols.Intern(SymbolKind.ExternData, "host_value");
        SymbolId function = _module.Symbols.Intern(SymbolKind.FunctionPointer, "global_sub", 8);
        code.Pseudo(MachinePseudo.LoadExternAddress, Def(3), MachineOperand.Address(value, 4));
        code.Address(4, function).Call(_module.Symbols.Intern(SymbolKind.ExternFunction, "host_function"));
        code.Load(3, 2).Return();
        _module.Add(code);
    }

    /// <summary>Neither frame nor TOC.</summary>
    private void AddLeafProgram()
    {
        var code = new MirBuilder("leaf_prog", isProgram: true, index: 1);
        code.Op(Ppc64Opcode.Ld, Def(9), Imm(72), Use(3)).Op(Ppc64Opcode.Ld, Def(10), Imm(64), Use(3));
        code.Op(Ppc64Opcode.Subf, Def(3), Use(10), Use(9)).Op(Ppc64Opcode.Extsw, Def(3), Use(3)).Return();
        _module.Add(code);
    }

    /// <summary>A frame because of its stack, callee-saved registers, a spill, no call.</summary>
    private void AddHopProgram()
    {
        var code = new MirBuilder("hop_prog", isProgram: true, TailCallRole.Owner, needsToc: true, stack: 400, index: 2) { SpillSlots = 1 };
        code.Address(31, _bss, Hops).Op(Ppc64Opcode.Ld, Def(14), Imm(0), Use(31)).Move(InGpr(14), InSlot(0));
        code.Op(Ppc64Opcode.Std, Use(14), Stack(-400), R1).Op(Ppc64Opcode.Std, Use(14), Stack(-8), R1);
        Next(code);
        TailCall(code);
        code.Op(Ppc64Opcode.Ld, Def(3), Imm(0), Use(31));
        code.Op(Ppc64Opcode.Neg, Def(3), Use(3)).Op(Ppc64Opcode.Extsw, Def(3), Use(3)).Return();
        _module.Add(code);
    }

    /// <summary>Tail calls without a frame.</summary>
    private void AddBareProgram()
    {
        var code = new MirBuilder("bare_prog", isProgram: true, TailCallRole.Owner, needsToc: true, index: 3);
        code.Op(Ppc64Opcode.Lwz, Def(5), Imm(16), Use(3));
        TailCall(code);
        Next(code);
        TailCall(code);
        code.Load(3, 3).Return();
        _module.Add(code);
    }

    private void AddSubProgram()
    {
        var code = new MirBuilder("sub_prog", isProgram: true, TailCallRole.Owner, needsToc: true, index: 4);
        PassCount(code);
        code.CallLocal(_subTail).Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(100)).Op(Ppc64Opcode.Extsw, Def(3), Use(3)).Return();
        _module.Add(code);
    }

    /// <summary>
    /// 9 if there is a context, without a frame. Else, with one: cell += 5 (ordered), cell = 7 if it is 105, cell ^= 0x100 as a word; gives
    /// what the first two saw and what there is then.
    /// </summary>
    private void AddAtomicProgram()
    {
        var code = new MirBuilder("atomic_prog", isProgram: true, needsToc: true, index: 5);
        code.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(CrBits.Eq, false, 1, 2);

        code.Block(frequency: 0.5f);
        code.Load(3, 9).Jump(4);

        code.Block();
        code.Pseudo(MachinePseudo.Copy, Def(31), Use(3)).Call(_clock);
        code.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(31), Imm(0)).Branch(CrBits.Eq, true, 3, 4);

        code.Block();
        code.Address(9, _bss, Cell).Load(5, 5).Load(6, 105).Load(7, 7).Load(8, 0x100);
        code.Pseudo(MachinePseudo.AtomicReadModifyWrite, Def(3), Def(10), Use(9), Use(5), Imm((long)AtomicKind.Add), Imm(8), Imm(1));
        code.Pseudo(MachinePseudo.AtomicCompareExchange, Def(4), Use(9), Use(6), Use(7), Imm(8));
        code.Pseudo(MachinePseudo.AtomicReadModifyWrite, Def(11), Def(10), Use(9), Use(8), Imm((long)AtomicKind.Xor), Imm(4), Imm(0));
        code.Op(Ppc64Opcode.Rldimi, Def(3), Use(4), Imm(16), Imm(32)).Op(Ppc64Opcode.Rldimi, Def(3), Use(11), Imm(32), Imm(16)).Jump(4);

        code.Block();
        code.Return();
        _module.Add(code);
    }

    /// <summary>Counts ctx down in a loop of more than 32 KiB, entered and left by conditional branches.</summary>
    private void AddFarProgram()
    {
        var code = new MirBuilder("far_prog", isProgram: true, index: 6);
        code.Load(9, 0).Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(7), Use(3), Imm(0)).Branch(30, true, 2, 1);
        code.Block(frequency: 10);
        for (int i = 0; i < 10000; i++)
            code.Op(Ppc64Opcode.Addi, Def(9), Use(9), Imm(1));
        code.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(-1)).Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(7), Use(3), Imm(0));
        code.Branch(30, true, 2, 1);
        code.Block();
        code.Pseudo(MachinePseudo.Copy, Def(3), Use(9)).Return();
        _module.Add(code);
    }

    private void AddSubTail(int index)
    {
        var code = new MirBuilder("sub_tail", role: TailCallRole.Receiver, needsToc: true, index: index, symbol: _subTail);
        code.Pseudo(MachinePseudo.Copy, Def(31), Use(3)).Call(_clock).Address(9, _bss, Last).Op(Ppc64Opcode.Std, Use(3), Imm(0), Use(9));
        Next(code);
        code.Pseudo(MachinePseudo.Copy, Def(3), Use(31));
        TailCall(code);
        code.Load(3, 7).Return();
        _module.Add(code);
    }

    /// <summary>The function that BPF code calls, and the thunk that C calls, with a count of its own and a result that is extended.</summary>
    private void AddGlobalSub(int index)
    {
        SymbolId symbol = _module.Symbols.Intern(SymbolKind.FunctionCode, "global_sub", index);
        var inner = new MirBuilder("global_sub", role: TailCallRole.Receiver, needsToc: true, index: index, symbol: symbol);
        Next(inner);
        TailCall(inner);
        inner.Load(3, 9).Return();
        _module.Add(inner);

        var thunk = new MirBuilder("global_sub", role: TailCallRole.Owner, needsToc: true, isCallableFromC: true, index: index);
        PassCount(thunk);
        thunk.CallLocal(symbol).Op(Ppc64Opcode.Extsw, Def(3), Use(3)).Return();
        _module.Add(thunk);
    }

    /// <summary>r8 = where the count is: the slot, or what it holds if that is a pointer.</summary>
    private static void PassCount(MirBuilder code)
    {
        MachineOperand slot = MachineOperand.Frame(FrameArea.TailCallCount, 0);
        code.Op(Ppc64Opcode.Addi, Def(8), R1, slot).Op(Ppc64Opcode.Ld, Def(9), slot, R1);
        code.Op(Ppc64Opcode.Cmpldi, MachineOperand.CrField(0), Use(9), Imm(MaxTailCalls));
        code.Op(Ppc64Opcode.Isel, Def(8), Use(9), Use(8), MachineOperand.CrBit(CrBits.Gt));
    }

    /// <summary>r5 = route[hops++ % 64].</summary>
    private void Next(MirBuilder code)
    {
        code.Address(9, _bss, Hops).Op(Ppc64Opcode.Ld, Def(10), Imm(0), Use(9)).Op(Ppc64Opcode.Addi, Def(11), Use(10), Imm(1));
        code.Op(Ppc64Opcode.Std, Use(11), Imm(0), Use(9)).Address(9, _bss, Route);
        code.Op(Ppc64Opcode.Rlwinm, Def(10), Use(10), Imm(2), Imm(24), Imm(29)).Op(Ppc64Opcode.Lwzx, Def(5), Use(9), Use(10));
    }

    /// <summary>r3 context, r5 index; continues in a new block if the call is not made.</summary>
    private void TailCall(MirBuilder code)
    {
        int next = code.Function.Blocks.Count;
        int outside = next + 3;
        MachineOperand slot = MachineOperand.Frame(FrameArea.TailCallCount, 0);
        MachineOperand cr0 = MachineOperand.CrField(0);
        code.Address(4, _jumpTable).Op(Ppc64Opcode.Lwz, Def(10), Imm(MaxEntriesOffset), Use(4));
        code.Op(Ppc64Opcode.Cmplw, cr0, Use(5), Use(10)).Branch(CrBits.Lt, true, next, outside);
        code.Block();
        code.Op(Ppc64Opcode.Ld, Def(9), slot, R1).Op(Ppc64Opcode.Addi, Def(10), R1, slot);
        code.Op(Ppc64Opcode.Cmpldi, cr0, Use(9), Imm(MaxTailCalls)).Op(Ppc64Opcode.Isel, Def(10), Use(9), Use(10), MachineOperand.CrBit(CrBits.Gt));
        code.Op(Ppc64Opcode.Ld, Def(9), Imm(0), Use(10)).Op(Ppc64Opcode.Cmpldi, cr0, Use(9), Imm(MaxTailCalls));
        code.Branch(CrBits.Lt, true, next + 1, outside);
        code.Block();
        code.Op(Ppc64Opcode.Ld, Def(11), Imm(ProgsOffset), Use(4)).Op(Ppc64Opcode.Rldic, Def(12), Use(5), Imm(3), Imm(29));
        code.Op(Ppc64Opcode.Ldx, Def(12), Use(11), Use(12)).Op(Ppc64Opcode.Cmpdi, cr0, Use(12), Imm(0));
        code.Branch(CrBits.Eq, true, outside, next + 2);
        code.Block();
        code.Op(Ppc64Opcode.Ld, Def(12), Imm(TailEntryOffset), Use(12)).Op(Ppc64Opcode.Addi, Def(9), Use(9), Imm(1));
        code.Op(Ppc64Opcode.Std, Use(9), Imm(0), Use(10)).TailCallJump();
        code.Block();
    }
}
