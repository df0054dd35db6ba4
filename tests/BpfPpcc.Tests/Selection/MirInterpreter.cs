using System.Globalization;
using BpfPpcc.Mir;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Tests.Selection;

/// <summary>
/// Runs a machine function by the Power ISA's description of its instructions (book I, chapter 3). What the manual leaves undefined is
/// garbage here, condition fields are lost in calls, and the registers hold all 64 bits.
/// </summary>
internal sealed class MirInterpreter
{
    /// <summary>BPF r10 lies this far above r1, and a multiple of 8.</summary>
    private const long BpfStackFromR1 = 72;
    private const ulong R1 = TestWorld.FramePointer - BpfStackFromR1;
    private const ulong R2 = 0x10_0000_8000;
    private const int Lost = -1;

    private readonly MachineFunction _function;
    private readonly TestWorld _world;
    private readonly ulong[] _arguments;
    private readonly ulong[] _registers;
    private readonly int[] _conditions = new int[8];
    private bool _carry;
    private ulong? _count;
    private ulong _garbage;

    private MirInterpreter(MachineFunction function, TestWorld world, ulong[] arguments)
    {
        _function = function;
        _world = world;
        _arguments = arguments;
        _registers = new ulong[function.VirtualRegisterCount];
        Array.Fill(_conditions, Lost);
    }

    /// <summary>What the function returns, as text.</summary>
    public static string Run(MachineFunction function, TestWorld world, ulong[] arguments) =>
        new MirInterpreter(function, world, arguments).Run();

    private string Run()
    {
        MachineBlock block = _function.Blocks[0];
        for (int steps = 0; steps < 5000; steps++)
        {
            foreach (MachineInstruction instruction in block.Instructions)
            {
                if (instruction.IsTerminator)
                    continue;
                if (instruction.Pseudo == MachinePseudo.None)
                    Execute(instruction);
                else
                    ExecutePseudo(instruction);
            }

            MachineInstruction terminator = block.Terminator;
            if (terminator.Pseudo == MachinePseudo.Return)
                return string.Create(CultureInfo.InvariantCulture, $"return {Read(terminator.Operands[0]):x}");
            if (terminator.Pseudo == MachinePseudo.Unreachable)
                return "unreachable";
            if (terminator.Pseudo == MachinePseudo.TailCallJump)
            {
                return string.Create(CultureInfo.InvariantCulture,
                    $"tail call {Read(terminator.Operands[0]):x}({Read(terminator.Operands[1]):x})");
            }

            if (terminator.Pseudo == MachinePseudo.BranchOnCount)
            {
                _count = unchecked(Count() - 1);
                block = Follow(block.Successors[_count == 0 ? 1 : 0]);
                continue;
            }

            bool isFirst = terminator.Pseudo == MachinePseudo.Jump
                || (Bit(terminator.Operands[0].Number) ? 1 : 0) == terminator.Operands[1].Value;
            block = Follow(block.Successors[isFirst ? 0 : 1]);
        }

        throw new InvalidOperationException("the machine function does not end");
    }

    private MachineBlock Follow(MachineEdge edge)
    {
        MachineBlock target = _function.Blocks[edge.Target];
        ulong[] values = Array.ConvertAll(edge.Arguments, register => _registers[register.Number]);
        for (int i = 0; i < values.Length; i++)
            _registers[target.Parameters[i].Number] = values[i];
        return target;
    }

    private ulong Count() => _count ?? throw new InvalidOperationException("a count that was lost");

    private ulong Garbage() => _garbage = TestWorld.Mix(_garbage, 11);

    private ulong WithGarbageAbove(uint low) => (Garbage() << 32) | low;

    // Operands

    private ulong Read(MachineOperand operand) => operand.Kind switch
    {
        MachineOperandKind.VirtualRegister => _registers[operand.Number],
        MachineOperandKind.Gpr => operand.Number switch
        {
            1 => R1,
            2 => R2,
            _ => throw new InvalidOperationException("a register that only emission knows"),
        },
        MachineOperandKind.Zero => 0,
        MachineOperandKind.Immediate => (ulong)operand.Value,
        MachineOperandKind.Frame => (ulong)(operand.Area == FrameArea.BpfStack
            ? BpfStackFromR1 + operand.Value
            : (long)(TestWorld.CountSlot - R1) + operand.Value),
        MachineOperandKind.Symbol => SymbolPart(operand),
        MachineOperandKind.CrField or MachineOperandKind.CrBit or MachineOperandKind.Block =>
            throw new InvalidOperationException("no value"),
    };

