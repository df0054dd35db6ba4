using BpfPpcc.Bpf;
using BpfPpcc.Tests.Differential;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>
/// Programs full of numbers: arithmetic of both widths, copies, copies plus something, sign extension, byte swaps, spills and fills of every
/// width, and conditions of all kinds, most of which lead out. Any input will do, so that all of them are accepted.
/// </summary>
internal sealed class ScalarProgramGenerator
{
    private const int Arguments = 12;
    private const int Slots = 6;

    private static readonly int[] Operations = [0x0, 0x0, 0x1, 0x1, 0x2, 0x3, 0x4, 0x5, 0x5, 0x6, 0x7, 0x9, 0xa, 0xc];
    private static readonly int[] Conditions = [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd];

    private readonly Prng _random;
    private readonly List<Slot> _slots = [];
    private readonly List<int> _exits = [];

    private ScalarProgramGenerator(ulong seed) => _random = new Prng(seed);

    public static StressProgram Generate(ulong seed)
    {
        var generator = new ScalarProgramGenerator(seed);
        return new StressProgram($"n{seed}", BpfProgramType.RAW_TRACEPOINT, null, generator.Program(), Input(seed));
    }

    /// <summary>The context of a run: numbers of every shape, many of them near one another.</summary>
    public static byte[] Input(ulong seed)
    {
        var random = new Prng(seed ^ 0x5c5c_5c5c);
        var bytes = new byte[8 * Arguments];
        ulong last = 0;
        for (int i = 0; i < Arguments; i++)
        {
            last = random.Next(4) switch
            {
                0 => last + (ulong)(long)random.Between(-9, 9),
                1 => (ulong)random.Next(70),
                _ => random.Value64(),
            };
            BitConverter.TryWriteBytes(bytes.AsSpan(8 * i), last);
        }

        return bytes;
    }

    private Slot[] Program()
    {
        _slots.Add(Slot.Mov(9, 1));
        for (int register = 0; register <= 5; register++)
            _slots.Add(Slot.Load(_random.Pick(8, 8, 4, 2, 1), register, 9, 8 * _random.Next(Arguments)));
        for (int slot = 1; slot <= Slots; slot++)
            _slots.Add(_random.Coin() ? Slot.Store(8, 10, -8 * slot, Register()) : Slot.StoreImm(8, 10, -8 * slot, _random.Pick(0, 0, 1, -1, 300)));
        int branches = 0;
        for (int i = _random.Between(8, 30); i > 0; i--)
        {
            switch (_random.Next(10))
            {
                case 0 or 1 or 2:
                    Arithmetic();
                    break;
                case 3 or 4:
                    Copy();
                    break;
                case 5:
                    Spill();
                    break;
                default:
                    Condition(mayGoOn: branches++ < 6);
                    break;
            }
        }

        _slots.Add(Slot.MovImm(0, 0));
        _slots.Add(Slot.Exit);
        foreach (int jump in _exits)
            _slots[jump] = _slots[jump].WithJumpOffset(_slots.Count - 3 - jump);
        return [.. _slots];
    }

    private int Register() => _random.Next(6);

    private void Arithmetic()
    {
        int register = Register();
        bool is64 = _random.Chance(60);
        int operation = _random.Pick<int>(Operations);
        int isSigned = operation is 0x3 or 0x9 ? _random.Next(2) : 0;
        if (_random.Chance(6))
        {
            _slots.Add(_random.Next(3) switch
            {
                0 => Slot.AluImm(0x8, is64, register, 0),
                1 => Slot.ByteSwap(register, _random.Pick(16, 32, 64)),
                _ => Slot.ToBigEndian(register, _random.Pick(16, 32, 64)),
            });
        }
        else if (_random.Chance(40))
        {
            _slots.Add(Slot.Alu(operation, is64, register, Register(), isSigned));
        }
        else
        {
            int immediate = _random.Chance(60) ? _random.Between(1, 20) : _random.Immediate();
            if (operation is 0x6 or 0x7 or 0xc)
                immediate &= is64 ? 63 : 31;
            if (operation is 0x3 or 0x9 && immediate == 0)
                immediate = 7;
            _slots.Add(Slot.AluImm(operation, is64, register, immediate, isSigned));
        }
    }

    private void Copy()
    {
        int to = Register();
        bool is64 = _random.Chance(65);
        int extension = _random.Chance(25) ? is64 ? _random.Pick(8, 16, 32) : _random.Pick(8, 16) : 0;
        _slots.Add(Slot.Alu(0xb, is64, to, Register(), extension));
        if (_random.Coin())
            _slots.Add(Slot.AluImm(0x0, _random.Chance(80), to, _random.Pick(1, -1, 4, -7, 100, int.MaxValue, int.MinValue)));
    }

    private void Spill()
    {
        int size = _random.Pick(1, 2, 4, 8, 8);
        int place = -8 * _random.Between(1, Slots) + _random.Next(8 / size) * size;
        if (_random.Chance(60))
            _slots.Add(Slot.Store(size, 10, place, Register()));
        int readSize = _random.Pick(size, size, 1, 2, 4, 8);
        int readPlace = readSize <= size ? place : place & ~7;
        _slots.Add(readSize < 8 && _random.Chance(20) ? Slot.LoadSigned(readSize, Register(), 10, readPlace) : Slot.Load(readSize, Register(), 10, readPlace));
    }

    private void Condition(bool mayGoOn)
    {
        int code = _random.Pick<int>(Conditions);
        bool is64 = _random.Chance(55);
        Slot jump = _random.Chance(45)
            ? Slot.Jump(code, is64, Register(), Register(), 0)
            : Slot.JumpImm(code, is64, Register(), _random.Chance(50) ? _random.Between(-3, 70) : _random.Immediate(), 0);
        if (mayGoOn && _random.Coin())
        {
            // Both ways go on; what one of them does shows in a register.
            _slots.Add(jump.WithJumpOffset(1));
            _slots.Add(Slot.AluImm(_random.Pick(0x0, 0x5, 0xb), _random.Coin(), Register(), _random.Between(-5, 60)));
            return;
        }

        // Out on one of the ways.
        if (_random.Coin())
        {
            _exits.Add(_slots.Count);
            _slots.Add(jump);
        }
        else
        {
            _slots.Add(jump.WithJumpOffset(1));
            _exits.Add(_slots.Count);
            _slots.Add(Slot.Goto(0));
        }
    }
}
