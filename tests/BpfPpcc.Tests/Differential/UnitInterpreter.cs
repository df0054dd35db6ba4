using System.Buffers.Binary;
using System.Numerics;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// Runs test units in the reference interpreter: lays the functions out one behind the other, resolves their references, provides maps,
/// variables and the helpers of the test host (Host/helpers.c says what they compute).
/// </summary>
public sealed class UnitInterpreter
{
    private readonly TestUnit _unit;
    private readonly int[] _starts;
    private readonly int _slots;
    private (uint Slide, InterpretedCode Code)? _linked;

    public UnitInterpreter(TestUnit unit)
    {
        _unit = unit;
        _starts = new int[unit.Functions.Count];
        for (int i = 0; i < _starts.Length; i++)
        {
            _starts[i] = _slots;
            _slots += unit.Functions[i].Slots.Count;
        }

        Executed = new bool[_slots];
    }

    /// <summary>By slot, functions in order: whether it ran in any run.</summary>
    public bool[] Executed { get; }

    /// <summary>Steps of the longest run.</summary>
    public long MostSteps { get; private set; }

    public long StepLimit { get; init; } = 50_000_000;

    /// <exception cref="BpfFaultException">The program is not valid.</exception>
    public TestOutcome Run(TestInput input, Coverage? coverage = null, uint slide = 0)
    {
        var memory = new InterpreterMemory(slide: slide);
        byte[] bytes = [.. input.Memory];
        MemoryRegion context = memory.Add("context", bytes);
        MemoryRegion[] variables = [.. _unit.Variables.Select(v => memory.Add(v.IsReadOnly ? "read-only variable" : "variable", [.. v.Contents], !v.IsReadOnly))];
        MemoryRegion[] maps = [.. _unit.Maps.Select(m => memory.Add("map", new byte[128], isWritable: false))];
        MemoryRegion[] elements = [.. _unit.Maps.Select(m => memory.Add("map value", m.Strided()))];

        ulong codeAddress = 0xc0de_0000_0000_0000 + (ulong)slide * 0x101_0000;
        // The regions are made in the same order every time, so their addresses depend on nothing but the slide.
        if (_linked?.Slide != slide)
            _linked = (slide, new InterpretedCode(Link(variables, maps, codeAddress)));
        var interpreter = new ReferenceInterpreter(_linked.Value.Code, memory)
        {
            CodeAddress = codeAddress,
            Coverage = coverage,
            StepLimit = StepLimit,
            Helper = (id, arguments) => CallHelper(id, arguments, memory, maps, elements),
            HelperArity = TestHelpers.Arity,
            ProgramArrayAt = address => ArrayAt(address, maps),
            Packet = (offset, size) => TestHelpers.LoadPacket(bytes, offset, size),
        };
        ulong result = interpreter.Run(_starts[_unit.Entry], [context.Address, .. input.Arguments]);
        for (int i = 0; i < _slots; i++)
            Executed[i] |= interpreter.Executed[i];
        MostSteps = Math.Max(MostSteps, interpreter.Steps);
        coverage?.Max("max depth of calls", interpreter.DeepestCall);
        coverage?.Max("max steps of a run", interpreter.Steps);
        return new TestOutcome(
            result,
            bytes,
            [.. _unit.Variables.Index().Where(static v => !v.Item.IsReadOnly).Select(v => variables[v.Index].Bytes)],
            [.. _unit.Maps.Index().Where(static m => m.Item.Programs is null).Select(m => elements[m.Index].Bytes)]);
    }

    /// <summary>Counts the slots that ran in any run.</summary>
    public void CountSlots(Coverage coverage)
    {
        int at = 0;
        foreach (TestFunction function in _unit.Functions)
        {
            foreach (Slot slot in function.Slots)
            {
                if (Executed[at++])
                    coverage.CountSlot(slot);
                else if (slot.Opcode != 0)
                    coverage.Count("slots that never ran");
            }
        }
    }

    private byte[] Link(MemoryRegion[] variables, MemoryRegion[] maps, ulong codeAddress)
    {
        var code = new byte[_slots * Slot.Size];
        for (int f = 0; f < _unit.Functions.Count; f++)
        {
            TestFunction function = _unit.Functions[f];
            for (int i = 0; i < function.Slots.Count; i++)
                function.Slots[i].Encode(code.AsSpan((_starts[f] + i) * Slot.Size));
            foreach (SlotReference reference in function.References)
            {
                int at = _starts[f] + reference.Slot;
                Span<byte> slot = code.AsSpan(at * Slot.Size);
                switch (reference.Kind)
                {
                    case SlotReferenceKind.FunctionCall:
                        BinaryPrimitives.WriteInt32LittleEndian(slot[4..], _starts[reference.Target] - at - 1);
                        break;
                    case SlotReferenceKind.FunctionAddress:
                        WriteAddress(slot, codeAddress + 8 * (ulong)_starts[reference.Target]);
                        break;
                    case SlotReferenceKind.Map:
                        WriteAddress(slot, maps[reference.Target].Address);
                        break;
                    case SlotReferenceKind.Variable:
                        WriteAddress(slot, variables[reference.Target].Address + (ulong)reference.Addend);
                        break;
                }
            }
        }

        return code;
    }