    private static ulong SymbolPart(MachineOperand operand)
    {
        ulong address = TestWorld.SymbolAddress(operand.Number, operand.Value);
        var distance = (long)(address - R2);
        return operand.Modifier switch
        {
            SymbolModifier.None => address,
            SymbolModifier.TocHa => (ulong)((distance + 0x8000) >> 16),
            SymbolModifier.TocLo => (ulong)(short)distance,
        };
    }

    private void Write(MachineInstruction instruction, ulong value) => _registers[instruction.Operands[0].Number] = value;

    private bool Bit(int bit)
    {
        if (_conditions[bit / 4] == Lost)
            throw new InvalidOperationException("a condition that was lost");
        return (_conditions[bit / 4] & (8 >> (bit % 4))) != 0;
    }

    private void Compare(int field, int order) => _conditions[field] = order < 0 ? 8 : order > 0 ? 4 : 2;

    /// <summary>Ones from bit begin to bit end, going round if begin is the greater; bit 0 is the most significant.</summary>
    private static ulong Mask(int begin, int end)
    {
        ulong notBefore = begin == 0 ? ulong.MaxValue : (1UL << (64 - begin)) - 1;
        ulong after = end == 63 ? 0 : (1UL << (63 - end)) - 1;
        return begin <= end ? notBefore & ~after : notBefore | ~after;
    }

    private static ulong RotateWord(ulong value, int count)
    {
        ulong both = (value << 32) | (uint)value;
        return RotateDoubleword(both, count);
    }

    private static ulong RotateDoubleword(ulong value, int count) => count == 0 ? value : (value << count) | (value >> (64 - count));

    // Instructions

    private void ExecutePseudo(MachineInstruction instruction)
    {
        MachineOperand[] operands = instruction.Operands;
        switch (instruction.Pseudo)
        {
            case MachinePseudo.LoadImmediate or MachinePseudo.LoadAddress or MachinePseudo.LoadExternAddress or MachinePseudo.Copy:
                Write(instruction, Read(operands[1]));
                break;
            case MachinePseudo.SetCount:
                _count = Read(operands[0]);
                break;
            case MachinePseudo.Arguments:
                foreach (MachineOperand operand in operands)
                    _registers[operand.Number] = _arguments[operand.FixedGpr - 3];
                break;
            case MachinePseudo.CallExtern or MachinePseudo.CallLocal or MachinePseudo.CallIndirect:
                Call(operands);
                break;
            case MachinePseudo.AtomicReadModifyWrite:
                Modify(operands);
                break;
            case MachinePseudo.AtomicCompareExchange:
                CompareExchange(operands);
                break;
            default:
                throw new InvalidOperationException(instruction.Pseudo.ToString());
        }
    }

    private void Call(MachineOperand[] operands)
    {
        int next = operands[0].IsDef ? 1 : 0;
        MachineOperand target = operands[next++];
        string callee = target.Kind == MachineOperandKind.Symbol
            ? $"symbol{target.Number}"
            : string.Create(CultureInfo.InvariantCulture, $"pointer {Read(target):x}");
        var arguments = new ulong?[5];
        for (; next < operands.Length; next++)
        {
            if (operands[next].FixedGpr == 8)
                _world.Events.Add(string.Create(CultureInfo.InvariantCulture, $"count at {Read(operands[next]):x}"));
            else
                arguments[operands[next].FixedGpr - 3] = Read(operands[next]);
        }

        ulong result = _world.Call(callee, arguments);
        Array.Fill(_conditions, Lost);
        _count = null;
        if (operands[0].IsDef)
            _registers[operands[0].Number] = result;
    }

    private void Modify(MachineOperand[] operands)
    {
        ulong address = Read(operands[2]);
        ulong value = Read(operands[3]);
        var bytes = (int)operands[5].Value;
        ulong old = _world.Load(address, bytes);
        ulong changed = (AtomicKind)operands[4].Value switch
        {
            AtomicKind.Add => unchecked(old + value),
            AtomicKind.Or => old | value,
            AtomicKind.And => old & value,
            AtomicKind.Xor => old ^ value,
            AtomicKind.Exchange => value,
        };
        _world.Store(address, bytes, changed);
        _conditions[0] = Lost;
        _registers[operands[0].Number] = old;
        _registers[operands[1].Number] = Garbage();
    }

    private void CompareExchange(MachineOperand[] operands)
    {
        ulong address = Read(operands[1]);
        var bytes = (int)operands[4].Value;
        ulong expected = Read(operands[2]);
        ulong old = _world.Load(address, bytes);
        if (old == (bytes == 4 ? (uint)expected : expected))
            _world.Store(address, bytes, Read(operands[3]));
        _conditions[0] = Lost;
        _registers[operands[0].Number] = old;
    }

    private void Execute(MachineInstruction instruction)
    {
        MachineOperand[] operands = instruction.Operands;
        ulong A() => Read(operands[1]);
        ulong B() => Read(operands[2]);
        int Number(int index) => (int)operands[index].Value;
        unchecked
        {
            switch (instruction.Opcode)
            {
                case Addi: Write(instruction, A() + B()); break;
                case Addis: Write(instruction, A() + (B() << 16)); break;
                case Add: Write(instruction, A() + B()); break;
                case Subf: Write(instruction, B() - A()); break;
                case Subfic: Write(instruction, B() - A()); _carry = B() >= A(); break;
                case Addze:
                    ulong sum = A() + (_carry ? 1UL : 0);
                    _carry = sum < A();
                    Write(instruction, sum);
                    break;
                case Neg: Write(instruction, 0 - A()); break;
                case Mulli or Mulld: Write(instruction, A() * B()); break;
                case Maddld: Write(instruction, (A() * B()) + Read(operands[3])); break;
                case Mullw: Write(instruction, (ulong)((long)(int)A() * (int)B())); break;
                case Mulhd: Write(instruction, (ulong)((Int128)(long)A() * (long)B() >> 64)); break;
                case Mulhdu: Write(instruction, (ulong)((UInt128)A() * B() >> 64)); break;
                case Mulhw: Write(instruction, WithGarbageAbove((uint)((long)(int)A() * (int)B() >> 32))); break;
                case Mulhwu: Write(instruction, WithGarbageAbove((uint)((ulong)(uint)A() * (uint)B() >> 32))); break;
                case Divd or Divdu or Modsd or Modud: Write(instruction, Divide(instruction, A(), B())); break;
                case Divw or Divwu or Modsw or Moduw: Write(instruction, DivideWord(instruction, A(), B())); break;
                case Cmpwi or Cmpw: Compare(operands[0].Number, ((int)A()).CompareTo((int)B())); break;
                case Cmpdi or Cmpd: Compare(operands[0].Number, ((long)A()).CompareTo((long)B())); break;
                case Cmplwi or Cmplw: Compare(operands[0].Number, ((uint)A()).CompareTo((uint)B())); break;
                case Cmpldi or Cmpld: Compare(operands[0].Number, A().CompareTo(B())); break;
                case Isel: Write(instruction, Bit(operands[3].Number) ? A() : B()); break;
                case AndiRc or AndRc: WriteAndRecord(instruction, A() & B()); break;
                case AndisRc: WriteAndRecord(instruction, A() & (B() << 16)); break;
                case Ori or Or: Write(instruction, A() | B()); break;
                case Oris: Write(instruction, A() | (B() << 16)); break;
                case Xori or Xor: Write(instruction, A() ^ B()); break;
                case Xoris: Write(instruction, A() ^ (B() << 16)); break;
                case And: Write(instruction, A() & B()); break;
                case Andc: Write(instruction, A() & ~B()); break;
                case Orc: Write(instruction, A() | ~B()); break;
                case Nor: Write(instruction, ~(A() | B())); break;
                case Eqv: Write(instruction, ~(A() ^ B())); break;
                case Extsb: Write(instruction, (ulong)(sbyte)A()); break;
                case Extsh: Write(instruction, (ulong)(short)A()); break;
                case Extsw: Write(instruction, (ulong)(int)A()); break;
                case ExtswRc: WriteAndRecord(instruction, (ulong)(int)A()); break;
                case Rlwinm: Write(instruction, RotateWord(A(), Number(2)) & Mask(Number(3) + 32, Number(4) + 32)); break;
                case Rlwnm: Write(instruction, RotateWord(A(), (int)(B() & 31)) & Mask(Number(3) + 32, Number(4) + 32)); break;
                case Rlwimi: Insert(instruction, RotateWord(A(), Number(2)), Mask(Number(3) + 32, Number(4) + 32), 5); break;
                case Rldicl: Write(instruction, RotateDoubleword(A(), Number(2)) & Mask(Number(3), 63)); break;
                case RldiclRc: WriteAndRecord(instruction, RotateDoubleword(A(), Number(2)) & Mask(Number(3), 63)); break;
                case Rldicr: Write(instruction, RotateDoubleword(A(), Number(2)) & Mask(0, Number(3))); break;
                case Rldic: Write(instruction, RotateDoubleword(A(), Number(2)) & Mask(Number(3), 63 - Number(2))); break;
                case Rldimi: Insert(instruction, RotateDoubleword(A(), Number(2)), Mask(Number(3), 63 - Number(2)), 4); break;
                case Rldcl: Write(instruction, RotateDoubleword(A(), (int)(B() & 63)) & Mask(Number(3), 63)); break;
                case Slw: Write(instruction, (B() & 32) != 0 ? 0 : (uint)A() << (int)(B() & 31)); break;
                case Srw: Write(instruction, (B() & 32) != 0 ? 0 : (uint)A() >> (int)(B() & 31)); break;
                case Sld: Write(instruction, (B() & 64) != 0 ? 0 : A() << (int)(B() & 63)); break;
                case Srd: Write(instruction, (B() & 64) != 0 ? 0 : A() >> (int)(B() & 63)); break;
                case Sraw: ShiftArithmetic(instruction, (int)A(), (int)(B() & 63)); break;
                case Srawi: ShiftArithmetic(instruction, (int)A(), Number(2)); break;
                case Srad: ShiftArithmetic(instruction, (long)A(), (int)(B() & 127)); break;
                case Sradi: ShiftArithmetic(instruction, (long)A(), Number(2)); break;
                case Brh: Write(instruction, ReverseIn(A(), 2)); break;
                case Brw: Write(instruction, ReverseIn(A(), 4)); break;
                case Brd: Write(instruction, ReverseIn(A(), 8)); break;
                case Lwsync: break;
                default: Access(instruction, A() + B()); break;
            }
        }
    }