    private static void WriteAddress(Span<byte> slots, ulong address)
    {
        slots[1] &= 15;
        BinaryPrimitives.WriteUInt32LittleEndian(slots[4..], (uint)address);
        BinaryPrimitives.WriteUInt32LittleEndian(slots[12..], (uint)(address >> 32));
    }

    private ProgramArray? ArrayAt(ulong address, MemoryRegion[] maps)
    {
        int index = Array.FindIndex(maps, m => m.Address == address);
        if (index < 0 || _unit.Maps[index].Programs is not { } programs)
            return null;
        return new ProgramArray((uint)programs.Length, i => programs[i] < 0 ? -1 : _starts[programs[i]]);
    }

    private ulong CallHelper(int id, ReadOnlySpan<ulong> a, InterpreterMemory memory, MemoryRegion[] maps, MemoryRegion[] elements)
    {
        switch (id)
        {
            case 1 or 2:
                ulong address = a[0];
                int map = Array.FindIndex(maps, m => m.Address == address);
                if (map < 0 || _unit.Maps[map].Programs is not null)
                    throw new BpfFaultException("r1 is no array map");
                var key = (uint)memory.Load(a[1], 4);
                bool isInside = key < (uint)_unit.Maps[map].MaxEntries;
                ulong element = elements[map].Address + key * (ulong)_unit.Maps[map].Stride;
                if (id == 1)
                    return isInside ? element : 0;
                for (int i = 0; i < _unit.Maps[map].ValueSize && isInside; i++)
                    memory.Store(element + (ulong)i, 1, memory.Load(a[2] + (ulong)i, 1));
                return isInside ? 0 : unchecked((ulong)-7L);
            default:
                return TestHelpers.Call(id, a, memory);
        }
    }
}

/// <summary>The helpers that the test host offers to random programs. Their ids are none of the kernel's, so that nothing is known of them.</summary>
public static class TestHelpers
{
    public const int Mix1 = 900, Mix2 = 901, Mix3 = 902, Mix4 = 903, Mix5 = 904, Memory = 905, Clobber = 906, Read8 = 907;

    /// <summary>The prototypes, as docs/verification.md says them.</summary>
    public const string Prototypes =
        """
        unsigned long long id_900(unsigned long long) = 900;
        unsigned long long id_901(unsigned long long, unsigned long long) = 901;
        unsigned long long id_902(unsigned long long, unsigned long long, unsigned long long) = 902;
        unsigned long long id_903(unsigned long long, unsigned long long, unsigned long long, unsigned long long) = 903;
        unsigned long long id_904(unsigned long long, unsigned long long, unsigned long long, unsigned long long, unsigned long long) = 904;
        unsigned long long id_905(void *memory __size(length), unsigned long long length, unsigned long long by) = 905;
        unsigned long long id_906(void) = 906;
        unsigned long long id_907(const void *memory __size(8)) = 907;
        """;

    public static int Arity(int id) => id switch
    {
        1 => 2,
        2 => 4,
        >= Mix1 and <= Mix5 => id - Mix1 + 1,
        Memory => 3,
        Read8 => 1,
        _ => 0,
    };

    public static ulong Call(int id, ReadOnlySpan<ulong> a, InterpreterMemory memory) => id switch
    {
        Mix1 => BitOperations.RotateLeft(a[0], 13) ^ 0x9e37_79b9_7f4a_7c15,
        Mix2 => a[0] * 3 + BitOperations.RotateLeft(a[1], 7),
        Mix3 => Three(a),
        Mix4 => Three(a) + a[3] * 7,
        Mix5 => (Three(a) + a[3] * 7) ^ BitOperations.RotateLeft(a[4], 40),
        Memory => ChangeMemory(a, memory),
        Clobber => 0x05ca_1ab1_e0dd_ba11,
        Read8 => ReadMemory(a, memory),
        _ => throw new BpfFaultException($"helper {id}"),
    };

    /// <summary>What LD_ABS and LD_IND find: the context's bytes are the packet.</summary>
    public static ulong? LoadPacket(byte[] packet, uint offset, int size)
    {
        if (offset > int.MaxValue || offset + (long)size > packet.Length)
            return null;
        ulong value = 0;
        for (int i = 0; i < size; i++)
            value = value << 8 | packet[(int)offset + i];
        return value;
    }

    private static ulong Three(ReadOnlySpan<ulong> a) => (a[0] ^ a[1] * 5) + BitOperations.RotateLeft(a[2], 21);

    // (address, length, x): sums the bytes and changes each.
    private static ulong ChangeMemory(ReadOnlySpan<ulong> a, InterpreterMemory memory)
    {
        ulong sum = 0;
        for (ulong i = 0; i < a[1]; i++)
        {
            ulong old = memory.Load(a[0] + i, 1);
            sum += old * (i + 1);
            memory.Store(a[0] + i, 1, old * 3 + a[2] + i);
        }

        return sum;
    }

    private static ulong ReadMemory(ReadOnlySpan<ulong> a, InterpreterMemory memory)
    {
        ulong value = 0;
        for (int i = 0; i < 8; i++)
            value |= memory.Load(a[0] + (ulong)i, 1) << (8 * i);
        return value;
    }
}