    private void WriteAndRecord(MachineInstruction instruction, ulong value)
    {
        Write(instruction, value);
        Compare(0, ((long)value).CompareTo(0));
    }

    private void Insert(MachineInstruction instruction, ulong rotated, ulong mask, int tied) =>
        Write(instruction, (rotated & mask) | (Read(instruction.Operands[tied]) & ~mask));

    private void ShiftArithmetic(MachineInstruction instruction, long value, int count)
    {
        long shifted = value >> Math.Min(count, 63);
        _carry = value < 0 && (count > 63 || shifted << count != value);
        Write(instruction, (ulong)shifted);
    }

    private static ulong ReverseIn(ulong value, int unit)
    {
        ulong result = 0;
        for (int i = 0; i < 8; i++)
        {
            int target = (i / unit * unit) + unit - 1 - (i % unit);
            result |= ((value >> (8 * i)) & 0xff) << (8 * target);
        }

        return result;
    }

    private ulong Divide(MachineInstruction instruction, ulong left, ulong right)
    {
        bool isSigned = instruction.Opcode is Divd or Modsd;
        if (right == 0 || (isSigned && (long)right == -1 && (long)left == long.MinValue))
            return Garbage();
        return instruction.Opcode switch
        {
            Divd => (ulong)((long)left / (long)right),
            Modsd => (ulong)((long)left % (long)right),
            Divdu => left / right,
            _ => left % right,
        };
    }

    private ulong DivideWord(MachineInstruction instruction, ulong left, ulong right)
    {
        bool isSigned = instruction.Opcode is Divw or Modsw;
        if ((uint)right == 0 || (isSigned && (int)right == -1 && (int)left == int.MinValue))
            return Garbage();
        return WithGarbageAbove(instruction.Opcode switch
        {
            Divw => (uint)((int)left / (int)right),
            Modsw => (uint)((int)left % (int)right),
            Divwu => (uint)left / (uint)right,
            _ => (uint)left % (uint)right,
        });
    }

    private void Access(MachineInstruction instruction, ulong address)
    {
        switch (instruction.Opcode)
        {
            case Lbz or Lbzx: Write(instruction, _world.Load(address, 1)); break;
            case Lhz or Lhzx: Write(instruction, _world.Load(address, 2)); break;
            case Lwz or Lwzx: Write(instruction, _world.Load(address, 4)); break;
            case Ld or Ldx: Write(instruction, _world.Load(address, 8)); break;
            case Lha or Lhax: Write(instruction, (ulong)(short)_world.Load(address, 2)); break;
            case Lwa or Lwax: Write(instruction, (ulong)(int)_world.Load(address, 4)); break;
            case Lhbrx: Write(instruction, ReverseIn(_world.Load(address, 2), 2)); break;
            case Lwbrx: Write(instruction, ReverseIn(_world.Load(address, 4), 4)); break;
            case Ldbrx: Write(instruction, ReverseIn(_world.Load(address, 8), 8)); break;
            case Stb or Stbx: _world.Store(address, 1, Read(instruction.Operands[0])); break;
            case Sth or Sthx: _world.Store(address, 2, Read(instruction.Operands[0])); break;
            case Stw or Stwx: _world.Store(address, 4, Read(instruction.Operands[0])); break;
            case Std or Stdx: _world.Store(address, 8, Read(instruction.Operands[0])); break;
            case Sthbrx: _world.Store(address, 2, ReverseIn(Read(instruction.Operands[0]), 2)); break;
            case Stwbrx: _world.Store(address, 4, ReverseIn(Read(instruction.Operands[0]), 4)); break;
            case Stdbrx: _world.Store(address, 8, ReverseIn(Read(instruction.Operands[0]), 8)); break;
            default: throw new InvalidOperationException($"{instruction.Opcode} is not known here");
        }
    }
}
